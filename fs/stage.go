package fs

import (
	"context"
	"os"
	"slices"
	"syscall"

	"tote/meta"
)

// With Options.Writeback a close on the mount does not wait for a remote store: the work file becomes a staged version, on the disk and in the database, and the
// queue sends it later (queue.go). A change of an object in the store stays a layer over it, so that nothing has to be fetched to close a file.

// stage makes what was frozen durable in staging and describes it as a version.
func (v *view) stage(ctx context.Context, s stamp) (meta.CommitArgs, error) {
	w := v.work
	args := meta.CommitArgs{State: meta.StateStaged, Staging: w.name}
	to, err := v.newObject(ctx)
	if err != nil {
		return args, err
	}
	args.GUID, args.Key = to.guid, to.key
	if !w.full && w.baseLen > 0 {
		if err := v.overlay(ctx, &args); err != nil {
			return args, err
		}
	}
	if err := w.stretch(); err != nil {
		return args, err
	}
	return args, v.syncWork()
}

// overlay makes the work file a layer over the object of its base, or a whole file where the base is one in staging.
func (v *view) overlay(ctx context.Context, args *meta.CommitArgs) error {
	w := v.work
	if err := v.needBase(ctx); err != nil {
		return err
	}
	v.mu.RLock()
	src := v.src
	v.mu.RUnlock()
	switch {
	case src == nil:
		return syscall.EIO
	case src.file != nil:
		return v.fillFrom(src.file)
	case src.layer != nil:
		if err := v.takeLayer(src.layer); err != nil {
			return err
		}
	}
	length := w.baseLen
	if src.layer != nil {
		length = min(length, src.layer.length)
	}
	args.State, args.Object = meta.StateRedo, src.object
	args.Redo = &meta.Redo{BaseKey: src.stored.Key, Ranges: encodeLayer(src.stored.Size, w.written, length)}
	return nil
}

// fillFrom copies what is missing from a file in staging.
func (v *view) fillFrom(file *os.File) error {
	w := v.work
	list := w.written.missing(span{0, w.size}, w.baseLen)
	if err := w.stretch(); err != nil {
		return err
	}
	for _, m := range list {
		if err := copyRange(w.file, file, m.off, m.end-m.off); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	w.full = true
	return nil
}

// takeLayer copies the ranges of the layer beneath, so that there is never more than one.
func (v *view) takeLayer(l *layer) error {
	w := v.work
	var copied []span
	for _, m := range w.written.missing(span{0, w.size}, w.baseLen) {
		err := l.ranges.each(m.off, m.end, func(off, end int64, in bool) error {
			if !in {
				return nil
			}
			copied = append(copied, span{off, end})
			return copyRange(w.file, l.file, off, end-off)
		})
		if err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range copied {
		w.written.add(c.off, c.end)
	}
	return nil
}

// settled tells whether a version waits for nothing.
func settled(v Version) bool {
	return !slices.Contains([]meta.State{meta.StateStaged, meta.StateRedo}, v.State)
}
