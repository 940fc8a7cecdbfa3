package meta

import "context"

// RemoveTree removes a node with everything below it in one transaction. Files that have names elsewhere lose only
// those in the tree. It is one row of the change feed.
func (db *DB) RemoveTree(ctx context.Context, a RemoveTreeArgs, d Durability) (out RemovedTree, err error) {
	err = db.freeing(ctx, d, db.updateAlone, func(t *tx) error {
		if _, err := t.dir(a.Parent); err != nil {
			return err
		}
		root, err := t.needChild(a.Parent, a.Name)
		if err != nil {
			return err
		}
		if a.Check != nil {
			if err := a.Check(root); err != nil {
				return err
			}
		}
		if out, err = t.removeTree(root, a.Parent, a.Name, a.Keep); err != nil {
			return err
		}
		if err := t.touchDir(a.Parent, -subdirs(root)); err != nil {
			return err
		}
		return t.change(opDelete, root.Ino, a.Parent, a.Name, a.Origin)
	})
	return out, err
}

// removeTree removes a node and all below it. The caller touches the directory that it was in.
func (t *tx) removeTree(root Attr, parent Ino, name string, keep func(Ino) bool) (RemovedTree, error) {
	if !root.IsDir() {
		return t.removeLeaf(root, parent, name, keep)
	}
	out := RemovedTree{Root: root}
	out.Root.Nlink, out.Root.Parent, out.Root.Ctime = 0, 0, t.now
	err := t.run("DELETE FROM entries WHERE parent = ? AND h = ? AND name = ?", parent, nameHash(name), []byte(name))
	if err != nil {
		return out, err
	}
	if err := t.doom(root.Ino); err != nil {
		return out, err
	}
	if out.Files, err = t.countDoomed(root.Tenant); err != nil {
		return out, err
	}
	if out.Orphans, err = t.spareOpen(keep); err != nil {
		return out, err
	}
	if out.Staging, err = t.doomedStaging(); err != nil {
		return out, err
	}
	return out, t.deleteDoomed()
}

// removeLeaf is removeTree of anything but a directory.
func (t *tx) removeLeaf(n Attr, parent Ino, name string, keep func(Ino) bool) (RemovedTree, error) {
	gone, err := t.unlinkNode(n, parent, name, keep)
	out := RemovedTree{Root: gone.Attr, Staging: gone.Staging}
	if gone.Attr.Nlink == 0 {
		out.Files = 1
	}
	if gone.Orphan {
		out.Orphans = []Ino{n.Ino}
	}
	return out, err
}

// doom fills the table of nodes to delete with the tree below top, takes away its entries, and spares files that have
// other names.
func (t *tx) doom(top Ino) error {
	for _, s := range []step{
		{text: "DELETE FROM doomed"},
		{`INSERT INTO doomed (ino, links)
			WITH RECURSIVE dirs (ino) AS (
				VALUES (?)
				UNION ALL
				SELECT e.ino FROM dirs d CROSS JOIN entries e ON e.parent = d.ino WHERE e.kind = 2
			) SELECT ino, 1 FROM dirs`, []any{top}},
		{text: "INSERT INTO doomed_dirs SELECT ino FROM doomed"},
		{text: `INSERT INTO doomed (ino, links)
			SELECT e.ino, 1 FROM doomed_dirs d CROSS JOIN entries e ON e.parent = d.ino WHERE e.kind <> 2
			ON CONFLICT DO UPDATE SET links = links + 1`},
		{text: "DELETE FROM entries WHERE parent IN (SELECT ino FROM doomed_dirs)"},
		{text: "DELETE FROM doomed_dirs"},
	} {
		if err := t.run(s.text, s.args...); err != nil {
			return err
		}
	}
	return t.spareLinked()
}

// step is a statement in a sequence.
type step struct {
	text string
	args []any
}

// spareLinked takes files that have names outside the tree from the doomed.
func (t *tx) spareLinked() error {
	n, err := t.changed(`UPDATE nodes SET nlink = nodes.nlink - d.links, ctime = ?, (parent, h) =
		(SELECT e.parent, e.h FROM entries e WHERE e.kind = 1 AND e.ino = d.ino ORDER BY e.parent = nodes.parent DESC LIMIT 1)
		FROM doomed d WHERE nodes.ino = d.ino AND nodes.mode & 61440 <> 16384 AND nodes.nlink > d.links`, t.now)
	if err != nil || n == 0 {
		return err
	}
	return t.run("DELETE FROM doomed WHERE EXISTS (SELECT 1 FROM entries e WHERE e.kind = 1 AND e.ino = doomed.ino)")
}

