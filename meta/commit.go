package meta

import (
	"context"
	"syscall"
)

// target is where a commit goes.
type target struct {
	node Attr   // as it was, zero when it has to be made
	dir  Attr   // of a new node
	name string // "" when the node was named by its number
}

// Commit makes bytes the current version of a file, which it makes when there is none. It is a compare-and-swap:
// a.Check and a.Expect look at the file in the same transaction.
func (db *DB) Commit(ctx context.Context, a CommitArgs, d Durability) (out Committed, err error) {
	err = db.update(ctx, d, func(t *tx) error {
		out = Committed{}
		to, err := t.findTarget(a)
		if err != nil {
			return err
		}
		if err := t.require(a.If); err != nil {
			return err
		}
		if err := a.admit(to.node); err != nil {
			return err
		}
		out, err = t.commit(a, to, d)
		return err
	})
	return out, err
}

// findTarget finds the node to replace, or the free name to use. A caller with an AltName never replaces anything.
func (t *tx) findTarget(a CommitArgs) (to target, err error) {
	if a.Ino != 0 {
		to.node, err = t.attr(a.Ino)
		if err == nil && to.node.Nlink == 0 && !a.AllowOrphan {
			err = syscall.ENOENT
		}
		return to, err
	}
	if to.dir, err = t.liveDir(a.Parent); err != nil {
		return to, err
	}
	for _, to.name = range []string{a.Name, a.AltName} {
		if err = checkName(to.name); err != nil {
			return to, err
		}
		var taken bool
		if to.node, taken, err = t.child(a.Parent, to.name); err != nil || !taken {
			return to, err
		}
		if a.AltName == "" {
			break
		}
	}
	if a.NoReplace || a.AltName != "" {
		err = syscall.EEXIST
	}
	return to, err
}

// admit asks everything that may refuse the commit, the caller's own check first: it may have to hide the rest.
func (a CommitArgs) admit(n Attr) error {
	cur := &n
	if n.Ino == 0 {
		cur = nil
	}
	if a.Check != nil {
		if err := a.Check(cur); err != nil {
			return err
		}
	}
	if cur != nil && n.IsDir() {
		return syscall.EISDIR
	}
	if cur != nil && !n.IsRegular() {
		return syscall.EINVAL
	}
	if a.Expect != nil && n.Version != *a.Expect {
		return syscall.ESTALE
	}
	return nil
}

// commit writes a version that admit has let pass.
func (t *tx) commit(a CommitArgs, to target, d Durability) (out Committed, err error) {
	out.Version = Version{
		ID: t.newVersion(), GUID: a.GUID, Key: a.Key, Size: a.Size, State: a.State, Staging: a.Staging, Sum: a.Sum, MD5: a.MD5,
		Created: t.now, Synced: d == Durable, Firm: a.Firm,
	}
	out.Name, out.Created = to.name, to.node.Ino == 0
	op := opUpdate
	if out.Created {
		op = opCreate
		out.Attr, err = t.commitNew(a, to, &out.Version)
	} else {
		err = t.commitOver(a, to.node, &out)
	}
	if err != nil {
		return Committed{}, err
	}
	if err := t.insertVersion(out.Version, a.Redo); err != nil {
		return Committed{}, err
	}
	if err := t.putObject(out.Version.ID, a.Object); err != nil {
		return Committed{}, err
	}
	if err := t.commitProps(out.Attr.Ino, a); err != nil {
		return Committed{}, err
	}
	return out, t.change(op, out.Attr.Ino, out.Attr.Parent, to.name, a.Origin)
}

// commitNew makes the node with its content at once, instead of an empty one that is updated.
func (t *tx) commitNew(a CommitArgs, to target, v *Version) (Attr, error) {
	n := t.newNode(to.dir, CreateArgs{Mode: syscall.S_IFREG | a.Mode&^syscall.S_IFMT, UID: a.UID, GID: a.GID})
	a.stamp(&n, v.ID, t.now)
	v.Ino = n.Ino
	if err := t.addName(n, to.name); err != nil {
		return Attr{}, err
	}
	return n, t.insertNode(n, nameHash(to.name), "")
}

