package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"tote/meta"
)

// Reader reads one version of a file, the one that was current when it was opened, whatever happens to the file meanwhile.
// It is for faces other than the mount. ReadAt may run in parallel; the other methods may not.
type Reader struct {
	f    *FS
	ctx  context.Context
	e    *openIno
	info Info
	src  *source
	size int64
	pos  int64
	far  CacheFile // the source's object for this reader alone; nil without a cache
	own  *os.File  // the source's file with a position of its own, for SendTo
	of   *os.File  // the file that own was made from
}

// openTries is how often a path is resolved again when the file it led to was replaced by a rename before it could be opened.
const openTries = 100

// OpenReader opens the file at path for reading.
func (f *FS) OpenReader(ctx context.Context, a *Actor, path string) (*Reader, error) {
	for try := 1; ; try++ {
		info, err := f.Stat(ctx, a, path)
		if err != nil {
			return nil, err
		}
		r, err := f.openReader(ctx, a, info)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, syscall.ENOENT) || try == openTries {
			return nil, fail("open", path, err)
		}
	}
}

// OpenReaderIno opens a file by number for reading.
func (f *FS) OpenReaderIno(ctx context.Context, a *Actor, ino Ino) (*Reader, error) {
	file, err := f.File(ctx, a, ino)
	if err != nil {
		return nil, err
	}
	r, err := f.openReader(ctx, a, file.Info)
	return r, fail("open", "", err)
}

func (f *FS) openReader(ctx context.Context, a *Actor, info Info) (*Reader, error) {
	if err := f.allowFound(ctx, a, info.attr.Ino, accessRead); err != nil {
		return nil, err
	}
	if err := openable(info.attr); err != nil {
		return nil, err
	}
	e := f.table.hold(info.attr.Ino)
	r := &Reader{f: f, ctx: ctx, e: e, info: info}
	if err := r.pin(ctx); err != nil {
		f.letGo(e)
		return nil, err
	}
	return r, nil
}

// pin opens the current version. It holds the file's commits off meanwhile, so that attributes and bytes belong together.
func (r *Reader) pin(ctx context.Context) error {
	e, f := r.e, r.f
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := f.cool(detach(ctx), e); err != nil {
		return err
	}
	attr, v, err := f.db.CurrentFile(ctx, e.ino)
	if err != nil {
		return err
	}
	r.info.attr, r.size = attr, v.Size
	if v.Size == 0 {
		return nil
	}
	if r.src, err = f.openSource(ctx, v); err == nil && r.src.cached != nil {
		r.far = f.cached(r.src.stored, r.src.object)
	}
	return err
}

// cool makes sure that the current version of a file can't change any more, although the mount may have it open for writing. A file that
// was just closed is released by the kernel within an instant; if it stays open, its present bytes become a version of their own. The caller holds e.mu.
func (f *FS) cool(ctx context.Context, e *openIno) error {
	if !e.hot() {
		return nil
	}
	f.waitIdle(e, hotPatience)
	if !e.hot() {
		return nil
	}
	return e.view.snapshot(ctx)
}

// waitIdle waits until the view of a file has no writers, at most for the given time. The caller holds e.mu, which is let go meanwhile.
func (f *FS) waitIdle(e *openIno, patience time.Duration) {
	end := time.Now().Add(patience)
	timer := time.AfterFunc(patience, e.idle.Broadcast)
	defer timer.Stop()
	for e.hot() && time.Now().Before(end) {
		e.idle.Wait()
	}
}

// hot tells whether the current version is a file that the kernel may still write.
func (e *openIno) hot() bool {
	v := e.view
	if v == nil || v.writers.Load() == 0 {
		return false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return !v.replaced && v.work != nil && v.base.ID != 0 && v.work.isOf(v.base)
}

// snapshot gives the current version bytes of its own, apart from the work file that goes on changing. The caller holds e.mu.
func (v *view) snapshot(ctx context.Context) error {
	v.wmu.Lock()
	defer v.wmu.Unlock()
	s, err := v.freeze()
	if err == nil {
		err = v.commitTwin(ctx, s)
	}
	if err != nil {
		v.soil()
	}
	return err
}

// commitTwin commits a copy of the work file.
func (v *view) commitTwin(ctx context.Context, s stamp) error {
	f := v.f
	args, err := v.commitArgs(ctx, s)
	if err != nil {
		return err
	}
	twin, name, err := f.staging.create()
	if err != nil {
		return err
	}
	defer twin.Close()
	if err := copyRange(twin, v.work.file, 0, s.size); err != nil {
		f.discard(name)
		return err
	}
	args.Staging = name
	v.mu.Lock()
	defer v.mu.Unlock()
	done, err := f.db.Commit(ctx, args, meta.Relaxed)
	if err != nil {
		f.discard(name)
		return v.refused(err)
	}
	f.commits.Add(1)
	v.base = done.Version
	f.settler.later(v.base)
	return nil
}

// Info is the file as it was when it was opened.
func (r *Reader) Info() Info { return r.info }

// Digests are those that came with these bytes (CommitOptions.Digests), "" when none did.
func (r *Reader) Digests() string {
	if r.src == nil {
		return ""
	}
	return DigestsOf(Property{Space: SpaceDigests, Value: r.info.digests}, r.src.version.Sum)
}

// Size is the length of the version in bytes.
func (r *Reader) Size() int64 { return r.size }

// ReadAt reads the version; io.EOF at its end, EIO when bytes are missing.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &Error{Op: "read", Path: r.info.path, Errno: syscall.EINVAL}
	}
	if r.src == nil {
		return 0, io.EOF
	}
	return r.src.readVia(r.ctx, r.f, r.far, p, off)
}

