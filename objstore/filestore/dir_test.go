package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"tote/objstore"
)

// TestGroupShares: whoever comes during a flush shares the next one, and nobody is served by one that began
// before they came.
func TestGroupShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var flushes atomic.Int32
		release := make(chan struct{})
		g := group{flush: func() error {
			flushes.Add(1)
			<-release
			return nil
		}}
		var wg sync.WaitGroup
		wg.Go(func() { g.wait() })
		synctest.Wait() // the first flush is running
		for range 100 {
			wg.Go(func() { g.wait() })
		}
		synctest.Wait()
		if n := flushes.Load(); n != 1 {
			t.Errorf("%d flushes are running", n)
		}
		close(release)
		wg.Wait()
		if n := flushes.Load(); n != 2 {
			t.Errorf("%d flushes for 101 callers, want 2", n)
		}
	})
}

func TestGroupTellsEveryoneOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broke := errors.New("broke")
		release := make(chan struct{})
		g := group{flush: func() error {
			<-release
			return broke
		}}
		var failed atomic.Int32
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if errors.Is(g.wait(), broke) {
					failed.Add(1)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if failed.Load() != 10 {
			t.Errorf("%d of 10 callers know", failed.Load())
		}
	})
}

// countFlushes replaces the flush of a directory in the cache.
func countFlushes(t *testing.T, s *Store, path string) *atomic.Int32 {
	t.Helper()
	d, err := s.dir(path, false)
	must(t, err)
	s.dirs.release(d)
	n := new(atomic.Int32)
	flush := d.commits.flush
	d.commits.flush = func() error {
		n.Add(1)
		return flush()
	}
	return n
}

// TestHotPathFlushesOnce: once its directory is known, a publish costs one flush of that directory and none of
// those above.
func TestHotPathFlushesOnce(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "d/a", "x")
	sh := countFlushes(t, s, "d/"+shard("a"))
	above := countFlushes(t, s, "d")
	for i := range 5 {
		put(t, s, "d/a", fmt.Sprint(i))
	}
	if sh.Load() != 5 || above.Load() != 0 {
		t.Errorf("5 puts flushed the shard %d times, the directory above %d times", sh.Load(), above.Load())
	}
}

// TestNewDirectoriesAreFlushed: a directory that a lazy adopter made is on disk before a durable publish in it
// returns.
func TestNewDirectoriesAreFlushed(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "d/a", "x") // d is settled
	above := countFlushes(t, s, "d")
	other := otherShard("a")
	stage := func() string {
		path := filepath.Join(t.TempDir(), "staged")
		must(t, os.WriteFile(path, []byte("y"), 0o600))
		return path
	}
	_, err := s.AdoptLazy(t.Context(), "d/"+other, stage())
	must(t, err)
	if above.Load() != 0 {
		t.Errorf("a lazy adoption flushed %d times", above.Load())
	}
	_, err = s.Adopt(t.Context(), "d/"+other, stage())
	must(t, err)
	if above.Load() != 1 {
		t.Errorf("the directory above was flushed %d times, want once", above.Load())
	}
}

// otherShard is a name that lives in another shard.
func otherShard(name string) string {
	for i := 0; ; i++ {
		if other := fmt.Sprint(i); shard(other) != shard(name) {
			return other
		}
	}
}

// TestFailedFlushIsAnError: bytes that are not known to be on disk are not acknowledged.
func TestFailedFlushIsAnError(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "d/a", "old")
	d, err := s.dir("d/"+shard("a"), false)
	must(t, err)
	s.dirs.release(d)
	broke := errors.New("broke")
	works := d.commits.flush
	d.commits.flush = func() error { return broke }
	if _, err := s.Put(t.Context(), "d/a", strings.NewReader("new"), 3); !errors.Is(err, broke) {
		t.Errorf("put: %v", err)
	}
	u, parts := begin(t, s, "d/a", "up")
	if _, err := u.Complete(t.Context(), parts); !errors.Is(err, broke) {
		t.Errorf("complete: %v", err)
	}
	if _, err := u.Complete(t.Context(), parts); !errors.Is(err, broke) {
		t.Errorf("repeated complete: %v", err)
	}
	d.commits.flush = works
	_, err = u.Complete(t.Context(), parts)
	must(t, err)
	holds(t, s, "d/a", "up")
}

