package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tote/objstore"
)

type adoptFunc func(ctx context.Context, key, path string) (objstore.Info, error)

func adopterClauses() []clause {
	return adoptClauses(func(t *testing.T, s objstore.Store) adoptFunc {
		return ability[objstore.Adopter](t, s).Adopt
	})
}

func lazyAdopterClauses() []clause {
	lazy := func(t *testing.T, s objstore.Store) adoptFunc {
		return ability[objstore.LazyAdopter](t, s).AdoptLazy
	}
	return append(adoptClauses(lazy), clause{"ThenSync", func(t *testing.T, s objstore.Store) {
		_, err := lazy(t, s)(t.Context(), "a", localFile(t, []byte("x")))
		noErr(t, err)
		noErr(t, ability[objstore.Syncer](t, s).Sync(t.Context()))
		holds(t, s, "a", []byte("x"))
	}})
}

// adoptClauses hold for both kinds of adopting.
func adoptClauses(adopt func(*testing.T, objstore.Store) adoptFunc) []clause {
	return []clause{
		{"MovesTheFile", func(t *testing.T, s objstore.Store) { adoptMoves(t, s, adopt(t, s)) }},
		{"ReplacesAtomically", func(t *testing.T, s objstore.Store) { adoptReplaces(t, s, adopt(t, s)) }},
		{"RefusalKeepsTheFile", func(t *testing.T, s objstore.Store) { adoptRefuses(t, s, adopt(t, s)) }},
		{"MissingFileIsNotAnObjectNotFound", func(t *testing.T, s objstore.Store) {
			_, err := adopt(t, s)(t.Context(), "a", filepath.Join(t.TempDir(), "nope"))
			isErr(t, err, fs.ErrNotExist)
			if errors.Is(err, objstore.ErrNotFound) {
				t.Error("a missing local file was taken for a missing object")
			}
		}},
	}
}

func adoptMoves(t *testing.T, s objstore.Store, adopt adoptFunc) {
	data := pattern(1, 10_000)
	path := localFile(t, data)
	info, err := adopt(t.Context(), "dir/a", path)
	noErr(t, err)
	if info.Key != "dir/a" || info.Size != 10_000 {
		t.Errorf("adopt says %+v", info)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the source is still there: %v", err)
	}
	holds(t, s, "dir/a", data)
	stat, err := s.Stat(t.Context(), "dir/a")
	noErr(t, err)
	sameInfo(t, stat, info)
}

func adoptReplaces(t *testing.T, s objstore.Store, adopt adoptFunc) {
	put(t, s, "a", []byte("old"))
	body, err := s.Get(t.Context(), "a", 0, -1)
	noErr(t, err)
	defer body.Close()
	_, err = adopt(t.Context(), "a", localFile(t, []byte("new")))
	noErr(t, err)
	holds(t, s, "a", []byte("new"))
	if got, err := io.ReadAll(body); err == nil && string(got) != "old" {
		t.Errorf("an open reader got %q", got)
	}
}

func adoptRefuses(t *testing.T, s objstore.Store, adopt adoptFunc) {
	path := localFile(t, []byte("x"))
	_, err := adopt(t.Context(), "../a", path)
	isErr(t, err, objstore.ErrKey)
	_, err = adopt(cancelled(t), "a", path)
	isErr(t, err, context.Canceled)
	link := filepath.Join(t.TempDir(), "link")
	noErr(t, os.Symlink(path, link))
	for _, bad := range []string{link, filepath.Dir(path)} {
		if _, err := adopt(t.Context(), "a", bad); err == nil {
			t.Errorf("%s was adopted", bad)
		}
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "x" {
		t.Errorf("the source holds %q, error %v", data, err)
	}
	absent(t, s, "a")
}

func fileOpenerClauses() []clause {
	return []clause{
		{"ReadsTheBytes", func(t *testing.T, s objstore.Store) {
			put(t, s, "dir/a", pattern(1, 10_000))
			f, err := ability[objstore.FileOpener](t, s).OpenFile(t.Context(), "dir/a")
			noErr(t, err)
			defer f.Close()
			if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, pattern(1, 10_000)) {
				t.Errorf("%d other bytes, error %v", len(got), err)
			}
			if _, err := f.WriteAt([]byte("x"), 0); err == nil {
				t.Error("the handle can write")
			}
		}},
		{"StaysValid", func(t *testing.T, s objstore.Store) {
			put(t, s, "a", []byte("old"))
			f, err := ability[objstore.FileOpener](t, s).OpenFile(t.Context(), "a")
			noErr(t, err)
			defer f.Close()
			put(t, s, "a", []byte("new"))
			noErr(t, s.Delete(t.Context(), "a"))
			if got, err := io.ReadAll(f); err != nil || string(got) != "old" {
				t.Errorf("got %q, error %v", got, err)
			}
		}},
		{"MissingIsErrNotFound", func(t *testing.T, s objstore.Store) {
			_, err := ability[objstore.FileOpener](t, s).OpenFile(t.Context(), "a")
			isErr(t, err, objstore.ErrNotFound)
			_, err = ability[objstore.FileOpener](t, s).OpenFile(t.Context(), "/a")
			isErr(t, err, objstore.ErrKey)
		}},
	}
}

