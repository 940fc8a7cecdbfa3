package fs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

func newDrafts(t *testing.T, max int64) *Drafts {
	t.Helper()
	d, err := OpenDrafts(filepath.Join(t.TempDir(), "drafts"), max)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *Drafts) text(t *testing.T, name string, size int64) string {
	t.Helper()
	r, err := d.Open(name, size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDrafts(t *testing.T) {
	d := newDrafts(t, 0)
	write := func(off int64, text string) {
		t.Helper()
		if n, err := d.Write("7", off, strings.NewReader(text)); err != nil || n != int64(len(text)) {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	write(0, "0123")
	write(4, "45")
	write(6, "XXXX") // void: nobody counted it
	write(6, "6789")
	if got := d.text(t, "7", 10); got != "0123456789" {
		t.Errorf("got %q", got)
	}
	if got := d.text(t, "7", 5); got != "01234" {
		t.Errorf("the beginning is %q", got)
	}
	again, err := OpenDrafts(d.dir, 0)
	if err != nil || again.held != 10 || again.text(t, "7", 10) != "0123456789" {
		t.Errorf("after a restart: %d bytes, %v", again.held, err)
	}
	write(0, "new")
	if got := d.text(t, "7", 3); got != "new" || d.held != 3 {
		t.Errorf("begun again it is %q, %d bytes", got, d.held)
	}
	for range 2 {
		if err := d.Drop("7"); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := d.Names(); err != nil || len(names) != 0 || d.held != 0 {
		t.Errorf("left: %v, %d bytes, %v", names, d.held, err)
	}
}

// A body that breaks off leaves what was there before it.
func TestDraftsKeepTheBeginning(t *testing.T) {
	d := newDrafts(t, 12)
	if _, err := d.Write("7", 0, strings.NewReader("0123")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	_, err := d.Write("7", 4, io.MultiReader(strings.NewReader("45"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("a broken body: %v", err)
	}
	if _, err := d.Write("7", 4, strings.NewReader("456789abc")); Errno(err) != syscall.ENOSPC {
		t.Errorf("over the limit: %v", err)
	}
	if got := d.text(t, "7", 4); got != "0123" || d.held != 4 {
		t.Errorf("kept %q, %d bytes", got, d.held)
	}
	if n, err := d.Write("7", 4, strings.NewReader("456789ab")); err != nil || n != 8 {
		t.Errorf("up to the limit: %d, %v", n, err)
	}
}

func TestDraftsRefuse(t *testing.T) {
	d := newDrafts(t, 0)
	for _, name := range []string{"", "..", "a/b", "A", "a b", "\x00"} {
		if _, err := d.Write(name, 0, strings.NewReader("x")); Errno(err) != syscall.EINVAL {
			t.Errorf("write %q: %v", name, err)
		}
		if _, err := d.Open(name, 0); Errno(err) != syscall.EINVAL {
			t.Errorf("open %q: %v", name, err)
		}
		if err := d.Drop(name); Errno(err) != syscall.EINVAL {
			t.Errorf("drop %q: %v", name, err)
		}
	}
	if _, err := d.Write("7", 1, strings.NewReader("x")); Errno(err) != syscall.EIO {
		t.Errorf("a draft that lost bytes: %v", err)
	}
	if _, err := d.Open("7", 1); Errno(err) != syscall.EIO {
		t.Errorf("a draft that is too short: %v", err)
	}
	if _, err := d.Open("8", 0); Errno(err) != syscall.ENOENT {
		t.Errorf("no draft: %v", err)
	}
	if err := os.Chmod(d.dir, 0); err == nil && os.Geteuid() != 0 {
		if _, err := d.Names(); Errno(err) != syscall.EACCES {
			t.Errorf("a closed directory: %v", err)
		}
		os.Chmod(d.dir, 0o700)
	}
}
