package filestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tote/objstore"
)

// dir is an open directory. Every step from it is one name, taken without following links.
type dir struct {
	fd     int
	path   string // below the root
	noSync bool
	refs   int  // guarded by dirCache.mu
	cached bool // guarded by dirCache.mu

	durable atomic.Bool // the directory's own name and all above it are on disk

	mu      sync.Mutex
	settled bool // guarded by mu; every directory in this one is on disk

	commits group
}

func newDir(fd int, path string, noSync bool) *dir {
	d := &dir{fd: fd, path: path, noSync: noSync}
	d.commits.flush = func() error { return again(func() error { return unix.Fsync(fd) }) }
	return d
}

func (d *dir) close() { unix.Close(d.fd) }

// openAt opens one name.
func (d *dir) openAt(name string, flags int) (fd int, err error) {
	flags |= unix.O_NOFOLLOW | unix.O_CLOEXEC
	err = again(func() error {
		fd, err = unix.Openat(d.fd, name, flags, 0o600)
		return err
	})
	return fd, err
}

// child opens a directory in d, and makes it when asked.
func (d *dir) child(name string, create bool) (*dir, error) {
	fd, err := d.openAt(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, syscall.ENOENT) && create {
		if err := d.mkdir(name); err != nil {
			return nil, err
		}
		fd, err = d.openAt(name, unix.O_RDONLY|unix.O_DIRECTORY)
	}
	if err != nil {
		return nil, err
	}
	return newDir(fd, strings.TrimPrefix(d.path+"/"+name, "/"), d.noSync), nil
}

// mkdir makes a directory that may be there. d is unsettled before the new name can be seen, so that whoever
// sees it and needs it durable flushes.
func (d *dir) mkdir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settled = false
	err := again(func() error { return unix.Mkdirat(d.fd, name, 0o700) })
	if errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

// settle flushes d once for all the directories in it.
func (d *dir) settle() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.settled {
		return nil
	}
	if err := d.sync(); err != nil {
		return err
	}
	d.settled = true
	return nil
}

// sync makes the names in d durable, together with everyone else who is waiting for that.
func (d *dir) sync() error {
	if d.noSync {
		return nil
	}
	return d.commits.wait()
}

// file opens an existing file for reading. O_NONBLOCK keeps a planted pipe from holding us up; on files it does
// nothing.
func (d *dir) file(name string) (*os.File, error) {
	fd, err := d.openAt(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errForeign
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// stat describes an object's file; Key is left to the caller.
func (d *dir) stat(name string) (objstore.Info, error) {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return objstore.Info{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return objstore.Info{}, errForeign
	}
	return describe("", st.Size, time.Unix(st.Mtim.Unix())), nil
}

func (d *dir) rename(name string, to *dir, newName string) error {
	return again(func() error { return unix.Renameat(d.fd, name, to.fd, newName) })
}

func (d *dir) remove(name string) error {
	return again(func() error { return unix.Unlinkat(d.fd, name, 0) })
}

// reader opens d once more, for reading its names. base is the path of the root: where the file system does
// not tell the types of names, package os looks them up by path.
func (d *dir) reader(base string) (*os.File, error) {
	fd, err := d.openAt(".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), filepath.Join(base, d.path)), nil
}

// gone tells whether someone removed the directory while it was open.
func (d *dir) gone() bool {
	var st unix.Stat_t
	return unix.Fstat(d.fd, &st) == nil && st.Nlink == 0
}

// describe makes the Info of a file. Size and time are the tag: an object's bytes never change under a key
// without a new time.
func describe(key string, size int64, mod time.Time) objstore.Info {
	return objstore.Info{
		Key:      key,
		Size:     size,
		Modified: mod,
		ETag:     fmt.Sprintf("%x-%x", size, mod.UnixNano()),
	}
}

// group lets concurrent callers share one flush.
type group struct {
	flush func() error

	mu   sync.Mutex
	next *commit // guarded by mu; the flush that has not begun, if anyone waits for one
	last *commit // guarded by mu; the one that began last
}

type commit struct {
	done chan struct{}
	err  error // set before done is closed
}

// wait returns after a flush that began after wait was called. The first caller for the next flush does it,
// as soon as the one before it has ended; whoever comes meanwhile joins.
func (g *group) wait() error {
	g.mu.Lock()
	c, before, lead := g.next, g.last, g.next == nil
	if lead {
		c = &commit{done: make(chan struct{})}
		g.next = c
	}
	g.mu.Unlock()
	if !lead {
		<-c.done
		return c.err
	}
	if before != nil {
		<-before.done
	}
	g.mu.Lock()
	g.next, g.last = nil, c
	g.mu.Unlock()
	c.err = g.flush()
	close(c.done)
	return c.err
}
