package fusefs

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// badUser is the user whose requests panic in a child with config.Panics.
const badUser = 4711

// asBadUser runs fn with badUser's rights on files. Its thread ends with it.
func asBadUser(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		unix.Setfsgid(badUser)
		unix.Setfsuid(badUser)
		fn()
	}()
	<-done
}

// TestPanicInAnOperation lets operations of one user panic. Each is EIO, is in the log with its stack, and harms nobody else.
func TestPanicInAnOperation(t *testing.T) {
	c := mountChild(t, config{AllowOther: true, Panics: true})
	openTemp(t, c.dir)
	f := c.path("f")
	write(t, f, []byte("content"))
	for path, mode := range map[string]uint32{c.dir: 0o777, f: 0o666} {
		if err := unix.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range map[string]func() error{
		"lookup":   func() error { return unix.Lstat(c.path("none"), &unix.Stat_t{}) },
		"open":     func() error { _, err := unix.Open(f, unix.O_RDONLY, 0); return err },
		"create":   func() error { _, err := unix.Open(c.path("new"), unix.O_CREAT|unix.O_WRONLY, 0o644); return err },
		"tmpfile":  func() error { _, err := unix.Open(c.dir, unix.O_TMPFILE|unix.O_RDWR, 0o644); return err },
		"mkdir":    func() error { return unix.Mkdir(c.path("dir"), 0o755) },
		"mknod":    func() error { return unix.Mkfifo(c.path("fifo"), 0o644) },
		"symlink":  func() error { return unix.Symlink("f", c.path("link")) },
		"link":     func() error { return unix.Link(f, c.path("hard")) },
		"rename":   func() error { return unix.Rename(f, c.path("g")) },
		"unlink":   func() error { return unix.Unlink(f) },
		"setattr":  func() error { return unix.Truncate(f, 1) },
		"setxattr": func() error { return unix.Setxattr(f, "user.x", []byte("y"), 0) },
		"getxattr": func() error { _, err := unix.Getxattr(f, "user.x", make([]byte, 9)); return err },
		"statfs":   func() error { return unix.Statfs(c.dir, &unix.Statfs_t{}) },
		"readdir":  func() error { _, err := os.ReadDir(c.dir); return err },
	} {
		var err error
		asBadUser(func() { err = call() })
		if !errors.Is(err, unix.EIO) {
			t.Errorf("%s: %v, want EIO", name, err)
		}
	}
	if s := c.errs.String(); !strings.Contains(s, "mount operation panicked") || !strings.Contains(s, "goroutine ") {
		t.Errorf("the log has no stack: %.300s", s)
	}
	c.holds("f", []byte("content"))
	write(t, f, []byte("goes on"))
	c.holds("f", []byte("goes on"))
	if names, err := os.ReadDir(c.dir); err != nil || len(names) != 1 {
		t.Errorf("%v %v", names, err)
	}
}
