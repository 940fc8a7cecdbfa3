package fs

import (
	"context"
	"errors"
	"io"
	"syscall"
)

// maxGap is how far behind the end of a file a change may begin: what lies between becomes zeros, which a remote store has to be sent.
const maxGap = 64 << 20

// Patch makes the content that of r with body over it from off on, and returns the length of body. What lies between the end of r and off reads as
// zeros; more than 64 MiB of that are EFBIG. It is the only call that fills this Writer, r stays open until Commit, and whoever commits checks with
// CommitOptions.Cond that the version of r is still the current one. On the embedded store the old bytes are copied inside the kernel, on a remote one
// by the store.
func (w *Writer) Patch(r *Reader, off int64, body io.Reader) (int64, error) {
	if w.err != nil {
		return 0, w.err
	}
	if off < 0 || off > r.size+maxGap {
		return 0, w.broken(syscall.EFBIG)
	}
	if w.up != nil && r.src == nil { // no object to start from
		if _, err := w.ReadFrom(io.LimitReader(zeros{}, off)); err != nil {
			return 0, err
		}
		return w.ReadFrom(body)
	}
	if err := w.startFrom(r); err != nil {
		return 0, w.broken(err)
	}
	n, err := w.overlay(off, body)
	w.size = max(r.size, off+n)
	if err == nil {
		err = w.file.Truncate(max(w.size, 0))
	}
	if err != nil {
		return n, w.spoil(err)
	}
	if w.base != nil {
		w.base.written.add(min(off, r.size), off+n)
	}
	return n, nil
}

// startFrom takes over the bytes of r, or notes that the store has them. The checksum is left to be computed later, as for what the kernel writes.
func (w *Writer) startFrom(r *Reader) error {
	if w.up != nil {
		return w.startFar(r)
	}
	w.sum = nil
	if r.src == nil {
		return nil
	}
	if err := w.hold(r.size); err != nil {
		return err
	}
	r.src.mu.RLock()
	defer r.src.mu.RUnlock()
	return copyRange(w.file, r.src.file, 0, r.size)
}

// startFar is startFrom on a remote store. What still waits in staging itself is read from there.
func (w *Writer) startFar(r *Reader) error {
	w.up.seq = nil
	written := &ranges{}
	fill := func(_ context.Context, s span) error {
		return fetchInto(w.file, written.missing(s, r.size), func(p []byte, off int64) error {
			_, err := r.ReadAt(p, off)
			return ignoreEOF(err)
		})
	}
	if r.src.file != nil || r.src.layer != nil {
		return fill(w.up.ctx, span{0, r.size})
	}
	w.base = r.src.asBase(w.f, written, r.size)
	w.base.fill = fill
	return nil
}

// hold reserves staging for the first n bytes of the file.
func (w *Writer) hold(n int64) error {
	if n <= w.held {
		return nil
	}
	step := max(reserveStep, n-w.held)
	if err := w.f.staging.reserve(step); err != nil {
		return err
	}
	w.held += step
	return nil
}

// overlay writes body into the file from off on.
func (w *Writer) overlay(off int64, body io.Reader) (n int64, err error) {
	b := w.f.buffers.Get().(*[copyBuffer]byte)
	defer w.f.buffers.Put(b)
	buf := b[:]
	for {
		c, err := body.Read(buf)
		if c > 0 {
			if err := w.hold(off + n + int64(c)); err != nil {
				return n, err
			}
			if _, err := w.file.WriteAt(buf[:c], off+n); err != nil {
				return n, err
			}
			n += int64(c)
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, &Error{Op: "write", Path: w.path, Errno: syscall.ECANCELED, Err: err}
		}
	}
}

// spoil remembers the first failure as it is.
func (w *Writer) spoil(err error) error {
	if e := new(Error); !errors.As(err, &e) {
		return w.broken(err)
	}
	if w.err == nil {
		w.err = err
	}
	return err
}

// zeros is an endless reader of zeros.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
