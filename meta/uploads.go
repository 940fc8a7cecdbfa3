package meta

import (
	"context"
	"syscall"
)

// BeginUpload records a multipart upload before its first part is sent.
func (db *DB) BeginUpload(ctx context.Context, u Upload, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		if u.Started == 0 {
			u.Started = t.now
		}
		err := t.run("INSERT INTO uploads (id, key, ino, started, done) VALUES (?, ?, ?, ?, ?)",
			u.ID, u.Key, u.Ino, u.Started, u.Done)
		if isTaken(err) {
			return syscall.EEXIST
		}
		return err
	})
}

// FinishUpload turns the row of a completed upload into a tombstone: aborting it now could delete what it published.
func (db *DB) FinishUpload(ctx context.Context, id string, d Durability) error {
	return db.update(ctx, d, func(t *tx) error { return t.run("UPDATE uploads SET done = 1 WHERE id = ?", id) })
}

// ForgetUpload removes the row of an upload that was aborted, or a tombstone that is old enough.
func (db *DB) ForgetUpload(ctx context.Context, id string, d Durability) error {
	return db.update(ctx, d, func(t *tx) error { return t.run("DELETE FROM uploads WHERE id = ?", id) })
}

// Uploads returns the uploads that run, or the tombstones of those that are done, oldest first.
func (db *DB) Uploads(ctx context.Context, done bool) ([]Upload, error) {
	scan := func(r row) Upload {
		return Upload{ID: r.text(0), Key: r.text(1), Ino: Ino(r.int(2)), Started: r.int(3), Done: r.bool(4)}
	}
	return list(ctx, db, scan, "SELECT id, key, ino, started, done FROM uploads WHERE done = ? ORDER BY started, id", done)
}

// HasUpload says that an upload is on record, done or not.
func (db *DB) HasUpload(ctx context.Context, id string) (has bool, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, has, err = c.one("SELECT 1 FROM uploads WHERE id = ?", id)
		return err
	})
	return has, err
}

// ForgetTombstones removes the rows of completed uploads that were begun before a time.
func (db *DB) ForgetTombstones(ctx context.Context, before int64, d Durability) error {
	return db.update(ctx, d, func(t *tx) error { return t.run("DELETE FROM uploads WHERE done = 1 AND started < ?", before) })
}
