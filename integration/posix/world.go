package posix

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// world is one directory while a script runs in it, on the script's thread.
type world struct {
	fds   map[string]int
	snaps map[string]unix.Statx_t
	now   user

	children map[string]*child
	pids     map[string]int
}

func newWorld() *world {
	return &world{fds: map[string]int{}, snaps: map[string]unix.Statx_t{}, children: map[string]*child{}, pids: map[string]int{}}
}

// close gives back what the script left open, as root.
func (w *world) close() {
	_ = user{}.become()
	for _, fd := range w.fds {
		unix.Close(fd)
	}
	for _, c := range w.children {
		c.stop()
	}
	for name := range w.pids {
		_ = w.kill(name)
	}
}

// place is a name for the calls that take a directory and a path.
type place struct {
	dir  int
	path string
}

// at reads a name: "@d/x" is x below the open directory @d, "@d/" the descriptor with an empty path.
func (w *world) at(word string) (place, error) {
	rest, ok := strings.CutPrefix(word, "@")
	if !ok {
		return place{unix.AT_FDCWD, expand(word)}, nil
	}
	name, path, _ := strings.Cut(rest, "/")
	fd, ok := w.fds[name]
	if !ok {
		return place{}, fmt.Errorf("no descriptor @%s", name)
	}
	return place{fd, expand(path)}, nil
}

// fd finds an open descriptor; a number stands for itself.
func (w *world) fd(word string) (int, error) {
	if n, err := strconv.Atoi(word); err == nil {
		return n, nil
	}
	fd, ok := w.fds[strings.TrimPrefix(word, "@")]
	if !ok {
		return -1, fmt.Errorf("no descriptor %s", word)
	}
	return fd, nil
}

// longest is the length of a component in a long path.
const longest = 250

// expand writes out $nN and $pN anywhere in a word that begins with them.
func expand(word string) string {
	if len(word) < 3 || word[0] != '$' {
		return word
	}
	digits := word[2:]
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	rest := ""
	if end >= 0 {
		digits, rest = digits[:end], digits[end:]
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return word
	}
	if word[1] == 'n' {
		return strings.Repeat("n", n) + rest
	}
	return longPath(n) + rest
}

// longPath is a path of n bytes whose components are short enough.
func longPath(n int) string {
	var b strings.Builder
	for n-b.Len() > longest {
		b.WriteString(strings.Repeat("p", min(longest, n-b.Len()-2)))
		b.WriteByte('/')
	}
	b.WriteString(strings.Repeat("f", n-b.Len()))
	return b.String()
}

// tick waits until the kernel's coarse clock, which stamps files, has moved.
func tick() {
	var a, b unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &a)
	for b = a; a == b; {
		time.Sleep(200 * time.Microsecond)
		_ = unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &b)
	}
}

// look is lstat by statx, which gives everything.
func look(p place) (st unix.Statx_t, err error) {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if p.path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	err = unix.Statx(p.dir, p.path, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st)
	return st, err
}

// moved names the times that differ: a, m and c; capital letters for a time that went back.
func moved(before, after unix.Statx_t) string {
	var s strings.Builder
	for _, t := range []struct {
		letter   string
		from, to unix.StatxTimestamp
	}{
		{"a", before.Atime, after.Atime}, {"m", before.Mtime, after.Mtime}, {"c", before.Ctime, after.Ctime},
	} {
		switch from, to := nanos(t.from), nanos(t.to); {
		case to > from:
			s.WriteString(t.letter)
		case to < from:
			s.WriteString(strings.ToUpper(t.letter))
		}
	}
	if s.Len() == 0 {
		return "-"
	}
	return s.String()
}

func nanos(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }

// fields describes a file by the names of what is wanted.
func fields(st unix.Statx_t, names []string) (string, error) {
	var out []string
	for _, name := range names {
		v, err := field(st, name)
		if err != nil {
			return "", err
		}
		out = append(out, v)
	}
	return strings.Join(out, " "), nil
}

func field(st unix.Statx_t, name string) (string, error) {
	switch name {
	case "type":
		return kind(uint32(st.Mode)), nil
	case "mode":
		return fmt.Sprintf("%04o", st.Mode&0o7777), nil
	case "uid":
		return fmt.Sprint(st.Uid), nil
	case "gid":
		return fmt.Sprint(st.Gid), nil
	case "nlink":
		return fmt.Sprint(st.Nlink), nil
	case "size":
		return fmt.Sprint(st.Size), nil
	case "rdev":
		return fmt.Sprintf("%d,%d", st.Rdev_major, st.Rdev_minor), nil
	case "atime":
		return stamp(st.Atime), nil
	case "mtime":
		return stamp(st.Mtime), nil
	case "btime":
		return fmt.Sprint(st.Mask&unix.STATX_BTIME != 0 && nanos(st.Btime) > 0), nil
	}
	return "", fmt.Errorf("no field %s", name)
}

func stamp(t unix.StatxTimestamp) string { return fmt.Sprintf("%d.%09d", t.Sec, t.Nsec) }

func kind(mode uint32) string {
	switch mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return "file"
	case syscall.S_IFDIR:
		return "dir"
	case syscall.S_IFLNK:
		return "link"
	case syscall.S_IFIFO:
		return "fifo"
	case syscall.S_IFSOCK:
		return "socket"
	case syscall.S_IFCHR:
		return "char"
	case syscall.S_IFBLK:
		return "block"
	}
	return "?"
}
