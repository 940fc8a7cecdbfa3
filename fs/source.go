package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tote/meta"
	"tote/objstore"
)

// source is the published bytes of one version, shared by all who read it. On the embedded store it is an open file, elsewhere ranges
// of the object are fetched.
type source struct {
	version Version
	stored  Version     // whose object is read: version itself, but for a layer
	object  meta.Object // of stored, in a remote store
	cached  CacheFile   // nil: the store is asked directly
	layer   *layer      // what lies over the object
	refs    int         // guarded by sourceTable.mu

	mu      sync.RWMutex // readers share it for one read or one chunk; swap takes it alone
	file    *os.File     // nil: read through the store; guarded by mu
	swapped bool         // file is a copy; guarded by mu
}

// sourceTable shares sources by version id.
type sourceTable struct {
	mu   sync.Mutex
	open map[int64]*source // guarded by mu
}

func newSourceTable() *sourceTable { return &sourceTable{open: map[int64]*source{}} }

// openSource finds or opens the bytes of a version.
func (f *FS) openSource(ctx context.Context, v Version) (*source, error) {
	t := f.sources
	t.mu.Lock()
	if s := t.open[v.ID]; s != nil {
		s.refs++
		t.mu.Unlock()
		return s, nil
	}
	t.mu.Unlock()
	made, err := f.newSource(ctx, v)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.open[v.ID]; s != nil { // somebody was faster
		s.refs++
		made.close()
		return s, nil
	}
	t.open[v.ID] = made
	return made, nil
}

// newSource opens the bytes of a version. The store is not asked on the way to a remote object.
func (f *FS) newSource(ctx context.Context, v Version) (*source, error) {
	if f.remote != nil {
		return f.farSource(ctx, v)
	}
	file, err := f.openVersion(ctx, v)
	return &source{version: v, file: file, refs: 1}, err
}

// farSource is newSource over a remote store: the staging file while there is one, else the object.
func (f *FS) farSource(ctx context.Context, v Version) (*source, error) {
	var s *source
	var err error
	switch v.State {
	case meta.StateStaged:
		s, err = f.stagedSource(v)
	case meta.StateRedo:
		s, err = f.layered(ctx, v.ID)
	default:
		return f.objectSource(ctx, v)
	}
	if !errGone(err) && !errors.Is(err, syscall.ENOENT) {
		return s, err
	}
	now, err := f.db.VersionByID(ctx, v.ID) // it has been stored meanwhile
	if err != nil {
		return nil, err
	}
	if now.State == meta.StateStaged || now.State == meta.StateRedo {
		return nil, &Error{Op: "open", Path: v.Key, Errno: syscall.EIO, Err: errors.New("the staging file of a closed file is missing; run tote fsck")}
	}
	return f.objectSource(ctx, now)
}

// stagedSource reads a file that waits to be sent.
func (f *FS) stagedSource(v Version) (*source, error) {
	file, err := os.Open(f.staging.path(v.Staging))
	if err == nil {
		file, err = checkSize(file, v)
	}
	return &source{version: v, stored: v, file: file, refs: 1}, err
}

// objectSource reads an object of a remote store.
func (f *FS) objectSource(ctx context.Context, v Version) (*source, error) {
	o, err := f.db.Object(ctx, v.ID)
	return &source{version: v, stored: v, object: o, cached: f.cached(v, o), refs: 1}, err
}

// close lets everything go.
func (s *source) close() {
	if s.file != nil {
		s.file.Close()
	}
	if s.layer != nil {
		s.layer.file.Close()
	}
	if s.cached != nil {
		s.cached.Close()
	}
}

// closeSource gives a source back.
func (f *FS) closeSource(s *source) {
	if s == nil {
		return
	}
	f.sources.mu.Lock()
	defer f.sources.mu.Unlock()
	s.refs--
	if s.refs > 0 {
		return
	}
	if f.sources.open[s.version.ID] == s {
		delete(f.sources.open, s.version.ID)
	}
	s.close()
}

// share takes another share in a source that the caller sees in use; nil stays nil.
func (t *sourceTable) share(s *source) *source {
	if s == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.refs++
	return s
}

// borrow takes a share in the source of a version, nil when nobody has it open. closeSource gives it back.
func (t *sourceTable) borrow(version int64) *source {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.open[version]
	if s != nil {
		s.refs++
	}
	return s
}

// sync makes the bytes durable that were put into the file without a flush; a nil source has none.
func (s *source) sync() error {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.file == nil {
		return nil
	}
	return s.file.Sync()
}

