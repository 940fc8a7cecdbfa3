package fsop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Dirs are open directories, so that an operation on a name in one of them asks the file system about that name alone. Their methods return
// what the operation took at each place.
type Dirs struct{ fds []int }

// Place is a name in one of the Dirs.
type Place struct {
	Dir  int // index
	Name string
}

// OpenDirs opens directories.
func OpenDirs(paths []string) (*Dirs, error) {
	d := &Dirs{}
	for _, p := range paths {
		fd, err := open(p, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		d.fds = append(d.fds, fd)
	}
	return d, nil
}

// Close closes all of them.
func (d *Dirs) Close() error {
	var errs []error
	for _, fd := range d.fds {
		errs = append(errs, unix.Close(fd))
	}
	d.fds = nil
	return errors.Join(errs...)
}

// each runs f for every place and times each one.
func (d *Dirs) each(ctx context.Context, what string, places []Place, f func(i, fd int, name string) error) ([]time.Duration, error) {
	took := make([]time.Duration, len(places))
	for i, p := range places {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := retry(func() error { return f(i, d.fds[p.Dir], p.Name) }); err != nil {
			return nil, fmt.Errorf("%s %s: %w", what, p.Name, err)
		}
		took[i] = time.Since(start)
	}
	return took, nil
}

// Lookup asks for every place: when the kernel knows none of the names, that is one lookup each.
func (d *Dirs) Lookup(ctx context.Context, places []Place) ([]time.Duration, error) {
	var st unix.Stat_t
	return d.each(ctx, "stat", places, func(_, fd int, name string) error { return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
}

// Stat asks the file system for attributes, whatever the kernel remembers of them (statx(2), AT_STATX_FORCE_SYNC).
func (d *Dirs) Stat(ctx context.Context, places []Place) ([]time.Duration, error) {
	var st unix.Statx_t
	return d.each(ctx, "statx", places, func(_, fd int, name string) error {
		return unix.Statx(fd, name, unix.AT_STATX_FORCE_SYNC|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &st)
	})
}

// Create makes empty files that must not exist.
func (d *Dirs) Create(ctx context.Context, places []Place) ([]time.Duration, error) {
	return d.each(ctx, "create", places, func(_, fd int, name string) error {
		file, err := unix.Openat(fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o644)
		if err != nil {
			return err
		}
		return unix.Close(file)
	})
}

// Rename gives every place of from the place in to with the same index.
func (d *Dirs) Rename(ctx context.Context, from, to []Place) ([]time.Duration, error) {
	return d.each(ctx, "rename", from, func(i, fd int, name string) error {
		return unix.Renameat(fd, name, d.fds[to[i].Dir], to[i].Name)
	})
}

// Unlink removes files.
func (d *Dirs) Unlink(ctx context.Context, places []Place) ([]time.Duration, error) {
	return d.each(ctx, "unlink", places, func(_, fd int, name string) error { return unix.Unlinkat(fd, name, 0) })
}

// listBuffer is what getdents(2) fills at once; it is that of the C library.
const listBuffer = 32 << 10

// List reads the names in a directory and counts them, without "." and "..".
func List(ctx context.Context, dir string) (n int, d time.Duration, err error) {
	start := time.Now()
	fd, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return 0, 0, err
	}
	buf, names := make([]byte, listBuffer), []string(nil)
	for err = ctx.Err(); err == nil; err = ctx.Err() {
		var got int
		if err = retry(func() (err error) { got, err = unix.Getdents(fd, buf); return err }); err != nil || got == 0 {
			break
		}
		_, count, _ := unix.ParseDirent(buf[:got], -1, names[:0])
		n += count
	}
	return n, time.Since(start), closed(fd, err)
}
