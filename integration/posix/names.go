package posix

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// names are the calls that make, move, remove and list names.
var names = map[string]verb{
	"mkdir": onMode(func(p place, mode uint32) error { return unix.Mkdirat(p.dir, p.path, mode) }),
	"rmdir": plain(func(p place, _ []string) error { return unix.Unlinkat(p.dir, p.path, unix.AT_REMOVEDIR) }),
	"unlink": plain(func(p place, a []string) error {
		f, err := flags(atFlags, rest(a, 0, ""))
		if err != nil {
			return err
		}
		return unix.Unlinkat(p.dir, p.path, f)
	}),
	"create": onMode(func(p place, mode uint32) error {
		fd, err := unix.Openat(p.dir, p.path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, mode)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}),
	"mkfifo": onMode(func(p place, mode uint32) error { return unix.Mknodat(p.dir, p.path, unix.S_IFIFO|mode, 0) }),
	"mknod":  plain(makeNode),
	"bind":   plain(bind),
	"connect": plain(func(p place, _ []string) error {
		return withSocket(func(fd int) error { return unix.Connect(fd, &unix.SockaddrUnix{Name: p.path}) })
	}),
	"symlink": func(w *world, a []string) (string, error) {
		p, err := w.at(a[1])
		if err != nil {
			return "", err
		}
		return "", unix.Symlinkat(expand(a[0]), p.dir, p.path)
	},
	"readlink": on(func(p place, a []string) (string, error) {
		n, err := number(rest(a, 0, "4096"), 10)
		if err != nil {
			return "", err
		}
		target, err := readLinkAt(p.dir, p.path, int(n))
		if len(target) > 200 {
			target = fmt.Sprintf("%d bytes", len(target))
		}
		return target, err
	}),
	"link": onTwo(func(from, to place, a []string) error {
		f, err := flags(atFlags, rest(a, 0, ""))
		if err != nil {
			return err
		}
		return unix.Linkat(from.dir, from.path, to.dir, to.path, f)
	}),
	"rename": onTwo(func(from, to place, a []string) error {
		f, err := flags(renameFlags, rest(a, 0, ""))
		if err != nil {
			return err
		}
		return unix.Renameat2(from.dir, from.path, to.dir, to.path, uint(f))
	}),
	"ls": on(list),
	"rm": plain(func(p place, _ []string) error { return removeAll(p) }),
}

var nodeKinds = map[string]uint32{
	"file": unix.S_IFREG, "dir": unix.S_IFDIR, "link": unix.S_IFLNK, "fifo": unix.S_IFIFO, "socket": unix.S_IFSOCK, "char": unix.S_IFCHR,
	"block": unix.S_IFBLK, "none": 0, "bad": 0o170000,
}

// makeNode reads "KIND MODE [MAJOR MINOR]".
func makeNode(p place, a []string) error {
	mode, err := number(a[1], 8)
	if err != nil {
		return err
	}
	major, err := number(rest(a, 2, "0"), 10)
	if err != nil {
		return err
	}
	minor, err := number(rest(a, 3, "0"), 10)
	if err != nil {
		return err
	}
	return unix.Mknodat(p.dir, p.path, nodeKinds[a[0]]|uint32(mode), int(unix.Mkdev(uint32(major), uint32(minor))))
}

func withSocket(fn func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return fn(fd)
}

// bind makes a socket as bind(2) does. Nobody listens on it.
func bind(p place, _ []string) error {
	return withSocket(func(fd int) error { return unix.Bind(fd, &unix.SockaddrUnix{Name: p.path}) })
}

// list reads a directory with the kinds of its entries, in order of names.
func list(p place, _ []string) (string, error) {
	path := p.path
	if path == "" {
		path = "."
	}
	fd, err := unix.Openat(p.dir, path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	entries, err := readDirents(fd)
	slices.Sort(entries)
	return strings.Join(entries, " "), err
}

// readDirents reads from where the descriptor is to the end, without "." and "..".
func readDirents(fd int) (entries []string, err error) {
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil || n == 0 {
			return entries, err
		}
		for _, d := range parseDirents(buf[:n]) {
			if d.name != "." && d.name != ".." {
				entries = append(entries, d.name)
			}
		}
	}
}

// removeAll removes whatever is at a name.
func removeAll(p place) error {
	err := unix.Unlinkat(p.dir, p.path, 0)
	if err != unix.EISDIR {
		return err
	}
	fd, err := unix.Openat(p.dir, p.path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	entries, err := readDirents(fd)
	if err != nil {
		return err
	}
	for _, name := range entries {
		if err := removeAll(place{fd, name}); err != nil {
			return err
		}
	}
	return unix.Unlinkat(p.dir, p.path, unix.AT_REMOVEDIR)
}
