package fs

import (
	"context"
	"crypto/md5"
	"hash"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"tote/meta"
)

// Target says where a Writer's bytes go: to a path, to an existing file by number, or to a name in a directory.
type Target struct {
	Path  string // replaces the file there, or makes it
	Ino   Ino    // replaces this file
	Dir   string // with Name: makes or replaces the file in this directory
	Name  string
	Alias bool   // with Dir: when another file has the name, show this one as stem@_@GUID.ext instead of replacing
	Key   string // object key a client chose, below the tenant's; "" or when taken: made by the core

	keyName string // name for the object's key when the file is moved to another name right after
	shown   string // and the path it will have then
}

// Writer takes the bytes of a new version from a face other than the mount. Nothing is visible before Commit, and without Commit there is
// no trace: close is not commit. A Writer belongs to one goroutine.
type Writer struct {
	f      *FS
	a      Actor
	target Target
	tenant meta.Tenant
	parent Ino    // of the name, 0 when by number
	name   string // in parent
	path   string // as shown in Info
	ino    Ino    // existing file, 0 when there was none
	mode   uint32 // of it, or of a new one

	file  *os.File
	stage string
	up    *upload // to a remote store, nil on the embedded one
	base  *edit   // what the bytes are a copy of, nil when they were written
	size  int64
	held  int64
	sent  int64       // bytes whose write-back has been started
	sum   hash.Hash64 // nil with up, which has its own
	md5   *sideHash   // nil unless somebody wants it
	err   error       // first failure; Commit refuses after it
	ended bool
}

// NewWriter checks early whether the actor may write there: rights, names, the parent directory, WebDAV locks. The old content stays untouched.
func (f *FS) NewWriter(ctx context.Context, a *Actor, t Target) (*Writer, error) {
	w := &Writer{f: f, a: *a, target: t}
	path := t.Path
	if t.Dir != "" {
		path = t.Dir + "/" + t.Name
	}
	if err := w.locate(ctx); err != nil {
		return nil, fail("write", path, err)
	}
	create := f.staging.create
	if f.remote != nil {
		create = f.staging.scratch
	}
	file, name, err := create()
	if err != nil {
		return nil, fail("write", path, err)
	}
	w.file, w.stage = file, name
	if f.remote == nil {
		w.sum = newSum()
		return w, nil
	}
	w.up = f.newUpload(ctx, w.ino, file, w.naming().name)
	w.up.seq = &summer{}
	return w, nil
}

// Expect announces how long the body is, before the first byte. It is a hint only: Commit compares nothing with it.
func (w *Writer) Expect(size int64) {
	if w.up != nil {
		w.up.expect(size)
	}
}

// Retarget sends the bytes somewhere else: a form may bring the file before the field with its name. On an error the Writer is as it was.
func (w *Writer) Retarget(ctx context.Context, t Target) error {
	moved := *w
	moved.target, moved.parent, moved.name, moved.path, moved.ino = t, 0, "", "", 0
	if err := moved.locate(ctx); err != nil {
		return fail("write", t.Path+t.Dir, err)
	}
	*w = moved
	if w.up != nil {
		w.up.retarget(w.naming().name)
	}
	return nil
}

// locate resolves the target.
func (w *Writer) locate(ctx context.Context) error {
	f, a := w.f, &w.a
	var err error
	if w.tenant, err = f.tenant(ctx, a); err != nil {
		return err
	}
	if w.target.Ino != 0 {
		return w.locateIno(ctx)
	}
	var at place
	if w.target.Dir != "" {
		at, err = f.resolveName(ctx, a, w.target.Dir, w.target.Name)
	} else {
		at, err = f.resolve(ctx, a, w.target.Path, true)
	}
	if err != nil {
		return err
	}
	if at.name == "" {
		return syscall.EISDIR
	}
	w.parent, w.name, w.path, w.mode = at.parent.Ino, at.name, at.path, f.opts.FileMode
	if at.node == nil || w.target.Alias {
		if err := f.allow(a, accessCreate); err != nil {
			return err
		}
		return f.checkLocks(ctx, a, at.path, true)
	}
	if err := replaceable(*at.node); err != nil {
		return err
	}
	w.ino, w.mode = at.node.Ino, at.node.Mode
	if err := f.allowFound(ctx, a, w.ino, accessWrite); err != nil {
		return err
	}
	return f.checkLocks(ctx, a, at.path, false)
}

