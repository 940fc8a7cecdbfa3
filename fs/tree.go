package fs

import (
	"context"
	"errors"
	"syscall"

	"tote/meta"
)

// RenameFlags are those of renameat2(2).
type RenameFlags uint32

// The flags the core knows, with the kernel's values.
const (
	RenameNoReplace RenameFlags = 1 // EEXIST when the target exists
	RenameExchange  RenameFlags = 2 // swap both
)

// durabilityFor is how much a change of the tree waits for: the mount's survive the death of the daemon and become durable with fsync;
// what an HTTP face acknowledges is on disk.
func durabilityFor(a *Actor) meta.Durability { return durability(!a.Mount) }

// Lookup finds a name in a directory.
func (f *FS) Lookup(ctx context.Context, a *Actor, parent Ino, name string) (Attr, error) {
	if err := f.allow(a, accessRead); err != nil {
		return Attr{}, fail("lookup", name, err)
	}
	attr, err := f.live(a, func() (Attr, error) { return f.db.Lookup(ctx, parent, name) })
	return attr, fail("lookup", name, err)
}

// Mknod makes a regular file without content, a FIFO, a socket or a device.
func (f *FS) Mknod(ctx context.Context, a *Actor, parent Ino, name string, mode, rdev uint32) (Attr, error) {
	switch mode & syscall.S_IFMT {
	case 0:
		mode |= syscall.S_IFREG
	case syscall.S_IFREG, syscall.S_IFIFO, syscall.S_IFSOCK, syscall.S_IFCHR, syscall.S_IFBLK:
	default:
		return Attr{}, fail("mknod", name, syscall.EINVAL)
	}
	attr, err := f.mknod(detach(ctx), a, meta.CreateArgs{Parent: parent, Name: name, Mode: mode, Rdev: rdev})
	return attr, fail("mknod", name, err)
}

// Mkdir makes a directory.
func (f *FS) Mkdir(ctx context.Context, a *Actor, parent Ino, name string, mode uint32) (Attr, error) {
	attr, err := f.mknod(detach(ctx), a, meta.CreateArgs{Parent: parent, Name: name, Mode: syscall.S_IFDIR | mode&0o7777})
	return attr, fail("mkdir", name, err)
}

// maxTarget is the longest target of a symbolic link (PATH_MAX with its NUL).
const maxTarget = 4095

// Symlink makes a symbolic link. Its target is data: only the mount's kernel and, within the tenant, the path view follow it.
func (f *FS) Symlink(ctx context.Context, a *Actor, parent Ino, name, target string) (Attr, error) {
	if target == "" {
		return Attr{}, fail("symlink", name, syscall.ENOENT)
	}
	if len(target) > maxTarget {
		return Attr{}, fail("symlink", name, syscall.ENAMETOOLONG)
	}
	attr, err := f.mknod(detach(ctx), a, meta.CreateArgs{Parent: parent, Name: name, Mode: syscall.S_IFLNK | 0o777, Target: target})
	return attr, fail("symlink", name, err)
}

// mknod makes any node.
func (f *FS) mknod(ctx context.Context, a *Actor, args meta.CreateArgs) (Attr, error) {
	if err := f.allow(a, accessCreate); err != nil {
		return Attr{}, err
	}
	if err := f.checkLocksName(ctx, a, args.Parent, args.Name); err != nil {
		return Attr{}, err
	}
	args.UID, args.GID = f.owner(a)
	args.Origin = a.Origin
	attr, err := f.db.Create(ctx, args, durabilityFor(a))
	if err != nil {
		return Attr{}, err
	}
	if !args.Tmpfile {
		f.emit(Event{Op: "create", Ino: attr.Ino, Parent: args.Parent, Name: args.Name, Entry: true, Origin: a.Origin})
	}
	return attr, nil
}

// Readlink is the target of a symbolic link.
func (f *FS) Readlink(ctx context.Context, a *Actor, ino Ino) (string, error) {
	if err := f.allow(a, accessRead); err != nil {
		return "", fail("readlink", "", err)
	}
	target, err := f.db.Readlink(ctx, ino)
	return target, fail("readlink", "", err)
}

