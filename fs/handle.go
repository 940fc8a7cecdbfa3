package fs

import (
	"context"
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"tote/meta"
)

// Handle is one open file of the mount. All handles of a file share one view. Methods may be called from any goroutine; Release is the last.
type Handle struct {
	f        *FS
	v        *view
	a        Actor
	writable bool
}

// OpenIno opens a regular file for the mount. flags are those of open(2): the access mode and O_TRUNC count. through says that the
// face can let the kernel work on a local file (Handle.Backing).
func (f *FS) OpenIno(ctx context.Context, a *Actor, ino Ino, flags int, through bool) (*Handle, error) {
	h, err := f.openIno(detach(ctx), a, ino, flags, through)
	return h, fail("open", "", err)
}

func (f *FS) openIno(ctx context.Context, a *Actor, ino Ino, flags int, through bool) (*Handle, error) {
	need := accessRead
	writable := flags&syscall.O_ACCMODE != syscall.O_RDONLY
	if writable || flags&syscall.O_TRUNC != 0 {
		need = accessWrite
	}
	if err := f.allow(a, need); err != nil {
		return nil, err
	}
	if need == accessWrite {
		if err := f.checkLocksMount(ctx, a, ino); err != nil {
			return nil, err
		}
	}
	e := f.table.hold(ino)
	h, err := f.attach(ctx, a, e, nil, flags, through)
	if err != nil {
		f.letGo(e)
		return nil, err
	}
	return h, nil
}

// openable refuses nodes without bytes.
func openable(attr Attr) error {
	switch attr.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return nil
	case syscall.S_IFDIR:
		return syscall.EISDIR
	case syscall.S_IFLNK:
		return syscall.ELOOP
	}
	return syscall.ENXIO
}

// attach makes a handle on the node's view, and the view when there is none; fresh are the attributes of a file that was just made, nil for any other. On
// success the handle owns the caller's hold on e.
func (f *FS) attach(ctx context.Context, a *Actor, e *openIno, fresh *Attr, flags int, through bool) (*Handle, error) {
	trunc := flags&syscall.O_TRUNC != 0
	writable := flags&syscall.O_ACCMODE != syscall.O_RDONLY || trunc
	e.mu.Lock()
	defer e.mu.Unlock()
	for trunc && e.view != nil && e.view.frozen { // what is being committed must not be cut
		e.idle.Wait()
	}
	var c content
	var err error
	if fresh != nil {
		c.attr = *fresh
	} else if c, err = f.content(ctx, e); err != nil {
		return nil, err
	}
	v := e.view
	switch {
	case v == nil:
		v, err = f.newView(ctx, e, c, viewOptions{writable: writable, trunc: trunc, through: through})
	case writable && v.through && v.readOnly():
		err = v.thaw(ctx, c.attr.Mtime)
	case writable:
		err = v.unshare()
	}
	if err == nil && trunc && fresh == nil {
		err = f.cutToZero(ctx, a, v)
	}
	if err != nil {
		if v != nil && v.handles == 0 {
			v.end()
		}
		return nil, err
	}
	f.table.setView(e, v)
	v.handles++
	if writable {
		v.writers.Add(1)
	}
	return &Handle{f: f, v: v, a: *a, writable: writable}, nil
}

// readOnly tells whether the kernel's file is still the published object.
func (v *view) readOnly() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.work == nil
}

// cutToZero is O_TRUNC. Of an empty file only the time changes.
func (f *FS) cutToZero(ctx context.Context, a *Actor, v *view) error {
	v.mu.RLock()
	size, err := v.size()
	v.mu.RUnlock()
	if err != nil || size > 0 {
		return errors.Join(err, v.truncate(ctx, 0))
	}
	now := f.Now().UnixNano()
	if err := v.setTimes(now); err != nil {
		return err
	}
	_, err = f.db.SetAttr(ctx, v.ino, meta.SetAttr{Mtime: &now}, a.Origin, durabilityFor(a))
	return ignore(err, syscall.ENOENT)
}

// Create makes a regular file and opens it. Without O_EXCL an existing file is opened instead.
func (f *FS) Create(ctx context.Context, a *Actor, parent Ino, name string, mode uint32, flags int, through bool) (Attr, *Handle, error) {
	ctx = detach(ctx)
	attr, err := f.mknod(ctx, a, meta.CreateArgs{Parent: parent, Name: name, Mode: syscall.S_IFREG | mode&0o7777})
	if err == nil {
		h, err := f.openNew(ctx, a, attr, name, flags, through)
		if err != nil {
			err = errors.Join(err, f.uncreate(ctx, a, attr, parent, name))
		}
		return attr, h, fail("create", name, err)
	}
	if !errors.Is(err, syscall.EEXIST) || flags&syscall.O_EXCL != 0 {
		return Attr{}, nil, fail("create", name, err)
	}
	if attr, err = f.db.Lookup(ctx, parent, name); err != nil {
		return Attr{}, nil, fail("create", name, err)
	}
	h, err := f.openIno(ctx, a, attr.Ino, flags, through)
	if err != nil {
		return Attr{}, nil, fail("create", name, err)
	}
	attr, err = f.live(a, func() (Attr, error) { return f.db.GetAttr(ctx, h.Ino()) })
	return attr, h, fail("create", name, err)
}

