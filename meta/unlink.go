package meta

import (
	"context"
	"fmt"
	"syscall"
)

// Unlink removes a name of anything but a directory. A node without names left is deleted with all that belongs to
// it, or stays as an orphan when a.Keep says that it is open.
func (db *DB) Unlink(ctx context.Context, a UnlinkArgs, d Durability) (Removed, error) {
	return db.remove(ctx, a, d, func(_ *tx, n Attr) error {
		if n.IsDir() {
			return syscall.EISDIR
		}
		return nil
	})
}

// Rmdir removes an empty directory. An open one may be kept like a file: nothing can be made in it any more.
func (db *DB) Rmdir(ctx context.Context, a UnlinkArgs, d Durability) (Removed, error) {
	return db.remove(ctx, a, d, func(t *tx, n Attr) error {
		if !n.IsDir() {
			return syscall.ENOTDIR
		}
		return t.needEmpty(n.Ino)
	})
}

// needEmpty asks for any entry: the link count tells only of subdirectories.
func (t *tx) needEmpty(dir Ino) error {
	_, some, err := t.one("SELECT 1 FROM entries WHERE parent = +? LIMIT 1", dir)
	if err == nil && some {
		err = syscall.ENOTEMPTY
	}
	return err
}

// remove is what Unlink and Rmdir share; kind refuses nodes that are not the method's.
func (db *DB) remove(ctx context.Context, a UnlinkArgs, d Durability, kind func(*tx, Attr) error) (out Removed, err error) {
	err = db.updateFreeing(ctx, d, func(t *tx) error {
		if _, err := t.dir(a.Parent); err != nil {
			return err
		}
		n, err := t.needChild(a.Parent, a.Name)
		if err != nil {
			return err
		}
		if err := kind(t, n); err != nil {
			return err
		}
		if a.Check != nil {
			if err := a.Check(n); err != nil {
				return err
			}
		}
		if out, err = t.unlinkNode(n, a.Parent, a.Name, a.Keep); err != nil {
			return err
		}
		if err := t.touchDir(a.Parent, -subdirs(n)); err != nil {
			return err
		}
		return t.change(opDelete, n.Ino, a.Parent, a.Name, a.Origin)
	})
	return out, err
}

// unlinkNode removes one name of a node, and the node with its last one. The caller touches the directory.
func (t *tx) unlinkNode(n Attr, parent Ino, name string, keep func(Ino) bool) (Removed, error) {
	err := t.run("DELETE FROM entries WHERE parent = ? AND h = ? AND name = ?", parent, nameHash(name), []byte(name))
	if err != nil {
		return Removed{}, err
	}
	n.Ctime = t.now
	if n.Nlink > 1 && !n.IsDir() {
		n.Nlink--
		if n.Parent, err = t.placeAgain(n); err != nil {
			return Removed{}, err
		}
		return Removed{Attr: n}, t.store(n)
	}
	if err := t.countNode(n, -1); err != nil {
		return Removed{}, err
	}
	n.Nlink, n.Parent = 0, 0
	if keep != nil && keep(n.Ino) {
		return Removed{Attr: n, Orphan: true}, t.orphan(n)
	}
	staging, err := t.deleteNode(n)
	return Removed{Attr: n, Staging: staging}, err
}

// placeAgain gives a node that lost one of several names the place of another, in its present directory if it can.
func (t *tx) placeAgain(n Attr) (Ino, error) {
	r, ok, err := t.one(`SELECT parent, h FROM entries WHERE kind = 1 AND ino = +? ORDER BY parent = +? DESC LIMIT 1`,
		n.Ino, n.Parent)
	if err == nil && !ok {
		err = fmt.Errorf("meta: node %d has link count %d and no names: %w", n.Ino, n.Nlink, syscall.EIO)
	}
	if err != nil {
		return 0, err
	}
	parent := Ino(r.int(0))
	return parent, t.place(n.Ino, parent, uint64(r.int(1)))
}

// orphan keeps a node that is open. For the APIs it is gone.
func (t *tx) orphan(n Attr) error {
	if err := t.store(n); err != nil {
		return err
	}
	if err := t.place(n.Ino, 0, 0); err != nil {
		return err
	}
	return t.run("DELETE FROM bso WHERE ino = +?", n.Ino)
}

// deleteNode deletes a node with all that belongs to it. Its objects get intents, its staging files are returned.
func (t *tx) deleteNode(n Attr) (staging []string, err error) {
	if n.Version != 0 {
		if staging, err = t.deleteVersions(n); err != nil {
			return nil, err
		}
	}
	for _, text := range []string{
		"DELETE FROM xattrs WHERE ino = +?",
		"DELETE FROM props WHERE ino = +?",
		"DELETE FROM bso WHERE ino = +?",
		"DELETE FROM nodes WHERE ino = ?",
	} {
		if err := t.run(text, n.Ino); err != nil {
			return nil, err
		}
	}
	return staging, nil
}

// deleteVersions leaves an intent for every object that may hold bytes of the node. Replaced versions have had theirs.
func (t *tx) deleteVersions(n Attr) (staging []string, err error) {
	v, err := t.version(n.Version)
	if err != nil && err != syscall.ENOENT { // a damaged file can be removed
		return nil, err
	}
	keys, err := t.keysOf(v)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if err := t.intend(key); err != nil {
			return nil, err
		}
	}
	if v.Staging != "" {
		staging = []string{v.Staging}
	}
	if v.State == StateRedo {
		if err := t.run("DELETE FROM redos WHERE version = ?", v.ID); err != nil {
			return nil, err
		}
	}
	if err := t.run("DELETE FROM versions WHERE id = ?", v.ID); err != nil {
		return nil, err
	}
	return staging, t.run("DELETE FROM versions WHERE state = 4 AND ino = +?", n.Ino)
}

// Orphans returns the nodes that have no name: left by a crash while they were open.
func (db *DB) Orphans(ctx context.Context) ([]Attr, error) {
	return list(ctx, db, scanAttr, "SELECT "+attrCols+" FROM nodes n WHERE n.nlink = 0 ORDER BY n.ino")
}

// DropOrphan deletes a node that lost its last name while it was open. A node with a name is EINVAL.
func (db *DB) DropOrphan(ctx context.Context, ino Ino, d Durability) (out Removed, err error) {
	err = db.updateFreeing(ctx, d, func(t *tx) error {
		n, err := t.attr(ino)
		if err != nil {
			return err
		}
		if n.Nlink != 0 {
			return syscall.EINVAL
		}
		staging, err := t.deleteNode(n)
		out = Removed{Attr: n, Staging: staging}
		return err
	})
	return out, err
}
