package meta

import (
	"context"
	"fmt"
)

// busyRetries is how often a transaction is begun again after SQLITE_BUSY, each time after the busy timeout.
const busyRetries = 3

// tx is a writing transaction.
type tx struct {
	*conn
	db      *DB
	now     int64  // frozen when it began
	counted counts // not yet written
	changes int    // whose counts are not in their tenants, DB.changes when it is committed
}

// update runs fn in a writing transaction and commits it. fn may run twice and must set its results from scratch.
// Inside it nothing is cancelled: ctx is looked at before the beginning only.
func (db *DB) update(ctx context.Context, d Durability, fn func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := db.updateLocked(fn)
	if err != nil {
		return wrap(err)
	}
	if d != Durable {
		return nil
	}
	if err := db.flush.wait(context.Background(), n); err != nil {
		return fmt.Errorf("%w: %w", ErrNotFlushed, err)
	}
	return nil
}

// updateLocked returns the number of the commit.
func (db *DB) updateLocked(fn func(*tx) error) (uint64, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed.Load() {
		return 0, errClosed
	}
	if err := db.fillBlocks(); err != nil {
		return 0, err
	}
	err := db.attempt(fn)
	for i := 0; i < busyRetries && isBusy(err); i++ {
		err = db.attempt(fn)
	}
	if err != nil {
		return 0, err
	}
	db.ckpt.noticeCommit()
	return db.flush.committed(), nil
}

// attempt needs mu. A panic of fn rolls back, too.
func (db *DB) attempt(fn func(*tx) error) error {
	if err := db.w.run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	done := false
	defer func() {
		// After some errors SQLite has rolled back already.
		if !done && !db.w.raw.AutoCommit() {
			if err := db.w.run("ROLLBACK"); err != nil {
				db.log.Error("meta: roll back", "err", err)
			}
		}
	}()
	t := &tx{conn: db.w, db: db, now: db.opts.Now().UnixNano(), changes: db.changes}
	if err := fn(t); err != nil {
		return err
	}
	if err := t.writeCounts(); err != nil {
		return err
	}
	if err := db.w.run("COMMIT"); err != nil {
		return err
	}
	done, db.changes = true, t.changes
	return nil
}

// read runs fn with a reading connection: for one statement, which is a transaction by itself.
func (db *DB) read(ctx context.Context, fn func(*conn) error) error {
	c, err := db.reader(ctx)
	if err != nil {
		return err
	}
	defer func() { db.readers <- c }()
	err = fn(c)
	for i := 0; i < busyRetries && isBusy(err); i++ {
		err = fn(c)
	}
	return wrap(err)
}

// glance runs fn, a single statement or two, on the writer's connection when nobody writes at this instant: its pages are in memory, while a
// reader reads again what any commit changed. Otherwise a reader does it.
func (db *DB) glance(ctx context.Context, fn func(*conn) error) error {
	if ctx.Err() != nil || !db.mu.TryLock() {
		return db.read(ctx, fn)
	}
	defer db.mu.Unlock()
	if db.closed.Load() {
		return errClosed
	}
	return wrap(fn(db.w))
}

// view runs fn on one unchanging state of the database. fn may run twice.
func (db *DB) view(ctx context.Context, fn func(*conn) error) error {
	return db.read(ctx, func(c *conn) error {
		if err := c.run("BEGIN"); err != nil {
			return err
		}
		defer func() {
			if err := c.run("ROLLBACK"); err != nil { // nothing was written
				db.log.Error("meta: end of a reading transaction", "err", err)
			}
		}()
		return fn(c)
	})
}

// reader waits for a free connection; Close keeps all of them.
func (db *DB) reader(ctx context.Context) (*conn, error) {
	if db.closed.Load() {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case c := <-db.readers:
		return c, nil
	case <-db.done:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
