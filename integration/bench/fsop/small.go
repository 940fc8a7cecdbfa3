package fsop

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// each runs f once per file of dir and times the whole.
func each(ctx context.Context, dir string, n int, f func(path string) error) (time.Duration, error) {
	list := names(dir, n)
	start := time.Now()
	for _, path := range list {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := f(path); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// CreateMany makes the directory and in it n files of size bytes: create, write, close. The directory itself is not timed.
func CreateMany(ctx context.Context, dir string, n, size int) (time.Duration, error) {
	if err := retry(func() error { return unix.Mkdir(dir, 0o755) }); err != nil {
		return 0, fmt.Errorf("mkdir %s: %w", dir, err)
	}
	content := make([]byte, size)
	for i := range content {
		content[i] = byte('a' + i%26)
	}
	return each(ctx, dir, n, func(path string) error {
		fd, err := open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
		if err != nil {
			return err
		}
		return closed(fd, write(fd, content))
	})
}

// StatMany asks for the attributes of the files that CreateMany made.
func StatMany(ctx context.Context, dir string, n int) (time.Duration, error) {
	var st unix.Stat_t
	return each(ctx, dir, n, func(path string) error {
		if err := retry(func() error { return unix.Lstat(path, &st) }); err != nil {
			return fmt.Errorf("lstat %s: %w", path, err)
		}
		return nil
	})
}

// ReadMany reads the files that CreateMany made: open, read, close.
func ReadMany(ctx context.Context, dir string, n, size int) (time.Duration, error) {
	buf := make([]byte, size)
	return each(ctx, dir, n, func(path string) error {
		fd, err := open(path, unix.O_RDONLY)
		if err != nil {
			return err
		}
		got, err := fill(ctx, fd, buf)
		if err == nil && got != size {
			err = fmt.Errorf("%s: %d bytes instead of %d", path, got, size)
		}
		return closed(fd, err)
	})
}

// Rename renames a file or directory.
func Rename(from, to string) (time.Duration, error) {
	start := time.Now()
	if err := retry(func() error { return unix.Rename(from, to) }); err != nil {
		return 0, fmt.Errorf("rename %s: %w", from, err)
	}
	return time.Since(start), nil
}
