package posix

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// onThread runs fn on a thread that has its own user, umask and working directory, and ends with it.
func onThread(dir string, fn func()) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = unix.Chdir(dir)
		}
		if err == nil {
			unix.Umask(0)
			fn()
			err = unix.Chdir("/") // the process's first thread does not end
		}
		done <- err
	}()
	return <-done
}

// user is who a thread is.
type user struct {
	uid, gid int
	groups   []uint32
}

// parseUser reads "root", "UID", "UID:GID" or "UID:GID,GROUP,…".
func parseUser(s string) (u user, err error) {
	if s == "root" {
		return user{}, nil
	}
	id, rest, more := strings.Cut(s, ":")
	if u.uid, err = strconv.Atoi(id); err != nil || !more {
		u.gid = u.uid
		return u, err
	}
	for i, g := range strings.Split(rest, ",") {
		n, err := strconv.Atoi(g)
		if err != nil {
			return u, err
		}
		if i == 0 {
			u.gid = n
			continue
		}
		u.groups = append(u.groups, uint32(n))
	}
	return u, nil
}

// become changes the thread's user. Go's own calls would change all threads.
func (u user) become() error {
	const keep = ^uintptr(0)
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, 0, 0, keep); e != 0 {
		return fmt.Errorf("setresuid: %w", e)
	}
	if e := setGroups(u.groups); e != 0 {
		return fmt.Errorf("setgroups: %w", e)
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESGID, uintptr(u.gid), uintptr(u.gid), 0); e != 0 {
		return fmt.Errorf("setresgid: %w", e)
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(u.uid), uintptr(u.uid), 0); e != 0 {
		return fmt.Errorf("setresuid: %w", e)
	}
	return nil
}
