package fs

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
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
//
// Writers wait for a commit and readers do not. On the embedded store wmu is held for all of it. A remote store may take minutes: the commit is
// marked by frozen instead, and no lock is held that anybody but the next commit of this view wants (commitremote.go).
type view struct {
	f       *FS
	e       *openIno
	ino     Ino
	tenant  string        // for object keys
	name    string        // a name of the file, for object keys; guarded by e.mu
	parent  Ino           // the directory with that name; guarded by e.mu
	mode    atomic.Uint32 // permission bits, for the facts about objects
	through bool
	back    *Backing
	handles int // guarded by e.mu
	writers atomic.Int32
	quick   atomic.Bool // the last flush of the work file took a short time

	cmu      sync.Mutex // held for a whole commit to a remote store; before e.mu
	leaving  int        // handles that are being released; guarded by e.mu
	wmu      sync.Mutex
	frozen   bool       // a commit is under way; changes under e.mu and wmu
	thawed   *sync.Cond // frozen has ended; uses wmu
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
}

// content is what the database says of a file that is opened.
type content struct {
	attr   Attr
	base   Version // ID 0: it has no bytes yet
	shared bool    // the object is that of other files, too
}

// content looks a file up; the caller holds e.mu, so that no other face publishes a version meanwhile. Where there is a view it knows the content itself.
func (f *FS) content(ctx context.Context, e *openIno) (c content, err error) {
	if e.view != nil {
		c.attr, err = f.db.GetAttr(ctx, e.ino)
	} else {
		c.attr, c.base, c.shared, err = f.db.OpenFile(ctx, e.ino)
	}
	if err == nil {
		err = openable(c.attr)
	}
	return c, err
}

// newView makes the view of a file that nobody has open on the mount; the caller holds e.mu.
func (f *FS) newView(ctx context.Context, e *openIno, c content, o viewOptions) (*view, error) {
	attr := c.attr
	tenant, err := f.tenantName(ctx, attr.Tenant)
	if err != nil {
		return nil, err
	}
	v := &view{f: f, e: e, ino: attr.Ino, tenant: tenant, parent: attr.Parent, base: c.base}
	v.mode.Store(attr.Mode)
	v.thawed = sync.NewCond(&v.wmu)
	if f.remote != nil { // the core has to see what is written, to send it
		o.through = false
	}
	if o.writable && o.through && (o.trunc || v.base.Size == 0) {
		return v, v.startEmpty(attr.Mtime)
	}
	if f.remote != nil { // whoever reads opens the base
		return v, nil
	}
	if err := v.openBase(ctx); err != nil {
		return nil, err
	}
	if !o.writable && o.through && f.thaws && !c.shared { // a writer who comes later must not get a shared object
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

// startReading lets the kernel read the object of the base itself, if it is a local file. The view has a descriptor of its own, and opens the object
// again where the source is on a copy that was made for other readers.
func (v *view) startReading(ctx context.Context) error {
	if v.src == nil {
		return nil
	}
	file, err := v.src.dup()
	if file == nil && err == nil {
		file, err = v.f.openVersion(ctx, v.base)
	}
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
	if !w.isOf(v.base) && v.f.staging.reuse(w) {
		return
	}
	w.close(v.f.staging)
	switch {
	case w.isOf(v.base):
	case w.was: // the database on the disk may still refer to it
		v.f.settler.discardLater(w.name)
	default:
		v.f.discard(w.name)
	}
}
