package integration

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const cacheBlock = 1 << 20

// TestS3CacheLimit reads far more than the cache may hold, from the mount and over HTTP at the same time, and looks at the cache's directory all the
// while: never more than the limit and one block.
func TestS3CacheLimit(t *testing.T) {
	needS3(t)
	const limit, files = 64 << 20, 4
	size := 96 << 20
	if soak(t) > 0 {
		size = 512 << 20
	}
	s := startServer(t, withArgs("--cache-size", "64MiB"))
	source := filepath.Join(tempDir(t), "source")
	want := bigFile(t, source, size)
	s.readsFarAhead()
	names := []string{"/0", "/1", "/2", "/3"}
	for _, name := range names {
		command(t, "", "cp", source, s.mount().at(name))
	}
	s.forget()
	most, stop := s.watchCache(t)
	var readers sync.WaitGroup
	for i, name := range names {
		readers.Go(func() {
			var got string
			var err error
			if i%2 == 0 {
				got, err = fileSum(s.mount().at(name))
			} else {
				got, err = s.download(davURL(name), int64(size))
			}
			if err != nil || got != want {
				t.Errorf("%s: %v, other bytes: %v", name, err, got != want)
			}
		})
	}
	readers.Wait()
	stop()
	t.Logf("read %d MiB, the cache had at most %d KiB", files*size>>20, most.Load()>>10)
	if n := most.Load(); n > limit+cacheBlock || n < limit/2 {
		t.Errorf("the cache had up to %d bytes, want at most %d and not much less", n, limit+cacheBlock)
	}
	s.checkMemory()
}

// readsFarAhead wants the kernel to ask for as much at once as a store answers well, where it lets us say so.
func (s *server) readsFarAhead() {
	s.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	var st syscall.Stat_t
	check(s.t, syscall.Stat(s.mount().at("/"), &st))
	got, err := os.ReadFile(fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev)))
	check(s.t, err)
	if strings.TrimSpace(string(got)) != "2048" {
		s.t.Errorf("the kernel reads %s KiB ahead", got)
	}
}

// watchCache looks at what the files of the cache take, on the disk and by their sizes, as often as it can.
func (s *server) watchCache(t *testing.T) (most *atomic.Int64, stop func()) {
	t.Helper()
	most = &atomic.Int64{}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			most.Store(max(most.Load(), sizeBelow(filepath.Join(s.data, "cache"))))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return most, func() { close(done); watching.Wait() }
}

// sizeBelow adds up the files below a directory, each with its size or the disk space it takes, whichever is more. Files may go meanwhile.
func sizeBelow(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if fi, err := d.Info(); err == nil {
			n += max(fi.Size(), fi.Sys().(*syscall.Stat_t).Blocks*512)
		}
		return nil
	})
	return n
}

// TestS3NoCache reads without any cache on the disk.
func TestS3NoCache(t *testing.T) {
	needS3(t)
	s := startServer(t, withArgs("--cache-size", "0"))
	want := randomBytes(30<<20, 9)
	check(t, s.dav().Put("/f", want))
	s.forget()
	most, stop := s.watchCache(t)
	for _, f := range s.faces() {
		wantContent(t, f, "/f", want)
	}
	stop()
	if n := most.Load(); n > 0 {
		t.Errorf("a cache of size 0 took %d bytes of the disk", n)
	}
	s.checkMemory()
}
