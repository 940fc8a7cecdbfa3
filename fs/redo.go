package fs

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// A small edit of a large file costs what the edit costs: nobody else holds the old version, so its object is changed in place. The
// written ranges lie in a staging file; the database commit that makes the new version current also records them (the redo record). Both are on
// the disk before the object is touched. Then the ranges are written into the object and it is renamed to the new version's key. A crash in between
// leaves the record, and applying it again gives the same bytes. The bytes of a very small edit are in the record itself, which spares flushing the
// staging file; such a version names no staging file.

// redoMin is the size from which an edit in place is worth its second write.
const redoMin = 256 << 10

// redoInline is how many bytes a redo record may hold itself.
const redoInline = 64 << 10

// redoPays tells whether the changes can and should be applied in place; the caller holds e.mu and wmu.
func (v *view) redoPays(ctx context.Context) bool {
	w := v.work
	if w.full || v.src == nil || !v.f.settler.lazy() {
		return false
	}
	if v.base.Size < redoMin || w.written.bytes()*2 > v.base.Size || !v.f.sources.sole(v.src) {
		return false
	}
	if _, renames := objstore.As[objstore.Renamer](v.f.store); !renames {
		return false
	}
	if v.base.State == meta.StateStaged {
		if err := v.f.settler.publish(ctx, &v.base); err != nil {
			return false
		}
	}
	shared, err := v.f.shared(ctx, v.base)
	return err == nil && !shared && v.published()
}

// published tells whether the bytes of the base are where its key says: after a failure they may still be in staging.
func (v *view) published() bool {
	finder, ok := objstore.As[objstore.PathFinder](v.f.store)
	if !ok {
		return false
	}
	path, err := finder.Path(v.base.Key)
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	if err != nil {
		return false
	}
	v.src.mu.RLock()
	defer v.src.mu.RUnlock()
	if v.src.file == nil {
		return false
	}
	open, err := v.src.file.Stat()
	return err == nil && os.SameFile(there, open)
}

// finishBase completes an edit in place that was committed and could not be applied. Nothing may go on top of it before.
func (v *view) finishBase(ctx context.Context) error {
	if v.base.State != meta.StateRedo || v.src != nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.openBase(ctx)
}

