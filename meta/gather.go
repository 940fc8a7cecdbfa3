package meta

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"
)

// gatherer keeps the writer's transaction open over many relaxed operations, because beginning and ending one costs four times what the
// operation itself does. An operation that has been acknowledged survives the death of the process all the same: its statements are in the
// operation log (opLog), and are run again when the transaction was lost. Whoever reads with another connection, or waits for the disk, has the
// transaction committed first.
type gatherer struct {
	log   *opLog // nil: every operation is its own transaction
	wait  time.Duration
	timer *time.Timer

	open    bool         // a transaction is open; guarded by DB.mu
	doubt   bool         // the last COMMIT failed, after which it is not known what is in the write-ahead log; guarded by DB.mu
	pending atomic.Int64 // acknowledged operations that are not committed; written under DB.mu
	rec     recorder     // of the operation that runs; guarded by DB.mu
}

const (
	gatherOps   = 128       // operations of one transaction
	gatherBytes = 256 << 10 // of the operation log
)

// errUncommitted is wrapped by errors of the transaction of what was acknowledged, which are not those of the operation that meets them.
var errUncommitted = errors.New("meta: acknowledged operations can't be committed yet")

// startGathering opens the operation log. What the last run left in it has been replayed. The epochs of every run begin at random: those of a
// run whose end was lost with the power don't come again, and neither do those in a log that is older than a database restored from a copy.
// Without space for it operations have transactions of their own, as on any disk that is full.
func (db *DB) startGathering() error {
	if db.opts.Gather < 0 {
		return nil
	}
	epoch := rand.Int64N(1 << 62)
	_, err := db.replayIn(nil, epoch)
	if err == nil {
		db.gather.log, err = openOpLog(db.opsPath(), epoch+1)
	}
	if isFull(err) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		db.log.Warn("the disk is full, every operation of the database is written by itself", "path", db.path)
		return nil
	}
	if err != nil {
		return err
	}
	db.gather.wait = db.opts.Gather
	db.gather.timer = time.AfterFunc(time.Hour, db.commitInTime)
	db.gather.timer.Stop()
	return nil
}

// opsPath is the file of the operation log.
func (db *DB) opsPath() string { return db.path + "-ops" }

// commitInTime commits what nobody else has committed for a while.
func (db *DB) commitInTime() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed.Load() {
		return
	}
	if err := db.commitPending(); err != nil {
		db.log.Error("meta: operations are kept in the operation log", "path", db.path, "err", err)
		db.gather.timer.Reset(time.Second)
	}
}

// settlePending commits what is acknowledged, so that other connections and the flusher see it.
func (db *DB) settlePending() error {
	if db.gather.pending.Load() == 0 {
		return nil
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed.Load() {
		return errClosed
	}
	return db.commitPending()
}

// commitPending needs mu. On a full disk what was acknowledged gets half of the reserve; the rest is left for deletions.
func (db *DB) commitPending() error {
	if db.gather.pending.Load() == 0 {
		return nil
	}
	err := db.commitOnce()
	for i := 0; i < busyRetries && isBusy(err); i++ {
		err = db.commitOnce()
	}
	if isFull(err) && db.spendReserve(reserveSize/2) {
		db.log.Warn("the disk of the database is full, space held back goes to what was acknowledged", "path", db.path)
		err = db.commitOnce()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUncommitted, err)
	}
	return nil
}

func (db *DB) commitOnce() error {
	err := db.begin()
	if err == nil {
		_, err = db.commit()
	}
	return err
}

// begin opens the transaction unless it is open. When an earlier one was lost, by a full disk for example, what was acknowledged in it is done
// again first. It needs mu.
func (db *DB) begin() error {
	if db.gather.open {
		return nil
	}
	if err := db.w.run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	db.gather.open = true
	if db.gather.pending.Load() == 0 {
		return nil
	}
	if _, err := replay(db.w, db.gather.log.records()); err != nil {
		return errors.Join(fmt.Errorf("meta: do lost operations again: %w", err), db.rollback())
	}
	return nil
}