// uncreate takes a file away again that was made and can't be opened, because the server has no descriptor left or the disk no space: whose open(2) fails
// has made nothing.
func (f *FS) uncreate(ctx context.Context, a *Actor, attr Attr, parent Ino, name string) error {
	rm := func(ctx context.Context, args meta.UnlinkArgs, d meta.Durability) (meta.Removed, error) {
		args.Check = func(now Attr) error {
			if now.Ino != attr.Ino {
				return syscall.ENOENT
			}
			return nil
		}
		return f.db.Unlink(ctx, args, d)
	}
	return ignore(f.remove(ctx, a, parent, name, rm), syscall.ENOENT)
}

// openNew opens a node that was just made, which spares asking the database for it.
func (f *FS) openNew(ctx context.Context, a *Actor, attr Attr, name string, flags int, through bool) (*Handle, error) {
	e := f.table.hold(attr.Ino)
	h, err := f.attach(ctx, a, e, &attr, flags&^syscall.O_TRUNC, through)
	if err != nil {
		f.letGo(e)
		return nil, err
	}
	e.mu.Lock()
	h.v.name = name
	e.mu.Unlock()
	return h, nil
}

// Tmpfile makes a file without a name (O_TMPFILE); Link can give it one.
func (f *FS) Tmpfile(ctx context.Context, a *Actor, dir Ino, mode uint32, flags int, through bool) (Attr, *Handle, error) {
	ctx = detach(ctx)
	attr, err := f.mknod(ctx, a, meta.CreateArgs{Parent: dir, Mode: syscall.S_IFREG | mode&0o7777, Tmpfile: true})
	if err != nil {
		return Attr{}, nil, fail("tmpfile", "", err)
	}
	h, err := f.openNew(ctx, a, attr, "tmpfile", flags, through)
	if err != nil {
		f.bury(ctx, attr.Ino)
		return Attr{}, nil, fail("tmpfile", "", err)
	}
	f.orphan(ctx, attr.Ino)
	return attr, h, nil
}

// Ino is the number of the open file.
func (h *Handle) Ino() Ino { return h.v.ino }

// Backing is the local file that the kernel may read and write in place of ReadAt and WriteAt, the same pointer for all handles of
// the file's view; nil when there is none.
func (h *Handle) Backing() *Backing { return h.v.back }

// Version is the id of the version the content is based on.
func (h *Handle) Version() int64 {
	h.v.mu.RLock()
	defer h.v.mu.RUnlock()
	return h.v.base.ID
}

// ReadAt reads the file as all handles see it now; io.EOF at the end.
func (h *Handle) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return h.v.readAt(ctx, p, off)
}

// WriteAt changes the file for all handles; other faces see it after Flush or Sync.
func (h *Handle) WriteAt(ctx context.Context, p []byte, off int64) (int, error) {
	if !h.writable {
		return 0, syscall.EBADF
	}
	if h.f.remote != nil {
		h.v.lag(ctx)
		h.f.queue.room(ctx, int64(len(p)))
	}
	n, err := h.v.writeAt(ctx, p, off)
	return n, fail("write", "", err)
}

// Seek answers SEEK_DATA and SEEK_HOLE: the next byte at or behind off that is data, or a hole. The end of the file is a hole.
func (h *Handle) Seek(ctx context.Context, off int64, whence int) (int64, error) {
	v := h.v
	v.mu.RLock()
	defer v.mu.RUnlock()
	size, err := v.size()
	if err != nil {
		return 0, fail("seek", "", err)
	}
	if off < 0 || off >= size {
		return 0, syscall.ENXIO
	}
	if v.work != nil && v.work.full {
		n, err := unix.Seek(int(v.work.file.Fd()), off, whence)
		if err != nil {
			return 0, fail("seek", "", err)
		}
		return min(n, size), nil
	}
	switch whence {
	case unix.SEEK_DATA:
		return off, nil
	case unix.SEEK_HOLE:
		return size, nil
	}
	return 0, syscall.EINVAL
}

// Release ends the handle. What was changed through a kernel mapping after the last Flush is committed here.
func (h *Handle) Release() {
	v, e, f := h.v, h.v.e, h.f
	if f.remote != nil {
		v.saveLast()
	}
	e.mu.Lock()
	v.handles--
	v.leaving = max(0, v.leaving-1)
	if h.writable {
		v.writers.Add(-1)
	}
	changed := false
	if v.handles == 0 {
		if f.remote == nil {
			changed = v.lastRelease()
		}
		v.end()
		if e.view == v {
			f.table.setView(e, nil)
		}
	}
	e.idle.Broadcast()
	e.mu.Unlock()
	if changed {
		f.emitContent(v.ino)
	}
	f.letGo(e)
}

// lastRelease commits a late change and hands the work file to the store; the caller holds e.mu.
func (v *view) lastRelease() (changed bool) {
	changed, err := v.commit(context.Background(), commitOptions{last: true})
	if err != nil && !errors.Is(err, syscall.ESTALE) {
		v.f.log.Error("changes made after the last close of a file were lost", "ino", v.ino, "err", err)
	}
	return changed
}

// end lets everything go that the view holds.
func (v *view) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.back != nil && (v.work == nil || v.work.file != v.back.File) {
		v.back.File.Close()
	}
	v.dropWork()
	v.f.closeSource(v.src)
	v.src = nil
}
