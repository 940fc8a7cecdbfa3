package fs

import (
	"context"
	"errors"
	"syscall"
	"time"

	"tote/meta"
	"tote/objstore"
)

// commitOptions say for whom a view is committed.
type commitOptions struct {
	durable bool // fsync(2): bytes and name must survive power loss
	last    bool // no handle is open any more: the work file will not change again
}

// Flush is close(2) on the mount: what was written becomes the file for every face, and survives the death of the daemon. It may be
// called any number of times.
func (h *Handle) Flush(ctx context.Context) error {
	if !h.writable {
		return nil
	}
	return fail("close", "", h.commit(ctx, commitOptions{}))
}

// Sync is fsync(2): on nil the bytes and the name survive power loss.
func (h *Handle) Sync(ctx context.Context, dataOnly bool) error {
	if h.f.remote == nil && !h.v.quick.Load() {
		h.v.writeBack()
	}
	return fail("fsync", "", h.commit(ctx, commitOptions{durable: true}))
}

func (h *Handle) commit(ctx context.Context, o commitOptions) error {
	changed, err := h.v.save(detach(ctx), o)
	if changed {
		h.f.emitContent(h.v.ino)
	}
	return err
}

// emitContent tells of a version that came from the mount.
func (f *FS) emitContent(ino Ino) {
	f.emit(Event{Op: "update", Ino: ino, Content: true, Attrs: true, Origin: originMount})
}

// commit makes the content of the view the file's current version, if it differs from the last commit, and tells whether it did. The
// caller holds e.mu.
//
// The work file itself becomes the version, in staging at first: as long as handles are open the kernel may go on writing to it. It moves to
// the store when the last handle is released (publish). A remote store gets the bytes before the metadata commit: commitFar.
func (v *view) commit(ctx context.Context, o commitOptions) (changed bool, err error) {
	v.wmu.Lock()
	defer v.wmu.Unlock()
	if v.f.table.orphaned(v.e) {
		return false, v.syncOrphan(o)
	}
	changed, err = v.pending()
	switch {
	case err != nil:
		return false, err
	case changed:
		before := v.base.ID
		err = v.commitWork(ctx, o)
		changed = v.base.ID != before
	case o.durable:
		err = v.syncBase(ctx)
	}
	if err == nil && o.last {
		v.publish()
	}
	return changed, err
}

// pending tells whether there is something to commit; changes on top of a content that another face replaced are ESTALE.
func (v *view) pending() (bool, error) {
	if v.work == nil {
		return false, nil
	}
	_, changed, err := v.work.state()
	if err != nil || !changed {
		return false, err
	}
	if v.replaced {
		return false, syscall.ESTALE
	}
	return true, nil
}

// commitWork commits the work file as a version.
func (v *view) commitWork(ctx context.Context, o commitOptions) error {
	if err := v.finishBase(ctx); err != nil {
		return err
	}
	if v.redoPays(ctx) {
		return v.commitRedo(ctx)
	}
	if err := v.fill(ctx); err != nil {
		return err
	}
	s, err := v.freeze()
	if err == nil {
		err = v.commitFrozen(ctx, s, o)
	}
	if err != nil {
		v.soil()
	}
	return err
}

// freeze fixes what is committed.
func (v *view) freeze() (stamp, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.work.freeze()
}

// soil counts a content as changed whose commit failed.
func (v *view) soil() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.work != nil {
		v.work.dirty = true
	}
}

func (v *view) commitFrozen(ctx context.Context, s stamp, o commitOptions) error {
	together := o.durable && v.grown()
	if o.durable && !together {
		if err := v.syncWork(); err != nil {
			return err
		}
	}
	args, err := v.commitArgs(ctx, s)
	if err != nil {
		return err
	}
	if together {
		if err := v.adoptCommit(ctx, args, commitOptions{last: o.last}); err != nil {
			return err
		}
		return v.syncBase(ctx)
	}
	return v.adoptCommit(ctx, args, o)
}

// commitArgs describes the version that the work file is.
func (v *view) commitArgs(ctx context.Context, s stamp) (meta.CommitArgs, error) {
	guid := newGUID()
	key, err := v.newKey(ctx, guid)
	args := meta.CommitArgs{
		Ino: v.ino, Expect: &v.base.ID, GUID: guid, Key: key, Size: s.size, Mtime: &s.mtime,
		State: meta.StateStaged, Staging: v.work.name, Firm: min(v.work.firm, s.size), AllowOrphan: true, Origin: originMount,
	}
	if v.base.ID != 0 && v.work.isOf(v.base) {
		args.Drop = v.base.ID
	}
	return args, err
}

