package fs

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"tote/meta"
)

// Cond is a condition of a request, decided inside the transaction that makes the change, on what is there at that instant (nil: nothing).
// It returns ErrPrecondition, or any error, to refuse.
type Cond struct {
	Check func(cur *Info) error
}

// attrCheck evaluates c on a node that is at a known place.
func (c *Cond) attrCheck(at place) func(*Attr) error {
	if c == nil || c.Check == nil {
		return nil
	}
	return func(cur *Attr) error {
		if cur == nil {
			return c.Check(nil)
		}
		return c.Check(&Info{name: at.name, path: at.path, attr: *cur})
	}
}

// need is attrCheck for a transaction about something else, or one that makes what is at the place.
func (c *Cond) need(at place) meta.Precondition {
	p := meta.Precondition{Parent: at.parent.Ino, Name: at.name, Check: c.attrCheck(at)}
	if at.name == "" {
		p.Ino = at.node.Ino
	}
	return p
}

// MkdirPath makes a directory; EEXIST when something is there.
func (f *FS) MkdirPath(ctx context.Context, a *Actor, path string, c *Cond) (Info, error) {
	info, err := f.mkdirPath(detach(ctx), a, path, c)
	return info, fail("mkdir", path, err)
}

func (f *FS) mkdirPath(ctx context.Context, a *Actor, path string, c *Cond) (Info, error) {
	at, err := f.resolve(ctx, a, path, false)
	if err != nil {
		return Info{}, err
	}
	if at.node != nil {
		return Info{}, syscall.EEXIST
	}
	attr, err := f.mknod(ctx, a, meta.CreateArgs{Parent: at.parent.Ino, Name: at.name, Mode: syscall.S_IFDIR | f.opts.DirMode, If: c.need(at)})
	if err != nil {
		return Info{}, err
	}
	at.node = &attr
	return at.info(), nil
}

// MkdirAll makes a directory and those above it that are missing.
func (f *FS) MkdirAll(ctx context.Context, a *Actor, path string) (Info, error) {
	clean, err := CleanPath(path)
	if err != nil {
		return Info{}, err
	}
	info, err := f.Stat(ctx, a, "/")
	var at string
	for _, name := range splitPath(clean) {
		if err != nil {
			return Info{}, err
		}
		at += "/" + name
		if info, err = f.Stat(ctx, a, at); errors.Is(err, syscall.ENOENT) {
			info, err = f.MkdirPath(ctx, a, at, nil)
		}
		if errors.Is(err, syscall.EEXIST) { // somebody was faster
			info, err = f.Stat(ctx, a, at)
		}
		if err == nil && !info.IsDir() {
			err = fail("mkdir", at, syscall.ENOTDIR)
		}
	}
	return info, err
}

// RemoveAll removes what is at path, a whole tree too, in one transaction. A symbolic link is removed itself.
func (f *FS) RemoveAll(ctx context.Context, a *Actor, path string, c *Cond) error {
	return fail("remove", path, f.removeAll(detach(ctx), a, path, c))
}

func (f *FS) removeAll(ctx context.Context, a *Actor, path string, c *Cond) error {
	at, err := f.find(ctx, a, path, false)
	if err != nil {
		return err
	}
	if at.name == "" {
		return syscall.EBUSY
	}
	if err := f.allowFound(ctx, a, at.node.Ino, accessWrite); err != nil {
		return err
	}
	if err := f.checkLocksTree(ctx, a, at.path); err != nil {
		return err
	}
	r := f.table.reaper()
	done, err := f.db.RemoveTree(ctx, meta.RemoveTreeArgs{
		Parent: at.parent.Ino, Name: at.name, Keep: r.keep, Check: valueCheck(c.attrCheck(at)), Origin: a.Origin,
	}, durabilityFor(a))
	r.done()
	if err != nil {
		return err
	}
	f.orphan(ctx, done.Orphans...)
	f.discard(done.Staging...)
	f.dropLocks(ctx, a, at.path)
	f.emit(Event{Op: "delete", Ino: done.Root.Ino, Parent: at.parent.Ino, Name: at.name, Entry: true, Attrs: true, Origin: a.Origin})
	return nil
}

