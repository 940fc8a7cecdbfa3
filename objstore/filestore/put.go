package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tote/objstore"
)

// copyBuffer is the memory of one body on its way to the disk.
const copyBuffer = 128 << 10

// Put writes a temporary file, flushes it, and renames it into place.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) (objstore.Info, error) {
	loc, err := locate(key)
	if err != nil {
		return objstore.Info{}, err
	}
	info, err := s.put(ctx, loc, r, size)
	if err != nil {
		return objstore.Info{}, fail("put", key, err)
	}
	info.Key = key
	return info, nil
}

func (s *Store) put(ctx context.Context, loc location, r io.Reader, size int64) (objstore.Info, error) {
	name := rand.Text()
	info, err := s.write(ctx, s.tmp, name, r, size)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = s.publish(s.tmp, name, loc, true)
	}
	if err != nil {
		// Gone already when only the flush of the new name failed.
		if rerr := s.tmp.remove(name); rerr != nil && !errors.Is(rerr, syscall.ENOENT) {
			err = errors.Join(err, rerr)
		}
		return objstore.Info{}, err
	}
	return info, nil
}

// write makes a file of exactly size bytes in d, on disk when it returns. After an error the caller removes it.
func (s *Store) write(ctx context.Context, d *dir, name string, r io.Reader, size int64) (objstore.Info, error) {
	return s.create(d, name, func(f *os.File) error {
		// The plain Writer keeps io.CopyBuffer from looking for short cuts with a buffer of their own.
		buf := make([]byte, min(max(size, 0)+1, copyBuffer))
		_, err := io.CopyBuffer(struct{ io.Writer }{f}, objstore.Exactly(ctx, r, size), buf)
		return err
	})
}

// create makes or empties a file in d, lets fill write it, and flushes it.
func (s *Store) create(d *dir, name string, fill func(*os.File) error) (objstore.Info, error) {
	fd, err := d.openAt(name, unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return objstore.Info{}, err
	}
	f := os.NewFile(uintptr(fd), name)
	err = fill(f)
	var info objstore.Info
	if err == nil {
		info, err = s.finish(d, f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return info, err
}

// finish stamps a written file and flushes it. The stamp is ours because the kernel's clock is too coarse to
// tell two writes in a row apart, and the time is part of the tag.
func (s *Store) finish(d *dir, f *os.File) (objstore.Info, error) {
	now := unix.NsecToTimespec(time.Now().UnixNano())
	err := again(func() error {
		return unix.UtimesNanoAt(d.fd, f.Name(), []unix.Timespec{now, now}, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return objstore.Info{}, err
	}
	if !s.opts.NoSync {
		if err := f.Sync(); err != nil {
			return objstore.Info{}, err
		}
	}
	st, err := f.Stat()
	if err != nil {
		return objstore.Info{}, err
	}
	return describe("", st.Size(), st.ModTime()), nil
}

// publish renames a whole file from src to an object's place. With durable set, the name is on disk on nil.
func (s *Store) publish(src *dir, name string, to location, durable bool) error {
	return s.in(to.dir, true, func(d *dir) error {
		if durable {
			if err := s.anchor(d); err != nil {
				return err
			}
		}
		if err := src.rename(name, d, to.name); err != nil || !durable {
			return err
		}
		return d.sync()
	})
}

// Adopt renames a local file into the store.
func (s *Store) Adopt(ctx context.Context, key, path string) (objstore.Info, error) {
	return s.adopt(ctx, key, path, true)
}

// AdoptLazy is Adopt without a flush.
func (s *Store) AdoptLazy(ctx context.Context, key, path string) (objstore.Info, error) {
	return s.adopt(ctx, key, path, false)
}

func (s *Store) adopt(ctx context.Context, key, path string, durable bool) (objstore.Info, error) {
	loc, err := locate(key)
	if err != nil {
		return objstore.Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return objstore.Info{}, err
	}
	here := &dir{fd: unix.AT_FDCWD}
	info, err := here.stat(path)
	if errors.Is(err, errForeign) {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return objstore.Info{}, fmt.Errorf("adopt %s as %s: %w", path, key, err)
	}
	err = s.publish(here, path, loc, durable)
	if errors.Is(err, syscall.EXDEV) {
		info, err = s.adoptCopy(ctx, loc, path)
	}
	if err != nil {
		return objstore.Info{}, fail("adopt "+path+" as", key, err)
	}
	info.Key = key
	return info, nil
}

// adoptCopy is for a file on another file system.
func (s *Store) adoptCopy(ctx context.Context, loc location, path string) (objstore.Info, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return objstore.Info{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return objstore.Info{}, err
	}
	info, err := s.put(ctx, loc, f, st.Size())
	if err != nil {
		return objstore.Info{}, err
	}
	return info, os.Remove(path)
}