// Read reads on from the position.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.ReadAt(p, r.pos)
	r.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek sets the position for Read.
func (r *Reader) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += r.pos
	case io.SeekEnd:
		off += r.size
	}
	if off < 0 {
		return 0, &Error{Op: "seek", Path: r.info.path, Errno: syscall.EINVAL}
	}
	r.pos = off
	return off, nil
}

// sendChunk is how much goes out under one lock of the source; it bounds how long a writer on the mount may have to wait.
const sendChunk = 4 << 20

// SendTo writes bytes [off, off+n) to w, by sendfile where w can (its ReadFrom sees the plain file). It sends all of them or fails.
func (r *Reader) SendTo(w io.Writer, off, n int64) (int64, error) {
	if off < 0 || n < 0 || off+n > r.size {
		return 0, &Error{Op: "read", Path: r.info.path, Errno: syscall.EINVAL}
	}
	if r.f.remote != nil && n > 0 && r.src.file == nil { // a remote source never changes its file
		return r.sendStored(w, off, n)
	}
	var sent int64
	for sent < n {
		m, err := r.sendSome(w, off+sent, min(sendChunk, n-sent))
		sent += m
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

func (r *Reader) sendSome(w io.Writer, off, n int64) (int64, error) {
	s := r.src
	s.mu.RLock()
	defer s.mu.RUnlock()
	file, err := r.private(s.file)
	if err != nil {
		return 0, err
	}
	if _, err := file.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	sent, err := io.CopyN(w, file, n)
	if errors.Is(err, io.EOF) {
		err = &Error{Op: "read", Path: s.version.Key, Errno: syscall.EIO, Err: errShort}
	}
	return sent, err
}

// private opens the source's file once more, because sendfile uses the position of the open file. The caller holds the source's lock.
func (r *Reader) private(file *os.File) (*os.File, error) {
	if r.of == file {
		return r.own, nil
	}
	own, err := os.Open("/proc/self/fd/" + strconv.Itoa(int(file.Fd())))
	if err != nil {
		return nil, err
	}
	if r.own != nil {
		r.own.Close()
	}
	r.own, r.of = own, file
	return own, nil
}

// sendStored sends a range from a remote store. Only the client's own deadline ends it: the cache and the store see to it that it goes on or fails.
func (r *Reader) sendStored(w io.Writer, off, n int64) (sent int64, err error) {
	client := &listener{w: w}
	if r.src.layer != nil {
		return io.CopyN(w, io.NewSectionReader(r, off, n), n)
	}
	if r.far != nil {
		sent, err = r.far.SendTo(r.ctx, client, off, n)
	} else {
		sent, err = r.sendBody(client, off, n)
	}
	if err != nil && client.err == nil {
		err = &Error{Op: "read", Path: r.src.version.Key, Errno: syscall.EIO, Err: err}
	}
	return sent, err
}

// listener remembers whether it was the other end that failed.
type listener struct {
	w   io.Writer
	err error
}

// Write passes bytes on.
func (l *listener) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	l.err = err
	return n, err
}

func (r *Reader) sendBody(w io.Writer, off, n int64) (int64, error) {
	body, err := r.f.getRange(r.ctx, r.src.version, r.src.object, off, n)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return io.CopyN(w, body, n)
}

// Close lets the version go.
func (r *Reader) Close() error {
	if r.e == nil {
		return nil
	}
	if r.own != nil {
		r.own.Close()
	}
	if r.far != nil {
		r.far.Close()
	}
	r.f.closeSource(r.src)
	r.src = nil
	r.f.letGo(r.e)
	r.e = nil
	return nil
}
