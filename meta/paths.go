package meta

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"syscall"
)

// newestEntry joins a node n to the entry of its newest name.
const newestEntry = "entries e ON e.parent = n.parent AND e.h = n.h AND e.ino = n.ino"

// Names returns every directory entry of a node: several for a file with hard links, none for a root or an orphan.
func (db *DB) Names(ctx context.Context, ino Ino) (links []Link, err error) {
	scan := func(r row) Link { return Link{Parent: Ino(r.int(0)), Name: r.text(1)} }
	err = db.view(ctx, func(c *conn) error {
		n, err := c.attr(ino)
		if err != nil {
			return err
		}
		if n.Nlink > 1 && !n.IsDir() {
			links, err = collect(c, scan,
				"SELECT parent, name FROM entries WHERE kind = 1 AND ino = +? ORDER BY parent, h, name", ino)
			return err
		}
		links, err = collect(c, scan, "SELECT e.parent, e.name FROM nodes n CROSS JOIN "+newestEntry+" WHERE n.ino = ?", ino)
		return err
	})
	return links, err
}

// Path returns the absolute path of a node in its tenant, by one of its names. It is ENOENT for a node without a name.
func (db *DB) Path(ctx context.Context, ino Ino) (path string, err error) {
	err = db.view(ctx, func(c *conn) error {
		n, err := c.attr(ino)
		if err != nil {
			return err
		}
		if path = "/"; n.IsDir() && n.Parent == ino {
			return nil // a root
		}
		names, err := c.namesUp(ino)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return syscall.ENOENT
		}
		slices.Reverse(names)
		path = "/" + strings.Join(names, "/")
		return nil
	})
	if err != nil {
		return "", err
	}
	return path, nil
}

// namesUp returns the names from a node up to its root, which has none.
func (c *conn) namesUp(ino Ino) ([]string, error) {
	return collect(c, func(r row) string { return r.text(0) },
		`WITH RECURSIVE up (depth, parent, name) AS (
			SELECT 0, e.parent, e.name FROM nodes n CROSS JOIN `+newestEntry+` WHERE n.ino = ?
			UNION ALL
			SELECT depth + 1, e.parent, e.name FROM up CROSS JOIN nodes n ON n.ino = up.parent CROSS JOIN `+newestEntry+`
		) SELECT name FROM up ORDER BY depth`, ino)
}

// WalkPath returns the attributes of the parts of a path below root, all from one moment. It ends early at the first
// missing part, with ENOENT, and at a node that has no entries, without an error: the caller decides what a symlink
// in the middle means.
func (db *DB) WalkPath(ctx context.Context, root Ino, parts []string) (walked []Attr, err error) {
	err = db.glanceAll(ctx, func(c *conn) error {
		walked = make([]Attr, 0, len(parts))
		dir := root
		for _, name := range parts {
			at, err := c.needChild(dir, name)
			if err == syscall.ENOENT && dir == root {
				_, derr := c.dir(root) // only directories have entries: the root needs a look only when nothing was found
				err = cmp.Or(derr, err)
			}
			if err != nil {
				return err
			}
			if walked = append(walked, at); !at.IsDir() {
				return nil
			}
			dir = at.Ino
		}
		return nil
	})
	return walked, err
}

// isBelow says that dir is top or lies in the tree below it.
func (c *conn) isBelow(dir, top Ino) (bool, error) {
	for dir != top {
		n, err := c.attr(dir)
		if err != nil {
			return false, err
		}
		if n.Parent == dir || n.Parent == 0 {
			return false, nil
		}
		dir = n.Parent
	}
	return true, nil
}
