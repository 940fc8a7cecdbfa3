package fs

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// CommitOptions go with a Commit.
type CommitOptions struct {
	Cond        *Cond // decided inside the transaction
	NoReplace   bool  // EEXIST when the name is taken
	Mtime       int64 // ns; 0 = now
	ContentType string
	Props       []Property // set in the same transaction
	ClearSpaces []string   // property spaces emptied before
	Digests     string     // kept with the content, see SpaceDigests; "" for none
	ExpectSize  int64      // what was announced; -1 = nothing was, else a difference is ErrShortBody

	also meta.Precondition // on what the bytes are a copy of
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
	args := w.args(ctx, o)
	err := w.publish(ctx, &args)
	if w.up == nil {
		defer w.f.keys.release(args.Key)
	}
	if err != nil {
		return Info{}, false, err
	}
	if o.Digests != "" && args.Sum != "" {
		args.Props = append(args.Props, Property{Space: SpaceDigests, Name: propDigests, Value: args.Sum + " " + o.Digests})
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
	w.close(true)
	w.f.replaced(done, w.a.Origin)
	return w.report(o, done), done.Created, err
}

// unpublish takes back an object whose commit was refused. What can't be deleted now is left to the garbage collection, like everything in a remote
// store.
func (w *Writer) unpublish(ctx context.Context, key string) {
	if w.up != nil {
		return // Abort follows
	}
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

// publish brings the bytes into the store, where nothing refers to them yet, and completes the description of the version.
func (w *Writer) publish(ctx context.Context, args *meta.CommitArgs) error {
	if w.up != nil {
		return w.publishRemote(ctx, args)
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	var err error
	if args.GUID, args.Key, err = w.naming().key(ctx); err != nil {
		return err
	}
	if w.sum != nil {
		args.Sum = formatSum(w.sum)
	}
	w.aliased(args)
	adopter, _ := objstore.As[objstore.Adopter](w.f.store)
	_, err = adopter.Adopt(ctx, args.Key, w.f.staging.path(w.stage))
	return err
}

// publishRemote sends what has not been sent yet. The staging file need not be on the disk: the store is asked to keep the bytes.
func (w *Writer) publishRemote(ctx context.Context, args *meta.CommitArgs) error {
	p, err := w.up.publish(ctx, w.size, w.base)
	if err != nil {
		return err
	}
	args.GUID, args.Key, args.Sum, args.Object = p.guid, p.key, p.sum, p.object
	w.aliased(args)
	w.f.discard(w.stage)
	return nil
}

// aliased chooses the name that the file gets when its own is taken by another one.
func (w *Writer) aliased(args *meta.CommitArgs) {
	if w.target.Alias && w.parent != 0 {
		args.AltName = aliasName(w.name, args.GUID)
	}
}

// args describes the version but for its object.
func (w *Writer) args(ctx context.Context, o CommitOptions) meta.CommitArgs {
	f := w.f
	uid, gid := f.owner(&w.a)
	args := meta.CommitArgs{
		Size: w.size, State: meta.StateStored, NoReplace: o.NoReplace, Props: w.props(o), ClearProps: o.ClearSpaces,
		Mode: w.mode, UID: uid, GID: gid, If: o.also, Origin: w.a.Origin,
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
	}
	args.Check = w.check(ctx, o.Cond)
	return args
}

// naming chooses the key of a Writer's object.
type naming struct {
	f      *FS
	tenant string
	target Target
	file   string // name of the file
	path   string
	mode   uint32
}

func (w *Writer) naming() naming {
	return naming{f: w.f, tenant: w.tenant.Name, target: w.target, file: w.name, path: cmp.Or(w.target.shown, w.path), mode: w.mode}
}

// name chooses and claims the key.
func (n naming) name(ctx context.Context) (objectName, error) {
	guid, key, err := n.key(ctx)
	facts := n.f.facts(description{tenant: n.tenant, path: n.path, mode: n.mode, guid: guid})
	return objectName{guid: guid, key: key, facts: facts}, err
}

// key chooses and claims the object key: the client's, while nothing has it, else one with a new GUID.
func (n naming) key(ctx context.Context) (guid, key string, err error) {
	if n.target.Key != "" {
		guid, key, err = n.ownKey(ctx)
		if err != nil || key != "" {
			return guid, key, err
		}
	}
	name := n.file
	if n.target.keyName != "" {
		name = n.target.keyName
	}
	guid = newGUID()
	key = objstore.VersionKey(n.tenant, name, guid)
	n.f.keys.claim(key) // nobody else can have a new GUID
	return guid, key, nil
}

// ownKey claims the client's key; "" when it is taken.
func (n naming) ownKey(ctx context.Context) (guid, key string, err error) {
	f := n.f
	key = clientKey(n.tenant, n.target.Key)
	if err := objstore.ValidKey(key); err != nil {
		return "", "", err
	}
	if f.sources.holds(key) || !f.keys.claim(key) {
		return "", "", nil
	}
	taken, err := f.taken(ctx, key)
	if err != nil || taken {
		f.keys.release(key)
		return "", "", err
	}
	guid = newGUID()
	if _, g, _, ok := objstore.SplitVersionName(n.target.Key); ok {
		guid = g
	}
	return guid, key, nil
}

// taken tells whether an object or a live version has a key. A replaced version's object may wait there to be deleted.
func (f *FS) taken(ctx context.Context, key string) (bool, error) {
	live, err := f.db.LiveKey(ctx, key)
	if err != nil || live {
		return live, err
	}
	ctx, cancel := f.bound(ctx, 0)
	defer cancel()
	_, err = f.store.Stat(ctx, key)
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
