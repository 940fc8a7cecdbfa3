package filestore

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tote/objstore"
)

// begin makes an upload with parts of the given contents.
func begin(t *testing.T, s *Store, key string, contents ...string) (*upload, []objstore.Part) {
	t.Helper()
	u, err := s.NewUpload(t.Context(), key)
	must(t, err)
	var parts []objstore.Part
	for i, c := range contents {
		p, err := u.Part(t.Context(), i+1, strings.NewReader(c), int64(len(c)))
		must(t, err)
		parts = append(parts, p)
	}
	return u.(*upload), parts
}

func holds(t *testing.T, s *Store, key, want string) {
	t.Helper()
	body, err := s.Get(t.Context(), key, 0, -1)
	must(t, err)
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || string(got) != want {
		t.Errorf("%s holds %q, error %v, want %q", key, got, err, want)
	}
}

func names(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	must(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// TestCompleteLeavesATombstone and nothing that takes space.
func TestCompleteLeavesATombstone(t *testing.T) {
	for name, contents := range map[string][]string{"one part": {"one"}, "joined": {"one", "two", "three"}} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{})
			u, parts := begin(t, s, "d/a", contents...)
			_, err := u.Part(t.Context(), 99, strings.NewReader("short"), 50)
			if !errors.Is(err, objstore.ErrSize) {
				t.Fatalf("got %v, want ErrSize", err)
			}
			_, err = u.Complete(t.Context(), parts)
			must(t, err)
			if got := names(t, filepath.Join(s.path, u.path(""))); strings.Join(got, " ") != "done manifest" {
				t.Errorf("left %q", got)
			}
		})
	}
}

// TestCompleteAfterCrash stops a Complete at each step between the tombstone and the end, and repeats it with a
// new store, as after kill -9.
func TestCompleteAfterCrash(t *testing.T) {
	for _, c := range []struct {
		name     string
		contents []string
		publish  bool
	}{
		{"one part, before the rename", []string{"one"}, false},
		{"one part, after the rename", []string{"one"}, true},
		{"joined, before the rename", []string{"one", "two"}, false},
		{"joined, after the rename", []string{"one", "two"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Options{})
			u, parts := begin(t, s, "d/a", c.contents...)
			must(t, u.in(func(d *dir) error {
				tomb, err := u.join(t.Context(), d, parts)
				must(t, err)
				must(t, s.writeJSON(d, doneName, tomb))
				if c.publish {
					return u.publish(d, tomb)
				}
				return nil
			}))
			repeatElsewhere(t, s, u, parts, strings.Join(c.contents, ""), !c.publish)
		})
	}
}

func repeatElsewhere(t *testing.T, old *Store, u *upload, parts []objstore.Part, want string, open bool) {
	t.Helper()
	s, err := New(old.path, Options{})
	must(t, err)
	defer s.Close()
	listed := 0
	for _, err := range s.Uploads(t.Context()) {
		must(t, err)
		listed++
	}
	if open != (listed == 1) {
		t.Errorf("%d uploads are listed as open", listed)
	}
	again, err := s.ResumeUpload(t.Context(), u.key, u.id)
	must(t, err)
	info, err := again.Complete(t.Context(), parts)
	must(t, err)
	holds(t, s, u.key, want)
	stat, err := s.Stat(t.Context(), u.key)
	must(t, err)
	if stat.ETag != info.ETag || !stat.Modified.Equal(info.Modified) || stat.Size != info.Size {
		t.Errorf("complete says %+v, stat %+v", info, stat)
	}
	must(t, again.Abort(t.Context()))
	holds(t, s, u.key, want)
}

// TestAbortAfterCrash: an upload that wrote its tombstone but published nothing can still be aborted.
func TestAbortAfterCrash(t *testing.T) {
	s := open(t, Options{})
	u, parts := begin(t, s, "d/a", "one", "two")
	must(t, u.in(func(d *dir) error {
		tomb, err := u.join(t.Context(), d, parts)
		must(t, err)
		return s.writeJSON(d, doneName, tomb)
	}))
	must(t, u.Abort(t.Context()))
	if _, err := s.Stat(t.Context(), "d/a"); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := u.Complete(t.Context(), parts); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("complete: got %v, want ErrNotFound", err)
	}
	if left := names(t, filepath.Join(s.path, uploadsDir)); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// TestCorruptPartIsErrPart: a part file that lost bytes behind our back is not published.
