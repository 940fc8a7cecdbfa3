package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"tote/objstore"
)

const (
	tmpDir     = ".tmp"
	uploadsDir = ".uploads"
)

// Options change how a store works. The zero value is right for production.
type Options struct {
	NoSync bool // flush nothing: for tests and benchmarks that don't pull the plug
}

// Store is an object store in a directory. It has all abilities of package objstore but Presigner.
type Store struct {
	path string // absolute
	opts Options
	root *os.Root
	base *os.File // root's own descriptor, under base.Fd()
	top  *dir     // the same as the start of every walk
	tmp  *dir
	dirs *dirCache
	ids  idLocks
}

var (
	_ objstore.Store        = (*Store)(nil)
	_ objstore.Adopter      = (*Store)(nil)
	_ objstore.LazyAdopter  = (*Store)(nil)
	_ objstore.Syncer       = (*Store)(nil)
	_ objstore.FileOpener   = (*Store)(nil)
	_ objstore.Renamer      = (*Store)(nil)
	_ objstore.PathFinder   = (*Store)(nil)
	_ objstore.Resumer      = (*Store)(nil)
	_ objstore.UploadLister = (*Store)(nil)
)

// New opens the store at root, and makes the directory when it is missing.
func New(root string, opts Options) (*Store, error) {
	path, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", root, err)
	}
	s := &Store{path: path, opts: opts, dirs: newDirCache(maxDirs)}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open object store %s: %w", path, errors.Join(err, s.Close()))
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if err := s.makeRoot(); err != nil {
		return err
	}
	if s.root, err = os.OpenRoot(s.path); err != nil {
		return err
	}
	if s.base, err = s.root.Open("."); err != nil {
		return err
	}
	s.top = newDir(int(s.base.Fd()), "", s.opts.NoSync)
	s.top.refs = 1            // ours, so that no user is the last
	s.top.durable.Store(true) // by makeRoot
	for _, name := range []string{tmpDir, uploadsDir} {
		d, err := s.top.child(name, true)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if name == tmpDir {
			s.tmp = d
			continue
		}
		d.close() // reached through s.root from here on
	}
	return s.top.settle()
}

// makeRoot makes the root and what is missing above it, and flushes the names of what it made.
func (s *Store) makeRoot() error {
	var above []string
	for p := s.path; ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		above = append(above, filepath.Dir(p))
	}
	if err := os.MkdirAll(s.path, 0o700); err != nil || s.opts.NoSync {
		return err
	}
	for _, p := range above {
		if err := syncPath(p); err != nil {
			return err
		}
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Close frees the store's descriptors. Nothing may be running; bodies and files handed out stay valid.
func (s *Store) Close() error {
	s.dirs.close()
	if s.tmp != nil {
		s.tmp.close()
	}
	var errs []error
	if s.base != nil {
		errs = append(errs, s.base.Close())
	}
	if s.root != nil {
		errs = append(errs, s.root.Close())
	}
	return errors.Join(errs...)
}

// Sync flushes the whole file system the root is on.
func (s *Store) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil || s.opts.NoSync {
		return err
	}
	if err := again(func() error { return unix.Syncfs(s.top.fd) }); err != nil {
		return fail("sync", s.path, err)
	}
	return nil
}

// Path returns the absolute path of key's file, whether or not it exists.
func (s *Store) Path(key string) (string, error) {
	loc, err := locate(key)
	if err != nil {
		return "", err
	}
	return filepath.Join(s.path, loc.dir, loc.name), nil
}

// Delete removes key's file. It is not flushed: see Sync.
func (s *Store) Delete(ctx context.Context, key string) error {
	loc, err := locate(key)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = s.in(loc.dir, false, func(d *dir) error { return d.remove(loc.name) })
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return fail("delete", key, err)
	}
	return nil
}

// Rename moves an object to another key.
func (s *Store) Rename(ctx context.Context, oldKey, newKey string) error {
	return s.move(ctx, oldKey, newKey, true)
}

// RenameLazy is Rename without a flush.
func (s *Store) RenameLazy(ctx context.Context, oldKey, newKey string) error {
	return s.move(ctx, oldKey, newKey, false)
}

func (s *Store) move(ctx context.Context, oldKey, newKey string, durable bool) error {
	from, err := locate(oldKey)
	if err != nil {
		return err
	}
	to, err := locate(newKey)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err = syscall.ENOENT
	if from != to {
		err = s.rename(from, to, durable)
	}
	if errors.Is(err, syscall.ENOENT) {
		err = s.renamed(to, durable)
	}
	if err != nil {
		return fail("rename", oldKey, notFound(err))
	}
	return nil
}

func (s *Store) rename(from, to location, durable bool) error {
	return s.in(from.dir, false, func(d *dir) error {
		// Looked at first: a missing object must not leave directories behind for its new name.
		if _, err := d.stat(from.name); err != nil {
			return err
		}
		if err := s.publish(d, from.name, to, durable); err != nil || !durable {
			return err
		}
		return d.sync()
	})
}

// renamed is the repeat of a rename, perhaps of one that was not flushed: it has to end durable as well.
func (s *Store) renamed(to location, durable bool) error {
	return s.in(to.dir, false, func(d *dir) error {
		if _, err := d.stat(to.name); err != nil || !durable {
			return err
		}
		return s.persist(d)
	})
}