// commit ends the transaction and returns the number of the commit. After an error everything in it is undone; what was acknowledged is still
// in the operation log. It needs mu.
//
// Every transaction has its epoch, not only those in the log: after a power loss, which may undo the last ones, the log is that of the next
// transaction or of none.
func (db *DB) commit() (uint64, error) {
	n := db.gather.pending.Load()
	if db.gather.log != nil {
		if err := db.w.setEpoch(db.gather.log.epoch); err != nil {
			return 0, errors.Join(err, db.rollback())
		}
	}
	err := db.w.run("COMMIT")
	if db.gather.doubt = err != nil; err != nil {
		return 0, errors.Join(err, db.rollback())
	}
	db.gather.open = false
	if db.gather.log != nil {
		db.gather.pending.Store(0)
		db.gather.timer.Stop()
		db.gather.log.next()
	}
	db.ckpt.noticeCommits(int(max(n, 1)))
	return db.flush.committed(), nil
}

// rollback ends the transaction without a commit. After some errors SQLite has done so already. It needs mu.
func (db *DB) rollback() error {
	db.gather.open = false
	if db.w.raw.AutoCommit() {
		return nil
	}
	return db.w.run("ROLLBACK")
}

// gathers tells whether operations may wait in the open transaction for others. It needs mu.
//
// Not after a COMMIT that failed: its frames may be whole in the write-ahead log all the same, so that a crash would find its epoch there and take
// the operation log, with whatever came later, for history. And not without all the space held back: what was acknowledged must find room when it is
// committed.
func (db *DB) gathers() bool {
	return db.gather.log != nil && !db.gather.doubt && db.reserve.held.Load() == reserveSize
}

// gatherOne runs fn in the open transaction and leaves it open, unless it is long enough. It needs mu.
func (db *DB) gatherOne(fn func(*tx) error) error {
	if err := db.begin(); err != nil {
		return err
	}
	joins := db.gather.pending.Load() > 0 // else the end of the transaction undoes nothing else
	if joins {
		if err := db.w.run("SAVEPOINT op"); err != nil {
			db.mustRollback()
			return err
		}
	}
	kept := false
	defer func() {
		if !kept {
			db.undoOne()
		}
	}()
	t := db.newTx()
	db.w.rec = &db.gather.rec
	db.w.rec.reset()
	err := t.perform(fn)
	db.w.rec = nil
	if err != nil {
		return err
	}
	if db.gather.full() {
		kept = true // commit undoes it itself
		_, err = db.commit()
	} else if err = db.acknowledge(); err == nil {
		kept = true
		db.keepOne(joins)
	}
	if err == nil {
		db.changes = t.changes
	}
	return err
}

// undoOne takes back the operation that failed and leaves those before it.
func (db *DB) undoOne() {
	db.w.rec = nil
	if db.gather.pending.Load() == 0 || db.w.raw.AutoCommit() {
		db.mustRollback()
		return
	}
	err := db.w.run("ROLLBACK TO op")
	if err == nil {
		err = db.w.run("RELEASE op")
	}
	if err != nil {
		db.log.Error("meta: undo an operation", "err", err)
		db.mustRollback()
	}
}

// acknowledge writes an operation to the log, which makes it as safe as a commit.
func (db *DB) acknowledge() error {
	g := &db.gather
	if len(g.rec.statements) == 0 {
		return nil
	}
	if err := g.log.append(g.rec.statements); err != nil {
		return fmt.Errorf("meta: write %s: %w", db.opsPath(), err)
	}
	if g.pending.Add(1) == 1 {
		g.timer.Reset(g.wait)
	}
	return nil
}

// keepOne ends an operation that is in the log. An error is not the operation's: it is done again by whoever commits.
func (db *DB) keepOne(joins bool) {
	if db.gather.pending.Load() == 0 {
		db.mustRollback() // it changed nothing
	} else if joins {
		if err := db.w.run("RELEASE op"); err != nil {
			db.log.Error("meta: keep an operation", "err", err)
			db.mustRollback()
		}
	}
}

// full tells whether the transaction should end with the operation that runs, before it costs too much to do again or outgrows the log. It is
// committed then instead of logged.
func (g *gatherer) full() bool {
	return g.pending.Load() >= gatherOps-1 || !g.log.fits(g.rec.statements)
}