func TestDirCacheUnderLoad(t *testing.T) {
	s := open(t, Options{NoSync: true})
	s.dirs.max = 2
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 100 {
				key := fmt.Sprintf("d%d/%d-%d", j%5, i, j)
				if _, err := s.Put(t.Context(), key, strings.NewReader(key), int64(len(key))); err != nil {
					t.Error(err)
				}
				if _, err := s.Stat(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.dirs.order.Len(); n > 2 {
		t.Errorf("%d directories are cached", n)
	}
}

// TestListWindows lists a directory that is larger than what a walk holds.
func TestListWindows(t *testing.T) {
	s := open(t, Options{NoSync: true})
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprintf("d/%03d", i), fmt.Sprintf("d/%03d/x", i))
	}
	for _, key := range want {
		put(t, s, key, "")
	}
	for _, window := range []int{1, 7, 199, 400, 401} {
		var got []string
		w := walk{s: s, ctx: t.Context(), window: window, yield: func(info objstore.Info, err error) bool {
			must(t, err)
			got = append(got, info.Key)
			return true
		}}
		must(t, w.dir(""))
		if !slices.Equal(got, want) {
			t.Errorf("window %d: got %d keys, want %d", window, len(got), len(want))
		}
	}
}

// TestCutFileIsUnexpectedEOF: a file that lost its end since it was opened is never a clean end of body.
func TestCutFileIsUnexpectedEOF(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "a", strings.Repeat("x", 10_000))
	body, err := s.Get(t.Context(), "a", 0, -1)
	must(t, err)
	defer body.Close()
	path, err := s.Path("a")
	must(t, err)
	must(t, os.Truncate(path, 5000))
	if got, err := io.ReadAll(body); !errors.Is(err, io.ErrUnexpectedEOF) || len(got) != 5000 {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
}

func TestBodyEndsWithItsContext(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "a", "xyz")
	ctx, cancel := context.WithCancel(t.Context())
	body, err := s.Get(ctx, "a", 0, -1)
	must(t, err)
	defer body.Close()
	cancel()
	if _, err := body.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestAdoptCopy takes the way of a file from another file system.
func TestAdoptCopy(t *testing.T) {
	s := open(t, Options{})
	path := filepath.Join(t.TempDir(), "staged")
	must(t, os.WriteFile(path, []byte("bytes"), 0o600))
	loc, err := locate("d/a")
	must(t, err)
	_, err = s.adoptCopy(t.Context(), loc, path)
	must(t, err)
	holds(t, s, "d/a", "bytes")
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the source is still there: %v", err)
	}
}

// TestAdoptAcrossFileSystems does it for real where /dev/shm is a file system of its own, as it is on Linux.
func TestAdoptAcrossFileSystems(t *testing.T) {
	s := open(t, Options{})
	tmp, err := os.MkdirTemp("/dev/shm", "adopt")
	must(t, err)
	defer os.RemoveAll(tmp)
	path := filepath.Join(tmp, "staged")
	must(t, os.WriteFile(path, []byte("bytes"), 0o600))
	var here, there unix.Stat_t
	must(t, unix.Stat(s.path, &here))
	must(t, unix.Stat(path, &there))
	t.Logf("devices %d and %d", here.Dev, there.Dev)
	info, err := s.Adopt(t.Context(), "d/a", path)
	must(t, err)
	if info.Size != 5 || info.Key != "d/a" {
		t.Errorf("adopt says %+v", info)
	}
	holds(t, s, "d/a", "bytes")
	if left := names(t, tmp); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestNoSpace(t *testing.T) {
	s := open(t, Options{})
	put(t, s, "d/a", "old")
	full := io.MultiReader(strings.NewReader("x"), errReader{unix.ENOSPC})
	if _, err := s.Put(t.Context(), "d/a", full, 10); !errors.Is(err, objstore.ErrNoSpace) {
		t.Errorf("got %v, want ErrNoSpace", err)
	}
	holds(t, s, "d/a", "old")
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
