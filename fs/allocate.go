package fs

import (
	"context"
	"syscall"

	"golang.org/x/sys/unix"
)

// Allocate is fallocate(2): mode 0, KEEP_SIZE, PUNCH_HOLE with KEEP_SIZE, or ZERO_RANGE; others are ENOTSUP.
func (h *Handle) Allocate(ctx context.Context, mode uint32, off, n int64) error {
	if !h.writable {
		return syscall.EBADF
	}
	if off < 0 || n <= 0 {
		return syscall.EINVAL
	}
	if off+n < 0 {
		return syscall.EFBIG
	}
	return fail("fallocate", "", h.v.change(ctx, func(w *work) error {
		if err := h.v.fits(off + n); err != nil {
			return err
		}
		if !w.full {
			return w.allocatePart(mode, off, n)
		}
		if err := w.reserve(h.f.staging, off+n); err != nil {
			return err
		}
		w.up.change(off, off+n)
		if err := unix.Fallocate(int(w.file.Fd()), mode, off, n); err != nil {
			return err
		}
		if mode&unix.FALLOC_FL_KEEP_SIZE == 0 {
			w.size = max(w.size, off+n)
		}
		return nil
	}))
}

// allocatePart is fallocate on a work file that holds only written ranges: zeros become written ranges, and reserving room needs nothing.
func (w *work) allocatePart(mode uint32, off, n int64) error {
	end := off + n
	switch mode {
	case 0:
		return w.extend(end)
	case unix.FALLOC_FL_KEEP_SIZE:
		return nil
	case unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_ZERO_RANGE | unix.FALLOC_FL_KEEP_SIZE:
		end = min(end, w.size)
	case unix.FALLOC_FL_ZERO_RANGE:
		if err := w.extend(end); err != nil {
			return err
		}
	default:
		return syscall.ENOTSUP
	}
	if off >= end {
		return nil
	}
	return w.zero(off, end)
}

// extend makes the content at least as long as end, which the disk may refuse.
func (w *work) extend(end int64) error {
	if end <= w.size {
		return nil
	}
	if err := w.file.Truncate(end); err != nil {
		return err
	}
	w.size = end
	return nil
}

// zero makes [off, end) of the work file read as zeros and counts it as written.
func (w *work) zero(off, end int64) error {
	w.up.change(off, end)
	if st, err := stampOf(w.file); err != nil {
		return err
	} else if st.size < end {
		if err := w.file.Truncate(end); err != nil {
			return err
		}
	}
	if err := unix.Fallocate(int(w.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, end-off); err != nil {
		return err
	}
	w.written.add(off, end)
	return nil
}
