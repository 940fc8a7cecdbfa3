package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// view is what all open handles of one file on the mount see together (POSIX: one file, one view). It is a base, the version it
// started from, and work, the local file with what was written since.
//
// A view is in one of two modes for its whole life, because the kernel is:
//
//   - through: the kernel reads and writes one local file itself (back), either the object of the base, while nobody writes, or a work
//     file that holds all bytes. The core learns of changes from the file's size and modification time.
//   - not through: every byte passes readAt and writeAt; work holds only the ranges that were written.
//
// Another face that publishes a version of its own detaches the view: it is replaced, its handles keep the old bytes (through) or get
// ESTALE, and nothing of it can be committed any more.
//
// base, src and replaced change under e.mu and mu; work and what is in it under wmu and mu. Either lock of a pair is enough to look.
// wmu is held for a whole commit, so writers wait for it and readers do not.
type view struct {
	f       *FS
	e       *openIno
	ino     Ino
	tenant  string // for object keys
	name    string // a name of the file, for object keys; guarded by e.mu
	through bool
	back    *Backing
	handles int // guarded by e.mu
	writers atomic.Int32

	wmu      sync.Mutex
	mu       sync.RWMutex
	base     Version // ID 0: no content yet
	src      *source // bytes of base; nil while base is work itself, empty, or has to be opened again
	work     *work
	replaced bool
}

// Backing is the local file that the kernel may use directly for every handle of one view. It stays open as long as the view.
type Backing struct {
	File *os.File
}

// viewOptions say for what a view is made.
type viewOptions struct {
	writable, trunc bool // access of the first handle
	through         bool // the kernel can work on a local file
	fresh           bool // the file was just made: there is no version to look for
}

// newView makes the view of a file that nobody has open on the mount; the caller holds e.mu. attr may be older than that: another face may have
// published a version since.
func (f *FS) newView(ctx context.Context, e *openIno, attr Attr, o viewOptions) (*view, error) {
	tenant, err := f.tenantName(ctx, attr.Tenant)
	if err != nil {
		return nil, err
	}
	v := &view{f: f, e: e, ino: attr.Ino, tenant: tenant}
	if !o.fresh {
		base, err := f.db.CurrentVersion(ctx, attr.Ino)
		if ignore(err, syscall.ENODATA) != nil {
			return nil, err
		}
		v.base = base
	}
	if o.writable && o.through && (o.trunc || v.base.Size == 0) {
		return v, v.startEmpty(attr.Mtime)
	}
	if err := v.openBase(ctx); err != nil {
		return nil, err
	}
	if !o.writable && o.through && f.thaws {
		return v, v.startReading(ctx)
	}
	return v, nil
}

// startEmpty gives the view an empty work file that the kernel may write itself.
func (v *view) startEmpty(mtime int64) error {
	file, name, err := v.f.staging.create()
	if err != nil {
		return err
	}
	v.work = &work{file: file, name: name, kernel: true, full: true, mtime: mtime, dirty: v.base.Size > 0}
	if v.work.dirty {
		v.work.mtime = v.f.Now().UnixNano()
	}
	if v.work.stamp, err = stampOf(file); err != nil {
		v.dropWork()
		return err
	}
	v.through, v.back = true, &Backing{File: file}
	return nil
}

// startReading lets the kernel read the object of the base itself, if it is a local file. The view opens it for itself: the source may be on a
// copy that was made for other readers.
func (v *view) startReading(ctx context.Context) error {
	if v.src == nil {
		return nil
	}
	file, err := v.f.openVersion(ctx, v.base)
	if err != nil || file == nil {
		return err
	}
	v.through, v.back = true, &Backing{File: file}
	return nil
}

// openBase opens the bytes of the base when they are not open.
func (v *view) openBase(ctx context.Context) error {
	if v.src != nil || v.base.ID == 0 || v.base.Size == 0 {
		return nil
	}
	src, err := v.f.openSource(ctx, v.base)
	v.src = src
	return err
}