func (w *Writer) locateIno(ctx context.Context) error {
	file, err := w.f.File(ctx, &w.a, w.target.Ino)
	if err != nil {
		return err
	}
	w.ino, w.name, w.path, w.mode = w.target.Ino, file.Info.name, file.Info.path, file.Info.attr.Mode
	if err := w.f.allowFound(ctx, &w.a, w.ino, accessWrite); err != nil {
		return err
	}
	return w.f.checkLocksIno(ctx, &w.a, w.ino)
}

// replaceable tells whether a node may get other bytes by name.
func replaceable(attr Attr) error {
	switch attr.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return nil
	case syscall.S_IFDIR:
		return syscall.EISDIR
	}
	return syscall.EINVAL
}

// WantMD5 has an MD5 computed as well; it is called before the first byte.
func (w *Writer) WantMD5() { w.md5 = newSideHash(md5.New(), w.f.hashers) }

// MD5 is the digest of the bytes so far, nil without WantMD5.
func (w *Writer) MD5() []byte {
	if w.md5 == nil {
		return nil
	}
	return w.md5.Sum(nil)
}

// Size is how many bytes were taken.
func (w *Writer) Size() int64 { return w.size }

// Path is where the file will be.
func (w *Writer) Path() string { return w.path }

// reserveStep is how many bytes of staging a Writer reserves at a time.
const reserveStep = 1 << 20

// flushStep is how many bytes are written before the kernel is asked to begin writing them to disk, so that the fsync of a
// long body finds little left to do.
const flushStep = 8 << 20

// Write takes the next bytes. On a remote store it may wait for bytes that were written before to be sent.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.size+int64(len(p)) > w.held {
		step := max(reserveStep, int64(len(p)))
		if err := w.f.staging.reserve(step); err != nil {
			return 0, w.broken(err)
		}
		w.held += step
	}
	n, err := w.file.Write(p)
	w.count(p[:n])
	if err != nil {
		return n, w.broken(err)
	}
	return n, nil
}

// count takes bytes into account that have reached the staging file.
func (w *Writer) count(p []byte) {
	if w.md5 != nil {
		_, _ = w.md5.Write(p)
	}
	from := w.size
	w.size += int64(len(p))
	if w.up == nil {
		w.sum.Write(p)
		w.pushOut()
		return
	}
	_, _ = w.up.seq.Write(p) // it never fails
	w.up.wrote(from, w.size)
	if err := w.up.err(); err != nil {
		_ = w.broken(err) // the next call tells
		return
	}
	w.up.wait(w.up.ctx)
}

// pushOut starts the write-back of full steps.
func (w *Writer) pushOut() {
	if w.size-w.sent < flushStep {
		return
	}
	// Only a hint to the kernel: the fsync at Commit is what counts.
	_ = unix.SyncFileRange(int(w.file.Fd()), w.sent, w.size-w.sent, unix.SYNC_FILE_RANGE_WRITE)
	w.sent = w.size
}

// copyOf makes the content that of a version in a remote store, which copies the bytes itself when there are many. The Reader stays open until Commit.
func (w *Writer) copyOf(r *Reader) {
	w.size, w.up.seq = r.size, nil
	w.base = r.src.asBase(w.f, &ranges{}, r.size)
	w.base.whole = true
	w.base.fill = func(_ context.Context, s span) error {
		_, err := io.Copy(io.NewOffsetWriter(w.file, s.off), io.NewSectionReader(r, s.off, s.end-s.off))
		return err
	}
}

// broken remembers the first failure.
func (w *Writer) broken(err error) error {
	if w.err == nil {
		w.err = fail("write", w.path, err)
	}
	return w.err
}

// copyBuffer is the size of one read from a body.
const copyBuffer = 256 << 10

// ReadFrom takes all bytes of r. When r fails, the Writer is spoilt: Commit refuses, so that a body that was cut off never becomes the file.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	b := w.f.buffers.Get().(*[copyBuffer]byte)
	defer w.f.buffers.Put(b)
	buf := b[:]
	var total int64
	for {
		n, err := r.Read(buf)
		if n > 0 {
			m, werr := w.Write(buf[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			if w.err == nil {
				w.err = &Error{Op: "write", Path: w.path, Errno: syscall.ECANCELED, Err: err}
			}
			return total, err
		}
	}
}

// Abort drops the bytes. After Commit it does nothing.
func (w *Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	w.close(false)
	w.f.discard(w.stage)
}

// close lets everything go; used says that a version has the object.
func (w *Writer) close(used bool) {
	if w.md5 != nil {
		w.md5.close()
	}
	if w.up != nil {
		w.up.close(used)
	}
	w.f.staging.release(w.held)
	w.held = 0
	if w.up != nil && w.stage == "" && w.up.idle() {
		w.f.staging.recycle(w.file, w.size)
		return
	}
	w.file.Close()
}
