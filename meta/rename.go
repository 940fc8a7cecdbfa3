package meta

import (
	"context"
	"syscall"
)

// move is a rename while it runs.
type move struct {
	RenameArgs
	from, to Attr // the two directories
	src      Attr
	dst      *Attr // nil when the target is free
}

// Rename moves a node to another name, as rename(2) does; a.Flags changes what happens to an existing target. It
// costs the same for a file and for a directory of any size.
func (db *DB) Rename(ctx context.Context, a RenameArgs, d Durability) (out Renamed, err error) {
	if err := a.check(); err != nil {
		return Renamed{}, err
	}
	err = db.update(ctx, d, func(t *tx) error {
		m, err := t.findMove(a)
		if err != nil {
			return err
		}
		if a.Check != nil {
			if err := a.Check(m.src, m.dst); err != nil {
				return err
			}
		}
		if err := t.require(a.If); err != nil {
			return err
		}
		out, err = t.rename(m)
		return err
	})
	return out, err
}

// check refuses names and flags before the writer is locked.
func (a RenameArgs) check() error {
	if err := checkName(a.OldName); err != nil {
		return err
	}
	switch a.Flags {
	case 0, RenameNoReplace, RenameExchange, RenameTree:
		return checkName(a.NewName)
	}
	return syscall.EINVAL
}

// findMove reads both directories and both nodes. A removed directory that is open takes no new names.
func (t *tx) findMove(a RenameArgs) (m move, err error) {
	m.RenameArgs = a
	if m.from, err = t.dir(a.OldParent); err != nil {
		return m, err
	}
	if m.to, err = t.liveDir(a.NewParent); err != nil {
		return m, err
	}
	if m.from.Tenant != m.to.Tenant {
		return m, syscall.EXDEV
	}
	if m.src, err = t.needChild(a.OldParent, a.OldName); err != nil {
		return m, err
	}
	dst, ok, err := t.child(a.NewParent, a.NewName)
	if ok {
		m.dst = &dst
	}
	return m, err
}

// rename answers in the order of rename(2): existence, sameness, loops, then kinds and contents.
func (t *tx) rename(m move) (Renamed, error) {
	switch {
	case m.dst != nil && m.Flags == RenameNoReplace:
		return Renamed{}, syscall.EEXIST
	case m.dst == nil && m.Flags == RenameExchange:
		return Renamed{}, syscall.ENOENT
	case m.dst != nil && m.dst.Ino == m.src.Ino:
		return t.renameToItself(m)
	}
	if err := t.checkLoops(m); err != nil {
		return Renamed{}, err
	}
	if m.Flags == RenameExchange {
		return t.exchange(m)
	}
	return t.replace(m)
}

// renameToItself is rename between two names of one file: POSIX wants no change at all. MOVE with Overwrite means the
// old name to go.
func (t *tx) renameToItself(m move) (Renamed, error) {
	same := m.OldParent == m.NewParent && m.OldName == m.NewName
	if m.Flags != RenameTree || same {
		return Renamed{Moved: m.src}, nil
	}
	gone, err := t.unlinkNode(m.src, m.OldParent, m.OldName, m.Keep)
	if err != nil {
		return Renamed{}, err
	}
	if err := t.touchDir(m.OldParent, 0); err != nil {
		return Renamed{}, err
	}
	if err := t.change(opLeave, m.src.Ino, m.OldParent, m.OldName, m.Origin); err != nil {
		return Renamed{}, err
	}
	return Renamed{Moved: gone.Attr}, t.change(opRename, m.src.Ino, m.NewParent, m.NewName, m.Origin)
}

// checkLoops refuses to move a directory into its own subtree, or to remove a tree that holds the source.
func (t *tx) checkLoops(m move) error {
	if m.OldParent == m.NewParent {
		return nil
	}
	if m.src.IsDir() {
		if err := t.refuseBelow(m.NewParent, m.src.Ino); err != nil {
			return err
		}
	}
	if m.dst != nil && m.dst.IsDir() && m.Flags != 0 {
		return t.refuseBelow(m.OldParent, m.dst.Ino)
	}
	return nil
}

// refuseBelow costs one search for each level above dir, and nothing for the size of the tree.
func (t *tx) refuseBelow(dir, top Ino) error {
	below, err := t.isBelow(dir, top)
	if err == nil && below {
		err = syscall.EINVAL
	}
	return err
}

