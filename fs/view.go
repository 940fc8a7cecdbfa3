package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"tote/objstore"
)

// view is what all open handles of one file on the mount see together (POSIX: one file, one view). It is a base, the version it
// started from, and work, the local file with what was written since.
//
// A view is in one of two modes for its whole life, because the kernel is:
//
//   - through: the kernel reads and writes one local file itself (back), either the object of the base, while nobody writes, or a work
//     file that holds all bytes. The core learns of changes from the file's size and modification time.
//   - not through: every byte passes ReadAt and WriteAt; work holds only the ranges that were written.
//
// Another face that publishes a version of its own detaches the view: it is replaced, its handles keep the old bytes (through) or get
// ESTALE, and nothing of it can be committed any more.
type view struct {
	f       *FS
	e       *openIno
	ino     Ino
	tenant  string // for object keys
	name    string // a name of the file, for object keys; guarded by mu
	through bool
	back    *Backing

	mu       sync.RWMutex
	handles  int     // guarded by e.mu
	writers  int     // guarded by e.mu
	base     Version // ID 0: no content yet; guarded by mu
	src      *source // bytes of base, nil while base is work itself or empty; guarded by mu
	work     *work   // guarded by mu
	replaced bool    // guarded by mu
}

// Backing is the local file that the kernel may use directly for every handle of one view.
type Backing struct {
	File *os.File
}

// work is a local file with changes.
type work struct {
	file    *os.File
	name    string // in staging
	full    bool   // the file holds all bytes; else only those in written
	written ranges
	size    int64 // not full: size of the content
	baseLen int64 // not full: bytes of the base that still count
	mtime   int64 // modification time to show while the file is as it was at stamp
	dirty   bool  // changed by the daemon since the last commit
	stamp   stamp // full: the file at the last commit
	held    int64 // bytes reserved in staging
}

// stamp recognises a change of a file that the kernel writes.
type stamp struct{ size, mtime int64 }

// stampOf looks at a file.
func stampOf(file *os.File) (stamp, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &st); err != nil {
		return stamp{}, err
	}
	return stamp{st.Size, st.Mtim.Nano()}, nil
}

// mark remembers the present state of a full work file as unchanged and mtime as the time to show for it. The file's own time is set one
// nanosecond apart: a later write brings a time of its own, even within the same tick of a coarse kernel clock.
func (w *work) mark(mtime int64) error {
	if err := setMtime(w.file, mtime-1); err != nil {
		return err
	}
	s, err := stampOf(w.file)
	if err != nil {
		return err
	}
	w.stamp, w.mtime, w.dirty = s, mtime, false
	return nil
}

// setMtime sets the modification time and leaves the access time.
func setMtime(file *os.File, ns int64) error {
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(ns)}
	return unix.UtimesNanoAt(int(file.Fd()), "", times, unix.AT_EMPTY_PATH)
}

// state is size and modification time of the content, and whether it differs from the last commit.
func (w *work) state() (s stamp, changed bool, err error) {
	if !w.full {
		return stamp{w.size, w.mtime}, w.dirty, nil
	}
	s, err = stampOf(w.file)
	if err != nil {
		return s, true, err
	}
	changed = w.dirty || s != w.stamp
	if s.mtime == w.stamp.mtime {
		s.mtime = w.mtime
	}
	return s, changed, nil
}

// close lets the local file go and gives its reservation back.
func (w *work) close(s *staging) {
	s.release(w.held)
	w.held = 0
	w.file.Close()
}

// size is the length of the content; the caller holds mu.
func (v *view) size() (int64, error) {
	if v.work == nil {
		return v.base.Size, nil
	}
	s, _, err := v.work.state()
	return s.size, err
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
		base, err := f.settled(ctx, attr.Ino)
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
	if !o.writable && o.through && f.thaws && v.src != nil && v.src.file != nil {
		v.through, v.back = true, &Backing{File: v.src.file}
	}
	return v, nil
}

// startEmpty gives the view an empty work file that the kernel may write itself.
func (v *view) startEmpty(mtime int64) error {
	file, name, err := v.f.staging.create()
	if err != nil {
		return err
	}
	v.work = &work{file: file, name: name, full: true, mtime: mtime, dirty: v.base.Size > 0}
	if v.work.stamp, err = stampOf(file); err != nil {
		v.dropWork()
		return err
	}
	v.through, v.back = true, &Backing{File: file}
	return nil
}

// openBase opens the bytes of the base.
func (v *view) openBase(ctx context.Context) error {
	if v.src != nil || v.base.ID == 0 || v.base.Size == 0 {
		return nil
	}
	src, err := v.f.openSource(ctx, v.base)
	v.src = src
	return err
}

// dropWork forgets local changes and removes their file, unless the file is the base's own and waits in staging to be published.
func (v *view) dropWork() {
	w := v.work
	if w == nil {
		return
	}
	v.work = nil
	w.close(v.f.staging)
	if v.base.Staging != w.name {
		v.f.discard(w.name)
	}
}

