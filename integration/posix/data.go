package posix

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// data are the calls that move bytes.
var data = map[string]verb{
	"read": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := numbers(a, 1)
		if err != nil {
			return "", err
		}
		buf := make([]byte, n[0])
		got, err := unix.Read(fd, buf)
		return readable(buf[:max(got, 0)]), err
	}),
	"pread": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := numbers(a, 2)
		if err != nil {
			return "", err
		}
		buf := make([]byte, n[0])
		got, err := unix.Pread(fd, buf, n[1])
		return readable(buf[:max(got, 0)]), err
	}),
	"preadv": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := numbers(a, 3)
		if err != nil {
			return "", err
		}
		one, two := make([]byte, n[0]), make([]byte, n[1])
		f, err := flags(writeFlags, rest(a, 3, ""))
		if err != nil {
			return "", err
		}
		got, err := unix.Preadv2(fd, [][]byte{one, two}, n[2], f)
		return readable(append(one, two...)[:max(got, 0)]), err
	}),
	"write": onFD(func(_ *world, fd int, a []string) (string, error) {
		return count(unix.Write(fd, bytesOf(a[0])))
	}),
	"pwrite": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := number(a[1], 10)
		if err != nil {
			return "", err
		}
		return count(unix.Pwrite(fd, bytesOf(a[0]), n))
	}),
	"pwritev": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := number(a[2], 10)
		if err != nil {
			return "", err
		}
		f, err := flags(writeFlags, rest(a, 3, ""))
		if err != nil {
			return "", err
		}
		return count(unix.Pwritev2(fd, [][]byte{bytesOf(a[0]), bytesOf(a[1])}, n, f))
	}),
	"lseek": onFD(func(_ *world, fd int, a []string) (string, error) {
		n, err := number(a[0], 10)
		if err != nil {
			return "", err
		}
		whence, err := flags(whences, a[1])
		if err != nil {
			return "", err
		}
		off, err := unix.Seek(fd, n, whence)
		return fmt.Sprint(off), err
	}),
	"fallocate": onFD(func(_ *world, fd int, a []string) (string, error) {
		mode, err := flags(allocFlags, a[0])
		if err != nil {
			return "", err
		}
		n, err := numbers(a[1:], 2)
		if err != nil {
			return "", err
		}
		return "", unix.Fallocate(fd, uint32(mode), n[0], n[1])
	}),
	"copyrange": func(w *world, a []string) (string, error) {
		from, err := w.fd(a[0])
		if err != nil {
			return "", err
		}
		to, err := w.fd(a[2])
		if err != nil {
			return "", err
		}
		n, err := numbers([]string{a[1], a[3], a[4]}, 3)
		if err != nil {
			return "", err
		}
		f, err := number(rest(a, 5, "0"), 10)
		if err != nil {
			return "", err
		}
		return count(unix.CopyFileRange(from, &n[0], to, &n[1], int(n[2]), int(f)))
	},
	"sendfile": func(w *world, a []string) (string, error) {
		from, err := w.fd(a[0])
		if err != nil {
			return "", err
		}
		to, err := w.fd(a[1])
		if err != nil {
			return "", err
		}
		n, err := number(a[2], 10)
		if err != nil {
			return "", err
		}
		return count(unix.Sendfile(to, from, nil, int(n)))
	},
	"put": plain(func(p place, a []string) error {
		fd, err := unix.Openat(p.dir, p.path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		_, err = unix.Write(fd, bytesOf(a[0]))
		return errors.Join(err, unix.Close(fd))
	}),
	"cat": on(func(p place, _ []string) (string, error) {
		fd, err := unix.Openat(p.dir, p.path, unix.O_RDONLY, 0)
		if err != nil {
			return "", err
		}
		defer unix.Close(fd)
		buf := make([]byte, 64<<10)
		n, err := unix.Read(fd, buf)
		return readable(buf[:max(n, 0)]), err
	}),
}

func count(n int, err error) (string, error) { return fmt.Sprint(n), err }

// bytesOf writes out "text" or "xN", N times the letter x.
func bytesOf(s string) []byte {
	if len(s) > 2 && s[1] == '*' {
		if n, err := number(s[2:], 10); err == nil {
			return []byte(strings.Repeat(s[:1], int(n)))
		}
	}
	return []byte(s)
}

// readable shows bytes in one word: zeros as dots, runs of more than eight as "x*9".
func readable(b []byte) string {
	var s strings.Builder
	for i := 0; i < len(b); {
		j := i
		for j < len(b) && b[j] == b[i] {
			j++
		}
		letter := string(rune(b[i]))
		if b[i] == 0 {
			letter = "."
		}
		if j-i > 8 {
			fmt.Fprintf(&s, "%s*%d", letter, j-i)
		} else {
			s.WriteString(strings.Repeat(letter, j-i))
		}
		i = j
	}
	if s.Len() == 0 {
		return "-"
	}
	return s.String()
}
