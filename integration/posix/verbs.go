package posix

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// verb runs one call with its words and gives what it answers.
type verb func(w *world, a []string) (string, error)

// errUsage ends a script: a line is not right.
var errUsage = errors.New("usage")

// verbs are the calls by name. Lists of them are put together here and never changed.
var verbs = joined(control, names, attributes, descriptors, data, extended, mappings, processes)

func joined(tables ...map[string]verb) map[string]verb {
	all := map[string]verb{}
	for _, t := range tables {
		for name, v := range t {
			all[name] = v
		}
	}
	return all
}

// control is what is no call on a file.
var control = map[string]verb{
	"as": func(w *world, a []string) (string, error) {
		u, err := parseUser(a[0])
		if err != nil {
			return "", errors.Join(errUsage, err)
		}
		w.now = u
		return "", u.become()
	},
	"umask": func(_ *world, a []string) (string, error) {
		n, err := number(a[0], 8)
		unix.Umask(int(n))
		return "", err
	},
	"chdir": func(_ *world, a []string) (string, error) { return "", unix.Chdir(expand(a[0])) },
	"tick": func(*world, []string) (string, error) {
		tick()
		return "", nil
	},
	"snap": onEach(func(w *world, word string, p place) (string, error) {
		st, err := look(p)
		w.snaps[word] = st
		return "", err
	}),
	"moved": onEach(func(w *world, word string, p place) (string, error) {
		from, _, _ := strings.Cut(word, ">")
		before, ok := w.snaps[from]
		if !ok {
			return "", fmt.Errorf("%w: no snap of %s", errUsage, from)
		}
		st, err := look(p)
		return moved(before, st), err
	}),
	"parents": func(_ *world, a []string) (string, error) {
		path := expand(a[0])
		for i, c := range path {
			if c != '/' {
				continue
			}
			if err := unix.Mkdir(path[:i], 0o777); err != nil && err != unix.EEXIST {
				return "", err
			}
		}
		return "", nil
	},
}

// onEach does something with each of the words, which are names, or "old>new"; answers are joined. It begins with a tick, so that every change shows.
func onEach(fn func(w *world, word string, p place) (string, error)) verb {
	return func(w *world, a []string) (string, error) {
		tick()
		var out []string
		for _, word := range a {
			_, name, renamed := strings.Cut(word, ">")
			if !renamed {
				name = word
			}
			p, err := w.at(name)
			if err != nil {
				return "", err
			}
			s, err := fn(w, word, p)
			if err != nil {
				return "", err
			}
			out = append(out, s)
		}
		return strings.TrimSpace(strings.Join(out, " ")), nil
	}
}

// on makes a verb of a call on one name.
func on(fn func(p place, a []string) (string, error)) verb {
	return func(w *world, a []string) (string, error) {
		p, err := w.at(a[0])
		if err != nil {
			return "", err
		}
		return fn(p, a[1:])
	}
}

// plain is on for calls without an answer.
func plain(fn func(p place, a []string) error) verb {
	return on(func(p place, a []string) (string, error) { return "", fn(p, a) })
}

// onMode is plain for calls whose next word is a mode.
func onMode(fn func(p place, mode uint32) error) verb {
	return plain(func(p place, a []string) error {
		mode, err := number(a[0], 8)
		if err != nil {
			return err
		}
		return fn(p, uint32(mode))
	})
}

// onTwo is a verb with two names.
func onTwo(fn func(from, to place, a []string) error) verb {
	return func(w *world, a []string) (string, error) {
		from, err := w.at(a[0])
		if err != nil {
			return "", err
		}
		to, err := w.at(a[1])
		if err != nil {
			return "", err
		}
		return "", fn(from, to, a[2:])
	}
}

