package posix

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// attributes are the calls on what a file is, by name.
var attributes = map[string]verb{
	"chmod": onMode(func(p place, mode uint32) error {
		if p.path == "" && p.dir >= 0 {
			return unix.Fchmod(p.dir, mode)
		}
		return chmodAt(p.dir, p.path, mode, 0)
	}),
	"lchmod": onMode(func(p place, mode uint32) error { return chmodAt(p.dir, p.path, mode, unix.AT_SYMLINK_NOFOLLOW) }),
	"chown": plain(func(p place, a []string) error {
		if p.path == "" && p.dir >= 0 {
			return chown(p, a, unix.AT_EMPTY_PATH)
		}
		return chown(p, a, 0)
	}),
	"lchown": plain(func(p place, a []string) error { return chown(p, a, unix.AT_SYMLINK_NOFOLLOW) }),
	"truncate": plain(func(p place, a []string) error {
		n, err := number(a[0], 10)
		if err != nil {
			return err
		}
		if p.path == "" && p.dir >= 0 {
			return unix.Ftruncate(p.dir, n)
		}
		return unix.Truncate(p.path, n)
	}),
	"utimes":  plain(func(p place, a []string) error { return setTimes(p, a, 0) }),
	"lutimes": plain(func(p place, a []string) error { return setTimes(p, a, unix.AT_SYMLINK_NOFOLLOW) }),
	"access": plain(func(p place, a []string) error {
		f, err := flags(atFlags, rest(a, 1, ""))
		if err != nil {
			return err
		}
		return accessAt(p.dir, p.path, accessMode(a[0]), f)
	}),
	"stat": on(func(p place, a []string) (string, error) {
		st, err := look(p)
		if err != nil {
			return "", err
		}
		return fields(st, a)
	}),
	"follow": on(func(p place, a []string) (string, error) {
		var st unix.Statx_t
		if err := unix.Statx(p.dir, p.path, 0, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st); err != nil {
			return "", err
		}
		return fields(st, a)
	}),
	"statfs": on(func(p place, _ []string) (string, error) {
		var s unix.Statfs_t
		err := unix.Statfs(p.path, &s)
		return strconv.FormatBool(s.Namelen == 255 && s.Blocks >= s.Bfree && s.Bfree >= s.Bavail && s.Bsize > 0 && s.Frsize > 0 && s.Files >= s.Ffree), err
	}),
}

func chown(p place, a []string, f int) error {
	uid, err := number(a[0], 10)
	if err != nil {
		return err
	}
	gid, err := number(a[1], 10)
	if err != nil {
		return err
	}
	return unix.Fchownat(p.dir, p.path, int(uid), int(gid), f)
}

// setTimes reads two times: seconds[.nanoseconds], now or omit; "null" alone is both now without saying so.
func setTimes(p place, a []string, f int) error {
	if a[0] == "null" {
		return utimesAt(p.dir, p.path, nil, f)
	}
	var times [2]unix.Timespec
	for i := range times {
		var err error
		if times[i], err = readTime(a[i]); err != nil {
			return err
		}
	}
	return utimesAt(p.dir, p.path, &times, f)
}

func readTime(s string) (unix.Timespec, error) {
	switch s {
	case "now":
		return unix.Timespec{Nsec: unix.UTIME_NOW}, nil
	case "omit":
		return unix.Timespec{Nsec: unix.UTIME_OMIT}, nil
	}
	sec, nsec, _ := strings.Cut(s, ".")
	n, err := number(sec, 10)
	if err != nil || nsec == "" {
		return unix.Timespec{Sec: n}, err
	}
	frac, err := number(strings.TrimLeft(nsec[:len(nsec)-1], "0")+nsec[len(nsec)-1:], 10)
	return unix.Timespec{Sec: n, Nsec: frac}, err
}

func accessMode(s string) (mode uint32) {
	for _, c := range s {
		switch c {
		case 'r':
			mode |= unix.R_OK
		case 'w':
			mode |= unix.W_OK
		case 'x':
			mode |= unix.X_OK
		case '?':
			mode |= 0o100
		}
	}
	return mode
}
