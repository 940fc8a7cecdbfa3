package fs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Drafts keeps bytes that arrive over several requests until they are whole. A draft is a plain file in a directory of its own: it is part of no
// tree, and survives restarts. Who writes one remembers how much of it counts; what lies behind is void. Drafts of different names may be
// used from any goroutine at once, one draft by one goroutine at a time.
type Drafts struct {
	dir string
	max int64

	mu   sync.Mutex
	held int64 // bytes of all drafts; guarded by mu
}

// OpenDrafts uses dir, which it makes when it is not there, for at most max bytes in all; 0 means what the disk has.
func OpenDrafts(dir string, max int64) (*Drafts, error) {
	if err := makeDir(dir); err != nil {
		return nil, fail("drafts", dir, err)
	}
	d := &Drafts{dir: dir, max: max}
	names, err := d.Names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return nil, fail("drafts", dir, err)
		}
		d.held += fi.Size()
	}
	return d, nil
}

// Names lists the drafts there are.
func (d *Drafts) Names() ([]string, error) {
	dir, err := os.Open(d.dir)
	if err != nil {
		return nil, fail("drafts", d.dir, err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	return names, fail("drafts", d.dir, err)
}

// path refuses names that are not plain: they come from numbers.
func (d *Drafts) path(name string) (string, error) {
	if name == "" || strings.Trim(name, "0123456789abcdefghijklmnopqrstuvwxyz-") != "" {
		return "", syscall.EINVAL
	}
	return filepath.Join(d.dir, name), nil
}

// Write puts all bytes of r behind the first off bytes of a draft and returns how many there were. On nil they survive power loss; after an error
// the first off bytes are as they were. EIO says that the draft has fewer than off bytes.
func (d *Drafts) Write(name string, off int64, r io.Reader) (int64, error) {
	path, err := d.path(name)
	if err != nil {
		return 0, fail("draft", name, err)
	}
	_, err = os.Lstat(path)
	fresh := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, fail("draft", name, err)
	}
	defer file.Close()
	if err := d.cut(file, off); err != nil {
		return 0, fail("draft", name, err)
	}
	n, err := d.fill(file, r)
	if err == nil {
		err = file.Sync()
	}
	if err == nil && fresh {
		err = d.syncDir()
	}
	if err != nil {
		return 0, errors.Join(fail("draft", name, err), d.cut(file, off))
	}
	return n, nil
}

// cut drops what lies behind off.
func (d *Drafts) cut(file *os.File, off int64) error {
	fi, err := file.Stat()
	if err != nil {
		return err
	}
	if fi.Size() < off {
		return &Error{Op: "draft", Errno: syscall.EIO, Err: errShort}
	}
	if err := file.Truncate(off); err != nil {
		return err
	}
	d.give(fi.Size() - off)
	_, err = file.Seek(off, io.SeekStart)
	return err
}

// fill copies r. An error of the disk is told from one of r by its type: only the former is wrapped.
func (d *Drafts) fill(file *os.File, r io.Reader) (int64, error) {
	buf := make([]byte, 64<<10)
	var total int64
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := d.take(int64(n)); err != nil {
				return total, err
			}
			if _, werr := file.Write(buf[:n]); werr != nil {
				d.give(int64(n)) // cut counts what the file has: this is not in it, or not whole
				return total, werr
			}
			total += int64(n)
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func (d *Drafts) take(n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.max > 0 && d.held+n > d.max {
		return syscall.ENOSPC
	}
	d.held += n
	return nil
}

func (d *Drafts) give(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = max(0, d.held-n)
}

// syncDir makes a new name survive power loss.
func (d *Drafts) syncDir() error {
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Open reads the first size bytes of a draft. It is EIO when there are fewer.
func (d *Drafts) Open(name string, size int64) (io.ReadCloser, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, fail("draft", name, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fail("draft", name, err)
	}
	fi, err := file.Stat()
	if err == nil && fi.Size() < size {
		err = &Error{Op: "draft", Path: name, Errno: syscall.EIO, Err: errShort}
	}
	if err != nil {
		file.Close()
		return nil, fail("draft", name, err)
	}
	return limitedFile{io.LimitReader(file, size), file}, nil
}

// limitedFile is the beginning of a file.
type limitedFile struct {
	io.Reader
	io.Closer
}

// Drop removes a draft; one that is not there is fine.
func (d *Drafts) Drop(name string) error {
	path, err := d.path(name)
	if err != nil {
		return fail("draft", name, err)
	}
	fi, err := os.Lstat(path)
	if err == nil {
		err = os.Remove(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		d.give(fi.Size())
	}
	return fail("draft", name, err)
}
