package fs

import (
	"context"
	"errors"
	"syscall"

	"tote/meta"
)

// A commit to a remote store has three steps. The first, under the file's locks, fixes what is committed and stops its writers; the second brings the bytes to
// the store, with no lock that anybody else wants; the third, under the locks again, makes the object the current version. Until then every open, on this face
// and the others, gets the version before.

// save commits the view for a caller that holds no lock.
func (v *view) save(ctx context.Context, o commitOptions) (changed bool, err error) {
	if v.f.remote != nil {
		return v.commitFar(ctx, o)
	}
	v.e.mu.Lock()
	defer v.e.mu.Unlock()
	return v.commit(ctx, o)
}

// commitFar is commit to a remote store.
func (v *view) commitFar(ctx context.Context, o commitOptions) (changed bool, err error) {
	v.cmu.Lock()
	defer v.cmu.Unlock()
	s, goes, err := v.beginCommit(o)
	if err != nil {
		return false, err
	}
	if !goes {
		return false, v.flushed(ctx, o)
	}
	var args meta.CommitArgs
	err = v.f.guard("commit", func() (err error) {
		args, err = v.bring(ctx, s)
		return err
	})
	args.Ino, args.Size, args.Mtime, args.AllowOrphan, args.Origin = v.ino, s.size, &s.mtime, true, originMount
	return v.endCommit(ctx, args, storeError("commit", err), o)
}

// bring makes sure that the content is kept, in the store or with Options.Writeback in staging, and describes it as a version. Only this commit may change the
// work file and the base meanwhile.
func (v *view) bring(ctx context.Context, s stamp) (meta.CommitArgs, error) {
	if s.size == 0 { // a version without an object
		return meta.CommitArgs{GUID: newGUID(), State: meta.StateStored}, nil
	}
	if v.f.opts.Writeback {
		return v.stage(ctx, s)
	}
	e, err := v.edit(ctx)
	if err != nil {
		return meta.CommitArgs{}, err
	}
	p, err := v.work.up.publish(ctx, s.size, e)
	return meta.CommitArgs{GUID: p.guid, Key: p.key, Sum: p.sum, Object: p.object, State: meta.StateStored}, err
}

// beginCommit freezes the content. It says that nothing goes to the store when nothing has changed, and for a file without a name, which is never committed.
func (v *view) beginCommit(o commitOptions) (s stamp, goes bool, err error) {
	v.e.mu.Lock()
	defer v.e.mu.Unlock()
	v.wmu.Lock()
	defer v.wmu.Unlock()
	if v.f.table.orphaned(v.e) {
		return s, false, v.syncOrphan(o)
	}
	changed, err := v.pending()
	if err != nil || !changed {
		return s, false, err
	}
	s, err = v.freeze()
	v.frozen = err == nil
	return s, v.frozen, err
}

// flushed makes an unchanged file durable; its bytes are in the store.
func (v *view) flushed(ctx context.Context, o commitOptions) error {
	if !o.durable {
		return nil
	}
	return v.f.db.Flush(ctx)
}

// endCommit makes what was published the current version, or counts the content as changed again.
func (v *view) endCommit(ctx context.Context, args meta.CommitArgs, failed error, o commitOptions) (changed bool, err error) {
	v.e.mu.Lock()
	defer v.e.mu.Unlock()
	v.wmu.Lock()
	defer v.wmu.Unlock()
	defer func() {
		v.frozen = false
		v.thawed.Broadcast()
		v.e.idle.Broadcast()
	}()
	before := v.base.ID
	args.Expect = &before
	o.durable = o.durable || v.f.opts.Writeback
	if err = failed; err == nil {
		err = v.adoptCommit(ctx, args, o)
	}
	if err != nil {
		v.soil()
	}
	return v.base.ID != before, err
}

// saveLast commits what was changed after the last close, when the last handle goes.
func (v *view) saveLast() {
	v.e.mu.Lock()
	v.leaving++
	last := v.leaving == v.handles
	v.e.mu.Unlock()
	if !last {
		return
	}
	changed, err := v.commitFar(context.Background(), commitOptions{last: true})
	if err != nil && !errors.Is(err, syscall.ESTALE) {
		v.f.log.Error("changes of a file were lost, because they could not be stored", "ino", v.ino, "err", err)
	}
	if changed {
		v.f.emitContent(v.ino)
	}
}
