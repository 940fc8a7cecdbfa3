package meta

import "context"

// ReadDir returns about limit entries of a directory with their attributes, beginning after a cursor (0 is the start)
// in an order that stays while other entries come and go. An empty result is the end. It returns more than limit
// entries rather than part two with the same cursor.
func (db *DB) ReadDir(ctx context.Context, dir Ino, after uint64, limit int) ([]Dirent, error) {
	return db.readDir(ctx, dir, after, limit, func(r row) Dirent {
		return Dirent{Name: r.text(1), Cursor: uint64(r.int(0)), Attr: scanAttr(r[2:])}
	}, "SELECT e.h, e.name, "+attrCols+` FROM entries e CROSS JOIN nodes n ON n.ino = e.ino
		WHERE e.parent = +? AND e.h > ? ORDER BY e.h, e.name`)
}

// ReadNames is ReadDir with no more than the name, number and mode of each entry.
func (db *DB) ReadNames(ctx context.Context, dir Ino, after uint64, limit int) ([]Dirent, error) {
	return db.readDir(ctx, dir, after, limit, func(r row) Dirent {
		return Dirent{Name: r.text(1), Cursor: uint64(r.int(0)), Attr: Attr{Ino: Ino(r.int(2)), Mode: uint32(r.int(3))}}
	}, `SELECT e.h, e.name, e.ino, n.mode FROM entries e CROSS JOIN nodes n ON n.ino = e.ino
		WHERE e.parent = +? AND e.h > ? ORDER BY e.h, e.name`)
}

// readDir stops by counting instead of LIMIT, which could part names of one hash: the cursor would skip the second.
func (db *DB) readDir(ctx context.Context, dir Ino, after uint64, limit int, scan func(row) Dirent, text string) (
	page []Dirent, err error,
) {
	if after == 0 {
		db.warm()
	}
	err = db.read(ctx, func(c *conn) error {
		page = make([]Dirent, 0, min(max(limit, 0), 1024))
		err := c.each(func(r row) error {
			if n := len(page); n >= limit && n > 0 && page[n-1].Cursor != uint64(r.int(0)) {
				return errStop
			}
			page = append(page, scan(r))
			return nil
		}, text, dir, after)
		if err != nil || len(page) > 0 {
			return err
		}
		_, err = c.dir(dir)
		return err
	})
	return page, err
}
