package fs

import (
	"context"
	"errors"
	"io"
	"syscall"
)

// size is the length of the content; the caller holds mu.
func (v *view) size() (int64, error) {
	if v.work == nil {
		return v.base.Size, nil
	}
	s, _, err := v.work.state()
	return s.size, err
}

// stale tells whether the handles have lost the file; the caller holds mu.
func (v *view) stale() bool { return v.replaced && !v.through }

// readAt reads the content as it is now.
func (v *view) readAt(ctx context.Context, p []byte, off int64) (int, error) {
	if v.f.remote != nil {
		return v.readFar(ctx, p, off)
	}
	if err := v.needBase(ctx); err != nil {
		return 0, err
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	w := v.work
	switch {
	case v.stale():
		return 0, syscall.ESTALE
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
		if v.src == nil {
			return syscall.EIO
		}
		if _, err := v.src.readAt(ctx, v.f, q[:n], from); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	})
}

// writeAt changes the content; the new bytes are seen by every handle of the view at once and by nobody else before a commit.
func (v *view) writeAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	err = v.change(ctx, func(w *work) error {
		end := off + int64(len(p))
		if err := v.fits(end); err != nil {
			return err
		}
		w.up.change(off, end)
		need := end
		if !w.full {
			need = w.held + int64(len(p))
		}
		if err := w.reserve(v.f.staging, need); err != nil {
			return err
		}
		if n, err = w.file.WriteAt(p, off); n == 0 {
			return err
		}
		end = off + int64(n)
		if !w.full {
			w.written.add(off, end)
		}
		w.size = max(w.size, end)
		w.up.wrote(off, end)
		return err
	})
	return n, err
}

// truncate changes the length; bytes that appear are zero.
func (v *view) truncate(ctx context.Context, size int64) error {
	return v.change(ctx, func(w *work) error {
		if err := v.fits(size); err != nil {
			return err
		}
		if size < w.size {
			w.up.cut(size)
		}
		if err := w.file.Truncate(size); err != nil { // also of written ranges alone: what the disk refuses here it would refuse at the commit
			return err
		}
		w.firm = min(w.firm, size)
		if !w.full {
			w.written.cut(size)
			w.baseLen = min(w.baseLen, size)
		}
		w.size = size
		return nil
	})
}

// fits refuses a length that no object can have, when it can still be refused.
func (v *view) fits(size int64) error {
	if v.f.remote != nil && size > maxObject {
		return syscall.EFBIG
	}
	return nil
}

// change runs fn on the work file, which is made when there is none, and counts the content as changed.
func (v *view) change(ctx context.Context, fn func(*work) error) error {
	if v.f.remote == nil { // else it is opened when it is read
		if err := v.needBase(ctx); err != nil {
			return err
		}
	}
	v.lockWriters()
	defer v.wmu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stale() {
		return syscall.ESTALE
	}
	if v.work == nil {
		if err := v.begin(); err != nil {
			return err
		}
	}
	v.work.dirty, v.work.mtime = true, v.f.Now().UnixNano()
	return fn(v.work)
}

// lockWriters locks wmu when no commit is under way.
func (v *view) lockWriters() {
	v.wmu.Lock()
	for v.frozen {
		v.thawed.Wait()
	}
}

// begin gives the view a work file of the daemon's own.
func (v *view) begin() error {
	if v.f.remote == nil && v.base.Size > 0 && v.src == nil {
		return syscall.EIO
	}
	far := v.f.remote != nil && !v.f.opts.Writeback
	create := v.f.staging.create
	if far {
		create = v.f.staging.scratch
	}
	file, name, err := create()
	if err != nil {
		return err
	}
	v.work = &work{file: file, name: name, full: v.base.Size == 0, size: v.base.Size, baseLen: v.base.Size}
	if far {
		v.work.up = v.f.newUpload(context.Background(), v.ino, file, v.nameObject)
	}
	return nil
}

// setTimes sets the modification time to show. A content that somebody may be writing at this instant counts as changed: the write could
// not be told from the change of the time.
func (v *view) setTimes(mtime int64) error {
	v.lockWriters()
	defer v.wmu.Unlock()
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
	w.mtime, w.dirty = mtime, changed || w.kernel && v.writers.Load() > 0
	if !w.kernel {
		return nil
	}
	if err := setMtime(w.file, mtime-1); err != nil {
		return err
	}
	w.stamp, err = stampOf(w.file)
	return err
}