// Link gives a file another name.
func (f *FS) Link(ctx context.Context, a *Actor, ino, parent Ino, name string) (Attr, error) {
	attr, err := f.link(detach(ctx), a, ino, parent, name)
	return attr, fail("link", name, err)
}

func (f *FS) link(ctx context.Context, a *Actor, ino, parent Ino, name string) (Attr, error) {
	if err := f.allow(a, accessCreate); err != nil {
		return Attr{}, err
	}
	if err := f.checkLocksName(ctx, a, parent, name); err != nil {
		return Attr{}, err
	}
	args := meta.LinkArgs{Ino: ino, Parent: parent, Name: name, Tmpfile: f.revive(ino), Origin: a.Origin}
	attr, err := f.db.Link(ctx, args, durabilityFor(a))
	if err != nil {
		if args.Tmpfile {
			f.orphan(ctx, ino)
		}
		return Attr{}, err
	}
	if v := f.table.viewOf(ino); v != nil && args.Tmpfile { // what was written while there was no name
		if _, err = v.save(ctx, commitOptions{}); err != nil {
			return Attr{}, err
		}
	}
	f.emit(Event{Op: "link", Ino: ino, Parent: parent, Name: name, Entry: true, Attrs: true, Origin: a.Origin})
	return f.live(a, func() (Attr, error) { return f.db.GetAttr(ctx, attr.Ino) })
}

// revive takes the orphan mark from an open file without a name that is about to get one, and tells whether there was one.
func (f *FS) revive(ino Ino) bool {
	f.table.mu.Lock()
	defer f.table.mu.Unlock()
	e := f.table.open[ino]
	if e == nil || !e.orphan {
		return false
	}
	e.orphan = false
	return true
}

// Unlink takes a name from a file. The last one deletes it, at once or when the last holder lets go.
func (f *FS) Unlink(ctx context.Context, a *Actor, parent Ino, name string) error {
	return fail("unlink", name, f.remove(detach(ctx), a, parent, name, f.db.Unlink))
}

// discardAfter removes staging files that a change of the tree left without a row, as soon as that change is on the disk.
func (f *FS) discardAfter(a *Actor, names ...string) {
	if durabilityFor(a) == meta.Durable {
		f.discard(names...)
		return
	}
	f.settler.discardLater(names...)
}

// Rmdir removes an empty directory.
func (f *FS) Rmdir(ctx context.Context, a *Actor, parent Ino, name string) error {
	return fail("rmdir", name, f.remove(detach(ctx), a, parent, name, f.db.Rmdir))
}

type removeFunc func(context.Context, meta.UnlinkArgs, meta.Durability) (meta.Removed, error)

func (f *FS) remove(ctx context.Context, a *Actor, parent Ino, name string, rm removeFunc) error {
	if err := f.allow(a, accessWrite); err != nil {
		return err
	}
	path, err := f.lockedPath(ctx, a, parent, name)
	if err != nil {
		return err
	}
	r := f.table.reaper()
	done, err := rm(ctx, meta.UnlinkArgs{Parent: parent, Name: name, Keep: r.keep, Origin: a.Origin}, durabilityFor(a))
	r.done()
	if err != nil {
		return err
	}
	if done.Orphan {
		f.orphan(ctx, done.Attr.Ino)
	}
	if a.Mount {
		f.departed.add(done.Attr)
	}
	f.discardAfter(a, done.Staging...)
	f.dropLocks(ctx, a, path)
	f.emit(Event{Op: "delete", Ino: done.Attr.Ino, Parent: parent, Name: name, Entry: true, Attrs: true, Origin: a.Origin})
	return nil
}

// Rename moves an entry, atomically and at the same cost for a file and a directory of a million.
func (f *FS) Rename(ctx context.Context, a *Actor, oldParent Ino, oldName string, newParent Ino, newName string, flags RenameFlags) error {
	args := meta.RenameArgs{OldParent: oldParent, OldName: oldName, NewParent: newParent, NewName: newName, Origin: a.Origin}
	switch flags {
	case 0:
	case RenameNoReplace:
		args.Flags = meta.RenameNoReplace
	case RenameExchange:
		args.Flags = meta.RenameExchange
	default:
		return fail("rename", oldName, syscall.EINVAL)
	}
	_, err := f.rename(detach(ctx), a, args)
	return fail("rename", oldName, err)
}

