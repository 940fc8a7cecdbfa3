package meta

import (
	"context"
	"errors"
	"strings"
	"syscall"
)

// ErrNotShared says that a tree holds a file whose object can't be that of a copy as well.
var ErrNotShared = errors.New("a file is being changed, its object can't be shared")

// CopyTreeArgs names a tree to copy and the name that the copy gets.
type CopyTreeArgs struct {
	From      Ino
	Deep      bool // with everything below it
	Parent    Ino
	Name      string
	Replace   bool   // remove what has the name, else EEXIST
	GUID      string // of version 7, whose time all new versions get
	FileMode  uint32 // permission bits
	DirMode   uint32
	UID, GID  uint32
	Identity  []string             // properties in the space "" that a copy does not get
	Check     func(src Attr) error // may refuse; nil: nothing does
	Shareable func(Ino) bool       // asked of every file with an object; may be asked again
	Keep      func(Ino) bool       // of what is replaced
	Origin    string
}

// CopiedTree is what CopyTree made and removed.
type CopiedTree struct {
	Root     Attr
	Replaced *RemovedTree
}

// CopyTree copies a node, and with Deep all below it, in one transaction that moves no bytes: the new versions have the objects of the old ones. The
// cost is that of the rows. Special files are left out. It is ErrNotShared, and nothing has changed, when an object can't be shared: Shareable says
// so, its bytes are not in the store, or its key has no GUID, so that it is the name of one file for a client. It is one row of the change feed.
func (db *DB) CopyTree(ctx context.Context, a CopyTreeArgs, d Durability) (out CopiedTree, err error) {
	if err := checkName(a.Name); err != nil {
		return out, err
	}
	err = db.updateAlone(ctx, d, func(t *tx) error {
		out = CopiedTree{}
		c, err := t.beginCopy(a)
		if err != nil {
			return err
		}
		out, err = c.run()
		return err
	})
	return out, err
}

// treeCopy is a CopyTree while it runs. Row i of the table copied becomes node nodes+i with version versions+i.
type treeCopy struct {
	*tx
	CopyTreeArgs
	src, dir Attr
	nodes    int64
	versions int64
}

// beginCopy looks at both ends, lists what is to be copied and asks whether it may be.
func (t *tx) beginCopy(a CopyTreeArgs) (*treeCopy, error) {
	c := &treeCopy{tx: t, CopyTreeArgs: a}
	var err error
	if c.src, err = t.attr(a.From); err != nil {
		return nil, err
	}
	if c.dir, err = t.liveDir(a.Parent); err != nil {
		return nil, err
	}
	switch {
	case c.src.Nlink == 0:
		return nil, syscall.ENOENT
	case c.src.Tenant != c.dir.Tenant:
		return nil, syscall.EXDEV
	}
	if a.Check != nil {
		if err := a.Check(c.src); err != nil {
			return nil, err
		}
	}
	if c.src.IsDir() && a.Deep {
		if err := t.refuseBelow(a.Parent, a.From); err != nil {
			return nil, err
		}
	}
	if err := c.list(); err != nil {
		return nil, err
	}
	return c, c.admit()
}

