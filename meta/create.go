package meta

import (
	"context"
	"syscall"
)

// maxLinks is the number of names one file may have.
const maxLinks = 65000

// Create makes a file, directory, symlink or special file, and returns it. A directory with the setgid bit gives its
// group to new nodes and the bit to new directories.
func (db *DB) Create(ctx context.Context, a CreateArgs, d Durability) (n Attr, err error) {
	if err := a.check(); err != nil {
		return Attr{}, err
	}
	err = db.update(ctx, d, func(t *tx) error {
		n, err = t.create(a)
		return err
	})
	return n, err
}

// check refuses what no state of the database could make right, before the writer is locked.
func (a CreateArgs) check() error {
	switch a.Mode & syscall.S_IFMT {
	case syscall.S_IFREG, syscall.S_IFIFO, syscall.S_IFSOCK, syscall.S_IFCHR, syscall.S_IFBLK:
	case syscall.S_IFDIR, syscall.S_IFLNK:
		if a.Tmpfile {
			return syscall.EINVAL
		}
	default:
		return syscall.EINVAL
	}
	if a.Tmpfile {
		return nil
	}
	return checkName(a.Name)
}

// create inserts the name first: it is what may fail.
func (t *tx) create(a CreateArgs) (Attr, error) {
	dir, err := t.liveDir(a.Parent)
	if err != nil {
		return Attr{}, err
	}
	if err := t.require(a.If); err != nil {
		return Attr{}, err
	}
	n := t.newNode(dir, a)
	if a.Tmpfile {
		return n, t.insertNode(n, 0, "")
	}
	if err := t.addName(n, a.Name); err != nil {
		return Attr{}, err
	}
	if err := t.insertNode(n, nameHash(a.Name), a.Target); err != nil {
		return Attr{}, err
	}
	return n, t.change(opCreate, n.Ino, n.Parent, a.Name, a.Origin)
}

// liveDir returns a directory that can take new names: one that was not removed while it is open.
func (t *tx) liveDir(ino Ino) (Attr, error) {
	dir, err := t.dir(ino)
	if err == nil && dir.Nlink == 0 {
		err = syscall.ENOENT
	}
	return dir, err
}

// newNode decides what a node inherits and with how many links it starts: a directory has its own "." already.
func (t *tx) newNode(dir Attr, a CreateArgs) Attr {
	n := Attr{
		Ino: t.newIno(), Tenant: dir.Tenant, Parent: dir.Ino, Mode: a.Mode, Nlink: 1, UID: a.UID, GID: a.GID, Rdev: a.Rdev,
		Atime: t.now, Mtime: t.now, Ctime: t.now, Btime: t.now,
	}
	if dir.Mode&syscall.S_ISGID != 0 {
		n.GID = dir.GID
	}
	switch {
	case a.Tmpfile:
		n.Nlink, n.Parent = 0, 0
	case n.IsDir():
		n.Nlink = 2
		n.Mode |= dir.Mode & syscall.S_ISGID
	case n.IsSymlink():
		n.Size = int64(len(a.Target))
	}
	return n
}

// addName gives a new node its name in n.Parent and counts it.
func (t *tx) addName(n Attr, name string) error {
	if err := t.insertEntry(n.Parent, name, n); err != nil {
		return err
	}
	if err := t.touchDir(n.Parent, subdirs(n)); err != nil {
		return err
	}
	return t.countNode(n, 1)
}

// subdirs is what a node adds to the link count of the directory that it is in: its "..".
func subdirs(n Attr) int64 {
	if n.IsDir() {
		return 1
	}
	return 0
}

// entryKind marks what must be found without the node: directories, to walk down a tree, and the entries of files that
// have several.
func entryKind(n Attr) int {
	switch {
	case n.IsDir():
		return 2
	case n.Nlink > 1:
		return 1
	}
	return 0
}