// rename checks rights and locks at both ends, since a move is a delete at the source and a create at the target.
func (f *FS) rename(ctx context.Context, a *Actor, args meta.RenameArgs) (meta.Renamed, error) {
	if err := f.allow(a, accessWrite); err != nil {
		return meta.Renamed{}, err
	}
	from, err := f.lockedPath(ctx, a, args.OldParent, args.OldName)
	if err != nil {
		return meta.Renamed{}, err
	}
	to, err := f.lockedPath(ctx, a, args.NewParent, args.NewName)
	if err != nil {
		return meta.Renamed{}, err
	}
	if err := f.checkReplaced(ctx, a, args, to); err != nil {
		return meta.Renamed{}, err
	}
	r := f.table.reaper()
	r.linger = args.Flags&meta.RenameTree == 0 && f.lingering.room()
	args.Keep = r.keep
	done, err := f.db.Rename(ctx, args, durabilityFor(a))
	r.done()
	defer f.linger(r.held)
	if err != nil {
		return done, err
	}
	if done.ReplacedOrphan && done.Replaced != nil {
		f.orphan(ctx, done.Replaced.Ino)
	}
	if a.Mount && done.Replaced != nil {
		f.departed.add(*done.Replaced)
	}
	f.orphan(ctx, done.Orphans...)
	f.discardAfter(a, done.Staging...)
	f.dropLocks(ctx, a, from)
	f.dropLocks(ctx, a, to)
	f.emitRename(a, args, done)
	return done, nil
}

func (f *FS) emitRename(a *Actor, args meta.RenameArgs, done meta.Renamed) {
	if isDir(done.Moved) || done.Replaced != nil && isDir(*done.Replaced) {
		f.dirs.moved()
	}
	f.emit(Event{
		Op: "rename", Ino: done.Moved.Ino, Parent: args.NewParent, Name: args.NewName,
		OldParent: args.OldParent, OldName: args.OldName, Entry: true, Attrs: true, Origin: a.Origin,
	})
	if done.Replaced != nil {
		f.emit(Event{Op: "attr", Ino: done.Replaced.Ino, Attrs: true, Origin: a.Origin})
	}
}

// ReadDir lists a directory from a cursor on (0 is the start), without "." and "..", at most limit entries. The order is stable while
// entries come and go; an empty answer is the end.
func (f *FS) ReadDir(ctx context.Context, a *Actor, dir Ino, after uint64, limit int) ([]Dirent, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, fail("readdir", "", err)
	}
	open := f.table.views() // first: a commit that ends meanwhile may have come too late for the list
	list, err := f.db.ReadDir(ctx, dir, after, limit)
	if err != nil || !a.Mount {
		return list, fail("readdir", "", err)
	}
	for i := range list {
		ino := list[i].Attr.Ino
		if !open[ino] && f.table.viewOf(ino) == nil {
			continue
		}
		attr, err := f.live(a, func() (Attr, error) { return f.db.GetAttr(ctx, ino) })
		if ignore(err, syscall.ENOENT) != nil {
			return nil, fail("readdir", "", err)
		}
		if err == nil {
			list[i].Attr = attr
		}
	}
	return list, nil
}

// ReadNames is ReadDir with no more than name, number and mode of each entry, none of which depends on what is being written.
func (f *FS) ReadNames(ctx context.Context, a *Actor, dir Ino, after uint64, limit int) ([]Dirent, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, fail("readdir", "", err)
	}
	list, err := f.db.ReadNames(ctx, dir, after, limit)
	return list, fail("readdir", "", err)
}

// SyncDir makes the names in a directory survive power loss (fsync of a directory).
func (f *FS) SyncDir(ctx context.Context, a *Actor, dir Ino) error {
	return fail("fsync", "", errors.Join(f.staging.syncDir(), f.db.Flush(detach(ctx))))
}