// list fills the scratch tables: what is copied, and where copied directories go.
func (c *treeCopy) list() error {
	deep := 0
	if c.src.IsDir() && c.Deep {
		deep = 1
	}
	for _, s := range []step{
		{text: "DELETE FROM copied"},
		{text: "DELETE FROM copied_dirs"},
		{"INSERT INTO copied (old, parent, h, name) VALUES (?, 0, ?, ?)", []any{c.From, nameHash(c.Name), []byte(c.Name)}},
		{`INSERT INTO copied_dirs (old, new)
			WITH RECURSIVE dirs (ino) AS (
				SELECT ?1 WHERE ?2
				UNION ALL
				SELECT e.ino FROM dirs d CROSS JOIN entries e ON e.parent = d.ino WHERE e.kind = 2
			) SELECT ino, 0 FROM dirs`, []any{c.From, deep}},
		{text: `INSERT INTO copied (old, parent, h, name)
			SELECT e.ino, e.parent, e.h, e.name FROM copied_dirs d CROSS JOIN entries e ON e.parent = d.old
			CROSS JOIN nodes n ON n.ino = e.ino WHERE n.mode & 61440 IN (16384, 32768, 40960)`},
		{text: `INSERT OR REPLACE INTO copied_dirs (old, new)
			SELECT c.old, c.id FROM copied c CROSS JOIN nodes n ON n.ino = c.old WHERE n.mode & 61440 = 16384`},
	} {
		if err := c.tx.run(s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// admit asks of every object whether it may be shared.
func (c *treeCopy) admit() error {
	refused := false
	err := c.each(func(r row) error {
		if r.int(1) == 0 || !c.Shareable(Ino(r.int(0))) {
			refused = true
			return errStop
		}
		return nil
	}, `SELECT c.old, v.state = 2 AND (v.key = '' OR instr(v.key, '@_@') > 0) FROM copied c
		CROSS JOIN nodes n ON n.ino = c.old CROSS JOIN versions v ON v.id = n.version`)
	if err == nil && refused {
		err = ErrNotShared
	}
	return err
}

// run removes what is in the way and writes the rows.
func (c *treeCopy) run() (out CopiedTree, err error) {
	if out.Replaced, err = c.makeRoom(); err != nil {
		return CopiedTree{}, err
	}
	r, _, err := c.one(`SELECT count(*), coalesce(sum(n.mode & 61440 = 32768), 0),
		coalesce(sum(CASE WHEN n.mode & 61440 = 32768 THEN n.size ELSE 0 END), 0) FROM copied c CROSS JOIN nodes n ON n.ino = c.old`)
	if err != nil {
		return CopiedTree{}, err
	}
	if c.nodes, err = c.reserve("ino", r.int(0)); err != nil {
		return CopiedTree{}, err
	}
	if c.versions, err = c.reserve("version", r.int(0)); err != nil {
		return CopiedTree{}, err
	}
	if err := c.insert(); err != nil {
		return CopiedTree{}, err
	}
	if err := c.touchDir(c.Parent, subdirs(c.src)); err != nil {
		return CopiedTree{}, err
	}
	if err := c.count(counts{tenant: c.dir.Tenant, files: r.int(0), plain: r.int(1), bytes: r.int(2)}); err != nil {
		return CopiedTree{}, err
	}
	if out.Root, err = c.attr(Ino(c.nodes + 1)); err != nil {
		return CopiedTree{}, err
	}
	return out, c.change(opCreate, out.Root.Ino, c.Parent, c.Name, c.Origin)
}

// makeRoom removes what has the name of the copy. That must not hold the source.
func (c *treeCopy) makeRoom() (*RemovedTree, error) {
	old, taken, err := c.child(c.Parent, c.Name)
	if err != nil || !taken {
		return nil, err
	}
	if !c.Replace {
		return nil, syscall.EEXIST
	}
	if old.Ino == c.From {
		return nil, syscall.EINVAL
	}
	if old.IsDir() {
		if err := c.refuseBelow(c.src.Parent, old.Ino); err != nil {
			return nil, err
		}
	}
	gone, err := c.removeTree(old, c.Parent, c.Name, c.Keep)
	if err != nil {
		return nil, err
	}
	return &gone, c.touchDir(c.Parent, -subdirs(old))
}

// reserve takes n numbers of a kind past all that were given away, and returns the one before the first.
func (c *treeCopy) reserve(kind string, n int64) (int64, error) {
	r, ok, err := c.one("UPDATE counters SET value = value + ? WHERE name = ? RETURNING value", n, kind)
	if err == nil && !ok {
		err = syscall.EIO
	}
	if err != nil {
		return 0, err
	}
	return r.int(0) - n, nil
}

// insert writes all rows.
func (c *treeCopy) insert() error {
	gid := c.GID
	if c.dir.Mode&syscall.S_ISGID != 0 {
		gid, c.DirMode = c.dir.GID, c.DirMode|syscall.S_ISGID
	}
	for _, s := range []step{
		{`INSERT INTO entries (parent, h, name, ino, kind)
			SELECT coalesce(?1 + d.new, ?2) p, c.h, c.name, ?1 + c.id, CASE WHEN k.old IS NULL THEN 0 ELSE 2 END
			FROM copied c LEFT JOIN copied_dirs d ON d.old = c.parent LEFT JOIN copied_dirs k ON k.old = c.old ORDER BY p, c.h`,
			[]any{c.nodes, c.Parent}},
		{`INSERT INTO nodes (ino, tenant, parent, h, mode, nlink, uid, gid, rdev, size, atime, mtime, ctime, btime, version, target)
			SELECT ?1 + c.id, n.tenant, coalesce(?1 + d.new, ?2), c.h,
				CASE n.mode & 61440 WHEN 16384 THEN 16384 | ?3 WHEN 32768 THEN 32768 | ?4 ELSE n.mode END,
				CASE WHEN n.mode & 61440 <> 16384 THEN 1 WHEN ?5 THEN n.nlink ELSE 2 END, ?6, ?7, 0, n.size, ?8,
				CASE n.mode & 61440 WHEN 32768 THEN n.mtime ELSE ?8 END, ?8, ?8,
				CASE n.version WHEN 0 THEN 0 ELSE ?9 + c.id END, n.target
			FROM copied c CROSS JOIN nodes n ON n.ino = c.old LEFT JOIN copied_dirs d ON d.old = c.parent ORDER BY c.id`,
			[]any{c.nodes, c.Parent, c.DirMode, c.FileMode, c.Deep, c.UID, gid, c.now, c.versions}},
		{`INSERT INTO versions (id, ino, state, size, created, synced, kh, gh, guid, key, staging, sum, md5)
			SELECT ?1 + c.id, ?2 + c.id, 2, v.size, ?3, v.synced, v.kh, ?4 + (c.id & 255) * ?6,
				substr(?5, 1, 15) || printf('%02x', c.id & 255) || substr(?5, 18, 4) || lower(hex(randomblob(1))) || '-' || lower(hex(randomblob(6))),
				v.key, '', v.sum, v.md5
			FROM copied c CROSS JOIN nodes n ON n.ino = c.old CROSS JOIN versions v ON v.id = n.version ORDER BY c.id`,
			[]any{c.versions, c.nodes, c.now, c.firstPlace(), c.GUID, 1 << placeBits}},
		{`INSERT INTO objects (version, etag, blocks, sums)
			SELECT ?1 + c.id, o.etag, o.blocks, o.sums FROM copied c CROSS JOIN nodes n ON n.ino = c.old CROSS JOIN objects o ON o.version = n.version`,
			[]any{c.versions}},
		{`INSERT INTO props (ino, space, name, value)
			SELECT ?1 + c.id, p.space, p.name, p.value FROM copied c CROSS JOIN props p ON p.ino = c.old
			WHERE NOT (p.space = '' AND instr(?2, ',' || p.name || ',') > 0) AND NOT (p.space = 'c8y' AND substr(p.name, 1, 1) = '_')`,
			[]any{c.nodes, "," + strings.Join(c.Identity, ",") + ","}},
		{text: "DELETE FROM copied"},
		{text: "DELETE FROM copied_dirs"},
	} {
		if err := c.tx.run(s.text, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// firstPlace is where GUIDs of the copy's time whose next two digits are 00 have their place. Those digits count the rows, so that a GUID is found
// among few.
func (c *treeCopy) firstPlace() int64 {
	return guidPlace(c.GUID[:15] + "00" + c.GUID[17:])
}
