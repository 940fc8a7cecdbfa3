package meta

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Deleting needs space as well: a row that goes is a page in the log. So that a full disk can be emptied, a file holds some space back, which only
// what frees space may have. It is filled again when the disk has room.

// reserveSize is how much is held back, in bytes: some hundred deletions between two of Flush, and as many operations that were acknowledged
// before it was known that the disk is full.
const reserveSize = 4 << 20

// reservePath is the file that holds it.
func (db *DB) reservePath() string { return db.path + "-reserve" }

// reserve is how much is held back.
type reserve struct {
	mu   sync.Mutex   // of changes
	held atomic.Int64 // size of the file
}

// findReserve takes over what the last run held back.
func (db *DB) findReserve() {
	db.reserve.mu.Lock()
	defer db.reserve.mu.Unlock()
	if fi, err := os.Stat(db.reservePath()); err == nil {
		db.reserve.held.Store(min(fi.Size(), reserveSize))
	}
}

// refillReserve holds space back when the disk has plenty. A file system that can't promise space goes without.
func (db *DB) refillReserve() {
	db.reserve.mu.Lock()
	defer db.reserve.mu.Unlock()
	if db.reserve.held.Load() == reserveSize {
		return
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(db.path, &disk); err != nil || disk.Bavail*uint64(disk.Bsize) < 4*reserveSize {
		return
	}
	f, err := os.OpenFile(db.reservePath(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Fallocate(int(f.Fd()), 0, 0, reserveSize) == nil {
		db.reserve.held.Store(reserveSize)
	}
}

// spendReserve gives space back until only some is left, and tells whether there was any to give.
func (db *DB) spendReserve(left int64) bool {
	db.reserve.mu.Lock()
	defer db.reserve.mu.Unlock()
	if db.reserve.held.Load() <= left {
		return false
	}
	db.reserve.held.Store(left)
	return os.Truncate(db.reservePath(), left) == nil
}

// updateFreeing is update for transactions after which less space is needed: on a full disk they get the reserve.
func (db *DB) updateFreeing(ctx context.Context, d Durability, fn func(*tx) error) error {
	return db.freeing(ctx, d, db.update, fn)
}

func (db *DB) freeing(ctx context.Context, d Durability, update func(context.Context, Durability, func(*tx) error) error, fn func(*tx) error) error {
	err := update(ctx, d, fn)
	if errors.Is(err, syscall.ENOSPC) && !errors.Is(err, ErrNotFlushed) && db.spendReserve(0) {
		db.log.Warn("the disk of the database is full, deletions use the space held back for them", "path", db.path)
		return update(ctx, d, fn)
	}
	return err
}
