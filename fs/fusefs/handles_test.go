package fusefs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReaderOpenedBeforeWriter(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		write(t, c.path("f"), []byte("old content"))
		r := open(t, c.path("f"), os.O_RDONLY)
		first := make([]byte, 3)
		if _, err := io.ReadFull(r, first); err != nil || string(first) != "old" {
			t.Fatalf("%q %v", first, err)
		}
		w := open(t, c.path("f"), os.O_WRONLY)
		if _, err := w.WriteAt([]byte("NEW"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadAt(first, 0); err != nil || string(first) != "NEW" {
			t.Errorf("before close the reader sees %q %v", first, err)
		}
		closed(t, w)
		if _, err := r.ReadAt(first, 0); err != nil || string(first) != "NEW" {
			t.Errorf("after close the reader sees %q %v", first, err)
		}
		closed(t, r)
		c.holds("f", []byte("NEW content"))
	})
}

func TestDuplicatedDescriptor(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		f := open(t, c.path("f"), os.O_RDWR|os.O_CREATE)
		f.Write([]byte("one "))
		fd, err := unix.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		d := os.NewFile(uintptr(fd), "dup")
		closed(t, f)
		c.holds("f", []byte("one "))
		d.Write([]byte("two"))
		closed(t, d)
		c.holds("f", []byte("one two"))
	})
}

func TestRenameOverOpenFile(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		write(t, c.path("target"), []byte("old"))
		write(t, c.path("source"), []byte("new"))
		old := open(t, c.path("target"), os.O_RDWR)
		if err := os.Rename(c.path("source"), c.path("target")); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(old)
		if err != nil || string(got) != "old" {
			t.Errorf("the open file is %q %v", got, err)
		}
		if _, err := old.Write([]byte("er")); err != nil {
			t.Error(err)
		}
		closed(t, old)
		c.holds("target", []byte("new"))
	})
}

func TestUnlinkedButOpen(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		f := open(t, c.path("f"), os.O_RDWR|os.O_CREATE)
		f.Write([]byte("before "))
		if err := os.Remove(c.path("f")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("after")); err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(10); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Errorf("fsync: %v", err)
		}
		st, err := f.Stat()
		if err != nil || st.Size() != 10 || st.Sys().(*syscall.Stat_t).Nlink != 0 {
			t.Errorf("fstat: %+v %v", st, err)
		}
		b := make([]byte, 10)
		if _, err := f.ReadAt(b, 0); err != nil || string(b) != "before aft" {
			t.Errorf("%q %v", b, err)
		}
		closed(t, f)
		if _, err := os.Stat(c.path("f")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("stat after the last close: %v", err)
		}
	})
}

func TestManyHandles(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		want := random(20_000)
		write(t, c.path("f"), want)
		var files []*os.File
		for range 300 {
			files = append(files, open(t, c.path("f"), os.O_RDONLY))
		}
		for i, f := range files {
			got, err := io.ReadAll(f)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("handle %d: %s %v", i, brief(got), err)
			}
			closed(t, f)
		}
		if s := c.must(command{Op: "stats"}).Stats; s.Open > 300 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestExecutable(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		bin, err := os.ReadFile("/bin/true")
		if err != nil {
			t.Fatal(err)
		}
		write(t, c.path("true"), bin)
		if err := os.Chmod(c.path("true"), 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(c.path("true")).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
}

func TestLocks(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		a := open(t, c.path("f"), os.O_RDWR|os.O_CREATE)
		b := open(t, c.path("f"), os.O_RDWR)
		lock := func(f *os.File, typ int16) error {
			return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: typ})
		}
		if err := lock(a, unix.F_WRLCK); err != nil {
			t.Fatal(err)
		}
		if err := lock(b, unix.F_RDLCK); err != unix.EAGAIN {
			t.Errorf("a range that is locked: %v", err)
		}
		if err := lock(a, unix.F_UNLCK); err != nil {
			t.Fatal(err)
		}
		if err := lock(b, unix.F_RDLCK); err != nil {
			t.Errorf("a range that is free: %v", err)
		}
		if err := unix.Flock(int(a.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			t.Fatal(err)
		}
		if err := unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
			t.Errorf("a file that is flocked: %v", err)
		}
		closed(t, a)
		if err := unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			t.Errorf("after close: %v", err)
		}
	})
}