func TestCorruptPartIsErrPart(t *testing.T) {
	s := open(t, Options{})
	u, parts := begin(t, s, "d/a", "one", "two")
	must(t, os.Truncate(filepath.Join(s.path, u.path(partName(2))), 2))
	if _, err := u.Complete(t.Context(), parts); !errors.Is(err, objstore.ErrPart) {
		t.Errorf("got %v, want ErrPart", err)
	}
}

func TestUploadsIgnoresForeignNames(t *testing.T) {
	s := open(t, Options{})
	u, _ := begin(t, s, "a")
	all := filepath.Join(s.path, uploadsDir)
	must(t, os.WriteFile(filepath.Join(all, "note"), nil, 0o600))
	must(t, os.Mkdir(filepath.Join(all, strings.Repeat("0", 2*idBytes)), 0o700)) // crashed before its manifest
	must(t, os.Symlink(u.id, filepath.Join(all, strings.Repeat("1", 2*idBytes))))
	n := 0
	for info, err := range s.Uploads(t.Context()) {
		if err == nil && info.ID == u.id {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the upload shows %d times", n)
	}
	if _, err := s.ResumeUpload(t.Context(), "a", strings.Repeat("1", 2*idBytes)); err == nil {
		t.Error("a link was taken for an upload")
	}
}

func TestSweep(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "d/a", "stays")
	_, _ = begin(t, s, "open", "one")
	done, parts := begin(t, s, "completed", "one", "two")
	_, err := done.Complete(t.Context(), parts)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(s.path, tmpDir, "crashed"), []byte("x"), 0o600))
	must(t, os.MkdirAll(filepath.Join(s.path, tmpDir, "aborted", "x"), 0o700))

	if n, err := s.Sweep(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("removed %d young things, error %v", n, err)
	}
	if n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 4 || err != nil {
		t.Errorf("removed %d of 4 old things, error %v", n, err)
	}
	for _, sub := range []string{tmpDir, uploadsDir} {
		if left := names(t, filepath.Join(s.path, sub)); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	}
	holds(t, s, "d/a", "stays")
	holds(t, s, "completed", "onetwo")
	if _, err := done.Complete(t.Context(), parts); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("a forgotten upload: got %v, want ErrNotFound", err)
	}
}

// TestSweepSparesAnOldUploadInUse: what counts is the last part, not the beginning.
func TestSweepSparesAnOldUploadInUse(t *testing.T) {
	s := open(t, Options{})
	u, parts := begin(t, s, "a", "one")
	old := time.Now().Add(-48 * time.Hour)
	for _, name := range []string{manifestName, ""} {
		must(t, os.Chtimes(filepath.Join(s.path, u.path(name)), old, old))
	}
	if n, err := s.Sweep(t.Context(), time.Now().Add(-24*time.Hour)); n != 0 || err != nil {
		t.Errorf("removed %d, error %v", n, err)
	}
	_, err := u.Complete(t.Context(), parts)
	must(t, err)
}

// TestCopyFileIsExact covers chunks and a source that is shorter than it was.
func TestCopyFileIsExact(t *testing.T) {
	src, err := os.Create(filepath.Join(t.TempDir(), "src"))
	must(t, err)
	defer src.Close()
	const size = copyChunk + 12345
	must(t, src.Truncate(size))
	_, err = src.WriteAt([]byte("end"), size-3)
	must(t, err)
	dst, err := os.Create(filepath.Join(t.TempDir(), "dst"))
	must(t, err)
	defer dst.Close()
	must(t, copyFile(t.Context(), dst, src, size))
	tail := make([]byte, 3)
	_, err = dst.ReadAt(tail, size-3)
	must(t, err)
	if st, err := dst.Stat(); err != nil || st.Size() != size || !bytes.Equal(tail, []byte("end")) {
		t.Errorf("copied %d bytes ending in %q, error %v", st.Size(), tail, err)
	}
	if err := copyFile(t.Context(), dst, src, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("past the end: got %v", err)
	}
}
