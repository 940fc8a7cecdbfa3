package posix

import (
	"errors"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// mappings are the calls that map files.
var mappings = map[string]verb{
	// "mapread @f LENGTH FROM N" reads through a shared mapping, "SIGBUS" behind the end of the file.
	"mapread": onFD(func(_ *world, fd int, a []string) (answer string, err error) {
		n, err := numbers(a, 3)
		if err != nil {
			return "", err
		}
		b, err := unix.Mmap(fd, 0, int(n[0]), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, unix.Munmap(b)) }()
		defer bus(&answer)()
		return readable(append([]byte(nil), b[n[1]:n[1]+n[2]]...)), nil
	}),
	// "mapwrite @f LENGTH AT BYTES shared|private" writes through a mapping and gives what it shows then.
	"mapwrite": onFD(func(_ *world, fd int, a []string) (answer string, err error) {
		n, err := numbers(a, 2)
		if err != nil {
			return "", err
		}
		kind := unix.MAP_SHARED
		if a[3] == "private" {
			kind = unix.MAP_PRIVATE
		}
		b, err := unix.Mmap(fd, 0, int(n[0]), unix.PROT_READ|unix.PROT_WRITE, kind)
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, unix.Munmap(b)) }()
		defer bus(&answer)()
		what := bytesOf(a[2])
		copy(b[n[1]:], what)
		answer = readable(append([]byte(nil), b[n[1]:int(n[1])+len(what)]...))
		return answer, unix.Msync(b, unix.MS_SYNC)
	}),
	"mapexec": onFD(func(_ *world, fd int, a []string) (string, error) {
		b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
		if err != nil {
			return "", err
		}
		return "", unix.Munmap(b)
	}),
}

// bus turns a fault in a mapping into an answer.
func bus(answer *string) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if recover() != nil {
			*answer = "SIGBUS"
		}
	}
}
