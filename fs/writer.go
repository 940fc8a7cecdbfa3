package fs

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"tote/meta"
	"tote/objstore"
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

	file  *os.File
	stage string
	size  int64
	held  int64
	sent  int64 // bytes whose write-back has been started
	sum   hash.Hash64
	md5   hash.Hash
	err   error // first failure; Commit refuses after it
	ended bool
}

// NewWriter checks early whether the actor may write there: rights, names, the parent directory, WebDAV locks. The old content stays untouched.
func (f *FS) NewWriter(ctx context.Context, a *Actor, t Target) (*Writer, error) {
	w := &Writer{f: f, a: *a, target: t, sum: newSum()}
	path := t.Path
	if t.Dir != "" {
		path = t.Dir + "/" + t.Name
	}
	if err := w.locate(ctx); err != nil {
		return nil, fail("write", path, err)
	}
	file, name, err := f.staging.create()
	if err != nil {
		return nil, fail("write", path, err)
	}
	w.file, w.stage = file, name
	return w, nil
}

// Retarget sends the bytes somewhere else: a form may bring the file before the field with its name. On an error the Writer is as it was.
func (w *Writer) Retarget(ctx context.Context, t Target) error {
	moved := *w
	moved.target, moved.parent, moved.name, moved.path, moved.ino = t, 0, "", "", 0
	if err := moved.locate(ctx); err != nil {
		return fail("write", t.Path+t.Dir, err)
	}
	*w = moved
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
	w.parent, w.name, w.path = at.parent.Ino, at.name, at.path
	if at.node == nil || w.target.Alias {
		if err := f.allow(a, accessCreate); err != nil {
			return err
		}
		return f.checkLocks(ctx, a, at.path, true)
	}
	if err := replaceable(*at.node); err != nil {
		return err
	}
	w.ino = at.node.Ino
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
	w.ino, w.name, w.path = w.target.Ino, file.Info.name, file.Info.path
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
func (w *Writer) WantMD5() { w.md5 = md5.New() }

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

// Write takes the next bytes.
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
	w.sum.Write(p[:n])
	if w.md5 != nil {
		w.md5.Write(p[:n])
	}
	w.size += int64(n)
	if err != nil {
		return n, w.broken(err)
	}
	w.pushOut()
	return n, nil
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
	buf := make([]byte, copyBuffer)
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
	w.close()
	w.f.discard(w.stage)
}

func (w *Writer) close() {
	w.file.Close()
	w.f.staging.release(w.held)
	w.held = 0
}

// CommitOptions go with a Commit.
type CommitOptions struct {
	Cond        *Cond // decided inside the transaction
	NoReplace   bool  // EEXIST when the name is taken
	Mtime       int64 // ns; 0 = now
	ContentType string
	Props       []Property // set in the same transaction
	ClearSpaces []string   // property spaces emptied before
	ExpectSize  int64      // what was announced; -1 = nothing was, else a difference is ErrShortBody
}

// Commit makes the bytes the file's content: on nil they and the name survive power loss, and every later open on any face sees them. A
// file that was there keeps its number. On failure nothing has changed.
func (w *Writer) Commit(ctx context.Context, o CommitOptions) (Info, bool, error) {
	if w.ended {
		return Info{}, false, &Error{Op: "write", Path: w.path, Errno: syscall.EBADF}
	}
	info, created, err := w.commit(detach(ctx), o)
	if err != nil {
		w.Abort()
		return Info{}, false, fail("write", w.path, err)
	}
	return info, created, nil
}

func (w *Writer) commit(ctx context.Context, o CommitOptions) (Info, bool, error) {
	if w.err != nil {
		return Info{}, false, w.err
	}
	if o.ExpectSize >= 0 && o.ExpectSize != w.size {
		return Info{}, false, ErrShortBody
	}
	if err := w.recheck(ctx, o); err != nil {
		return Info{}, false, err
	}
	if err := w.file.Sync(); err != nil {
		return Info{}, false, err
	}
	args, err := w.args(ctx, o)
	if err != nil {
		return Info{}, false, err
	}
	defer w.f.keys.release(args.Key)
	if err := w.publish(ctx, args.Key); err != nil {
		return Info{}, false, err
	}
	done, err := w.f.db.Commit(ctx, args, meta.Durable)
	if errors.Is(err, syscall.EEXIST) && args.AltName != "" { // its alias is taken, too
		args.AltName = aliasName(w.name, newGUID())
		done, err = w.f.db.Commit(ctx, args, meta.Durable)
	}
	if err != nil && !errors.Is(err, meta.ErrNotFlushed) {
		w.unpublish(ctx, args.Key)
		return Info{}, false, err
	}
	w.ended = true
	w.close()
	w.f.replaced(done, w.a.Origin)
	return w.report(o, done), done.Created, err
}

// unpublish takes back an object whose commit was refused. What can't be deleted now is left to the garbage collection.
func (w *Writer) unpublish(ctx context.Context, key string) {
	if err := w.f.store.Delete(ctx, key); err != nil {
		w.f.abandon(ctx, key)
	}
}

// recheck asks again what may have changed while the bytes came in.
func (w *Writer) recheck(ctx context.Context, o CommitOptions) error {
	if err := checkProps(o.Props); err != nil {
		return err
	}
	if w.target.Ino != 0 {
		return w.f.checkLocksIno(ctx, &w.a, w.ino)
	}
	return w.f.checkLocks(ctx, &w.a, w.path, w.ino == 0)
}