// number reads a number: octal in base 8, else with 0x, K, M, G and T, and 2^N±1.
func number(s string, base int) (int64, error) {
	if s == "max" {
		return 1<<63 - 1, nil
	}
	scale := int64(1)
	if base != 8 && len(s) > 1 {
		if i := strings.IndexByte("KMGT", s[len(s)-1]); i >= 0 {
			scale, s = 1<<(10*(i+1)), s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(s, base, 64)
	if err != nil {
		return 0, errors.Join(errUsage, err)
	}
	return n * scale, nil
}

// rest is word i, or what to take when there is none.
func rest(a []string, i int, def string) string {
	if i < len(a) {
		return a[i]
	}
	return def
}

// flags reads NAME|NAME.
func flags(words map[string]int, s string) (n int, err error) {
	if s == "0" || s == "" {
		return 0, nil
	}
	for _, f := range strings.Split(s, "|") {
		v, ok := words[f]
		if !ok {
			return 0, fmt.Errorf("%w: no flag %s", errUsage, f)
		}
		n |= v
	}
	return n, nil
}

var openFlags = map[string]int{
	"O_RDONLY": unix.O_RDONLY, "O_WRONLY": unix.O_WRONLY, "O_RDWR": unix.O_RDWR, "O_CREAT": unix.O_CREAT, "O_EXCL": unix.O_EXCL,
	"O_TRUNC": unix.O_TRUNC, "O_APPEND": unix.O_APPEND, "O_NONBLOCK": unix.O_NONBLOCK, "O_DIRECTORY": unix.O_DIRECTORY,
	"O_NOFOLLOW": unix.O_NOFOLLOW, "O_PATH": unix.O_PATH, "O_TMPFILE": unix.O_TMPFILE, "O_DIRECT": unix.O_DIRECT, "O_SYNC": unix.O_SYNC,
	"O_DSYNC": unix.O_DSYNC, "O_NOATIME": unix.O_NOATIME, "O_CLOEXEC": unix.O_CLOEXEC, "O_NOCTTY": unix.O_NOCTTY, "O_ACCMODE": unix.O_ACCMODE,
}

var atFlags = map[string]int{
	"NOFOLLOW": unix.AT_SYMLINK_NOFOLLOW, "FOLLOW": unix.AT_SYMLINK_FOLLOW, "EMPTY": unix.AT_EMPTY_PATH, "REMOVEDIR": unix.AT_REMOVEDIR,
	"EACCESS": unix.AT_EACCESS, "BAD": 0x40000000,
}

var renameFlags = map[string]int{
	"NOREPLACE": unix.RENAME_NOREPLACE, "EXCHANGE": unix.RENAME_EXCHANGE, "WHITEOUT": unix.RENAME_WHITEOUT, "BAD": 0x100,
}

var allocFlags = map[string]int{
	"KEEP_SIZE": unix.FALLOC_FL_KEEP_SIZE, "PUNCH_HOLE": unix.FALLOC_FL_PUNCH_HOLE, "ZERO_RANGE": unix.FALLOC_FL_ZERO_RANGE,
	"COLLAPSE_RANGE": unix.FALLOC_FL_COLLAPSE_RANGE, "INSERT_RANGE": unix.FALLOC_FL_INSERT_RANGE, "UNSHARE_RANGE": unix.FALLOC_FL_UNSHARE_RANGE,
	"BAD": 0x4000,
}

var whences = map[string]int{
	"SEEK_SET": unix.SEEK_SET, "SEEK_CUR": unix.SEEK_CUR, "SEEK_END": unix.SEEK_END, "SEEK_DATA": unix.SEEK_DATA, "SEEK_HOLE": unix.SEEK_HOLE, "BAD": 77,
}

var writeFlags = map[string]int{
	"RWF_APPEND": unix.RWF_APPEND, "RWF_DSYNC": unix.RWF_DSYNC, "RWF_SYNC": unix.RWF_SYNC, "RWF_HIPRI": unix.RWF_HIPRI, "RWF_NOWAIT": unix.RWF_NOWAIT,
	"RWF_NOAPPEND": 0x20, "BAD": 0x4000_0000,
}

var lockKinds = map[string]int{"SH": unix.LOCK_SH, "EX": unix.LOCK_EX, "UN": unix.LOCK_UN, "NB": unix.LOCK_NB, "BAD": 64}

var xattrFlags = map[string]int{"CREATE": unix.XATTR_CREATE, "REPLACE": unix.XATTR_REPLACE, "BAD": 16}
