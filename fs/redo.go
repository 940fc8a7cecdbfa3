package fs

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// A small edit of a large file costs what the edit costs: nobody else holds the old version, so its object is changed in place. The
// written ranges lie in a staging file; the database commit that makes the new version current also records them (the redo record). Then
// they are written into the object and it is renamed to the new version's key. A crash in between leaves the record, and applying it again
// gives the same bytes.

// redoMin is the size from which an edit in place is worth its second write.
const redoMin = 256 << 10

// redoPays tells whether the changes can and should be applied in place; the caller holds e.mu and v.mu.
func (v *view) redoPays() bool {
	w := v.work
	if w.full || v.through || v.src == nil || v.src.file == nil || !v.f.settler.lazy() {
		return false
	}
	if v.base.Size < redoMin || w.written.bytes()*2 > v.base.Size || !v.f.sources.sole(v.src) {
		return false
	}
	_, renames := objstore.As[objstore.Renamer](v.f.store)
	_, finds := objstore.As[objstore.PathFinder](v.f.store)
	return renames && finds
}

// commitRedo commits the written ranges as a redo record and applies it.
func (v *view) commitRedo(ctx context.Context, o commitOptions) error {
	f, w := v.f, v.work
	if err := v.settleBase(); err != nil {
		return err
	}
	if o.durable {
		if err := v.syncWork(); err != nil {
			return err
		}
	}
	s := stamp{w.size, w.mtime}
	args, err := v.commitArgs(ctx, s)
	if err != nil {
		return err
	}
	f.keys.claim(v.base.Key) // until the rename no version refers to this key
	defer f.keys.release(v.base.Key)
	edit := ranges{spans: append([]span(nil), w.written.spans...)}
	args.State = meta.StateRedo
	args.Redo = &meta.Redo{BaseKey: v.base.Key, Ranges: encodeEdit(edit, w.baseLen)}
	done, err := f.db.Commit(ctx, args, durability(o.durable))
	if err != nil {
		v.replaced = v.replaced || errors.Is(err, syscall.ESTALE)
		return err
	}
	v.work = nil
	w.close(f.staging)
	v.base = done.Version
	v.base.Synced = o.durable
	f.sources.rebind(v.src, v.base)
	redo := *args.Redo
	redo.Version = v.base
	f.discard(without(done.Staging, w.name)...)
	return f.applyAndNote(ctx, redo)
}

// settleBase makes an earlier edit in place durable before its redo record is given up for the next one.
func (v *view) settleBase() error {
	if v.base.State != meta.StateRedo {
		return nil
	}
	return v.src.file.Sync()
}

// encodeEdit is the redo record: how much of the base counts, and the ranges.
func encodeEdit(r ranges, baseLen int64) []byte {
	return append(binary.AppendUvarint(nil, uint64(baseLen)), r.encode()...)
}

// decodeEdit undoes encodeEdit.
func decodeEdit(b []byte) (r ranges, baseLen int64, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > 1<<62 {
		return r, 0, errRanges
	}
	r, err = decodeRanges(b[used:])
	return r, int64(n), err
}

// finishRedo applies the redo record of a version that was committed before a crash or an error. It may be repeated.
func (f *FS) finishRedo(ctx context.Context, v Version) error {
	_, redos, err := f.db.Pending(ctx)
	if err != nil {
		return err
	}
	for _, r := range redos {
		if r.Version.ID == v.ID {
			return f.applyAndNote(ctx, r)
		}
	}
	return nil // somebody was faster
}

// applyAndNote writes the ranges of a redo record into the object, gives it the version's key, and has the record dropped once
// that is durable.
func (f *FS) applyAndNote(ctx context.Context, redo meta.Redo) error {
	if err := f.applyRedo(ctx, redo); err != nil {
		return &Error{Op: "apply change", Path: redo.Version.Key, Errno: syscall.EIO, Err: err}
	}
	f.settler.note(redo.Version, redo.Version.Staging)
	return nil
}

func (f *FS) applyRedo(ctx context.Context, redo meta.Redo) error {
	edit, baseLen, err := decodeEdit(redo.Ranges)
	if err != nil {
		return err
	}
	renamer, ok1 := objstore.As[objstore.Renamer](f.store)
	finder, ok2 := objstore.As[objstore.PathFinder](f.store)
	if !ok1 || !ok2 {
		return errors.New("the store can't change an object in place")
	}
	object, err := f.redoTarget(finder, redo)
	if err != nil {
		return err
	}
	defer object.Close()
	if err := f.writeEdit(object, redo.Version, edit, baseLen); err != nil {
		return err
	}
	return renamer.Rename(ctx, redo.BaseKey, redo.Version.Key)
}

// redoTarget opens the object that a redo record changes, under its old or already its new key.
func (f *FS) redoTarget(finder objstore.PathFinder, redo meta.Redo) (*os.File, error) {
	var errs []error
	for _, key := range []string{redo.BaseKey, redo.Version.Key} {
		path, err := finder.Path(key)
		if err != nil {
			return nil, err
		}
		file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err == nil {
			return file, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// writeEdit applies the ranges of the staging file to the object.
func (f *FS) writeEdit(object *os.File, v Version, edit ranges, baseLen int64) error {
	from, err := os.Open(f.staging.path(v.Staging))
	if err != nil {
		return err
	}
	defer from.Close()
	if st, err := object.Stat(); err != nil || st.Size() > baseLen {
		if err = errors.Join(err, object.Truncate(baseLen)); err != nil {
			return err
		}
	}
	if err := object.Truncate(v.Size); err != nil {
		return err
	}
	for _, s := range edit.spans {
		if err := copyRange(object, from, s.off, s.end-s.off); err != nil {
			return err
		}
	}
	return nil
}
