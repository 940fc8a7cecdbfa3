package storetest

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"tote/objstore"
)

func matchGetterClauses() []clause {
	return []clause{
		{"GetsTheExpected", matchSame},
		{"OtherIsErrChanged", matchOther},
		{"MissingIsErrNotFound", func(t *testing.T, s objstore.Store) {
			g := ability[objstore.MatchGetter](t, s)
			for _, tag := range []string{"", "tag"} {
				_, err := g.GetMatch(t.Context(), "a", tag, 0, -1)
				isErr(t, err, objstore.ErrNotFound)
			}
		}},
	}
}

func matchSame(t *testing.T, s objstore.Store) {
	g := ability[objstore.MatchGetter](t, s)
	data := pattern(1, 10_000)
	info := put(t, s, "dir/a", data)
	u := upload(t, s, "dir/b")
	whole := complete(t, u, part(t, u, 1, data))
	for _, o := range []objstore.Info{info, whole} {
		if o.ETag == "" {
			t.Fatalf("%+v has no tag", o)
		}
		for _, tag := range []string{o.ETag, ""} {
			for _, r := range []struct{ off, n, want int64 }{{0, -1, 10_000}, {5, 100, 100}, {9_999, -1, 1}, {10_000, -1, 0}, {7, 0, 0}} {
				body, err := g.GetMatch(t.Context(), o.Key, tag, r.off, r.n)
				noErr(t, err)
				got, err := io.ReadAll(body)
				noErr(t, err)
				noErr(t, body.Close())
				if !bytes.Equal(got, data[r.off:r.off+r.want]) {
					t.Errorf("%s: %d bytes at %d: got %d bytes", o.Key, r.n, r.off, len(got))
				}
			}
			_, err := g.GetMatch(t.Context(), o.Key, tag, 0, 10_001)
			isErr(t, err, objstore.ErrRange)
		}
	}
}

func matchOther(t *testing.T, s objstore.Store) {
	g := ability[objstore.MatchGetter](t, s)
	old := put(t, s, "a", []byte("old"))
	now := put(t, s, "a", []byte("new"))
	if old.ETag == now.ETag {
		t.Fatalf("both have the tag %q", old.ETag)
	}
	for _, tag := range []string{old.ETag, "nope", strings.Repeat("0", 32)} {
		for _, r := range []struct{ off, n int64 }{{0, -1}, {0, 3}, {1, 1}, {3, -1}, {0, 0}} {
			_, err := g.GetMatch(t.Context(), "a", tag, r.off, r.n)
			isErr(t, err, objstore.ErrChanged)
		}
	}
	noErr(t, s.Delete(t.Context(), "a"))
	_, err := g.GetMatch(t.Context(), "a", now.ETag, 0, -1)
	isErr(t, err, objstore.ErrNotFound)
}
