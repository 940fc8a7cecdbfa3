package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tote/objstore"
)

// put makes an object or ends the test.
func put(t testing.TB, s *Store, key, data string) objstore.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLayout pins where objects are: data directories outlive the program that wrote them.
func TestLayout(t *testing.T) {
	s := open(t, Options{NoSync: true})
	for key, want := range map[string]string{
		"x": "26/x",
		"rdp/binarystreamobject/assets/toteBag@_@7f3c.png": "rdp/binarystreamobject/assets/66/toteBag@_@7f3c.png",
		"a/7f/x":       "a/%7f/26/x",
		"a/%7f/x":      "a/%%7f/26/x",
		"a/7F/x":       "a/7F/26/x",
		".tmp/x":       "%.tmp/26/x",
		"%.uploads/x":  "%%.uploads/26/x",
		"%2E/x":        "%2E/26/x",
		"d/.uploads/x": "d/%.uploads/26/x",
	} {
		put(t, s, key, key)
		path, err := s.Path(key)
		must(t, err)
		if got, err := filepath.Rel(s.path, path); err != nil || got != want {
			t.Errorf("%s is at %s, want %s", key, got, want)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != key {
			t.Errorf("%s holds %q, error %v", path, data, err)
		}
		if got := segment(dirName("x" + key)); got != "x"+key {
			t.Errorf("segment %q came back as %q", "x"+key, got)
		}
	}
}

func TestShardsSpread(t *testing.T) {
	seen := map[string]int{}
	for i := range 256 * 40 {
		name := objstore.VersionKey("t", "photo.jpg", strings.Repeat("0", i%7)+string(rune('a'+i%26))+filepath.Base(t.Name())+string(rune(0x4e00+i)))
		seen[shard(name)]++
	}
	for name, n := range seen {
		if n > 120 || !isShard(name) {
			t.Errorf("shard %q has %d of %d names", name, n, 256*40)
		}
	}
	if len(seen) != 256 {
		t.Errorf("%d shards are used", len(seen))
	}
}

func TestSegmentTooLongIsErrKey(t *testing.T) {
	s := open(t, Options{NoSync: true})
	long := strings.Repeat("x", objstore.MaxSegment+1)
	for _, key := range []string{long, long + "/a", "a/" + long, strings.Repeat("%", 253) + "7f/a"} {
		_, err := s.Put(t.Context(), key, strings.NewReader(""), 0)
		if !errors.Is(err, objstore.ErrKey) {
			t.Errorf("%.20s…: got %v, want ErrKey", key, err)
		}
	}
}

// TestPlantedLinks puts links where a store without care would follow them out of its root, or inside it.
func TestPlantedLinks(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	for name, plant := range map[string]func(t *testing.T, s *Store) error{
		"directory": func(t *testing.T, s *Store) error {
			must(t, os.Mkdir(filepath.Join(outside, shard("secret")), 0o700))
			return os.Symlink(outside, filepath.Join(s.path, "d"))
		},
		"shard": func(t *testing.T, s *Store) error {
			must(t, os.Mkdir(filepath.Join(s.path, "d"), 0o700))
			return os.Symlink(outside, filepath.Join(s.path, "d", shard("secret")))
		},
		"inside": func(t *testing.T, s *Store) error {
			put(t, s, "other/secret", "inside")
			return os.Symlink("other", filepath.Join(s.path, "d"))
		},
		"object": func(t *testing.T, s *Store) error {
			put(t, s, "d/x", "")
			must(t, os.MkdirAll(filepath.Join(s.path, "d", shard("secret")), 0o700))
			return os.Symlink(filepath.Join(outside, "secret"), filepath.Join(s.path, "d", shard("secret"), "secret"))
		},
		"pipe": func(t *testing.T, s *Store) error {
			must(t, os.MkdirAll(filepath.Join(s.path, "d", shard("secret")), 0o700))
			return unix.Mkfifo(filepath.Join(s.path, "d", shard("secret"), "secret"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{NoSync: true})
			must(t, plant(t, s))
			refuses(t, s, "d/secret")
		})
	}
	if data, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(data) != "secret" {
		t.Errorf("outside holds %q, error %v", data, err)
	}
}

func refuses(t *testing.T, s *Store, key string) {
	t.Helper()
	_, err := s.Get(t.Context(), key, 0, -1)
	if err == nil || errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if _, err := s.OpenFile(t.Context(), key); err == nil {
		t.Error("open followed the link")
	}
	if _, err := s.Stat(t.Context(), key); err == nil {
		t.Error("stat followed the link")
	}
	for info := range s.List(t.Context(), "", "") {
		if info.Key == key {
			t.Error("list followed the link")
		}
	}
	// A put may replace a planted object, but must not write through it.
	if _, err := s.Put(t.Context(), key, strings.NewReader("new"), 3); err == nil {
		path, err := s.Path(key)
		must(t, err)
		if st, err := os.Lstat(path); err != nil || !st.Mode().IsRegular() {
			t.Errorf("put left %v, error %v", st, err)
		}
	}
}

// TestForeignFilesDoNotShow: a file that is no object of ours must not break a listing.
func TestForeignFilesDoNotShow(t *testing.T) {
	s := open(t, Options{NoSync: true})
	put(t, s, "d/a", "x")
	for _, name := range []string{"note.txt", "d/note.txt", "d/00/stray", "d/fd/bad\\name", "d/bad\nname/00/x"} {
		path := filepath.Join(s.path, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, nil, 0o600))
	}
	var got []string
	for info, err := range s.List(t.Context(), "", "") {
		must(t, err)
		got = append(got, info.Key)
	}
	if len(got) != 1 || got[0] != "d/a" {
		t.Errorf("got %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	linked := t.TempDir()
	must(t, os.Symlink(t.TempDir(), filepath.Join(linked, tmpDir)))
	for _, root := range []string{file, filepath.Join(file, "x"), linked} {
		if s, err := New(root, Options{}); err == nil {
			s.Close()
			t.Errorf("%s was taken for a root", root)
		} else if !strings.Contains(err.Error(), root) {
			t.Errorf("the error does not name %s: %v", root, err)
		}
	}
}

func TestReopen(t *testing.T) {
	root := t.TempDir()
	first, err := New(root, Options{})
	must(t, err)
	want := put(t, first, "d/a", "x")
	must(t, first.Close())
	second, err := New(root, Options{})
	must(t, err)
	defer second.Close()
	got, err := second.Stat(t.Context(), "d/a")
	must(t, err)
	if got.ETag != want.ETag || !got.Modified.Equal(want.Modified) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestCloseFreesDescriptors also covers a cache that had to evict.
func TestCloseFreesDescriptors(t *testing.T) {
	before := descriptors(t)
	s, err := New(t.TempDir(), Options{NoSync: true})
	must(t, err)
	s.dirs.max = 3
	for i := range 40 {
		put(t, s, strings.Repeat("d/", i%7)+fmt.Sprint(i), "x")
	}
	// The root, its handle for walks, .tmp, and what the cache may keep.
	if now := descriptors(t); now > before+3+3 {
		t.Errorf("%d descriptors are open, before %d", now, before)
	}
	must(t, s.Close())
	if now := descriptors(t); now != before {
		t.Errorf("%d descriptors are open, before %d", now, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

// TestRestoredUnderneath: directories that were removed and made again while the store holds them open.
func TestRestoredUnderneath(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "d/a", "old")
	must(t, os.RemoveAll(filepath.Join(s.path, "d")))
	if _, err := s.Stat(t.Context(), "d/a"); !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	put(t, s, "d/a", "new")
	path, err := s.Path("d/a")
	must(t, err)
	if data, err := os.ReadFile(path); err != nil || string(data) != "new" {
		t.Errorf("got %q, error %v", data, err)
	}
}

func TestFail(t *testing.T) {
	for no, want := range map[syscall.Errno]error{
		syscall.ENOSPC:       objstore.ErrNoSpace,
		syscall.EDQUOT:       objstore.ErrNoSpace,
		syscall.ENAMETOOLONG: objstore.ErrKey,
		syscall.EMFILE:       objstore.ErrTemporary,
		syscall.ELOOP:        errForeign,
		syscall.EIO:          syscall.EIO,
	} {
		err := fail("put", "d/a", &fs.PathError{Op: "write", Path: "x", Err: no})
		if !errors.Is(err, want) || !errors.Is(err, no) || !strings.HasPrefix(err.Error(), "put d/a: ") {
			t.Errorf("%v became %v", no, err)
		}
	}
}