// replace moves the source over the target, if there is one.
func (t *tx) replace(m move) (out Renamed, err error) {
	if m.dst != nil {
		if out, err = t.removeTarget(m); err != nil {
			return Renamed{}, err
		}
		// The removed tree may have held another name of the source.
		if m.src, err = t.attr(m.src.Ino); err != nil {
			return Renamed{}, err
		}
	}
	err = t.run("UPDATE entries SET parent = ?, h = ?, name = ? WHERE parent = ? AND h = ? AND name = ?",
		m.NewParent, nameHash(m.NewName), []byte(m.NewName), m.OldParent, nameHash(m.OldName), []byte(m.OldName))
	if err != nil {
		return Renamed{}, err
	}
	out.Moved = m.src
	out.Moved.Parent, out.Moved.Ctime = m.NewParent, t.now
	if err := t.placeNow(m.src.Ino, m.NewParent, nameHash(m.NewName)); err != nil {
		return Renamed{}, err
	}
	gone := int64(0)
	if m.dst != nil {
		gone = subdirs(*m.dst)
	}
	if err := t.touchBoth(m, -subdirs(m.src), subdirs(m.src)-gone); err != nil {
		return Renamed{}, err
	}
	if err := t.change(opLeave, m.src.Ino, m.OldParent, m.OldName, m.Origin); err != nil {
		return Renamed{}, err
	}
	return out, t.change(opRename, m.src.Ino, m.NewParent, m.NewName, m.Origin)
}

// removeTarget frees the new name, under the rules of POSIX or those of RenameTree.
func (t *tx) removeTarget(m move) (Renamed, error) {
	if m.Flags == RenameTree {
		gone, err := t.removeTree(*m.dst, m.NewParent, m.NewName, m.Keep)
		kept := len(gone.Orphans) > 0 && gone.Orphans[0] == m.dst.Ino
		return Renamed{Replaced: &gone.Root, ReplacedOrphan: kept, Staging: gone.Staging, Orphans: gone.Orphans}, err
	}
	if m.src.IsDir() {
		if !m.dst.IsDir() {
			return Renamed{}, syscall.ENOTDIR
		}
		if err := t.needEmpty(m.dst.Ino); err != nil {
			return Renamed{}, err
		}
	} else if m.dst.IsDir() {
		return Renamed{}, syscall.EISDIR
	}
	gone, err := t.unlinkNode(*m.dst, m.NewParent, m.NewName, m.Keep)
	out := Renamed{Replaced: &gone.Attr, ReplacedOrphan: gone.Orphan, Staging: gone.Staging}
	if gone.Orphan {
		out.Orphans = []Ino{m.dst.Ino}
	}
	return out, err
}

// exchange swaps the nodes of two names.
func (t *tx) exchange(m move) (Renamed, error) {
	src, dst := m.src, *m.dst
	src.Parent, src.Ctime = m.NewParent, t.now
	dst.Parent, dst.Ctime = m.OldParent, t.now
	if err := t.putAt(dst, m.OldName); err != nil {
		return Renamed{}, err
	}
	if err := t.putAt(src, m.NewName); err != nil {
		return Renamed{}, err
	}
	more := subdirs(src) - subdirs(dst)
	if err := t.touchBoth(m, -more, more); err != nil {
		return Renamed{}, err
	}
	if err := t.change(opRename, dst.Ino, m.OldParent, m.OldName, m.Origin); err != nil {
		return Renamed{}, err
	}
	return Renamed{Moved: src, Replaced: &dst}, t.change(opRename, src.Ino, m.NewParent, m.NewName, m.Origin)
}

// putAt lets the entry with a name in n.Parent point to n.
func (t *tx) putAt(n Attr, name string) error {
	err := t.run("UPDATE entries SET ino = ?, kind = ? WHERE parent = ? AND h = ? AND name = ?",
		n.Ino, entryKind(n), n.Parent, nameHash(name), []byte(name))
	if err != nil {
		return err
	}
	return t.placeNow(n.Ino, n.Parent, nameHash(name))
}

// touchBoth records the change in both directories, or once in the only one.
func (t *tx) touchBoth(m move, from, to int64) error {
	if m.OldParent == m.NewParent {
		return t.touchDir(m.OldParent, from+to)
	}
	if err := t.touchDir(m.OldParent, from); err != nil {
		return err
	}
	return t.touchDir(m.NewParent, to)
}
