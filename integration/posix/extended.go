package posix

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// extended are the calls on extended attributes.
var extended = map[string]verb{
	"setxattr": withPath(func(path string, a []string) (string, error) {
		f, err := flags(xattrFlags, rest(a, 2, ""))
		if err != nil {
			return "", err
		}
		return "", unix.Setxattr(path, expand(a[0]), bytesOf(a[1]), f)
	}),
	"lsetxattr": withPath(func(path string, a []string) (string, error) {
		return "", unix.Lsetxattr(path, expand(a[0]), bytesOf(a[1]), 0)
	}),
	"fsetxattr": onFD(func(_ *world, fd int, a []string) (string, error) {
		return "", unix.Fsetxattr(fd, expand(a[0]), bytesOf(a[1]), 0)
	}),
	"getxattr": withPath(func(path string, a []string) (string, error) {
		return sized(a, func(b []byte) (int, error) { return unix.Getxattr(path, expand(a[0]), b) })
	}),
	"lgetxattr": withPath(func(path string, a []string) (string, error) {
		return sized(a, func(b []byte) (int, error) { return unix.Lgetxattr(path, expand(a[0]), b) })
	}),
	"fgetxattr": onFD(func(_ *world, fd int, a []string) (string, error) {
		return sized(a, func(b []byte) (int, error) { return unix.Fgetxattr(fd, expand(a[0]), b) })
	}),
	"listxattr": withPath(func(path string, a []string) (string, error) {
		buf := make([]byte, 64<<10)
		n, err := unix.Listxattr(path, buf)
		return nameList(buf[:max(n, 0)]), err
	}),
	"listsize": withPath(func(path string, a []string) (string, error) {
		n, err := number(a[0], 10)
		if err != nil {
			return "", err
		}
		got, err := unix.Listxattr(path, make([]byte, n))
		return fmt.Sprint(got), err
	}),
	"rmxattr":  withPath(func(path string, a []string) (string, error) { return "", unix.Removexattr(path, expand(a[0])) }),
	"lrmxattr": withPath(func(path string, a []string) (string, error) { return "", unix.Lremovexattr(path, expand(a[0])) }),
}

// withPath is for calls that know no directory descriptors.
func withPath(fn func(path string, a []string) (string, error)) verb {
	return func(_ *world, a []string) (string, error) { return fn(expand(a[0]), a[1:]) }
}

// sized reads a value into a buffer of the size in word 1, 64 KiB without one; with 0 the answer is the length.
func sized(a []string, get func([]byte) (int, error)) (string, error) {
	n, err := number(rest(a, 1, "65536"), 10)
	if err != nil {
		return "", err
	}
	if n == 0 {
		got, err := get(nil)
		return fmt.Sprint(got), err
	}
	buf := make([]byte, n)
	got, err := get(buf)
	return readable(buf[:max(got, 0)]), err
}

func nameList(b []byte) string {
	all := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" || strings.HasPrefix(s, "security.") })
	slices.Sort(all)
	return strings.Join(all, " ")
}
