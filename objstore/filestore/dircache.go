package filestore

import (
	"container/list"
	"errors"
	"path"
	"sync"
	"syscall"
)

// maxDirs bounds the directories held open: the 256 shards of a busy directory, and room for others.
const maxDirs = 512

// dirCache keeps the directories used last open, so that a publish needs no walk.
type dirCache struct {
	max int

	mu    sync.Mutex
	dirs  map[string]*list.Element // guarded by mu
	order *list.List               // guarded by mu; of *dir, used last in front
}

func newDirCache(limit int) *dirCache {
	return &dirCache{max: limit, dirs: map[string]*list.Element{}, order: list.New()}
}

// get returns an open directory, which the caller releases, or nil.
func (c *dirCache) get(path string) *dir {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.dirs[path]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	d := e.Value.(*dir)
	d.refs++
	return d
}

// add takes d over and returns it, or the one that came first. The caller releases what it gets.
func (c *dirCache) add(d *dir) *dir {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.dirs[d.path]; e != nil {
		d.close()
		first := e.Value.(*dir)
		first.refs++
		return first
	}
	d.refs, d.cached = 1, true
	c.dirs[d.path] = c.order.PushFront(d)
	for c.order.Len() > c.max {
		c.evict(c.order.Back())
	}
	return d
}

// evict forgets a directory; its last user closes it. Called with mu held.
func (c *dirCache) evict(e *list.Element) {
	d := c.order.Remove(e).(*dir)
	delete(c.dirs, d.path)
	d.cached = false
	if d.refs == 0 {
		d.close()
	}
}

// release gives back a directory from get or add.
func (c *dirCache) release(d *dir) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.refs--
	if d.refs == 0 && !d.cached {
		d.close()
	}
}

// close forgets all directories.
func (c *dirCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.order.Len() > 0 {
		c.evict(c.order.Back())
	}
}

// dir opens the directory at path and, when create is set, makes what is missing. The caller releases it.
func (s *Store) dir(p string, create bool) (*dir, error) {
	if p == "." || p == "" {
		return s.dirs.pin(s.top), nil
	}
	if d := s.dirs.get(p); d != nil {
		return d, nil
	}
	parent, err := s.dir(path.Dir(p), create)
	if err != nil {
		return nil, err
	}
	defer s.dirs.release(parent)
	d, err := parent.child(path.Base(p), create)
	if err != nil {
		return nil, err
	}
	return s.dirs.add(d), nil
}

// pin adds a reference to a directory outside the cache, whose owner holds one for good.
func (c *dirCache) pin(d *dir) *dir {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.refs++
	return d
}

// in runs fn in the directory at path. Where the directory was removed while it was held open (someone
// restored a backup) the walk is done afresh, once.
func (s *Store) in(p string, create bool, fn func(*dir) error) error {
	for first := true; ; first = false {
		d, err := s.dir(p, create)
		if err == nil {
			err = fn(d)
			s.dirs.release(d)
		}
		if !first || !errors.Is(err, syscall.ENOENT) || !s.dirs.dropGone(p) {
			return err
		}
	}
}

// dropGone forgets the directories on the way to p if one of them is no longer there.
func (c *dirCache) dropGone(p string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := false
	for ; p != "."; p = path.Dir(p) {
		e := c.dirs[p]
		found = found || e != nil && e.Value.(*dir).gone()
	}
	for found && c.order.Len() > 0 {
		c.evict(c.order.Back())
	}
	return found
}

// persist makes the names in d and the directory itself durable.
func (s *Store) persist(d *dir) error {
	if err := s.anchor(d); err != nil {
		return err
	}
	return d.sync()
}

// anchor makes d's own name and those of the directories above it durable; once is enough.
func (s *Store) anchor(d *dir) error {
	if s.opts.NoSync || d.durable.Load() {
		return nil
	}
	parent, err := s.dir(path.Dir(d.path), false)
	if err != nil {
		return err
	}
	defer s.dirs.release(parent)
	if err := s.anchor(parent); err != nil {
		return err
	}
	if err := parent.settle(); err != nil {
		return err
	}
	d.durable.Store(true)
	return nil
}
