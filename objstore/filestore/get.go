package filestore

import (
	"context"
	"io"
	"os"

	"tote/objstore"
)

// Get opens an object's file for a range.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	f, size, err := s.openObject(ctx, key)
	if err != nil {
		return nil, fail("get", key, err)
	}
	n, err = objstore.CheckRange(size, off, n)
	if err != nil {
		f.Close()
		return nil, fail("get", key, err)
	}
	return &body{ctx: ctx, f: f, off: off, left: n}, nil
}

// OpenFile opens an object's file.
func (s *Store) OpenFile(ctx context.Context, key string) (*os.File, error) {
	f, _, err := s.openObject(ctx, key)
	if err != nil {
		return nil, fail("open", key, err)
	}
	return f, nil
}

// Stat describes an object by its file's inode alone.
func (s *Store) Stat(ctx context.Context, key string) (objstore.Info, error) {
	loc, err := locate(key)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return objstore.Info{}, fail("stat", key, err)
	}
	var info objstore.Info
	err = s.in(loc.dir, false, func(d *dir) error {
		info, err = d.stat(loc.name)
		return err
	})
	if err != nil {
		return objstore.Info{}, fail("stat", key, notFound(err))
	}
	info.Key = key
	return info, nil
}

func (s *Store) openObject(ctx context.Context, key string) (*os.File, int64, error) {
	loc, err := locate(key)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, 0, err
	}
	var f *os.File
	err = s.in(loc.dir, false, func(d *dir) error {
		f, err = d.file(loc.name)
		return err
	})
	if err != nil {
		return nil, 0, notFound(err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

// body reads a range that was inside the file when it was opened.
type body struct {
	ctx  context.Context
	f    *os.File
	off  int64
	left int64
}

// Read turns an end of file inside the range into an error: the file was cut behind our back.
func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.f.ReadAt(p[:min(int64(len(p)), b.left)], b.off)
	b.off += int64(n)
	b.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close frees the file.
func (b *body) Close() error { return b.f.Close() }
