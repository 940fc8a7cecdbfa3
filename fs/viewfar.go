package fs

import (
	"context"
	"errors"
	"io"
	"syscall"

	"tote/objstore"
)

// readFar is readAt over a remote store. What is at hand is read under the lock; the store is asked without it, since nobody may have to wait for a store
// to see a file's size. A write that comes in between may be seen or not, as always between a read and a write at the same time.
func (v *view) readFar(ctx context.Context, p []byte, off int64) (int, error) {
	n, missing, src, err := v.readNear(ctx, p, off)
	defer v.f.closeSource(src)
	if err != nil {
		return 0, err
	}
	for _, m := range missing {
		if _, err := src.readAt(ctx, v.f, p[m.off-off:m.end-off], m.off); err != nil {
			return 0, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readNear reads what is at hand and says how much there is to read in all, and which ranges of it only the base has, whose source it lends.
func (v *view) readNear(ctx context.Context, p []byte, off int64) (n int, missing []span, src *source, err error) {
	for {
		v.mu.RLock()
		n, missing, err = v.readWork(p, off)
		if len(missing) == 0 || v.src != nil {
			break
		}
		v.mu.RUnlock()
		if err := v.needBase(ctx); err != nil {
			return 0, nil, nil, err
		}
	}
	defer v.mu.RUnlock()
	if len(missing) > 0 {
		src = v.f.sources.share(v.src)
	}
	return n, missing, src, err
}

// readWork reads what the work file has. The caller holds mu.
func (v *view) readWork(p []byte, off int64) (n int, missing []span, err error) {
	if v.stale() {
		return 0, nil, syscall.ESTALE
	}
	size, err := v.size()
	if err != nil || off >= size {
		return 0, nil, err
	}
	end := min(off+int64(len(p)), size)
	w := v.work
	if w == nil {
		return int(end - off), []span{{off, end}}, nil
	}
	if w.full {
		n, err := w.file.ReadAt(p[:end-off], off)
		return n, nil, ignoreEOF(err)
	}
	err = w.written.each(off, end, func(from, to int64, in bool) error {
		q := p[from-off : to-off]
		if in {
			_, err := w.file.ReadAt(q, from)
			return err
		}
		kept := max(from, min(to, w.baseLen))
		clear(p[kept-off : to-off])
		if from < kept {
			missing = append(missing, span{from, kept})
		}
		return nil
	})
	return int(end - off), missing, err
}

// ignoreEOF drops the end of a file, which is no error to who knows its length.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// nameObject chooses and claims the key of the next version.
func (v *view) nameObject(ctx context.Context) (objectName, error) {
	to, err := v.newObject(ctx)
	if err == nil {
		v.f.keys.claim(to.key) // nobody else can have a new GUID
	}
	return to, err
}

// newObject chooses the key of the next version, and what is told of it.
func (v *view) newObject(ctx context.Context) (objectName, error) {
	guid := newGUID()
	v.e.mu.Lock()
	key, err := v.newKey(ctx, guid)
	parent, name := v.parent, v.name
	v.e.mu.Unlock()
	if err != nil || !v.f.describes() || v.f.opts.Writeback {
		return objectName{guid: guid, key: key}, err
	}
	d := description{tenant: v.tenant, mode: v.mode.Load(), guid: guid}
	if dir, ok := v.f.dirs.path(ctx, v.f, parent); ok {
		d.path = dir + "/" + name
	}
	v.mu.RLock()
	if v.work != nil {
		d.mtime = v.work.mtime
	}
	v.mu.RUnlock()
	return objectName{guid: guid, key: key, facts: v.f.facts(d)}, nil
}

// edit says what the work file changes; nil when it has all bytes.
func (v *view) edit(ctx context.Context) (*edit, error) {
	w := v.work
	if w.full || w.baseLen == 0 {
		return nil, w.stretch()
	}
	if err := v.needBase(ctx); err != nil {
		return nil, err
	}
	v.mu.RLock()
	src := v.src
	v.mu.RUnlock()
	if src == nil {
		return nil, syscall.EIO
	}
	if err := w.stretch(); err != nil {
		return nil, err
	}
	if src.file != nil || src.layer != nil { // waits in staging itself
		return nil, v.fetch(ctx, span{0, w.size})
	}
	e := src.asBase(v.f, &w.written, w.baseLen)
	e.fill = v.fetch
	return e, nil
}

// asBase is what a new object takes from the object of s: up to length, where nothing was written. The caller says how the rest gets into its file.
func (s *source) asBase(f *FS, written *ranges, length int64) *edit {
	e := &edit{key: s.stored.Key, size: s.stored.Size, length: length, written: written}
	e.sums, e.summed = sumsOf(s.stored, s.object)
	e.read = func(ctx context.Context, at span) ([]byte, error) {
		b := make([]byte, at.end-at.off)
		_, err := s.readAt(ctx, f, b, at.off)
		return b, ignoreEOF(err)
	}
	return e
}

// stretch gives the work file its length; a hole at its end reads as zeros.
func (w *work) stretch() error {
	st, err := stampOf(w.file)
	if err != nil || st.size >= w.size {
		return err
	}
	return w.file.Truncate(w.size)
}

// fetch brings what is missing of a range from the base into the work file.
func (v *view) fetch(ctx context.Context, s span) error {
	w := v.work
	v.mu.RLock()
	list := w.written.missing(s, w.baseLen)
	src := v.src
	v.mu.RUnlock()
	if src == nil {
		return syscall.EIO
	}
	err := fetchInto(w.file, list, func(p []byte, off int64) error {
		_, err := src.readAt(ctx, v.f, p, off)
		return ignoreEOF(err)
	})
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	w.written.add(s.off, s.end)
	return nil
}

// lag makes a writer wait whose upload is far behind.
func (v *view) lag(ctx context.Context) {
	v.mu.RLock()
	var u *upload
	if v.work != nil {
		u = v.work.up
	}
	v.mu.RUnlock()
	if u != nil {
		u.wait(ctx)
	}
}

// storeError is what close and fsync answer when the store has not taken the bytes: that is EIO, whatever the store's reason, but for a full one.
func storeError(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, objstore.ErrNoSpace) || errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return &Error{Op: op, Errno: syscall.EIO, Err: err}
}