// publish brings the bytes into the store; nothing refers to them yet.
func (w *Writer) publish(ctx context.Context, key string) error {
	if adopter, ok := objstore.As[objstore.Adopter](w.f.store); ok {
		_, err := adopter.Adopt(ctx, key, w.f.staging.path(w.stage))
		return err
	}
	_, err := w.f.store.Put(ctx, key, io.NewSectionReader(w.file, 0, w.size), w.size)
	if err == nil {
		w.f.discard(w.stage)
	}
	return err
}

// args describes the version.
func (w *Writer) args(ctx context.Context, o CommitOptions) (meta.CommitArgs, error) {
	f := w.f
	guid, key, err := w.key(ctx)
	if err != nil {
		return meta.CommitArgs{}, err
	}
	uid, gid := f.owner(&w.a)
	args := meta.CommitArgs{
		GUID: guid, Key: key, Size: w.size, State: meta.StateStored, Sum: formatSum(w.sum),
		NoReplace: o.NoReplace, Props: w.props(o), ClearProps: o.ClearSpaces, Mode: f.opts.FileMode, UID: uid, GID: gid,
		Origin: w.a.Origin,
	}
	if o.Mtime != 0 {
		args.Mtime = &o.Mtime
	}
	if w.md5 != nil {
		args.MD5 = hex.EncodeToString(w.MD5())
	}
	if w.parent == 0 {
		args.Ino = w.ino
	} else {
		args.Parent, args.Name = w.parent, w.name
		if w.target.Alias {
			args.AltName = aliasName(w.name, guid)
		}
	}
	args.Check = w.check(ctx, o.Cond)
	return args, nil
}

// key chooses and claims the object key: the client's, while nothing has it, else one with a new GUID.
func (w *Writer) key(ctx context.Context) (guid, key string, err error) {
	if w.target.Key != "" {
		guid, key, err = w.ownKey(ctx)
		if err != nil || key != "" {
			return guid, key, err
		}
	}
	name := w.name
	if w.target.keyName != "" {
		name = w.target.keyName
	}
	guid = newGUID()
	key = objstore.VersionKey(w.tenant.Name, name, guid)
	w.f.keys.claim(key) // nobody else can have a new GUID
	return guid, key, nil
}

// ownKey claims the client's key; "" when it is taken.
func (w *Writer) ownKey(ctx context.Context) (guid, key string, err error) {
	f := w.f
	key = clientKey(w.tenant.Name, w.target.Key)
	if err := objstore.ValidKey(key); err != nil {
		return "", "", err
	}
	if f.sources.holds(key) || !f.keys.claim(key) {
		return "", "", nil
	}
	taken, err := w.taken(ctx, key)
	if err != nil || taken {
		f.keys.release(key)
		return "", "", err
	}
	guid = newGUID()
	if _, g, _, ok := objstore.SplitVersionName(w.target.Key); ok {
		guid = g
	}
	return guid, key, nil
}

// taken tells whether an object or a live version has a key. A replaced version's object may wait there to be deleted.
func (w *Writer) taken(ctx context.Context, key string) (bool, error) {
	live, err := w.f.db.LiveKey(ctx, key)
	if err != nil || live {
		return live, err
	}
	_, err = w.f.store.Stat(ctx, key)
	if errors.Is(err, objstore.ErrNotFound) {
		return false, nil
	}
	return true, err
}

// props are the properties that come with the bytes.
func (w *Writer) props(o CommitOptions) []Property {
	props := o.Props
	if o.ContentType != "" {
		props = append(props, Property{Name: PropContentType, Value: JSONString(o.ContentType)})
	}
	return props
}

// check decides about what is there at the instant of the commit: whether the actor may replace it, if it was not there before, and the
// request's condition.
func (w *Writer) check(ctx context.Context, c *Cond) func(*Attr) error {
	cond := c.attrCheck(place{name: w.name, path: w.path})
	return func(cur *Attr) error {
		if cur != nil && cur.Ino != w.ino {
			if err := w.f.allowFound(ctx, &w.a, cur.Ino, accessWrite); err != nil {
				return err
			}
		}
		if cond == nil {
			return nil
		}
		return cond(cur)
	}
}

// report is the file as it is now.
func (w *Writer) report(o CommitOptions, done meta.Committed) Info {
	info := Info{name: w.name, path: w.path, attr: done.Attr, contentType: o.ContentType}
	if done.Name != "" && done.Name != w.name {
		info.name = done.Name
		info.path = parentPath(w.path) + "/" + done.Name
	}
	return info
}

// replaced tells the mount and the other faces about a version that came from another face.
func (f *FS) replaced(done meta.Committed, origin string) {
	ino := done.Attr.Ino
	if e := f.table.held(ino); e != nil {
		f.detachView(e, done.Version.ID)
	}
	f.discard(done.Staging...)
	e := Event{Op: "update", Ino: ino, Content: true, Attrs: true, Origin: origin}
	if done.Created {
		e.Op, e.Entry, e.Parent, e.Name = "create", true, done.Attr.Parent, done.Name
	}
	f.emit(e)
}

// detachView ends the part that a view plays for its file: its handles keep or lose what they see, new ones get a new view. It waits for an open
// that is under way, which may have met the version before; a view that was opened after version became current stays.
func (f *FS) detachView(e *openIno, version int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.view
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.base.ID >= version {
		return
	}
	v.replaced = true
	f.table.setView(e, nil)
	e.idle.Broadcast()
}
