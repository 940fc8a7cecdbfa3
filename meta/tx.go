package meta

import (
	"context"
	"errors"
	"fmt"
)

// busyRetries is how often a transaction is begun again after SQLITE_BUSY, each time after the busy timeout.
const busyRetries = 3

// tx is one operation in a writing transaction.
type tx struct {
	*conn
	db      *DB
	now     int64  // frozen when it began
	counted counts // not yet written
	changes int    // whose counts are not in their tenants, DB.changes when it is done
}

// update runs fn in a writing transaction. What is relaxed may share its transaction with others (gatherer); it is as safe as if it did
// not. fn may run twice and must set its results from scratch. Inside it nothing is cancelled: ctx is looked at before the beginning only.
func (db *DB) update(ctx context.Context, d Durability, fn func(*tx) error) error {
	return db.updateAs(ctx, d, d == Relaxed, fn)
}

// updateAlone is update for what uses scratch tables or changes a lot: it is never gathered with others. One such transaction can fill the
// write-ahead log, so the checkpointer looks at it after each.
func (db *DB) updateAlone(ctx context.Context, d Durability, fn func(*tx) error) error {
	defer func() {
		db.mu.Lock()
		defer db.mu.Unlock()
		db.ckpt.noticeCommits(noticeCommits)
	}()
	return db.updateAs(ctx, d, false, fn)
}

func (db *DB) updateAs(ctx context.Context, d Durability, gather bool, fn func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := db.updateLocked(gather, fn)
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

// updateLocked returns the number of the commit, 0 when the operation was gathered.
func (db *DB) updateLocked(gather bool, fn func(*tx) error) (uint64, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed.Load() {
		return 0, errClosed
	}
	if err := db.fillBlocks(); err != nil {
		return 0, err
	}
	if gather && db.gathers() {
		err := db.gatherOne(fn)
		for i := 0; i < busyRetries && isBusy(err); i++ {
			err = db.gatherOne(fn)
		}
		return 0, err
	}
	if err := db.commitPending(); err != nil {
		return 0, err
	}
	n, err := db.attempt(fn)
	for i := 0; i < busyRetries && isBusy(err); i++ {
		n, err = db.attempt(fn)
	}
	return n, err
}

// attempt runs fn in a transaction of its own and commits it. It needs mu. A panic of fn rolls back, too.
func (db *DB) attempt(fn func(*tx) error) (uint64, error) {
	if err := db.begin(); err != nil {
		return 0, err
	}
	done := false
	defer func() {
		if !done {
			db.mustRollback()
		}
	}()
	t := db.newTx()
	if err := t.perform(fn); err != nil {
		return 0, err
	}
	done = true // commit rolls back itself
	n, err := db.commit()
	if err == nil {
		db.changes = t.changes
	}
	return n, err
}

func (db *DB) newTx() *tx {
	return &tx{conn: db.w, db: db, now: db.opts.Now().UnixNano(), changes: db.changes}
}

// perform runs fn and writes what it counted.
func (t *tx) perform(fn func(*tx) error) error {
	if err := fn(t); err != nil {
		return err
	}
	return t.writeCounts()
}

func (db *DB) mustRollback() {
	if err := db.rollback(); err != nil {
		db.log.Error("meta: roll back", "err", err)
	}
}

// read runs fn with a reading connection: for one statement, which is a transaction by itself. While the disk is full the writer's connection is
// the only one that has all that was acknowledged.
func (db *DB) read(ctx context.Context, fn func(*conn) error) error {
	c, err := db.reader(ctx)
	if errors.Is(err, errUncommitted) {
		db.mu.Lock()
		defer db.mu.Unlock()
		return db.peek(fn)
	}
	if err != nil {
		return err
	}
	defer db.readers.put(c)
	err = fn(c)
	for i := 0; i < busyRetries && isBusy(err); i++ {
		err = fn(c)
	}
	return wrap(err)
}

// glance runs fn, a single statement or two, on the writer's connection when nobody writes at this instant: its pages are in memory, while a
// reader reads again what any commit changed. Otherwise a reader does it, unless it would have to wait for the writer all the same.
func (db *DB) glance(ctx context.Context, fn func(*conn) error) error {
	if done, err := db.tryPeek(ctx, fn); done {
		return err
	}
	return db.read(ctx, fn)
}

// glanceAll is glance for a few statements that must see the same state.
func (db *DB) glanceAll(ctx context.Context, fn func(*conn) error) error {
	if done, err := db.tryPeek(ctx, fn); done {
		return err
	}
	return db.view(ctx, fn)
}

// tryPeek runs fn on the writer's connection, unless somebody uses it whom the caller need not wait for.
func (db *DB) tryPeek(ctx context.Context, fn func(*conn) error) (done bool, err error) {
	if ctx.Err() != nil {
		return false, nil
	}
	if db.gather.pending.Load() > 0 {
		db.mu.Lock()
	} else if !db.mu.TryLock() {
		return false, nil
	}
	defer db.mu.Unlock()
	return true, db.peek(fn)
}

// peek runs fn on the writer's connection, which sees what is not committed. It needs mu.
func (db *DB) peek(fn func(*conn) error) error {
	if db.closed.Load() {
		return errClosed
	}
	if db.gather.pending.Load() > 0 {
		if err := db.begin(); err != nil {
			return wrap(err)
		}
	}
	return wrap(fn(db.w))
}

// view runs fn on one unchanging state of the database. fn may run twice.
func (db *DB) view(ctx context.Context, fn func(*conn) error) error {
	return db.read(ctx, func(c *conn) error {
		if c == db.w { // nobody else writes
			return fn(c)
		}
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

// usable tells why nothing may be read, which is nil as a rule.
func (db *DB) usable(ctx context.Context) error {
	if db.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

// reader waits for a free connection; Close keeps all of them.
func (db *DB) reader(ctx context.Context) (*conn, error) {
	if err := db.usable(ctx); err != nil {
		return nil, err
	}
	if err := db.settlePending(); err != nil {
		return nil, err
	}
	return db.readers.take(ctx, db.done)
}
