package posix

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// descriptors are the calls that open, close and copy descriptors, and those without data.
var descriptors = map[string]verb{
	"open":  open,
	"close": onFD(func(w *world, fd int, a []string) (string, error) { return "", unix.Close(fd) }),
	"drop": func(w *world, a []string) (string, error) {
		fd, err := w.fd(a[0])
		delete(w.fds, strings.TrimPrefix(a[0], "@"))
		if err != nil {
			return "", err
		}
		return "", unix.Close(fd)
	},
	"dup": onFD(func(w *world, fd int, a []string) (string, error) {
		other, err := unix.Dup(fd)
		if err == nil {
			w.fds[strings.TrimPrefix(a[0], "@")] = other
		}
		return "", err
	}),
	"getfl": onFD(func(_ *world, fd int, _ []string) (string, error) {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		return flagNames(n), err
	}),
	"setfl": onFD(func(_ *world, fd int, a []string) (string, error) {
		f, err := flags(openFlags, a[0])
		if err != nil {
			return "", err
		}
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, f)
		return "", err
	}),
	"fsync":     onFD(func(_ *world, fd int, _ []string) (string, error) { return "", unix.Fsync(fd) }),
	"fdatasync": onFD(func(_ *world, fd int, _ []string) (string, error) { return "", unix.Fdatasync(fd) }),
	"syncfs":    onFD(func(_ *world, fd int, _ []string) (string, error) { return "", unix.Syncfs(fd) }),
	"syncrange": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := numbers(a, 3)
		if err != nil {
			return "", err
		}
		return "", unix.SyncFileRange(fd, n[0], n[1], int(n[2]))
	}),
	"flock": onFD(func(_ *world, fd int, a []string) (string, error) {
		f, err := flags(lockKinds, a[0])
		if err != nil {
			return "", err
		}
		return "", unix.Flock(fd, f)
	}),
	"ofdlock": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := numbers(a[1:], 2)
		if err != nil {
			return "", err
		}
		return "", unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: lockTypes[a[0]], Start: n[0], Len: n[1]})
	}),
	"getlock": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := numbers(a, 2)
		if err != nil {
			return "", err
		}
		l := unix.Flock_t{Type: unix.F_WRLCK, Start: n[0], Len: n[1]}
		err = unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &l)
		return fmt.Sprintf("%d %d %d", l.Type, l.Start, l.Len), err
	}),
	"fchdir": onFD(func(_ *world, fd int, _ []string) (string, error) { return "", unix.Fchdir(fd) }),
}

var lockTypes = map[string]int16{"r": unix.F_RDLCK, "w": unix.F_WRLCK, "u": unix.F_UNLCK}

// onFD makes a verb of a call on a descriptor.
func onFD(fn func(w *world, fd int, a []string) (string, error)) verb {
	return func(w *world, a []string) (string, error) {
		fd, err := w.fd(a[0])
		if err != nil {
			return "", err
		}
		return fn(w, fd, a[1:])
	}
}

// open reads "[@keep] path flags [mode]".
func open(w *world, a []string) (string, error) {
	keep := ""
	if len(a) > 2 && strings.HasPrefix(a[0], "@") && strings.HasPrefix(a[2], "O_") {
		keep, a = a[0][1:], a[1:]
	}
	p, err := w.at(a[0])
	if err != nil {
		return "", err
	}
	f, err := flags(openFlags, a[1])
	if err != nil {
		return "", err
	}
	mode, err := number(rest(a, 2, "0"), 8)
	if err != nil {
		return "", err
	}
	fd, err := unix.Openat(p.dir, p.path, f|unix.O_CLOEXEC, uint32(mode))
	if err != nil {
		return "", err
	}
	if keep == "" {
		return "", unix.Close(fd)
	}
	if old, ok := w.fds[keep]; ok {
		unix.Close(old)
	}
	w.fds[keep] = fd
	return "", nil
}

// flagNames spells what fcntl(F_GETFL) gives, without what the kernel adds by itself.
func flagNames(n int) string {
	out := []string{[]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}[n&unix.O_ACCMODE]}
	for _, name := range []string{"O_APPEND", "O_NONBLOCK", "O_DIRECT", "O_NOATIME", "O_PATH", "O_DIRECTORY"} {
		if n&openFlags[name] != 0 {
			out = append(out, name)
		}
	}
	return strings.Join(out, "|")
}

// numbers reads the first n words.
func numbers(a []string, n int) ([]int64, error) {
	if len(a) < n {
		return nil, fmt.Errorf("%w: %d numbers", errUsage, n)
	}
	out := make([]int64, n)
	for i := range out {
		var err error
		if out[i], err = number(a[i], 10); err != nil {
			return nil, err
		}
	}
	return out, nil
}
