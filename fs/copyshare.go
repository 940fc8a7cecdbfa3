package fs

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// A copy moves no bytes where it need not: its versions have the objects of those they are copies of, which are never changed. Three things would change
// one, and all three look for this first: an edit in place (redoPays), a writer who takes over the file that readers on the mount have (newView), and the
// garbage collection, which asks whether any version needs an object. A file that the mount has open is copied byte by byte, as is one whose
// bytes have not reached the store. A store that keeps facts with its objects makes the copies itself, so that Recover finds them.

// sharer keeps files from being opened and committed while their objects come to be shared.
type sharer struct {
	t      *openTable
	taken  map[Ino]bool
	locked []*openIno
}

func (f *FS) sharer() *sharer { return &sharer{t: f.table, taken: map[Ino]bool{}} }

// take is the Shareable callback of meta. It never waits; a file that somebody is busy with can't be shared now.
func (s *sharer) take(ino Ino) bool {
	if s.taken[ino] {
		return true
	}
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if e := s.t.open[ino]; e != nil {
		if !e.mu.TryLock() {
			return false
		}
		if e.view != nil {
			e.mu.Unlock()
			return false
		}
		s.locked = append(s.locked, e)
	}
	s.t.dying[ino]++ // whoever wants to open it waits
	s.taken[ino] = true
	return true
}

// done lets all files go.
func (s *sharer) done() {
	for _, e := range s.locked {
		e.mu.Unlock()
	}
	all := make([]Ino, 0, len(s.taken))
	for ino := range s.taken {
		all = append(all, ino)
	}
	s.t.lift(all...)
}

// shareTree copies a tree to a place in one transaction. It is meta.ErrNotShared, and nothing has happened, when some object can't be shared.
func (f *FS) shareTree(ctx context.Context, a *Actor, from, to place, overwrite, deep bool, c *Cond) (created bool, err error) {
	if f.describes() {
		return false, meta.ErrNotShared
	}
	if err := f.allow(a, accessCreate); err != nil {
		return false, err
	}
	uid, gid := f.owner(a)
	r, s := f.table.reaper(), f.sharer()
	out, err := f.db.CopyTree(ctx, meta.CopyTreeArgs{
		From: from.node.Ino, Deep: deep, Parent: to.parent.Ino, Name: to.name, Replace: overwrite, GUID: newGUID(),
		FileMode: f.opts.FileMode, DirMode: f.opts.DirMode, UID: uid, GID: gid,
		Identity: identity, Check: valueCheck(c.attrCheck(from)), Shareable: s.take, Keep: r.keep, Origin: a.Origin,
	}, durabilityFor(a))
	s.done()
	r.done()
	if err != nil {
		return false, err
	}
	if out.Replaced != nil {
		f.orphan(ctx, out.Replaced.Orphans...)
		f.discardAfter(a, out.Replaced.Staging...)
		f.dropLocks(ctx, a, to.path)
		if isDir(out.Replaced.Root) {
			f.dirs.moved()
		}
		f.emit(Event{Op: "attr", Ino: out.Replaced.Root.Ino, Attrs: true, Origin: a.Origin})
	}
	f.emit(Event{Op: "create", Ino: out.Root.Ino, Parent: to.parent.Ino, Name: to.name, Entry: true, Attrs: true, Origin: a.Origin})
	return out.Replaced == nil, nil
}

// shareSettled is shareTree that first has the files published that were closed on the mount a moment ago.
func (f *FS) shareSettled(ctx context.Context, a *Actor, from, to place, overwrite, deep bool, c *Cond) (created bool, err error) {
	created, err = f.shareTree(ctx, a, from, to, overwrite, deep, c)
	if !errors.Is(err, meta.ErrNotShared) || f.describes() || f.settler.settle(ctx) != nil {
		return created, err
	}
	return f.shareTree(ctx, a, from, to, overwrite, deep, c)
}

// shareFile makes the content of a file that of the target, without moving bytes. ok is false, and nothing has happened, when that can't be.
func (f *FS) shareFile(ctx context.Context, a *Actor, src Attr, t Target, p meta.Precondition) (ok bool, err error) {
	if f.describes() {
		return false, nil
	}
	s := f.sharer()
	defer s.done()
	if !s.take(src.Ino) {
		return false, nil
	}
	v, object, ok, err := f.shareable(ctx, src.Ino)
	if !ok || err != nil {
		return false, err
	}
	defer f.keys.release(v.Key)
	w := &Writer{f: f, a: *a, target: t, size: v.Size}
	if err := w.locate(ctx); err != nil {
		return false, err
	}
	if w.ino == src.Ino {
		return false, syscall.EINVAL
	}
	props, err := f.copiedProps(ctx, src.Ino)
	if err != nil {
		return false, err
	}
	args := w.args(ctx, CommitOptions{Props: props, ClearSpaces: spacesOf(props), Mtime: src.Mtime, also: p})
	args.GUID, args.Key, args.Sum, args.MD5, args.Object = newGUID(), v.Key, v.Sum, v.MD5, object
	done, err := f.db.Commit(ctx, args, meta.Durable)
	if err != nil && !errors.Is(err, meta.ErrNotFlushed) {
		return false, err
	}
	f.replaced(done, a.Origin)
	return true, err
}

// shareable is the current version of a file whose object may be shared. Its key is claimed then, so that it is not deleted meanwhile.
func (f *FS) shareable(ctx context.Context, ino Ino) (v Version, o meta.Object, ok bool, err error) {
	v, err = f.db.CurrentVersion(ctx, ino)
	if err != nil {
		return v, o, false, ignore(err, syscall.ENODATA)
	}
	_, _, _, named := objstore.SplitVersionName(lastSegment(v.Key))
	if v.State != meta.StateStored || !named || !f.keys.claim(v.Key) {
		return v, o, false, nil
	}
	live, err := f.db.LiveKey(ctx, v.Key)
	if err == nil && live && f.remote != nil {
		o, err = f.db.Object(ctx, v.ID)
	}
	if err != nil || !live {
		f.keys.release(v.Key)
		return v, o, false, err
	}
	return v, o, true, nil
}

// shared tells whether the object of a version is that of others, too.
func (f *FS) shared(ctx context.Context, v Version) (bool, error) {
	if v.Key == "" || v.State != meta.StateStored {
		return false, nil
	}
	return f.db.SharedKey(ctx, v.Key)
}

// ObjectName is the name by which clients know the content of a file: the last segment of its object's key, but for a copy, which has the object of
// another file, with its own GUID. It is "" for a version without an object.
func ObjectName(v Version) string {
	seg := lastSegment(v.Key)
	stem, guid, ext, ok := objstore.SplitVersionName(seg)
	if !ok || guid == v.GUID || v.GUID == "" {
		return seg
	}
	return stem + "@_@" + v.GUID + ext
}

// keyAsNamed is the key of a version's object with ObjectName as its last segment.
func keyAsNamed(v Version) string {
	return strings.TrimSuffix(v.Key, lastSegment(v.Key)) + ObjectName(v)
}
