package s3store_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"tote/objstore"
	"tote/objstore/s3store"
	"tote/objstore/s3store/s3test"
)

// What is not below the store's prefix can be read, copied and deleted under keys of its own, and shows in no other list.
func TestStore_BucketKeys(t *testing.T) {
	g := s3test.Start(t)
	s, all := open(t, options(t, g, "p/tree")), open(t, options(t, g, ""))
	for _, key := range []string{"p/tree/own", "p/tree2/a", "p/photos/2024/ü b.jpg", "p/photos/c"} {
		_, err := all.Put(t.Context(), key, strings.NewReader(key), int64(len(key)))
		must(t, err)
	}
	front := s3store.BucketKeys + g.Prefix("p/")
	list := func(prefix, after string) (keys []string) {
		for info, err := range s.List(t.Context(), prefix, after) {
			must(t, err)
			keys = append(keys, strings.TrimPrefix(info.Key, front))
		}
		return keys
	}
	for _, tt := range []struct {
		prefix, after string
		want          []string
	}{
		{"", "", []string{"own"}},
		{front, "", []string{"photos/2024/ü b.jpg", "photos/c", "tree2/a"}},
		{front + "photos/", "", []string{"photos/2024/ü b.jpg", "photos/c"}},
		{front, front + "photos/c", []string{"tree2/a"}},
		{front, "own", nil},
		{front + "tree/", "", nil},
	} {
		if got := list(tt.prefix, tt.after); !slices.Equal(got, tt.want) {
			t.Errorf("list of %q behind %q: %q, want %q", tt.prefix, tt.after, got, tt.want)
		}
	}
	info, err := s.Stat(t.Context(), front+"photos/c")
	must(t, err)
	body, err := s.GetMatch(t.Context(), front+"photos/c", info.ETag, 2, -1)
	must(t, err)
	if b, err := io.ReadAll(body); err != nil || string(b) != "photos/c" || info.Key != front+"photos/c" {
		t.Errorf("%q, %+v, %v", b, info, err)
	}
	must(t, body.Close())
	up, err := s.NewUpload(t.Context(), "copy")
	must(t, err)
	part, err := up.CopyPart(t.Context(), 1, front+"photos/c", 0, info.Size)
	must(t, err)
	_, err = up.Complete(t.Context(), []objstore.Part{part})
	must(t, err)
	must(t, s.Delete(t.Context(), front+"photos/c"))
	if _, err := s.Stat(t.Context(), front+"photos/c"); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
	refusesBucketKeys(t, s, front)
}

// refusesBucketKeys wants nothing to be stored outside, and the store's own objects to have one key.
func refusesBucketKeys(t *testing.T, s *s3store.Store, front string) {
	t.Helper()
	_, put := s.Put(t.Context(), front+"x", strings.NewReader("x"), 1)
	_, up := s.NewUpload(t.Context(), front+"x")
	_, presign := s.PresignPut(t.Context(), front+"x", 0, 1, "")
	_, alias := s.Stat(t.Context(), front+"tree/own")
	for what, err := range map[string]error{"put": put, "upload": up, "presigned put": presign, "the store's own": alias} {
		if !errors.Is(err, objstore.ErrKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