// commitOver retires the version that was current and points the node to the new one.
func (t *tx) commitOver(a CommitArgs, n Attr, out *Committed) error {
	out.Version.Ino = n.Ino
	out.Attr = n
	a.stamp(&out.Attr, out.Version.ID, t.now)
	if n.Version != 0 {
		old, err := t.version(n.Version)
		if err != nil {
			return err
		}
		out.Old = &old
		if out.Staging, err = t.retire(old, a); err != nil {
			return err
		}
	}
	if a.Drop != 0 && a.Drop != n.Version {
		if err := t.dropVersion(a, n.Ino); err != nil {
			return err
		}
	}
	if err := t.store(out.Attr); err != nil {
		return err
	}
	return t.resized(n, out.Attr)
}

// stamp gives a node the size and times of its new content. The change time is never the caller's to choose.
func (a CommitArgs) stamp(n *Attr, version, now int64) {
	n.Version, n.Size, n.Ctime, n.Mtime = version, a.Size, now, now
	set(&n.Mtime, a.Mtime)
	set(&n.Atime, a.Atime)
}

// retire replaces a version. Its row stays as gone, so that its GUID resolves, unless a.Drop says that its bytes are
// those of the new one. It returns the staging file that nothing refers to any more.
func (t *tx) retire(old Version, a CommitArgs) (staging []string, err error) {
	keys, err := t.keysOf(old)
	if err != nil {
		return nil, err
	}
	if old.ID == a.Drop {
		err = t.run("DELETE FROM versions WHERE id = ?", old.ID)
	} else {
		err = t.run("UPDATE versions SET state = 4, staging = '' WHERE id = ?", old.ID)
	}
	if err != nil {
		return nil, err
	}
	if old.State == StateRedo {
		if err := t.run("DELETE FROM redos WHERE version = ?", old.ID); err != nil {
			return nil, err
		}
	}
	if old.Staging != "" && old.Staging != a.Staging {
		staging = []string{old.Staging}
	}
	return staging, t.intendUnused(keys, a)
}

// intendUnused plans to delete objects of a replaced version, but not those that the new one uses.
func (t *tx) intendUnused(keys []string, a CommitArgs) error {
	for _, key := range keys {
		if key == "" || key == a.Key || a.Redo != nil && key == a.Redo.BaseKey {
			continue
		}
		live, err := t.liveKey(key)
		if err != nil {
			return err
		}
		if live {
			continue
		}
		if err := t.intend(key); err != nil {
			return err
		}
	}
	return nil
}

// dropVersion removes the row of an earlier version that was replaced before.
func (t *tx) dropVersion(a CommitArgs, ino Ino) error {
	v, err := t.version(a.Drop)
	if err == syscall.ENOENT || err == nil && v.Ino != ino {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = t.retire(v, a)
	return err
}

// insertVersion adds the row, and the record without which a StateRedo version could not be finished after a crash.
func (t *tx) insertVersion(v Version, redo *Redo) error {
	err := t.run(`INSERT INTO versions (id, ino, state, size, created, synced, firm, kh, gh, guid, key, staging, sum, md5)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.ID, v.Ino, v.State, v.Size, v.Created, v.Synced, v.Firm, keyPlace(v.Key), extraPlace(v.GUID, v.Key), v.GUID, v.Key, v.Staging,
		v.Sum, v.MD5)
	if err != nil || v.State != StateRedo || redo == nil {
		return err
	}
	return t.run("INSERT INTO redos (version, base_key, ranges) VALUES (?, ?, ?)", v.ID, redo.BaseKey, blob(redo.Ranges))
}

// commitProps replaces whole spaces where the caller names them, so that a PUT does not inherit old properties.
func (t *tx) commitProps(ino Ino, a CommitArgs) error {
	for _, space := range a.ClearProps {
		if err := t.run("DELETE FROM props WHERE ino = +? AND space = +?", ino, space); err != nil {
			return err
		}
	}
	return t.setProps(ino, a.Props)
}
