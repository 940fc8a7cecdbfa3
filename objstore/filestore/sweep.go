package filestore

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"time"
)

// Sweep removes what was begun and not touched since olderThan: temporary files, open uploads, and tombstones of
// completed ones. It returns how many of them it removed. olderThan must lie further back than the longest
// pause of a writer that is still alive, and than the longest time after which a Complete is repeated.
func (s *Store) Sweep(ctx context.Context, olderThan time.Time) (int, error) {
	files, err := s.sweepTemp(ctx, olderThan)
	uploads, uerr := s.sweepUploads(ctx, olderThan)
	if err := errors.Join(err, uerr); err != nil {
		return files + uploads, fail("sweep", s.path, err)
	}
	return files + uploads, nil
}

func (s *Store) sweepTemp(ctx context.Context, olderThan time.Time) (n int, err error) {
	f, err := s.tmp.reader(s.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	err = readEntries(ctx, f, func(e fs.DirEntry) error {
		name := path.Join(tmpDir, e.Name())
		st, err := s.root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // published or given up meanwhile
		}
		if err != nil || !st.ModTime().Before(olderThan) {
			return err
		}
		n++
		return s.root.RemoveAll(name) // the directory of an aborted upload may be among them
	})
	return n, err
}

func (s *Store) sweepUploads(ctx context.Context, olderThan time.Time) (n int, err error) {
	err = s.eachUpload(ctx, func(u *upload) error {
		defer s.ids.lock(u.id)()
		used, err := u.lastUse(ctx)
		if err != nil || !used.Before(olderThan) {
			return err
		}
		n++
		return u.drop()
	})
	return n, err
}

// lastUse is the time of the youngest file in the upload's directory, or of the directory itself.
func (u *upload) lastUse(ctx context.Context) (used time.Time, err error) {
	f, err := u.s.root.Open(u.path(""))
	if err != nil {
		return used, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return used, err
	}
	used = st.ModTime()
	err = readEntries(ctx, f, func(e fs.DirEntry) error {
		info, err := e.Info()
		if err == nil && info.ModTime().After(used) {
			used = info.ModTime()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return used, err
}