// insertEntry adds a name, or returns EEXIST: the primary key asks, which saves a query.
func (t *tx) insertEntry(parent Ino, name string, n Attr) error {
	err := t.run("INSERT INTO entries (parent, h, name, ino, kind) VALUES (?, ?, ?, ?, ?)",
		parent, nameHash(name), []byte(name), n.Ino, entryKind(n))
	if isTaken(err) {
		return syscall.EEXIST
	}
	return err
}

// insertNode adds a node whose newest name has the hash h, 0 without one.
func (t *tx) insertNode(n Attr, h uint64, target string) error {
	var to any
	if n.IsSymlink() {
		to = []byte(target)
	}
	return t.run(`INSERT INTO nodes (ino, tenant, parent, h, mode, nlink, uid, gid, rdev, size, atime, mtime, ctime, btime,
		version, target) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		n.Ino, n.Tenant, n.Parent, h, n.Mode, n.Nlink, n.UID, n.GID, n.Rdev, n.Size, n.Atime, n.Mtime, n.Ctime, n.Btime,
		n.Version, to)
}

// touchDir records that the entries of a directory changed.
func (t *tx) touchDir(ino Ino, subdirs int64) error {
	return t.run("UPDATE nodes SET mtime = ?, ctime = ?, nlink = nlink + ? WHERE ino = ?", t.now, t.now, subdirs, ino)
}

// Link gives a file one more name and returns its attributes.
func (db *DB) Link(ctx context.Context, a LinkArgs, d Durability) (n Attr, err error) {
	if err := checkName(a.Name); err != nil {
		return Attr{}, err
	}
	err = db.update(ctx, d, func(t *tx) error {
		n, err = t.link(a)
		return err
	})
	return n, err
}

// link adds a name. Directories have one, or the tree would not be one.
func (t *tx) link(a LinkArgs) (Attr, error) {
	n, err := t.attr(a.Ino)
	if err != nil {
		return Attr{}, err
	}
	dir, err := t.liveDir(a.Parent)
	if err != nil {
		return Attr{}, err
	}
	switch {
	case n.IsDir():
		return Attr{}, syscall.EPERM
	case n.Nlink == 0 && !a.Tmpfile:
		return Attr{}, syscall.ENOENT
	case n.Nlink >= maxLinks:
		return Attr{}, syscall.EMLINK
	case n.Tenant != dir.Tenant:
		return Attr{}, syscall.EXDEV
	}
	if err := t.addLink(n, dir.Ino, a.Name); err != nil {
		return Attr{}, err
	}
	n.Nlink, n.Parent, n.Ctime = n.Nlink+1, dir.Ino, t.now
	if err := t.store(n); err != nil {
		return Attr{}, err
	}
	if err := t.touchDir(dir.Ino, 0); err != nil {
		return Attr{}, err
	}
	return n, t.change(opLink, n.Ino, dir.Ino, a.Name, a.Origin)
}

// addLink adds an entry for a node that has some, or none when it was a temporary file.
func (t *tx) addLink(n Attr, dir Ino, name string) error {
	if n.Nlink == 0 {
		if err := t.countNode(n, 1); err != nil {
			return err
		}
	}
	if n.Nlink == 1 {
		err := t.run(`UPDATE entries SET kind = 1 WHERE ino = ?1 AND (parent, h) =
			(SELECT n.parent, n.h FROM nodes n WHERE n.ino = ?1)`, n.Ino)
		if err != nil {
			return err
		}
	}
	n.Nlink++
	if err := t.insertEntry(dir, name, n); err != nil {
		return err
	}
	return t.place(n.Ino, dir, nameHash(name))
}

// placeNow is place for a node that is moved, which changes its change time.
func (t *tx) placeNow(ino, parent Ino, h uint64) error {
	return t.run("UPDATE nodes SET parent = ?, h = ?, ctime = ? WHERE ino = ?", parent, h, t.now, ino)
}

// place records the newest name of a node, or with zeros that it has none.
func (t *tx) place(ino, parent Ino, h uint64) error {
	return t.run("UPDATE nodes SET parent = ?, h = ? WHERE ino = ?", parent, h, ino)
}