func renamerClauses() []clause {
	return []clause{
		{"Moves", func(t *testing.T, s objstore.Store) {
			want := put(t, s, "dir/a", []byte("x"))
			noErr(t, ability[objstore.Renamer](t, s).Rename(t.Context(), "dir/a", "other/dir/b"))
			absent(t, s, "dir/a")
			holds(t, s, "other/dir/b", []byte("x"))
			got, err := s.Stat(t.Context(), "other/dir/b")
			noErr(t, err)
			want.Key = "other/dir/b"
			sameInfo(t, got, want)
		}},
		{"Replaces", func(t *testing.T, s objstore.Store) {
			put(t, s, "a", []byte("x"))
			put(t, s, "b", []byte("y"))
			noErr(t, ability[objstore.Renamer](t, s).Rename(t.Context(), "a", "b"))
			absent(t, s, "a")
			holds(t, s, "b", []byte("x"))
		}},
		{"RepeatIsSuccess", func(t *testing.T, s objstore.Store) {
			put(t, s, "a", []byte("x"))
			for range 3 {
				noErr(t, ability[objstore.Renamer](t, s).Rename(t.Context(), "a", "d/b"))
			}
			holds(t, s, "d/b", []byte("x"))
		}},
		{"BothMissingIsErrNotFound", func(t *testing.T, s objstore.Store) {
			isErr(t, ability[objstore.Renamer](t, s).Rename(t.Context(), "a", "b/c"), objstore.ErrNotFound)
			absent(t, s, "b/c")
		}},
		{"ToItself", func(t *testing.T, s objstore.Store) {
			put(t, s, "a", []byte("x"))
			noErr(t, ability[objstore.Renamer](t, s).Rename(t.Context(), "a", "a"))
			holds(t, s, "a", []byte("x"))
		}},
		{"LazyMovesAndReplaces", func(t *testing.T, s objstore.Store) {
			put(t, s, "a", []byte("x"))
			put(t, s, "dir/b", []byte("y"))
			r := ability[objstore.Renamer](t, s)
			for range 2 {
				noErr(t, r.RenameLazy(t.Context(), "a", "dir/b"))
			}
			noErr(t, r.Rename(t.Context(), "a", "dir/b"))
			noErr(t, r.Rename(t.Context(), "dir/b", "dir/b"))
			absent(t, s, "a")
			holds(t, s, "dir/b", []byte("x"))
		}},
		{"MissingIsErrNotFound", func(t *testing.T, s objstore.Store) {
			r := ability[objstore.Renamer](t, s)
			isErr(t, r.RenameLazy(t.Context(), "a", "b"), objstore.ErrNotFound)
			isErr(t, r.RenameLazy(t.Context(), "a", "a"), objstore.ErrNotFound)
			isErr(t, r.Rename(t.Context(), "a", "a"), objstore.ErrNotFound)
		}},
		{"BadKeyIsErrKey", func(t *testing.T, s objstore.Store) {
			put(t, s, "a", []byte("x"))
			r := ability[objstore.Renamer](t, s)
			isErr(t, r.RenameLazy(t.Context(), "../a", "b"), objstore.ErrKey)
			isErr(t, r.Rename(t.Context(), "a", "../b"), objstore.ErrKey)
			isErr(t, r.Rename(t.Context(), "", "b"), objstore.ErrKey)
			isErr(t, r.Rename(cancelled(t), "a", "b"), context.Canceled)
			holds(t, s, "a", []byte("x"))
		}},
	}
}