// adoptCommit writes the version to the database and makes it the view's base. When only the flush of the commit failed the version is
// current all the same, and the error says that it is not durable.
func (v *view) adoptCommit(ctx context.Context, args meta.CommitArgs, o commitOptions) error {
	f := v.f
	v.mu.Lock() // whoever looks sees the row and the view change together
	defer v.mu.Unlock()
	done, err := f.db.Commit(ctx, args, durability(o.durable))
	if err != nil && !errors.Is(err, meta.ErrNotFlushed) {
		return v.refused(err)
	}
	f.commits.Add(1)
	v.work.up.close(true)
	f.settler.discardLater(without(done.Staging, v.work.name)...)
	f.closeSource(v.src)
	v.src, v.base = nil, done.Version
	v.base.Synced = o.durable && err == nil
	v.seal(ctx)
	return err
}

// refused draws the conclusions from a commit that the database did not make: another face was first, or the file has been deleted meanwhile, so
// that there is nobody to tell. The caller holds mu.
func (v *view) refused(err error) error {
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	if errors.Is(err, syscall.ESTALE) {
		v.replaced = true
		if v.e.view == v {
			v.f.table.setView(v.e, nil)
		}
	}
	return err
}

// seal ends a commit: a file the kernel writes stays the work file; one that only the daemon writes is final and becomes the base that later
// changes go on top of. If it can't be opened now, the next access tries again. The caller holds mu.
func (v *view) seal(ctx context.Context) {
	w := v.work
	w.was = w.isOf(v.base)
	if w.kernel {
		return
	}
	v.work = nil
	switch {
	case settled(v.base):
		v.f.discard(w.name)
	case v.f.queue != nil:
		v.f.queue.add(v.base, w.held)
		w.held = 0
	default:
		v.f.settler.later(v.base)
	}
	w.close(v.f.staging)
	if v.f.remote != nil { // whoever reads opens it
		return
	}
	if err := v.openBase(ctx); err != nil {
		v.f.log.Warn("a file that was just closed could not be opened again yet", "ino", v.ino, "err", err)
	}
}

// publish has a staged version moved into the store whose file nobody writes any more.
func (v *view) publish() {
	if !v.replaced && v.work != nil && v.base.State == meta.StateStaged && v.work.isOf(v.base) {
		v.f.settler.later(v.base)
	}
}

// fill copies into the work file what is not written of the base, so that it holds all bytes. Readers may go on meanwhile: they take these
// bytes from the base until the end.
func (v *view) fill(ctx context.Context) error {
	w := v.work
	if w.full {
		return nil
	}
	if err := w.reserve(v.f.staging, w.size); err != nil {
		return err
	}
	if err := w.file.Truncate(w.size); err != nil {
		return err
	}
	err := w.written.each(0, w.size, func(off, end int64, in bool) error {
		if n := min(end, w.baseLen) - off; !in && n > 0 {
			return v.copyBase(ctx, off, n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	w.full = true
	return nil
}

// copyBase copies bytes of the base to their place in the work file.
func (v *view) copyBase(ctx context.Context, off, n int64) error {
	if v.src == nil {
		return syscall.EIO
	}
	v.src.mu.RLock()
	file := v.src.file
	if file != nil {
		defer v.src.mu.RUnlock()
		return copyRange(v.work.file, file, off, n)
	}
	v.src.mu.RUnlock()
	return syscall.EIO
}

// abandon leaves an object that no version came to use to the garbage collection.
func (f *FS) abandon(ctx context.Context, key string) {
	due := f.Now().UnixNano()
	if err := f.db.AddIntent(detach(ctx), key, due, meta.Relaxed); err != nil {
		f.log.Warn("an unused object stays until gc looks for orphans", "key", key, "err", err)
	}
}

// newKey makes the object key of a new version of the view's file; the caller holds e.mu.
func (v *view) newKey(ctx context.Context, guid string) (string, error) {
	if v.name == "" {
		links, err := v.f.db.Names(ctx, v.ino)
		if err != nil {
			return "", err
		}
		v.name = "unnamed"
		if len(links) > 0 {
			v.parent, v.name = links[0].Parent, links[0].Name
		}
	}
	return objstore.VersionKey(v.tenant, v.name, guid), nil
}

const originMount = "mount"

// durability is the class of a database commit.
func durability(durable bool) meta.Durability {
	if durable {
		return meta.Durable
	}
	return meta.Relaxed
}

// without drops one name from a list.
func without(names []string, name string) []string {
	var out []string
	for _, n := range names {
		if n != name {
			out = append(out, n)
		}
	}
	return out
}

// hotPatience is how long another face waits for the kernel to release a file that was closed an instant ago.
const hotPatience = 100 * time.Millisecond
