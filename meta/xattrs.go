package meta

import (
	"context"
	"syscall"
)

// GetXattr returns an extended attribute, or ENODATA.
func (db *DB) GetXattr(ctx context.Context, ino Ino, name string) (value []byte, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, ok, err := c.one("SELECT value FROM xattrs WHERE ino = ? AND name = ?", ino, name)
		if err != nil {
			return err
		}
		if ok {
			value = r.bytes(0)
			return nil
		}
		if _, err := c.attr(ino); err != nil {
			return err
		}
		return syscall.ENODATA
	})
	return value, err
}

// SetXattr sets an extended attribute. An empty value is a value.
func (db *DB) SetXattr(
	ctx context.Context, ino Ino, name string, value []byte, f XattrFlags, origin string, d Durability,
) error {
	if name == "" || f&^(XattrCreate|XattrReplace) != 0 {
		return syscall.EINVAL
	}
	return db.updateXattr(ctx, ino, name, origin, d, func(t *tx, exists bool) error {
		switch {
		case exists && f&XattrCreate != 0:
			return syscall.EEXIST
		case !exists && f&XattrReplace != 0:
			return syscall.ENODATA
		}
		return t.run(`INSERT INTO xattrs (ino, name, value) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET value = excluded.value`, ino, name, blob(value))
	})
}

// RemoveXattr removes an extended attribute, or returns ENODATA.
func (db *DB) RemoveXattr(ctx context.Context, ino Ino, name, origin string, d Durability) error {
	return db.updateXattr(ctx, ino, name, origin, d, func(t *tx, exists bool) error {
		if !exists {
			return syscall.ENODATA
		}
		return t.run("DELETE FROM xattrs WHERE ino = ? AND name = ?", ino, name)
	})
}

// updateXattr runs fn on a node that exists, and records the change.
func (db *DB) updateXattr(
	ctx context.Context, ino Ino, name, origin string, d Durability, fn func(t *tx, exists bool) error,
) error {
	return db.update(ctx, d, func(t *tx) error {
		n, err := t.attr(ino)
		if err != nil {
			return err
		}
		_, exists, err := t.one("SELECT 1 FROM xattrs WHERE ino = ? AND name = ?", ino, name)
		if err != nil {
			return err
		}
		if err := fn(t, exists); err != nil {
			return err
		}
		if err := t.touchNode(ino); err != nil {
			return err
		}
		return t.change(opAttr, ino, n.Parent, "", origin)
	})
}

// ListXattr returns the names of a node's extended attributes in order.
func (db *DB) ListXattr(ctx context.Context, ino Ino) (names []string, err error) {
	err = db.read(ctx, func(c *conn) error {
		names, err = collect(c, func(r row) string { return r.text(0) }, "SELECT name FROM xattrs WHERE ino = +? ORDER BY name", ino)
		if err != nil || len(names) > 0 {
			return err
		}
		_, err = c.attr(ino)
		return err
	})
	return names, err
}

// HasXattrs says that a node has extended attributes. It does not ask whether the node exists.
func (db *DB) HasXattrs(ctx context.Context, ino Ino) (bool, error) {
	n, err := db.number(ctx, "SELECT EXISTS (SELECT 1 FROM xattrs WHERE ino = +?)", ino)
	return n != 0, err
}
