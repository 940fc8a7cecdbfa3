package fs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// staging is the directory of local files with bytes that are not published yet. A file there belongs to one view or Writer, or to a
// staged version in the database; anything else is left over from a crash and goes at the next start.
type staging struct {
	dir   string
	max   int64
	next  atomic.Uint64
	run   string       // makes names of this process unique
	bytes atomic.Int64 // held by files whose writes pass through the daemon

	spare fileStack // empty files without a name, for scratch
	blank fileStack // empty files with a name that no version ever had, for create

	syncMu sync.Mutex // one directory fsync at a time; callers that wait share the next one
	synced atomic.Uint64
	wanted atomic.Uint64
}

func newStaging(dir string, limit int64) *staging {
	return &staging{dir: dir, max: limit, run: strconv.FormatInt(time.Now().UnixNano(), 36)}
}

// path is where the staging file called name is.
func (s *staging) path(name string) string { return filepath.Join(s.dir, name) }

// newName makes a name that no other staging file has or had.
func (s *staging) newName() string {
	return s.run + "-" + strconv.FormatUint(s.next.Add(1), 36)
}

// create makes an empty staging file.
func (s *staging) create() (*os.File, string, error) {
	if file := s.blank.pop(); file != nil {
		return file, filepath.Base(file.Name()), nil
	}
	name := s.newName()
	file, err := openPlain(s.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return file, name, err
}

// openPlain is os.OpenFile for regular files without the five calls by which the runtime finds out that it can't wait for them.
func openPlain(path string, flags int, mode uint32) (*os.File, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, mode)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), path), nil
		case !errors.Is(err, unix.EINTR):
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// scratch makes an empty file that nobody has to find again: where the disk can, it has no name ("") and is gone with its last descriptor.
func (s *staging) scratch() (*os.File, string, error) {
	if file := s.spare.pop(); file != nil {
		return file, "", nil
	}
	file, err := openPlain(s.dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err != nil {
		return s.create()
	}
	return file, "", nil
}

// Files without a name are used again, because making one costs more than writing a small file: up to maxSpare of them, none of which held more than
// spareSize.
const (
	maxSpare  = 64
	spareSize = 1 << 20
)

// recycle takes a file from scratch back that nobody reads any more.
func (s *staging) recycle(file *os.File, size int64) {
	if size > spareSize || file.Truncate(0) != nil {
		file.Close()
		return
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		file.Close()
		return
	}
	if !s.spare.push(file) {
		file.Close()
	}
}

// reuse takes a file from create back to which nothing was written and that no version had: most empty files that programs make stay empty.
func (s *staging) reuse(w *work) bool {
	if _, changed, err := w.state(); w.name == "" || !w.kernel || w.was || changed || err != nil {
		return false
	}
	var st unix.Stat_t
	err := unix.Fstat(int(w.file.Fd()), &st)
	return err == nil && st.Size == 0 && st.Blocks == 0 && s.blank.push(w.file)
}

// close lets the spare files go.
func (s *staging) close() {
	for file := s.spare.pop(); file != nil; file = s.spare.pop() {
		file.Close()
	}
	for file := s.blank.pop(); file != nil; file = s.blank.pop() {
		file.Close()
		_ = os.Remove(file.Name()) // else the next start does
	}
}

// fileStack keeps up to maxSpare open files to use again.
type fileStack struct {
	mu    sync.Mutex
	files []*os.File // guarded by mu
}

// pop takes the last file; nil when there is none.
func (s *fileStack) pop() *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.files)
	if n == 0 {
		return nil
	}
	file := s.files[n-1]
	s.files = s.files[:n-1]
	return file
}

// push adds a file unless there are enough.
func (s *fileStack) push(file *os.File) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files) >= maxSpare {
		return false
	}
	s.files = append(s.files, file)
	return true
}

// remove drops staging files; one that is gone already is fine.
func (s *staging) remove(names ...string) error {
	var errs []error
	for _, n := range names {
		if n == "" {
			continue
		}
		if err := os.Remove(s.path(n)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// reserve accounts for n more bytes; past the limit it is ENOSPC, before a byte is written.
func (s *staging) reserve(n int64) error {
	if s.bytes.Add(n) > s.max && s.max > 0 {
		s.bytes.Add(-n)
		return syscall.ENOSPC
	}
	return nil
}

// release gives reserved bytes back.
func (s *staging) release(n int64) { s.bytes.Add(-n) }

// syncDir makes the names in the directory durable. Callers that arrive while a sync runs share the next one.
func (s *staging) syncDir() error {
	ticket := s.wanted.Add(1)
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if s.synced.Load() >= ticket {
		return nil
	}
	upto := s.wanted.Load()
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return err
	}
	s.synced.Store(upto)
	return nil
}

// names lists the files in the directory. The directories in it belong to others, who keep them themselves.
func (s *staging) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// newGUID makes the id of a version: UUIDv7, so that ids of later versions sort behind earlier ones (RFC 9562 section 5.7).
func newGUID() string {
	id, err := uuid.NewV7()
	if err != nil { // only when the system's random source fails
		id = uuid.New()
	}
	return id.String()
}

// copyRange copies n bytes at off from src to the same place in dst, inside the kernel and by reference where the disk can.
// It is an error when src ends early.
func copyRange(dst, src *os.File, off, n int64) error {
	in, out := off, off
	for n > 0 {
		c, err := unix.CopyFileRange(int(src.Fd()), &in, int(dst.Fd()), &out, int(min(n, 1<<30)), 0)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return copyPlain(dst, src, in, n)
		}
		if c == 0 {
			return errShort
		}
		n -= int64(c)
	}
	return nil
}

var errShort = errors.New("file ends before its recorded size")

// copyPlain is copyRange for file systems without copy_file_range.
func copyPlain(dst, src *os.File, off, n int64) error {
	buf := make([]byte, min(n, 1<<20))
	for n > 0 {
		c, err := src.ReadAt(buf[:min(n, int64(len(buf)))], off)
		if c == 0 {
			return errors.Join(errShort, err)
		}
		if _, err := dst.WriteAt(buf[:c], off); err != nil {
			return err
		}
		off, n = off+int64(c), n-int64(c)
	}
	return nil
}
