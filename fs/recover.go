package fs

import (
	"context"
	"errors"
	"os"

	"tote/meta"
	"tote/objstore"
)

// recover ends what the last run of the core left: files that were closed are published, edits in place are completed, and what was never
// committed is dropped. It needs nobody's help and may itself be interrupted at any point.
func (f *FS) recover(ctx context.Context) error {
	if err := f.recoverNear(ctx); err != nil {
		return err
	}
	keep := map[string]bool{}
	if err := f.keepPending(ctx, keep); err != nil {
		return err
	}
	if err := errors.Join(f.dropOrphans(ctx), f.dropCopies(ctx)); err != nil {
		return err
	}
	return f.dropLeftovers(keep)
}

// recoverNear brings to the embedded store what belongs there. What waits for a remote store goes on waiting.
func (f *FS) recoverNear(ctx context.Context) error {
	if f.remote != nil {
		return nil
	}
	staged, redos, err := f.db.Pending(ctx)
	if err != nil {
		return err
	}
	for _, v := range staged {
		if err := f.recoverStaged(ctx, v); err != nil {
			f.log.Error("the bytes of a closed file are not complete or can't be published; the next start tries again",
				"ino", v.Ino, "key", v.Key, "err", err)
		}
	}
	for _, r := range redos {
		if err := f.applyAndNote(ctx, r); err != nil {
			f.log.Error("a change in place could not be completed; reading the file fails until it can", "ino", r.Version.Ino, "err", err)
		}
	}
	return f.settler.settle(ctx)
}

// recoverStaged brings the bytes of a closed file into the store as they were at its last close. They are copied: a program that has kept its
// descriptor over the crash can still write to the old file, because the kernel passes that through without us.
func (f *FS) recoverStaged(ctx context.Context, v meta.Version) error {
	old, err := os.Open(f.staging.path(v.Staging))
	if errors.Is(err, os.ErrNotExist) {
		return f.recoverPublished(ctx, v)
	}
	if err != nil {
		return err
	}
	defer old.Close()
	st, err := old.Stat()
	if err != nil {
		return err
	}
	if v, err = f.cutVersion(ctx, v, st.Size()); err != nil {
		return err
	}
	twin, name, err := f.staging.create()
	if err != nil {
		return err
	}
	defer twin.Close()
	if err := copyRange(twin, old, 0, v.Size); err != nil {
		f.discard(name)
		return err
	}
	if err := twin.Sync(); err != nil {
		f.discard(name)
		return err
	}
	if err := os.Rename(f.staging.path(name), f.staging.path(v.Staging)); err != nil {
		return err
	}
	return f.settler.publish(ctx, &v)
}

// cutVersion takes from a version the end that its file has lost when the power failed: the bytes of a close that no fsync followed, as on any local
// file system. What an fsync had brought to the disk must be there.
func (f *FS) cutVersion(ctx context.Context, v meta.Version, size int64) (meta.Version, error) {
	if size >= v.Size {
		return v, nil
	}
	if v.Synced || size < v.Firm {
		return v, errShort
	}
	attr, err := f.db.GetAttr(ctx, v.Ino)
	if err != nil {
		return v, err
	}
	f.log.Warn("the power failed before the end of a closed file was on the disk; the file ends there now", "ino", v.Ino, "key", v.Key, "size", v.Size, "left", size)
	done, err := f.db.Commit(ctx, meta.CommitArgs{
		Ino: v.Ino, Expect: &v.ID, GUID: v.GUID, Key: v.Key, Size: size, Mtime: &attr.Mtime, State: meta.StateStaged, Staging: v.Staging,
		Firm: v.Firm, AllowOrphan: true, Drop: v.ID, Origin: originMount,
	}, meta.Relaxed)
	return done.Version, err
}

// recoverPublished checks a version whose file has left staging.
func (f *FS) recoverPublished(ctx context.Context, v meta.Version) error {
	info, err := f.store.Stat(ctx, v.Key)
	if err == nil {
		v, err = f.cutVersion(ctx, v, info.Size)
	}
	if err != nil {
		return err
	}
	if info.Size > v.Size {
		if err := f.cutObject(v); err != nil {
			return err
		}
	}
	f.settler.note(settling{version: v, adopted: true})
	return nil
}

// cutObject takes from an object what was written to it after the last close, when the kernel still had it open.
func (f *FS) cutObject(v meta.Version) error {
	finder, ok := objstore.As[objstore.PathFinder](f.store)
	if !ok {
		return errors.New("the object is longer than its version")
	}
	path, err := finder.Path(v.Key)
	if err != nil {
		return err
	}
	return os.Truncate(path, v.Size)
}

// keepPending names the staging files that rows of the database still refer to, because they could not be published.
func (f *FS) keepPending(ctx context.Context, keep map[string]bool) error {
	staged, redos, err := f.db.Pending(ctx)
	for _, v := range staged {
		keep[v.Staging] = true
	}
	for _, r := range redos {
		keep[r.Version.Staging] = true
	}
	return err
}

// dropOrphans deletes files that had lost their last name while they were open.
func (f *FS) dropOrphans(ctx context.Context) error {
	list, err := f.db.Orphans(ctx)
	if err != nil {
		return err
	}
	for _, attr := range list {
		f.bury(ctx, attr.Ino)
	}
	return nil
}

// dropLeftovers removes staging files that belong to nothing.
func (f *FS) dropLeftovers(keep map[string]bool) error {
	names, err := f.staging.names()
	if err != nil {
		return err
	}
	for _, n := range names {
		if keep[n] {
			continue
		}
		if err := f.staging.remove(n); err != nil {
			return err
		}
	}
	return nil
}
