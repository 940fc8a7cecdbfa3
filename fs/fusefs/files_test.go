package fusefs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func closed(t *testing.T, f *os.File) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// holds compares what every face sees of a file with want.
func (c *child) holds(name string, want []byte) {
	c.t.Helper()
	got, err := os.ReadFile(c.path(name))
	if err != nil || !bytes.Equal(got, want) {
		c.t.Errorf("%s on the mount: %s, want %s (%v)", name, brief(got), brief(want), err)
	}
	if st, err := os.Stat(c.path(name)); err != nil || st.Size() != int64(len(want)) {
		c.t.Errorf("%s: stat %v %v, want size %d", name, st, err, len(want))
	}
	if r := c.must(command{Op: "get", Path: "/" + name}); !bytes.Equal(r.Data, want) {
		c.t.Errorf("%s on another face: %s, want %s", name, brief(r.Data), brief(want))
	}
}

func brief(b []byte) string {
	if len(b) <= 40 {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%d bytes %.8x %q…", len(b), sha256.Sum256(b), b[:20])
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	r.Read(b)
	return b
}

func TestPassthroughIsUsed(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		write(t, c.path("f"), random(10_000))
		c.holds("f", random(10_000))
		s := c.must(command{Op: "stats"}).Stats
		if passing := s.Through > 0; passing != (filepath.Base(t.Name()) == "passthrough") {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestWritesAndReads(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		for _, n := range []int{0, 1, 4096, 4097, 1 << 20, 5<<20 + 3} {
			name := fmt.Sprint(n)
			write(t, c.path(name), random(n))
			c.holds(name, random(n))
		}
	})
}

func TestTruncateOnOpen(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		write(t, c.path("f"), random(100_000))
		write(t, c.path("f"), []byte("short"))
		c.holds("f", []byte("short"))
		f := open(t, c.path("f"), os.O_RDONLY|os.O_TRUNC)
		closed(t, f)
		c.holds("f", nil)
	})
}

func TestAppend(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		var want []byte
		a := open(t, c.path("f"), os.O_WRONLY|os.O_APPEND|os.O_CREATE)
		b := open(t, c.path("f"), os.O_WRONLY|os.O_APPEND)
		for i := range 50 {
			line := fmt.Appendf(nil, "line %d\n", i)
			f := a
			if i%2 == 1 {
				f = b
			}
			if _, err := f.Write(line); err != nil {
				t.Fatal(err)
			}
			want = append(want, line...)
		}
		closed(t, a)
		closed(t, b)
		c.holds("f", want)
	})
}

func TestSharedMapping(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		const size = 3 * 4096
		f := open(t, c.path("f"), os.O_RDWR|os.O_CREATE)
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		m, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		copy(m[4090:], "across a page")
		if err := unix.Msync(m, unix.MS_SYNC); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 13)
		if _, err := f.ReadAt(got, 4090); err != nil || string(got) != "across a page" {
			t.Errorf("read after msync: %q %v", got, err)
		}
		copy(m, "late")
		if err := unix.Munmap(m); err != nil {
			t.Fatal(err)
		}
		closed(t, f)
		want := make([]byte, size)
		copy(want, "late")
		copy(want[4090:], "across a page")
		c.holds("f", want)
	})
}

func TestSparse(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		f := open(t, c.path("f"), os.O_RDWR|os.O_CREATE)
		const at = 1 << 20
		if _, err := f.WriteAt([]byte("end"), at); err != nil {
			t.Fatal(err)
		}
		closed(t, f)
		want := make([]byte, at+3)
		copy(want[at:], "end")
		c.holds("f", want)
		f = open(t, c.path("f"), os.O_RDONLY)
		if off, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA); err != nil || off > at {
			t.Errorf("data at %d %v", off, err)
		}
		if off, err := unix.Seek(int(f.Fd()), at, unix.SEEK_HOLE); err != nil || off != at+3 {
			t.Errorf("hole at %d %v", off, err)
		}
		if _, err := unix.Seek(int(f.Fd()), at+3, unix.SEEK_DATA); err != unix.ENXIO {
			t.Errorf("data behind the end: %v", err)
		}
	})
}

func TestFallocateAndPunch(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		want := random(64 << 10)
		f := open(t, c.path("f"), os.O_RDWR|os.O_CREATE)
		f.Write(want)
		if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 4096, 8192); err != nil {
			t.Fatal(err)
		}
		clear(want[4096:][:8192])
		if err := unix.Fallocate(int(f.Fd()), 0, int64(len(want)), 100); err != nil {
			t.Fatal(err)
		}
		want = append(want, make([]byte, 100)...)
		got := make([]byte, len(want))
		if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s %v, want %s", brief(got), err, brief(want))
		}
		if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, 4096); err != unix.EOPNOTSUPP {
			t.Errorf("collapse: %v", err)
		}
		closed(t, f)
		c.holds("f", want)
	})
}

func TestEditInPlace(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		want := random(3 << 20)
		write(t, c.path("f"), want)
		for i := range 5 {
			f := open(t, c.path("f"), os.O_RDWR)
			patch := random(4096 + i)
			off := int64(i) * 500_000
			if _, err := f.WriteAt(patch, off); err != nil {
				t.Fatal(err)
			}
			copy(want[off:], patch)
			if i%2 == 0 {
				if err := f.Sync(); err != nil {
					t.Fatal(err)
				}
			}
			closed(t, f)
			c.holds("f", want)
		}
	})
}

func TestDirectIO(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		buf, err := unix.Mmap(-1, 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(buf)
		copy(buf, random(8192))
		f := open(t, c.path("f"), os.O_RDWR|os.O_CREATE|syscall.O_DIRECT)
		if _, err := f.WriteAt(buf, 0); err != nil {
			t.Fatal(err)
		}
		clear(buf)
		if _, err := f.ReadAt(buf, 0); err != nil || !bytes.Equal(buf, random(8192)) {
			t.Errorf("%s %v", brief(buf), err)
		}
		closed(t, f)
		c.holds("f", random(8192))
	})
}

func TestParallelFiles(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		var wg sync.WaitGroup
		for g := range 20 {
			wg.Go(func() {
				for i := range 25 {
					if err := oneFile(c.path(fmt.Sprintf("g%d-%d", g, i)), random(1000+i)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if left, err := os.ReadDir(c.dir); err != nil || len(left) != 0 {
			t.Errorf("left: %v %v", left, err)
		}
	})
}

// oneFile makes, looks at, reads and removes a file.
func oneFile(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	if st, err := os.Stat(path); err != nil || st.Size() != int64(len(data)) {
		return fmt.Errorf("stat %s: %v %w", path, st, err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
		return fmt.Errorf("read %s: %s %w", path, brief(got), err)
	}
	return os.Remove(path)
}

func TestCopyFileRange(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		want := random(300_000)
		write(t, c.path("a"), want)
		in, out := open(t, c.path("a"), os.O_RDONLY), open(t, c.path("b"), os.O_RDWR|os.O_CREATE)
		for done := 0; done < len(want); {
			n, err := unix.CopyFileRange(int(in.Fd()), nil, int(out.Fd()), nil, len(want)-done, 0)
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			done += n
		}
		closed(t, out)
		c.holds("b", want)
	})
}