// needBase opens the base again after an earlier failure to do so.
func (v *view) needBase(ctx context.Context) error {
	v.mu.RLock()
	lost := v.src == nil && v.base.Size > 0 && (v.work == nil || !v.work.full)
	v.mu.RUnlock()
	if !lost {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.work != nil && v.work.full {
		return nil
	}
	return v.openBase(ctx)
}

// dropWork forgets local changes and removes their file, unless the file is the base's own and waits in staging to be published.
func (v *view) dropWork() {
	w := v.work
	if w == nil {
		return
	}
	v.work = nil
	w.close(v.f.staging)
	switch {
	case v.base.Staging == w.name:
	case w.was: // the database on the disk may still refer to it
		v.f.settler.discardLater(w.name)
	default:
		v.f.discard(w.name)
	}
}

// size is the length of the content; the caller holds mu.
func (v *view) size() (int64, error) {
	if v.work == nil {
		return v.base.Size, nil
	}
	s, _, err := v.work.state()
	return s.size, err
}

// stale tells whether the handles have lost the file; the caller holds mu.
func (v *view) stale() bool { return v.replaced && !v.through }

// readAt reads the content as it is now.
func (v *view) readAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := v.needBase(ctx); err != nil {
		return 0, err
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	w := v.work
	switch {
	case v.stale():
		return 0, syscall.ESTALE
	case w == nil && v.src == nil:
		return 0, io.EOF
	case w == nil:
		return v.src.readAt(ctx, v.f, p, off)
	case w.full:
		return w.file.ReadAt(p, off)
	}
	if off >= w.size {
		return 0, io.EOF
	}
	end := min(off+int64(len(p)), w.size)
	n := int(end - off)
	if err := v.merge(ctx, p[:n], off); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// merge fills p with the content at off: written ranges from the work file, the rest from the base, zeros where a truncation made a hole.
func (v *view) merge(ctx context.Context, p []byte, off int64) error {
	w := v.work
	return w.written.each(off, off+int64(len(p)), func(from, to int64, in bool) error {
		q := p[from-off : to-off]
		if in {
			_, err := w.file.ReadAt(q, from)
			return err
		}
		n := max(0, min(to, w.baseLen)-from)
		clear(q[n:])
		if n == 0 {
			return nil
		}
		if v.src == nil {
			return syscall.EIO
		}
		if _, err := v.src.readAt(ctx, v.f, q[:n], from); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	})
}

// writeAt changes the content; the new bytes are seen by every handle of the view at once and by nobody else before a commit.
func (v *view) writeAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	err = v.change(ctx, func(w *work) error {
		end := off + int64(len(p))
		need := end
		if !w.full {
			need = w.held + int64(len(p))
		}
		if err := w.reserve(v.f.staging, need); err != nil {
			return err
		}
		if n, err = w.file.WriteAt(p, off); n == 0 {
			return err
		}
		end = off + int64(n)
		if !w.full {
			w.written.add(off, end)
		}
		w.size = max(w.size, end)
		return err
	})
	return n, err
}

// truncate changes the length; bytes that appear are zero.
func (v *view) truncate(ctx context.Context, size int64) error {
	return v.change(ctx, func(w *work) error {
		if w.full || size < w.size {
			if err := w.file.Truncate(size); err != nil {
				return err
			}
		}
		if !w.full {
			w.written.cut(size)
			w.baseLen = min(w.baseLen, size)
		}
		w.size = size
		return nil
	})
}

// change runs fn on the work file, which is made when there is none, and counts the content as changed.
func (v *view) change(ctx context.Context, fn func(*work) error) error {
	if err := v.needBase(ctx); err != nil {
		return err
	}
	v.wmu.Lock()
	defer v.wmu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stale() {
		return syscall.ESTALE
	}
	if v.work == nil {
		if err := v.begin(); err != nil {
			return err
		}
	}
	v.work.dirty, v.work.mtime = true, v.f.Now().UnixNano()
	return fn(v.work)
}

// begin gives the view a work file of the daemon's own.
func (v *view) begin() error {
	if v.base.Size > 0 && v.src == nil {
		return syscall.EIO
	}
	file, name, err := v.f.staging.create()
	if err != nil {
		return err
	}
	v.work = &work{file: file, name: name, full: v.base.Size == 0, size: v.base.Size, baseLen: v.base.Size}
	return nil
}

// setTimes sets the modification time to show. A content that somebody may be writing at this instant counts as changed: the write could
// not be told from the change of the time.
func (v *view) setTimes(mtime int64) error {
	v.wmu.Lock()
	defer v.wmu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.work
	if w == nil {
		return nil
	}
	_, changed, err := w.state()
	if err != nil {
		return err
	}
	w.mtime, w.dirty = mtime, changed || w.kernel && v.writers.Load() > 0
	if !w.kernel {
		return nil
	}
	if err := setMtime(w.file, mtime-1); err != nil {
		return err
	}
	w.stamp, err = stampOf(w.file)
	return err
}

// thaw turns the view of a reader, whose kernel file is the published object itself, into one that can be written: a copy takes the object's
// place in the store and under every other reader, and the file the kernel has becomes the work file. The caller holds e.mu. Somebody who is slow to
// take a chunk of the old file makes it fail with EBUSY, and nothing has changed then.
func (v *view) thaw(ctx context.Context, mtime int64) error {
	f := v.f
	adopter, ok := objstore.As[objstore.Adopter](f.store)
	if !ok || v.src == nil {
		return syscall.EBUSY
	}
	if v.base.State == meta.StateStaged {
		if err := f.settler.publish(ctx, &v.base); err != nil {
			return err
		}
	}
	name := f.staging.newName()
	w, err := v.linkObject(name)
	if err != nil {
		return err
	}
	if err := v.replaceObject(ctx, adopter, w); err != nil {
		w.close(f.staging)
		f.discard(name)
		return err
	}
	if w.stamp, err = stampOf(w.file); err != nil {
		w.dirty = true
	}
	w.mtime = mtime
	v.wmu.Lock()
	defer v.wmu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	f.closeSource(v.src)
	v.src, v.work = nil, w
	return nil
}

// linkObject gives the kernel's file a name in staging and opens it for writing.
func (v *view) linkObject(name string) (*work, error) {
	finder, ok := objstore.As[objstore.PathFinder](v.f.store)
	if !ok {
		return nil, syscall.EBUSY
	}
	path, err := finder.Path(v.base.Key)
	if err != nil {
		return nil, err
	}
	at := v.f.staging.path(name)
	if err := os.Link(path, at); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(at, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err == nil && !sameFile(file, v.back.File) {
		file.Close()
		err = syscall.EBUSY
	}
	if err != nil {
		v.f.discard(name)
		return nil, err
	}
	return &work{file: file, name: name, kernel: true, full: true}, nil
}

// sameFile tells whether two open files are one.
func sameFile(a, b *os.File) bool {
	x, err1 := a.Stat()
	y, err2 := b.Stat()
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// replaceObject puts a copy of the base under its readers and in the place of its object.
func (v *view) replaceObject(ctx context.Context, adopter objstore.Adopter, w *work) error {
	f := v.f
	twin, name, err := v.twin(w.file)
	if err != nil {
		return err
	}
	defer f.discard(name) // gone already when it was adopted
	if err := twin.Sync(); err != nil {
		twin.Close()
		return err
	}
	if err := v.src.swap(twin, f.patience); err != nil {
		twin.Close()
		return err
	}
	_, err = adopter.Adopt(ctx, v.base.Key, f.staging.path(name))
	return err
}

// twin copies the bytes of the base from a local file into a new one in staging.
func (v *view) twin(from *os.File) (*os.File, string, error) {
	twin, name, err := v.f.staging.create()
	if err != nil {
		return nil, "", err
	}
	if err := copyRange(twin, from, 0, v.base.Size); err != nil {
		twin.Close()
		v.f.discard(name)
		return nil, "", err
	}
	return twin, name, nil
}

// unshare gives readers of other faces, who opened the present version while nobody could write it, bytes of their own before a writer
// gets its file. The caller holds e.mu.
func (v *view) unshare() error {
	v.mu.RLock()
	w := v.work
	v.mu.RUnlock()
	if w == nil || v.base.ID == 0 || v.base.Staging != w.name {
		return nil
	}
	s := v.f.sources.borrow(v.base.ID)
	if s == nil {
		return nil
	}
	defer v.f.closeSource(s)
	twin, name, err := v.twin(w.file)
	if err != nil {
		return err
	}
	v.f.discard(name) // the readers' open file is all there is of it
	if err := s.swap(twin, v.f.patience); err != nil {
		twin.Close()
		return err
	}
	return nil
}