// sole tells whether the caller is the only one who holds s.
func (t *sourceTable) sole(s *source) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return s.refs == 1
}

// rebind makes s, whose only holder edited it in place, the source of another version.
func (t *sourceTable) rebind(s *source, v Version) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, s.version.ID)
	s.version = v
	t.open[v.ID] = s
}

// holds tells whether any reader has a version with this object open.
func (t *sourceTable) holds(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.open {
		if s.version.Key == key || s.stored.Key == key {
			return true
		}
	}
	return false
}

// openVersion opens the local file with a version's bytes on the embedded store: in staging until it is published, in the store after. For empty
// versions it gives nil.
func (f *FS) openVersion(ctx context.Context, v Version) (*os.File, error) {
	if v.ID == 0 || v.Size == 0 {
		return nil, nil
	}
	opener, ok := objstore.As[objstore.FileOpener](f.store)
	if !ok {
		return nil, syscall.EIO
	}
	for range 3 { // a file moves once from staging to the store: look there, here, there
		if v.State == meta.StateStaged {
			if file, err := os.Open(f.staging.path(v.Staging)); err == nil {
				return checkSize(file, v)
			}
		}
		file, err := opener.OpenFile(ctx, v.Key)
		if err == nil {
			return checkSize(file, v)
		}
		if !errors.Is(err, objstore.ErrNotFound) {
			return nil, err
		}
		if v.State == meta.StateRedo {
			if err := f.finishRedo(ctx, v); err != nil {
				return nil, err
			}
		}
	}
	return nil, &Error{Op: "open", Path: v.Key, Errno: syscall.EIO, Err: errors.New("the object of a live version is missing; run tote fsck")}
}

// checkSize refuses a file that has lost its end: better an error than zeros.
func checkSize(file *os.File, v Version) (*os.File, error) {
	st, err := file.Stat()
	if err == nil && st.Size() < v.Size {
		err = &Error{Op: "open", Path: v.Key, Errno: syscall.EIO, Err: errShort}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// readAt reads like io.ReaderAt within the version's size. An object that ends early is EIO, never a clean end.
func (s *source) readAt(ctx context.Context, f *FS, p []byte, off int64) (int, error) {
	return s.readVia(ctx, f, s.cached, p, off)
}

// readVia is readAt through a File of the cache that follows the reads of one reader.
func (s *source) readVia(ctx context.Context, f *FS, file CacheFile, p []byte, off int64) (int, error) {
	size := s.version.Size
	if off >= size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), size-off)
	n, err := s.readFull(ctx, f, file, p[:want], off)
	if err != nil {
		return n, &Error{Op: "read", Path: s.version.Key, Errno: syscall.EIO, Err: err}
	}
	if want < int64(len(p)) {
		return n, io.EOF
	}
	return n, nil
}

func (s *source) readFull(ctx context.Context, f *FS, file CacheFile, p []byte, off int64) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.file != nil {
		n, err := s.file.ReadAt(p, off)
		if n == len(p) {
			return n, nil
		}
		return n, errors.Join(errShort, err)
	}
	var err error
	if s.layer != nil {
		err = s.readLayered(ctx, f, file, p, off)
	} else {
		err = s.readStored(ctx, f, file, p, off)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// readStored reads bytes of the object, all of them or with an error.
func (s *source) readStored(ctx context.Context, f *FS, file CacheFile, p []byte, off int64) error {
	ctx, cancel := f.bound(ctx, int64(len(p)))
	defer cancel()
	if file != nil {
		n, err := file.ReadAt(ctx, p, off)
		if n == len(p) {
			return nil
		}
		return errors.Join(errShort, err)
	}
	r, err := f.getRange(ctx, s.stored, s.object, off, int64(len(p)))
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.ReadFull(r, p)
	return err
}

// swapPatience is how long a change of the file behind a source waits for a chunk that is being sent.
const swapPatience = 5 * time.Second

// swap puts another file with the same bytes behind s, so that the old one may be changed. Readers that do not finish their chunk in
// time make it fail with EBUSY.
func (s *source) swap(file *os.File, patience time.Duration) error {
	for end := time.Now().Add(patience); !s.mu.TryLock(); {
		if time.Now().After(end) {
			return syscall.EBUSY
		}
		time.Sleep(time.Millisecond)
	}
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.Close()
	}
	s.file, s.swapped = file, true
	return nil
}

// dup is another descriptor of the object's file; nil when the source has none or a copy.
func (s *source) dup() (*os.File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.file == nil || s.swapped {
		return nil, nil
	}
	fd, err := unix.FcntlInt(s.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "dup", Path: s.file.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), s.file.Name()), nil
}
