package meta

import (
	"context"
	"syscall"
)

// changeOp is stored as a number. The order is part of the database format.
type changeOp int

const (
	opCreate changeOp = iota + 1
	opUpdate
	opAttr
	opDelete
	opRename
	opLink
	opProps
	opLeave // the old name of what opRename gave a new one
)

// String is the word that the change feed shows; unknown numbers come from a newer program.
func (o changeOp) String() string {
	names := [...]string{"", "create", "update", "attr", "delete", "rename", "link", "props", "leave"}
	if o < 0 || int(o) >= len(names) {
		return ""
	}
	return names[o]
}

// change adds a row to the change feed, with the counts of the transaction. A whole tree that is moved or removed is
// one row.
func (t *tx) change(op changeOp, ino, parent Ino, name, origin string) error {
	n := t.counted
	t.counted = counts{}
	err := t.run(`INSERT INTO changes (time, op, ino, parent, name, origin, tenant, files, plain, bytes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.now, int(op), ino, parent, []byte(name), origin, n.tenant, n.files, n.plain, n.bytes)
	if err != nil {
		return err
	}
	if t.changes++; t.changes < countEvery {
		return nil
	}
	return t.takeCounts()
}

// Changes returns the changes after a sequence number, oldest first.
func (db *DB) Changes(ctx context.Context, after int64, limit int) ([]Change, error) {
	return list(ctx, db, scanChange,
		"SELECT seq, time, op, ino, parent, name, origin FROM changes WHERE seq > ? ORDER BY seq LIMIT ?", after, limit)
}

func scanChange(r row) Change {
	return Change{
		Seq: r.int(0), Time: r.int(1), Op: changeOp(r.int(2)).String(), Ino: Ino(r.int(3)), Parent: Ino(r.int(4)),
		Name: r.text(5), Origin: r.text(6),
	}
}

// ChangesIn returns the changes of a directory's entries with numbers above after, oldest first.
func (db *DB) ChangesIn(ctx context.Context, dir Ino, after int64) ([]Change, error) {
	return list(ctx, db, scanChange,
		"SELECT seq, time, op, ino, parent, name, origin FROM changes WHERE seq > ? AND parent = ? ORDER BY seq", after, dir)
}

// ChangeRange returns the numbers of the oldest and the newest change that are known, zeros when there is none.
func (db *DB) ChangeRange(ctx context.Context) (oldest, newest int64, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, _, err := c.one("SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM changes")
		if err == nil {
			oldest, newest = r.int(0), r.int(1)
		}
		return err
	})
	return oldest, newest, err
}

// TrimChanges forgets all but the newest changes. At least one is kept, because the next number follows from it.
func (db *DB) TrimChanges(ctx context.Context, keep int, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		if err := t.takeCounts(); err != nil {
			return err
		}
		return t.run("DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?", max(keep, 1))
	})
}

// Setting returns a value of the server's own, or ENOENT.
func (db *DB) Setting(ctx context.Context, name string) (value []byte, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, ok, err := c.one("SELECT value FROM settings WHERE name = ?", name)
		if err == nil && !ok {
			err = syscall.ENOENT
		}
		if err != nil {
			return err
		}
		value = r.bytes(0)
		return nil
	})
	return value, err
}

// PutSetting sets a value of the server's own.
func (db *DB) PutSetting(ctx context.Context, name string, value []byte, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		return t.run("INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
			name, blob(value))
	})
}

// blob keeps an empty value from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
