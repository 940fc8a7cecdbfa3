package fsop

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// retry calls f again while a signal interrupts it: a FUSE server may pass that on.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

func open(path string, flags int) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Open(path, flags|unix.O_CLOEXEC, 0o644)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", path, err)
	}
	return fd, nil
}

// write writes all of p at the file's position.
func write(fd int, p []byte) error {
	for len(p) > 0 {
		var n int
		err := retry(func() (err error) { n, err = unix.Write(fd, p); return err })
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		p = p[n:]
	}
	return nil
}

// read fills p from the file's position; less means that the file ended.
func read(fd int, p []byte) (n int, err error) {
	err = retry(func() error { n, err = unix.Read(fd, p); return err })
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	return n, nil
}

func fsync(fd int) error {
	if err := retry(func() error { return unix.Fsync(fd) }); err != nil {
		return fmt.Errorf("fsync: %w", err)
	}
	return nil
}

// closed ends the use of fd; close(2) is where a file system may report what it could not keep.
func closed(fd int, err error) error {
	if e := unix.Close(fd); err == nil && e != nil {
		return fmt.Errorf("close: %w", e)
	}
	return err
}

// Name is the path of the i-th file that CreateMany makes in dir.
func Name(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("f%06d.txt", i)) }

func names(dir string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = Name(dir, i)
	}
	return list
}
