package fsop

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
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
	content := letters(size)
	return each(ctx, dir, n, func(path string) error { return create(path, content) })
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

// CreateParallel is CreateMany from so many threads at the same time.
func CreateParallel(ctx context.Context, dir string, n, size, writers int) (time.Duration, error) {
	if err := retry(func() error { return unix.Mkdir(dir, 0o755) }); err != nil {
		return 0, fmt.Errorf("mkdir %s: %w", dir, err)
	}
	content, list := letters(size), names(dir, n)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range writers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := create(list[i], content); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start), context.Cause(ctx)
}

func letters(size int) []byte {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte('a' + i%26)
	}
	return content
}

func create(path string, content []byte) error {
	fd, err := open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	return closed(fd, write(fd, content))
}
