package fusefs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What another face does is seen on the mount at once, whatever the kernel had cached.

func TestAnotherFaceCreatesReplacesAndRemoves(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		if _, err := os.Stat(c.path("f")); !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err) // and now the kernel remembers that
		}
		for i := range 5 {
			want := random(1000 * (i + 1))
			c.must(command{Op: "put", Path: "/f", Data: want})
			c.holds("f", want)
		}
		c.must(command{Op: "mv", Path: "/f", To: "/g"})
		if _, err := os.Stat(c.path("f")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the old name: %v", err)
		}
		c.holds("g", random(5000))
		c.must(command{Op: "rm", Path: "/g"})
		if _, err := os.Stat(c.path("g")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the removed name: %v", err)
		}
	})
}

func TestAnotherFaceChangesAttributesAndDirectories(t *testing.T) {
	c := mountChild(t, config{})
	c.must(command{Op: "mkdir", Path: "/d"})
	before := lstat(t, c.path("d"))
	c.must(command{Op: "put", Path: "/d/f", Data: []byte("x")})
	if after := lstat(t, c.path("d")); after.Mtim == before.Mtim {
		t.Error("the directory's time did not change")
	}
	if mode := lstat(t, c.path("d/f")).Mode & 0o777; mode != 0o644 {
		t.Errorf("mode %o", mode)
	}
	c.must(command{Op: "chmod", Path: "/d/f"})
	if mode := lstat(t, c.path("d/f")).Mode & 0o777; mode != 0o600 {
		t.Errorf("mode %o", mode)
	}
	if names, err := os.ReadDir(c.path("d")); err != nil || len(names) != 1 {
		t.Errorf("%v %v", names, err)
	}
	c.must(command{Op: "rm", Path: "/d"})
	if _, err := os.Stat(c.path("d/f")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// keepsOrFails reads through a handle whose file was replaced: only old bytes or ESTALE will do (promise G3).
func keepsOrFails(t *testing.T, f *os.File, old []byte) {
	t.Helper()
	got := make([]byte, len(old))
	n, err := f.ReadAt(got, 0)
	if errors.Is(err, syscall.ESTALE) {
		return
	}
	if err != nil && err != io.EOF || !bytes.Equal(got[:n], old) {
		t.Errorf("the old handle reads %s %v, want %s", brief(got[:n]), err, brief(old))
	}
}

func TestReplacedWhileOpen(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		old := random(100_000)
		write(t, c.path("f"), old)
		ino := lstat(t, c.path("f")).Ino
		var olds []*os.File
		for i := range 4 {
			f := open(t, c.path("f"), os.O_RDONLY)
			if i%2 == 0 { // half of it is in the cache
				if _, err := f.ReadAt(make([]byte, 50_000), 0); err != nil {
					t.Fatal(err)
				}
			}
			fresh := random(70_000 + i)
			c.must(command{Op: "put", Path: "/f", Data: fresh})
			c.holds("f", fresh)
			keepsOrFails(t, f, old)
			mapped(t, c.path("f"), fresh)
			if got := lstat(t, c.path("f")).Ino; got != ino {
				t.Errorf("the inode is %d, was %d", got, ino)
			}
			olds = append(olds, f)
			old = fresh
		}
		for _, f := range olds {
			f.Close()
		}
		c.holds("f", old)
		write(t, c.path("f"), []byte("from the mount again"))
		c.holds("f", []byte("from the mount again"))
	})
}