// commitRedo commits the written ranges as a redo record and applies it.
func (v *view) commitRedo(ctx context.Context) error {
	f, w := v.f, v.work
	if err := v.persistBase(ctx); err != nil {
		return err
	}
	args, err := v.redoArgs(ctx)
	if err != nil {
		return err
	}
	f.keys.claim(v.base.Key) // until the rename no version refers to this key
	defer f.keys.release(v.base.Key)
	done, flushErr := v.commitRecord(ctx, args)
	if flushErr != nil && !errors.Is(flushErr, meta.ErrNotFlushed) || done.Version.ID == 0 {
		return flushErr
	}
	f.settler.discardLater(without(done.Staging, w.name)...)
	if args.Staging == "" {
		f.discard(w.name)
	}
	redo := *args.Redo
	redo.Version = done.Version
	if flushErr == nil { // else the object must not change: the record may not be on the disk
		err = f.applyOwn(ctx, redo)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.work = nil
	w.close(f.staging)
	if err == nil && flushErr == nil {
		f.sources.rebind(v.src, v.base)
		return nil
	}
	f.closeSource(v.src) // its bytes are neither the old nor the new ones for sure
	v.src = nil
	return errors.Join(err, flushErr)
}

// persistBase makes durable what the new record builds on: the object of a base whose own way into the store is not known to have ended, which is that
// of an earlier edit, whose record the new one ends, or of a file that was closed a moment ago.
func (v *view) persistBase(ctx context.Context) error {
	if v.base.State == meta.StateStored && v.base.Synced {
		return nil
	}
	if err := v.src.sync(); err != nil {
		return err
	}
	renamer, ok := objstore.As[objstore.Renamer](v.f.store)
	if !ok {
		return errNoEdit
	}
	return renamer.Rename(ctx, v.base.Key, v.base.Key)
}

var errNoEdit = errors.New("the store can't change an object in place")

// applyOwn applies the record that was just committed.
func (f *FS) applyOwn(ctx context.Context, redo meta.Redo) error {
	defer f.applying.lock(redo.Version.Ino)()
	return f.applyAndNote(ctx, redo)
}

// redoArgs describes the edited version and has its bytes where the record will say.
func (v *view) redoArgs(ctx context.Context) (meta.CommitArgs, error) {
	w := v.work
	args, err := v.commitArgs(ctx, stamp{w.size, w.mtime})
	if err != nil {
		return args, err
	}
	record := encodeEdit(w.written, w.baseLen)
	if w.written.bytes() <= redoInline {
		args.Staging = ""
		record, err = inlineEdit(record, w.written, w.file)
	} else {
		err = v.syncWork()
	}
	args.State, args.Redo = meta.StateRedo, &meta.Redo{BaseKey: v.base.Key, Ranges: record}
	return args, err
}

// commitRecord makes the edited content the current version. Until the record is applied the view goes on reading the old bytes under the work file.
func (v *view) commitRecord(ctx context.Context, args meta.CommitArgs) (meta.Committed, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	done, err := v.f.db.Commit(ctx, args, meta.Durable)
	if err != nil && !errors.Is(err, meta.ErrNotFlushed) {
		return meta.Committed{}, v.refused(err)
	}
	v.f.commits.Add(1)
	v.base = done.Version
	v.base.Synced = err == nil
	return done, err
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

// inlineEdit is a redo record with its bytes: the length of the record without them, that record, and the bytes of its ranges one after the other.
func inlineEdit(record []byte, r ranges, from io.ReaderAt) ([]byte, error) {
	b := append(binary.AppendUvarint(nil, uint64(len(record))), record...)
	for _, s := range r.spans {
		at := len(b)
		b = append(b, make([]byte, s.end-s.off)...)
		if _, err := from.ReadAt(b[at:], s.off); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// cutInline undoes inlineEdit.
func cutInline(b []byte) (record, data []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, errRanges
	}
	return b[used : used+int(n)], b[used+int(n):], nil
}

// finishRedo applies the redo record of a version that was committed before a crash or an error. It may be repeated.
func (f *FS) finishRedo(ctx context.Context, v Version) error {
	if err := f.db.Flush(ctx); err != nil { // the record first
		return err
	}
	defer f.applying.lock(v.Ino)()
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

// applyLocks order those who apply records of one file: a record that a later one has replaced must not be applied after that one. Whoever looks for
// a record holds the lock until it is applied, and a later one is applied with the lock after it was committed, when the earlier one can't be found
// any more. They come last of all locks but those of meta and of the settler.
type applyLocks [64]sync.Mutex

// lock returns the unlock.
func (l *applyLocks) lock(ino Ino) func() {
	mu := &l[uint64(ino)%uint64(len(l))]
	mu.Lock()
	return mu.Unlock
}

// applyAndNote writes the ranges of a redo record into the object, gives it the version's key, and has the record dropped once
// that is durable.
func (f *FS) applyAndNote(ctx context.Context, redo meta.Redo) error {
	if err := f.applyRedo(ctx, redo); err != nil {
		return &Error{Op: "apply change", Path: redo.Version.Key, Errno: syscall.EIO, Err: err}
	}
	f.settler.note(settling{version: redo.Version, adopted: true, record: redo.Version.Staging})
	return nil
}

func (f *FS) applyRedo(ctx context.Context, redo meta.Redo) error {
	record, err := f.openRedo(redo)
	if err != nil {
		return err
	}
	defer record.close()
	renamer, ok1 := objstore.As[objstore.Renamer](f.store)
	finder, ok2 := objstore.As[objstore.PathFinder](f.store)
	if !ok1 || !ok2 {
		return errNoEdit
	}
	object, err := f.redoTarget(finder, redo)
	if err != nil {
		return err
	}
	defer object.Close()
	if err := record.apply(object, redo.Version.Size); err != nil {
		return err
	}
	return renamer.RenameLazy(ctx, redo.BaseKey, redo.Version.Key) // the record stays until the store was flushed
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

// redoRecord is what a redo record says, with its bytes in a staging file or at hand.
type redoRecord struct {
	edit    ranges
	baseLen int64    // bytes of the base that count
	file    *os.File // nil: the bytes are in data
	data    []byte   // of the ranges, one after the other
}

func (f *FS) openRedo(redo meta.Redo) (r redoRecord, err error) {
	record := redo.Ranges
	if redo.Version.Staging == "" {
		if record, r.data, err = cutInline(record); err != nil {
			return r, err
		}
	}
	if r.edit, r.baseLen, err = decodeEdit(record); err != nil {
		return r, err
	}
	if redo.Version.Staging == "" {
		if r.edit.bytes() != int64(len(r.data)) {
			err = errRanges
		}
		return r, err
	}
	r.file, err = os.Open(f.staging.path(redo.Version.Staging))
	return r, err
}

func (r redoRecord) close() {
	if r.file != nil {
		r.file.Close()
	}
}

// apply writes the ranges into the object, which becomes size bytes long.
func (r redoRecord) apply(object *os.File, size int64) error {
	st, err := object.Stat()
	if err != nil {
		return err
	}
	if st.Size() > r.baseLen { // what follows it is in the ranges, or a hole
		if err := object.Truncate(r.baseLen); err != nil {
			return err
		}
	}
	if err := object.Truncate(size); err != nil {
		return err
	}
	data := r.data
	for _, s := range r.edit.spans {
		n := s.end - s.off
		if r.file != nil {
			err = copyRange(object, r.file, s.off, n)
		} else {
			_, err = object.WriteAt(data[:n], s.off)
			data = data[n:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}
