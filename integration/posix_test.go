package integration

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"
	"golang.org/x/sys/unix"
)

// posixExceptions are the tests of go-fuse's suite that are not run, each with the reason. The goal is that it stays empty.
var posixExceptions = map[string]string{
	"FcntlFlockLocksFile": "wants two record locks of one process to conflict, which fcntl(2) rules out: it fails on ext4 as well, and " +
		"go-fuse skips it there. TestLocks has what it means",
}

// TestPosix runs go-fuse's own suite over the mount of the real binary, with passthrough and without.
func TestPosix(t *testing.T) {
	for _, mode := range []struct {
		name string
		args []string
	}{
		{"passthrough", nil},
		{"cached", []string{"--no-passthrough"}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			s := startServer(t, withArgs(mode.args...))
			for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
				t.Run(name, func(t *testing.T) {
					if reason := posixExceptions[name]; reason != "" {
						t.Log("not run: " + reason)
						return
					}
					dir := filepath.Join(s.mnt, strings.ToLower(name))
					check(t, os.Mkdir(dir, 0o755))
					posixtest.All[name](t, dir)
				})
			}
		})
	}
}

// TestLocks wants locks of the mount to keep out whoever they should: other open files (flock, OFD locks) and other processes (fcntl), also
// on files that another face replaces meanwhile.
func TestLocks(t *testing.T) {
	s := startServer(t)
	check(t, s.dav().Put("/f", []byte("locked")))
	open := func() *os.File {
		f, err := os.OpenFile(s.mount().at("/f"), os.O_RDWR, 0)
		check(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	one, two := open(), open()
	flock := func(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
	check(t, flock(one))
	if err := flock(two); err != unix.EWOULDBLOCK {
		t.Errorf("a second flock gives %v", err)
	}
	check(t, unix.Flock(int(one.Fd()), unix.LOCK_UN))
	check(t, flock(two))
	lock := func(f *os.File) error {
		return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: 2, Len: 3})
	}
	check(t, lock(one))
	if err := lock(two); err != unix.EAGAIN {
		t.Errorf("a second record lock gives %v", err)
	}
	out, err := tryCommand(t.Context(), "", needTool(t, "flock"), "-n", s.mount().at("/f"), "true")
	if err == nil {
		t.Errorf("another process gets the lock: %s", out)
	}
}
