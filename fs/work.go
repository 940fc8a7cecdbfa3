package fs

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// work is a local file with changes of a view. The kernel writes some of them itself; then only the file's own size and modification time tell
// what happened.
type work struct {
	file    *os.File
	name    string // in staging; "" without one
	kernel  bool   // the kernel may write the file
	full    bool   // the file holds all bytes; else only those in written
	written ranges
	size    int64   // not kernel: size of the content
	baseLen int64   // not full: bytes of the base that still count
	mtime   int64   // modification time to show; for a kernel's file while it is as it was at stamp
	dirty   bool    // changed since the last commit, as far as the daemon knows
	stamp   stamp   // kernel: the file at the last commit
	held    int64   // bytes reserved in staging
	was     bool    // was the file of a committed version
	named   bool    // its name in staging is on the disk
	firm    int64   // bytes from the start that were flushed to the disk
	up      *upload // to a remote store
}

// isOf tells whether the file is the one of a version that waits in staging.
func (w *work) isOf(v Version) bool { return w.name != "" && v.Staging == w.name }

// stamp recognises a change of a file that the kernel writes.
type stamp struct{ size, mtime int64 }

// stampOf looks at a file.
func stampOf(file *os.File) (stamp, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &st); err != nil {
		return stamp{}, err
	}
	return stamp{st.Size, st.Mtim.Nano()}, nil
}

// setMtime sets the modification time and leaves the access time.
func setMtime(file *os.File, ns int64) error {
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(ns)}
	return unix.UtimesNanoAt(int(file.Fd()), "", times, unix.AT_EMPTY_PATH)
}

// state is size and modification time of the content, and whether it differs from the last commit.
func (w *work) state() (s stamp, changed bool, err error) {
	if !w.kernel {
		return stamp{w.size, w.mtime}, w.dirty, nil
	}
	s, err = stampOf(w.file)
	if err != nil {
		return s, true, err
	}
	changed = w.dirty || s != w.stamp
	if s.mtime == w.stamp.mtime {
		s.mtime = w.mtime
	}
	return s, changed, nil
}

// freezeTries is how often freeze tries to find an instant at which nobody writes.
const freezeTries = 4

// freeze begins a commit: what is in the file now belongs to it, and every later write of the kernel counts as a change again. For that the
// file's time is set one nanosecond before the one to show, before the size is taken: a write brings a time of its own, even within
// the same tick of a coarse kernel clock. A commit that fails has to set dirty again.
func (w *work) freeze() (stamp, error) {
	s, _, err := w.state()
	if err != nil || !w.kernel {
		w.dirty = w.dirty && err != nil
		return s, err
	}
	for range freezeTries {
		if err := setMtime(w.file, s.mtime-1); err != nil {
			return s, err
		}
		if w.stamp, err = stampOf(w.file); err != nil {
			return s, err
		}
		w.mtime, w.dirty, s.size = s.mtime, false, w.stamp.size
		if w.stamp.mtime == s.mtime-1 {
			return s, nil
		}
		s.mtime = w.stamp.mtime
	}
	w.dirty = true // a writer does not pause: commit what there is, and again at the next close
	return s, nil
}

// reserve accounts for a file that holds n bytes.
func (w *work) reserve(s *staging, n int64) error {
	if n <= w.held {
		return nil
	}
	if err := s.reserve(n - w.held); err != nil {
		return err
	}
	w.held = n
	return nil
}

// close lets the local file go and gives its reservation back.
func (w *work) close(s *staging) {
	w.up.close(false)
	s.release(w.held)
	w.held = 0
	if w.name == "" && w.up.idle() {
		s.recycle(w.file, w.size)
		return
	}
	w.file.Close()
}
