package meta

import (
	"context"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Deleting needs space as well: a row that goes is a page in the log. So that a full disk can be emptied, a file holds some space back, which only
// what frees space may have. It is filled again when the disk has room.

// reserveSize is how much is held back, in bytes: some hundred deletions between two of Flush.
const reserveSize = 4 << 20

// reservePath is the file that holds it.
func (db *DB) reservePath() string { return db.path + "-reserve" }

// refillReserve holds space back when none is and the disk has plenty. A file system that can't promise space goes without.
func (db *DB) refillReserve() {
	if db.reserved.Load() {
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
		db.reserved.Store(true)
	}
}

// spendReserve gives the space back and tells whether there was any.
func (db *DB) spendReserve() bool {
	return db.reserved.Swap(false) && os.Truncate(db.reservePath(), 0) == nil
}

// updateFreeing is update for transactions after which less space is needed: on a full disk they get the reserve.
func (db *DB) updateFreeing(ctx context.Context, d Durability, fn func(*tx) error) error {
	return db.freeing(ctx, d, db.update, fn)
}

func (db *DB) freeing(ctx context.Context, d Durability, update func(context.Context, Durability, func(*tx) error) error, fn func(*tx) error) error {
	err := update(ctx, d, fn)
	if errors.Is(err, syscall.ENOSPC) && !errors.Is(err, ErrNotFlushed) && db.spendReserve() {
		db.log.Warn("the disk of the database is full, deletions use the space held back for them", "path", db.path)
		return update(ctx, d, fn)
	}
	return err
}