// readAt reads the content as it is now.
func (v *view) readAt(ctx context.Context, p []byte, off int64) (int, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.replaced && !v.through {
		return 0, syscall.ESTALE
	}
	w := v.work
	switch {
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
		if _, err := v.src.readAt(ctx, v.f, q[:n], from); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	})
}

// writeAt changes the content; the new bytes are seen by every handle of the view at once and by nobody else before a commit.
func (v *view) writeAt(p []byte, off int64) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.replaced && !v.through {
		return 0, syscall.ESTALE
	}
	w, err := v.begin()
	if err != nil {
		return 0, err
	}
	if err := w.reserve(v.f.staging, off+int64(len(p))); err != nil {
		return 0, err
	}
	n, err := w.file.WriteAt(p, off)
	end := off + int64(n)
	if n > 0 {
		w.dirty = true
		w.mtime = v.f.Now().UnixNano()
	}
	if !w.full {
		w.written.add(off, end)
		w.size = max(w.size, end)
	}
	return n, err
}

// reserve accounts for a file that grows to end.
func (w *work) reserve(s *staging, end int64) error {
	if end <= w.held {
		return nil
	}
	if err := s.reserve(end - w.held); err != nil {
		return err
	}
	w.held = end
	return nil
}

// begin gives the view a work file to change; the caller holds mu.
func (v *view) begin() (*work, error) {
	if v.work != nil {
		return v.work, nil
	}
	file, name, err := v.f.staging.create()
	if err != nil {
		return nil, err
	}
	v.work = &work{file: file, name: name, full: v.base.Size == 0, size: v.base.Size, baseLen: v.base.Size}
	return v.work, nil
}

// truncate changes the length; bytes that appear are zero.
func (v *view) truncate(size int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.replaced && !v.through {
		return syscall.ESTALE
	}
	w, err := v.begin()
	if err != nil {
		return err
	}
	if w.full || size < w.size {
		if err := w.file.Truncate(size); err != nil {
			return err
		}
	}
	if !w.full {
		w.written.cut(size)
		w.size, w.baseLen = size, min(w.baseLen, size)
	}
	w.dirty, w.mtime = true, v.f.Now().UnixNano()
	return nil
}

// setTimes sets the modification time of content that is not committed yet.
func (v *view) setTimes(mtime int64) error {
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
	w.mtime = mtime
	if w.full {
		if err := w.mark(mtime); err != nil {
			return err
		}
	}
	w.dirty = changed
	return nil
}

// thaw turns the view of a reader, whose kernel file is the published object itself, into one that can be written: a copy takes the object's
// place in the store and under every other reader, and the file the kernel has becomes the work file. The caller holds e.mu.
func (v *view) thaw(ctx context.Context, mtime int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.f
	finder, ok1 := objstore.As[objstore.PathFinder](f.store)
	adopter, ok2 := objstore.As[objstore.Adopter](f.store)
	if !ok1 || !ok2 {
		return syscall.EBUSY
	}
	path, err := finder.Path(v.base.Key)
	if err != nil {
		return err
	}
	name := f.staging.newName()
	if err := os.Link(path, f.staging.path(name)); err != nil {
		return err
	}
	file, err := v.replaceObject(ctx, adopter, name)
	if err != nil {
		f.discard(name)
		return err
	}
	w := &work{file: file, name: name, full: true}
	if err := w.mark(mtime); err != nil {
		file.Close()
		f.discard(name)
		return err
	}
	f.closeSource(v.src)
	v.src, v.work, v.back.File = nil, w, file
	return nil
}

// unshare gives readers of other faces, who opened the present version while nobody could write it, bytes of their own before a writer
// gets its file. The caller holds e.mu.
func (v *view) unshare() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.work
	if w == nil || v.base.ID == 0 || v.base.Staging != w.name {
		return nil
	}
	s := v.f.sources.borrow(v.base.ID)
	if s == nil {
		return nil
	}
	defer v.f.closeSource(s)
	twin, name, err := v.f.staging.create()
	if err != nil {
		return err
	}
	v.f.discard(name) // the readers' open file is all there is of it
	if err = copyRange(twin, w.file, 0, v.base.Size); err == nil {
		err = s.swap(twin)
	}
	if err != nil {
		twin.Close()
	}
	return err
}

// replaceObject puts a copy of the base in the place of its object and opens the old file, by its name in staging, for writing.
func (v *view) replaceObject(ctx context.Context, adopter objstore.Adopter, name string) (*os.File, error) {
	f := v.f
	old, err := os.OpenFile(f.staging.path(name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	twin, twinName, err := f.staging.create()
	if err == nil {
		err = copyRange(twin, old, 0, v.base.Size)
	}
	if err == nil {
		err = twin.Sync()
	}
	if err == nil {
		_, err = adopter.Adopt(ctx, v.base.Key, f.staging.path(twinName))
	}
	if err == nil {
		if err = v.src.swap(twin); err == nil {
			return old, nil
		}
	}
	if twin != nil {
		twin.Close()
		f.discard(twinName)
	}
	old.Close()
	return nil, err
}