// mapped compares a mapping of a file with want.
func mapped(t *testing.T, path string, want []byte) {
	t.Helper()
	f := open(t, path, os.O_RDONLY)
	m, err := unix.Mmap(int(f.Fd()), 0, len(want), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Munmap(m)
	if !bytes.Equal(m, want) {
		t.Errorf("mapped: %s, want %s", brief(m), brief(want))
	}
}

func TestHardLinksOfAReplacedFile(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		write(t, c.path("a"), []byte("old"))
		if err := os.Link(c.path("a"), c.path("b")); err != nil {
			t.Fatal(err)
		}
		lstat(t, c.path("b"))
		f := open(t, c.path("a"), os.O_RDONLY)
		c.must(command{Op: "put", Path: "/a", Data: []byte("replaced")})
		c.holds("a", []byte("replaced"))
		c.holds("b", []byte("replaced")) // through a name that still leads to the old node
		g := open(t, c.path("a"), os.O_WRONLY|os.O_APPEND)
		g.Write([]byte("!"))
		closed(t, g)
		if err := os.Chmod(c.path("a"), 0o600); err != nil {
			t.Fatal(err)
		}
		if st := lstat(t, c.path("b")); st.Mode&0o777 != 0o600 || st.Size != 9 {
			t.Errorf("mode %o size %d", st.Mode, st.Size)
		}
		c.holds("b", []byte("replaced!"))
		closed(t, f)
		c.holds("a", []byte("replaced!"))
		if err := os.Remove(c.path("a")); err != nil {
			t.Fatal(err)
		}
		c.holds("b", []byte("replaced!"))
		if st := lstat(t, c.path("b")); st.Nlink != 1 {
			t.Errorf("%d links", st.Nlink)
		}
	})
}

func TestReplacedWhileBeingWritten(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		write(t, c.path("f"), []byte("first"))
		f := open(t, c.path("f"), os.O_RDWR)
		if _, err := f.WriteAt([]byte("FIRST"), 0); err != nil {
			t.Fatal(err)
		}
		c.must(command{Op: "put", Path: "/f", Data: []byte("from the other face")})
		if err := f.Close(); !errors.Is(err, syscall.ESTALE) {
			t.Errorf("closing what can't be saved any more: %v", err)
		}
		c.holds("f", []byte("from the other face"))
	})
}

func TestCreateFindsWhatAnotherFaceMade(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		write(t, c.path("f"), random(10_000))
		old := open(t, c.path("f"), os.O_RDONLY)
		c.must(command{Op: "rm", Path: "/f"})
		c.must(command{Op: "put", Path: "/f", Data: []byte("other file")})
		f := open(t, c.path("f"), os.O_RDWR|os.O_CREATE)
		if got, err := io.ReadAll(f); err != nil || string(got) != "other file" {
			t.Errorf("%q %v", got, err)
		}
		closed(t, f)
		keepsOrFails(t, old, random(10_000))
		if _, err := os.OpenFile(c.path("f"), os.O_CREATE|os.O_EXCL, 0o644); !errors.Is(err, os.ErrExist) {
			t.Errorf("O_EXCL: %v", err)
		}
	})
}

// readSlowly reads a file in pieces, without asking for its size.
func readSlowly(path string, piece int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []byte
	buf := make([]byte, piece)
	for {
		n, err := f.Read(buf)
		all = append(all, buf[:n]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// TestNoTornReads replaces a file from another face while the mount reads it by all means. Every read sees one whole version, and never one
// older than the last that was acknowledged before the read began (promises G1 and G3).
func TestNoTornReads(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		const versions, readers = 60, 4
		content := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%08d", i), 2000+i*37%100) } // longer, shorter
		var acked atomic.Int64
		c.must(command{Op: "put", Path: "/f", Data: content(0)})
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for r := range readers {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					least := acked.Load()
					got, err := readSlowly(c.path("f"), 1000*(r+1))
					if errors.Is(err, syscall.ESTALE) {
						continue
					}
					var i int64
					if err == nil && len(got) >= 8 {
						_, err = fmt.Sscanf(string(got[:8]), "%d", &i)
					}
					if err != nil || !bytes.Equal(got, content(int(i))) {
						t.Errorf("reader %d: torn: %s %v", r, brief(got), err)
						return
					}
					if i < least {
						t.Errorf("reader %d: version %d after %d was acknowledged", r, i, least)
						return
					}
				}
			})
		}
		for i := 1; i <= versions && !t.Failed(); i++ {
			c.must(command{Op: "put", Path: "/f", Data: content(i)})
			acked.Store(int64(i))
		}
		close(stop)
		wg.Wait()
		c.holds("f", content(int(acked.Load())))
	})
}
