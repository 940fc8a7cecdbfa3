package meta

import (
	"context"
	"strings"
	"syscall"
)

// attrCols are the columns that scanAttr reads; the table is called n.
const attrCols = `n.ino, n.tenant, n.parent, n.mode, n.nlink, n.uid, n.gid, n.rdev, n.size,
	n.atime, n.mtime, n.ctime, n.btime, n.version`

// attrLen is the number of attrCols, where the columns of a join go on.
const attrLen = 14

func scanAttr(r row) Attr {
	return Attr{
		Ino: Ino(r.int(0)), Tenant: r.int(1), Parent: Ino(r.int(2)), Mode: uint32(r.int(3)), Nlink: uint32(r.int(4)),
		UID: uint32(r.int(5)), GID: uint32(r.int(6)), Rdev: uint32(r.int(7)), Size: r.int(8),
		Atime: r.int(9), Mtime: r.int(10), Ctime: r.int(11), Btime: r.int(12), Version: r.int(13),
	}
}

// IsDir says that the node is a directory.
func (a Attr) IsDir() bool { return a.Mode&syscall.S_IFMT == syscall.S_IFDIR }

// IsRegular says that the node is a regular file.
func (a Attr) IsRegular() bool { return a.Mode&syscall.S_IFMT == syscall.S_IFREG }

// IsSymlink says that the node is a symbolic link.
func (a Attr) IsSymlink() bool { return a.Mode&syscall.S_IFMT == syscall.S_IFLNK }

// checkName refuses what cannot be the name of a new entry.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return syscall.EINVAL
	}
	if len(name) > MaxName {
		return syscall.ENAMETOOLONG
	}
	return nil
}

// attr returns a node, or ENOENT.
func (c *conn) attr(ino Ino) (Attr, error) {
	r, ok, err := c.one("SELECT "+attrCols+" FROM nodes n WHERE n.ino = ?", ino)
	if err != nil {
		return Attr{}, err
	}
	if !ok {
		return Attr{}, syscall.ENOENT
	}
	return scanAttr(r), nil
}

// dir returns a directory, or ENOENT or ENOTDIR.
func (c *conn) dir(ino Ino) (Attr, error) {
	a, err := c.attr(ino)
	if err == nil && !a.IsDir() {
		err = syscall.ENOTDIR
	}
	return a, err
}

// child returns the node with a name in a directory, or false.
func (c *conn) child(parent Ino, name string) (Attr, bool, error) {
	r, ok, err := c.one("SELECT "+attrCols+` FROM nodes n WHERE n.ino =
		(SELECT e.ino FROM entries e WHERE e.parent = ? AND e.h = ? AND e.name = ?)`, parent, nameHash(name), []byte(name))
	if err != nil || !ok {
		return Attr{}, false, err
	}
	return scanAttr(r), true, nil
}

// needChild is child for a name that must exist.
func (c *conn) needChild(parent Ino, name string) (Attr, error) {
	a, ok, err := c.child(parent, name)
	if err == nil && !ok {
		err = syscall.ENOENT
	}
	return a, err
}

// Lookup finds a name in a directory.
func (db *DB) Lookup(ctx context.Context, parent Ino, name string) (a Attr, err error) {
	err = db.glance(ctx, func(c *conn) error {
		var ok bool
		if a, ok, err = c.child(parent, name); err != nil || ok {
			return err
		}
		// Only directories have entries, so that the parent needs a look only when nothing was found.
		if _, err := c.dir(parent); err != nil {
			return err
		}
		return syscall.ENOENT
	})
	return a, err
}

// GetAttr returns a node, also one without a name that is still open.
func (db *DB) GetAttr(ctx context.Context, ino Ino) (a Attr, err error) {
	err = db.glance(ctx, func(c *conn) error {
		a, err = c.attr(ino)
		return err
	})
	return a, err
}

// Readlink returns the target of a symbolic link, and EINVAL for any other node.
func (db *DB) Readlink(ctx context.Context, ino Ino) (target string, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, ok, err := c.one("SELECT mode, target FROM nodes WHERE ino = ?", ino)
		if err != nil {
			return err
		}
		if !ok {
			return syscall.ENOENT
		}
		if r.int(0)&syscall.S_IFMT != syscall.S_IFLNK {
			return syscall.EINVAL
		}
		target = r.text(1)
		return nil
	})
	return target, err
}

// SetAttr changes the attributes that are given and returns all of them.
func (db *DB) SetAttr(ctx context.Context, ino Ino, s SetAttr, origin string, d Durability) (a Attr, err error) {
	err = db.update(ctx, d, func(t *tx) error {
		if a, err = t.attr(ino); err != nil {
			return err
		}
		old := a
		if err := s.apply(&a, t.now); err != nil {
			return err
		}
		if err := t.store(a); err != nil {
			return err
		}
		if err := t.resized(old, a); err != nil {
			return err
		}
		return t.change(opAttr, ino, a.Parent, "", origin)
	})
	return a, err
}

// apply sets what is given. A size belongs to bytes, so only regular files take one.
func (s SetAttr) apply(a *Attr, now int64) error {
	if s.Size != nil && !a.IsRegular() {
		if a.IsDir() {
			return syscall.EISDIR
		}
		return syscall.EINVAL
	}
	if s.Size != nil && *s.Size < 0 {
		return syscall.EINVAL
	}
	if s.Mode != nil {
		a.Mode = a.Mode&syscall.S_IFMT | *s.Mode&^syscall.S_IFMT
	}
	set(&a.UID, s.UID)
	set(&a.GID, s.GID)
	set(&a.Size, s.Size)
	set(&a.Atime, s.Atime)
	set(&a.Mtime, s.Mtime)
	a.Ctime = now
	set(&a.Ctime, s.Ctime)
	return nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// store writes what may change in a node except its place.
func (t *tx) store(a Attr) error {
	return t.run(`UPDATE nodes SET mode = ?, nlink = ?, uid = ?, gid = ?, size = ?,
		atime = ?, mtime = ?, ctime = ?, version = ? WHERE ino = ?`,
		a.Mode, a.Nlink, a.UID, a.GID, a.Size, a.Atime, a.Mtime, a.Ctime, a.Version, a.Ino)
}

// resized keeps the tenant's bytes right after a change of a node's size.
func (t *tx) resized(old, now Attr) error {
	if !now.IsRegular() || now.Nlink == 0 {
		return nil
	}
	return t.count(counts{tenant: now.Tenant, bytes: now.Size - old.Size})
}

// Touch updates sizes and times of files that are being written, without entries in the change feed. Numbers that are
// gone are skipped.
func (db *DB) Touch(ctx context.Context, updates []TimeUpdate, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		for _, u := range updates {
			if err := t.touch(u); err != nil && err != syscall.ENOENT {
				return err
			}
		}
		return nil
	})
}

// touch skips nodes without a change, so that a batch of them costs no write.
func (t *tx) touch(u TimeUpdate) error {
	a, err := t.attr(u.Ino)
	if err != nil {
		return err
	}
	old := a
	if u.Size >= 0 && a.IsRegular() {
		a.Size = u.Size
	}
	if u.Mtime != 0 {
		a.Mtime, a.Ctime = u.Mtime, t.now
	}
	if a == old {
		return nil
	}
	if err := t.store(a); err != nil {
		return err
	}
	return t.resized(old, a)
}
