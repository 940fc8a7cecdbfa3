package fs

import (
	"context"
	"errors"
	"syscall"

	"tote/meta"
)

// SetAttr holds new attributes of a node; nil keeps the old value. Times are ns since 1970 UTC.
type SetAttr struct {
	Mode         *uint32 // permission bits
	UID, GID     *uint32
	Size         *int64
	Atime, Mtime *int64
}

// GetAttr is the node's attributes. For the mount they include what open handles have written and not committed, and a node that it removed a while ago still
// has its last ones, with a link count of 0.
func (f *FS) GetAttr(ctx context.Context, a *Actor, ino Ino) (Attr, error) {
	if err := f.allow(a, accessRead); err != nil {
		return Attr{}, fail("stat", "", err)
	}
	attr, err := f.live(a, func() (Attr, error) { return f.db.GetAttr(ctx, ino) })
	if err != nil && a.Mount && errors.Is(err, syscall.ENOENT) {
		if last, ok := f.departed.get(ino); ok {
			return last, nil
		}
	}
	return attr, fail("stat", "", err)
}

// live reads a node's attributes and, for the mount, puts what open handles have written over them. When a commit ended between the two looks the
// attributes may be those before it, and the content is no longer there to correct them: then it looks again.
func (f *FS) live(a *Actor, read func() (Attr, error)) (Attr, error) {
	for {
		before := f.commits.Load()
		attr, err := read()
		if err != nil || !a.Mount {
			return attr, err
		}
		attr, open, err := f.overlay(attr)
		if err != nil || open || f.commits.Load() == before {
			return attr, err
		}
	}
}

// overlay puts the size and time of content that an open view holds over a node's attributes from the database, and tells whether there is any.
func (f *FS) overlay(attr Attr) (Attr, bool, error) {
	v := f.table.viewOf(attr.Ino)
	if v == nil {
		return attr, false, nil
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.work == nil || v.replaced {
		return attr, false, nil
	}
	s, changed, err := v.work.state()
	if err != nil {
		return attr, true, err
	}
	attr.Size, attr.Mtime = s.size, s.mtime
	if changed {
		attr.Ctime = max(attr.Ctime, s.mtime)
	}
	return attr, true, nil
}

// SetAttr changes attributes; h is the handle that an ftruncate came with, or nil.
func (f *FS) SetAttr(ctx context.Context, a *Actor, ino Ino, s SetAttr, h *Handle) (Attr, error) {
	attr, err := f.setAttr(detach(ctx), a, ino, s, h)
	return attr, fail("setattr", "", err)
}

func (f *FS) setAttr(ctx context.Context, a *Actor, ino Ino, s SetAttr, h *Handle) (Attr, error) {
	if err := f.allowNode(ctx, a, ino, accessWrite); err != nil {
		return Attr{}, err
	}
	if err := f.checkLocksIno(ctx, a, ino); err != nil {
		return Attr{}, err
	}
	if s.Size != nil {
		if err := f.truncate(ctx, a, ino, *s.Size, h); err != nil {
			return Attr{}, err
		}
	}
	if s.Mtime != nil {
		if v := f.table.viewOf(ino); v != nil {
			if err := v.setTimes(*s.Mtime); err != nil {
				return Attr{}, err
			}
		}
	}
	if s.Size == nil || s.Mode != nil || s.UID != nil || s.GID != nil || s.Atime != nil || s.Mtime != nil {
		set := meta.SetAttr{Mode: s.Mode, UID: s.UID, GID: s.GID, Atime: s.Atime, Mtime: s.Mtime}
		if _, err := f.db.SetAttr(ctx, ino, set, a.Origin, durabilityFor(a)); err != nil {
			return Attr{}, err
		}
	}
	if v := f.table.viewOf(ino); v != nil && s.Mode != nil {
		v.mode.Store(*s.Mode)
	}
	f.emit(Event{Op: "attr", Ino: ino, Attrs: true, Origin: a.Origin})
	return f.live(a, func() (Attr, error) { return f.db.GetAttr(ctx, ino) })
}

// truncate changes a file's length: through the handle when there is one, else by opening the file for the purpose, which commits.
func (f *FS) truncate(ctx context.Context, a *Actor, ino Ino, size int64, h *Handle) error {
	if size < 0 {
		return syscall.EINVAL
	}
	if h != nil {
		return h.Truncate(ctx, size)
	}
	h, err := f.openIno(ctx, a, ino, syscall.O_WRONLY, false)
	if err != nil {
		return err
	}
	defer h.Release()
	if err := h.Truncate(ctx, size); err != nil {
		return err
	}
	return h.Flush(ctx)
}

// Truncate changes the length of the open file for all handles; bytes that appear are zero.
func (h *Handle) Truncate(ctx context.Context, size int64) error {
	if !h.writable {
		return syscall.EBADF
	}
	return h.v.truncate(ctx, size)
}

// StatFS is what df shows.
type StatFS struct {
	Blocks, Bfree, Bavail uint64 // in units of Bsize
	Bsize                 uint32
	Files, Ffree          uint64
	NameLen               uint32
}

// freeFiles is shown as free inodes: the database has no limit worth the name.
const freeFiles = 1 << 32

// StatFS tells how much the tenant holds and how much the disk of the staging area has left. The store is never asked.
func (f *FS) StatFS(ctx context.Context, a *Actor) (StatFS, error) {
	t, err := f.tenant(ctx, a)
	if err != nil {
		return StatFS{}, fail("statfs", "", err)
	}
	use, err := f.db.Usage(ctx, t.ID)
	if err != nil {
		return StatFS{}, fail("statfs", "", err)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(f.staging.dir, &disk); err != nil {
		return StatFS{}, fail("statfs", "", err)
	}
	const block = 4096
	scale := uint64(disk.Bsize)
	used := (uint64(max(use.Bytes, 0)) + block - 1) / block
	free, avail := disk.Bfree*scale/block, disk.Bavail*scale/block
	return StatFS{
		Blocks: used + free, Bfree: free, Bavail: avail, Bsize: block,
		Files: uint64(max(use.Files, 0)) + freeFiles, Ffree: freeFiles, NameLen: MaxName,
	}, nil
}