func pathFinderClauses() []clause {
	return []clause{
		{"IsWhereTheBytesAre", func(t *testing.T, s objstore.Store) {
			p := ability[objstore.PathFinder](t, s)
			before, err := p.Path("dir/a")
			noErr(t, err)
			put(t, s, "dir/a", []byte("x"))
			path, err := p.Path("dir/a")
			noErr(t, err)
			if path != before || !filepath.IsAbs(path) {
				t.Errorf("path %q, before the put %q", path, before)
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != "x" {
				t.Errorf("%s holds %q, error %v", path, data, err)
			}
		}},
		{"BadKeyIsErrKey", func(t *testing.T, s objstore.Store) {
			_, err := ability[objstore.PathFinder](t, s).Path("a/../../b")
			isErr(t, err, objstore.ErrKey)
		}},
	}
}

func resumerClauses() []clause {
	return []clause{
		{"GoesOn", func(t *testing.T, s objstore.Store) {
			one := fit(s, []byte("one"))
			u := upload(t, s, "dir/a")
			p1 := part(t, u, 1, one)
			again, err := ability[objstore.Resumer](t, s).ResumeUpload(t.Context(), "dir/a", u.ID())
			noErr(t, err)
			if again.ID() != u.ID() || again.Key() != "dir/a" {
				t.Errorf("resumed %q of %q", again.ID(), again.Key())
			}
			p2 := part(t, again, 2, []byte("two"))
			info := complete(t, again, p1, p2)
			holds(t, s, "dir/a", append(one, "two"...))
			sameInfo(t, complete(t, u, p1, p2), info)
		}},
		{"CompletedIsFound", func(t *testing.T, s objstore.Store) {
			u := upload(t, s, "a")
			p := part(t, u, 1, []byte("one"))
			info := complete(t, u, p)
			again, err := ability[objstore.Resumer](t, s).ResumeUpload(t.Context(), "a", u.ID())
			noErr(t, err)
			sameInfo(t, complete(t, again, p), info)
			noErr(t, again.Abort(t.Context()))
			holds(t, s, "a", []byte("one"))
		}},
		{"UnknownIsErrNotFound", func(t *testing.T, s objstore.Store) {
			r := ability[objstore.Resumer](t, s)
			u := upload(t, s, "a")
			for _, id := range []string{"", ".", "..", "../.tmp", "no-such", "00000000000000000000000000000000", u.ID() + "/."} {
				_, err := r.ResumeUpload(t.Context(), "a", id)
				isErr(t, err, objstore.ErrNotFound)
			}
			_, err := r.ResumeUpload(t.Context(), "other", u.ID())
			isErr(t, err, objstore.ErrNotFound)
			noErr(t, u.Abort(t.Context()))
			_, err = r.ResumeUpload(t.Context(), "a", u.ID())
			isErr(t, err, objstore.ErrNotFound)
		}},
	}
}

func uploadListerClauses() []clause {
	return []clause{{"ShowsTheOpenOnes", func(t *testing.T, s objstore.Store) {
		l := ability[objstore.UploadLister](t, s)
		ids := func() (ids []string) {
			for _, info := range collect(t, l.Uploads(t.Context())) {
				if info.Key != "a" || time.Since(info.Started) > time.Hour || time.Until(info.Started) > time.Hour {
					t.Errorf("listed %+v", info)
				}
				ids = append(ids, info.ID)
			}
			slices.Sort(ids)
			return ids
		}
		one, two, three := upload(t, s, "a"), upload(t, s, "a"), upload(t, s, "a")
		all := []string{one.ID(), two.ID(), three.ID()}
		slices.Sort(all)
		if got := ids(); !slices.Equal(got, all) {
			t.Errorf("got %q, want %q", got, all)
		}
		complete(t, one, part(t, one, 1, []byte("x")))
		noErr(t, two.Abort(t.Context()))
		if got := ids(); !slices.Equal(got, []string{three.ID()}) {
			t.Errorf("got %q, want %q", got, three.ID())
		}
	}}}
}