// countDoomed takes the doomed from their tenant's counters and returns their number.
func (t *tx) countDoomed(tenant int64) (int64, error) {
	r, _, err := t.one(`SELECT count(*), coalesce(sum(n.mode & 61440 = 32768), 0),
		coalesce(sum(CASE WHEN n.mode & 61440 = 32768 THEN n.size ELSE 0 END), 0)
		FROM doomed d CROSS JOIN nodes n ON n.ino = d.ino`)
	if err != nil {
		return 0, err
	}
	files := r.int(0)
	return files, t.count(counts{tenant: tenant, files: -files, plain: -r.int(1), bytes: -r.int(2)})
}

// spareOpen turns doomed nodes that are open into orphans.
func (t *tx) spareOpen(keep func(Ino) bool) ([]Ino, error) {
	if keep == nil {
		return nil, nil
	}
	var open []Ino
	err := t.each(func(r row) error {
		if ino := Ino(r.int(0)); keep(ino) {
			open = append(open, ino)
		}
		return nil
	}, "SELECT ino FROM doomed")
	if err != nil {
		return nil, err
	}
	for _, ino := range open {
		for _, s := range []step{
			{"DELETE FROM doomed WHERE ino = ?", []any{ino}},
			{"UPDATE nodes SET nlink = 0, parent = 0, h = 0, ctime = ? WHERE ino = ?", []any{t.now, ino}},
			{"DELETE FROM bso WHERE ino = +?", []any{ino}},
		} {
			if err := t.run(s.text, s.args...); err != nil {
				return nil, err
			}
		}
	}
	return open, nil
}

// doomedVersions are the current versions of the doomed.
const doomedVersions = "doomed d CROSS JOIN nodes n ON n.ino = d.ino CROSS JOIN versions v ON v.id = n.version"

// doomedStaging is asked after open nodes were spared: they still read their staging files.
func (t *tx) doomedStaging() ([]string, error) {
	return collect(t.conn, func(r row) string { return r.text(0) },
		"SELECT v.staging FROM "+doomedVersions+" WHERE v.state IN (1, 3) AND v.staging <> ''")
}

// deleteDoomed deletes the doomed and leaves intents for their objects. Whether another version lives on the same
// object is asked when an intent is claimed.
func (t *tx) deleteDoomed() error {
	if err := t.intendBases(); err != nil {
		return err
	}
	due := t.now + t.db.opts.Grace.Nanoseconds()
	for _, s := range []step{
		// In the order of the table: its pages are written once, instead of at random.
		{`INSERT INTO intents (kh, due, key)
			SELECT v.kh, ?, v.key FROM ` + doomedVersions + `
			WHERE v.state IN (2, 3) AND v.kh <> 0 ORDER BY v.kh ON CONFLICT DO NOTHING`, []any{due}},
		{text: "DELETE FROM versions WHERE id IN (SELECT v.id FROM " + doomedVersions + ")"},
		{text: "DELETE FROM versions WHERE state = 4 AND ino IN (SELECT ino FROM doomed)"},
		{text: "DELETE FROM xattrs WHERE ino IN (SELECT ino FROM doomed)"},
		{text: "DELETE FROM props WHERE ino IN (SELECT ino FROM doomed)"},
		{text: "DELETE FROM bso WHERE ino IN (SELECT ino FROM doomed)"},
		{text: "DELETE FROM nodes WHERE ino IN (SELECT ino FROM doomed)"},
		{text: "DELETE FROM doomed"},
	} {
		if err := t.run(s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// intendBases deletes the records of doomed edits in place, and plans to delete the objects that they started from. There are few at any time.
func (t *tx) intendBases() error {
	_, some, err := t.one("SELECT 1 FROM redos LIMIT 1")
	if err != nil || !some {
		return err
	}
	bases, err := collect(t.conn, func(r row) string { return r.text(0) },
		"SELECT r.base_key FROM redos r CROSS JOIN versions v ON v.id = r.version CROSS JOIN doomed d ON d.ino = v.ino")
	if err != nil {
		return err
	}
	for _, key := range bases {
		if err := t.intend(key); err != nil {
			return err
		}
	}
	return t.run(`DELETE FROM redos WHERE version IN
		(SELECT v.id FROM ` + doomedVersions + ` WHERE v.state = 3)`)
}