// valueCheck adapts a check for transactions that always have a node.
func valueCheck(check func(*Attr) error) func(Attr) error {
	if check == nil {
		return nil
	}
	return func(cur Attr) error { return check(&cur) }
}

// Move renames oldPath to newPath in one transaction, with whole trees at both ends: what is at newPath goes when overwrite is set, else it is
// EEXIST. created tells that nothing was there. c is decided on the source.
func (f *FS) Move(ctx context.Context, a *Actor, oldPath, newPath string, overwrite bool, c *Cond) (created bool, err error) {
	created, err = f.move(detach(ctx), a, oldPath, newPath, overwrite, c)
	return created, fail("move", oldPath, err)
}

func (f *FS) move(ctx context.Context, a *Actor, oldPath, newPath string, overwrite bool, c *Cond) (bool, error) {
	from, err := f.find(ctx, a, oldPath, false)
	if err != nil {
		return false, err
	}
	to, err := f.resolve(ctx, a, newPath, false)
	if err != nil {
		return false, targetError(newPath, err)
	}
	if from.name == "" || to.name == "" {
		return false, syscall.EBUSY
	}
	if nested(from.path, to.path) {
		return false, syscall.EINVAL
	}
	if to.node != nil && !overwrite {
		return false, syscall.EEXIST
	}
	if err := errors.Join(f.checkLocksTree(ctx, a, from.path), f.checkLocksTree(ctx, a, to.path)); err != nil {
		return false, err
	}
	args := meta.RenameArgs{
		OldParent: from.parent.Ino, OldName: from.name, NewParent: to.parent.Ino, NewName: to.name,
		Flags: meta.RenameNoReplace, Origin: a.Origin,
	}
	if overwrite {
		args.Flags = meta.RenameTree
	}
	if check := c.attrCheck(from); check != nil {
		args.Check = func(src Attr, _ *Attr) error { return check(&src) }
	}
	done, err := f.rename(ctx, a, args)
	return done.Replaced == nil, err
}

// nested tells whether one path is the other or lies below it.
func nested(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// targetError names the target's path in an error, so that a face can tell which end was at fault.
func targetError(path string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Op: "target", Path: path, Errno: Errno(err), Err: err}
}

// Copy copies a file, or with recursive a tree, to newPath; dead properties go along, locks do not. It builds the copy beside the target and
// moves it there in one transaction, so that a copy that fails leaves what was there.
func (f *FS) Copy(ctx context.Context, a *Actor, oldPath, newPath string, overwrite, recursive bool, c *Cond) (created bool, err error) {
	created, err = f.copyPath(detach(ctx), a, oldPath, newPath, overwrite, recursive, c)
	return created, fail("copy", oldPath, err)
}

func (f *FS) copyPath(ctx context.Context, a *Actor, oldPath, newPath string, overwrite, recursive bool, c *Cond) (bool, error) {
	from, err := f.find(ctx, a, oldPath, true)
	if err != nil {
		return false, err
	}
	if err := f.allowFound(ctx, a, from.node.Ino, accessRead); err != nil {
		return false, err
	}
	to, err := f.resolve(ctx, a, newPath, false)
	if err != nil {
		return false, targetError(newPath, err)
	}
	if to.name == "" || from.name == "" && recursive {
		return false, syscall.EBUSY
	}
	if from.path == to.path || isDir(*from.node) && recursive && nested(from.path, to.path) || strings.HasPrefix(from.path, to.path+"/") {
		return false, syscall.EINVAL
	}
	if to.node != nil && !overwrite {
		return false, syscall.EEXIST
	}
	if err := f.checkLocksTree(ctx, a, to.path); err != nil {
		return false, err
	}
	if c != nil && c.Check != nil {
		info := from.info()
		if err := c.Check(&info); err != nil {
			return false, err
		}
	}
	if to.node != nil && !isDir(*to.node) && !isDir(*from.node) {
		return false, f.copyFile(ctx, a, *from.node, Target{Path: to.path}, c.need(from))
	}
	created, err := f.shareSettled(ctx, a, from, to, overwrite, recursive, c)
	if !errors.Is(err, meta.ErrNotShared) {
		return created, err
	}
	return f.copyBeside(ctx, a, from, to, overwrite, recursive, c)
}
