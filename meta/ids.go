package meta

import (
	"context"
	"fmt"
	"syscall"
)

// idBlock is a run of numbers that the counters table has given away: next up to limit.
type idBlock struct{ next, limit int64 }

// take needs a block that is not empty.
func (b *idBlock) take() int64 {
	b.next++
	return b.next
}

// newIno needs a block with a number left, see fillBlocks. A number taken by a transaction that fails is lost.
func (t *tx) newIno() Ino { return Ino(t.db.inos.take()) }

// newVersion is newIno for versions.
func (t *tx) newVersion() int64 { return t.db.versions.take() }

// idsPerTx is how many numbers of a kind one transaction may take, its repetitions included.
const idsPerTx = 1 + busyRetries

// fillBlocks needs mu. It makes sure that the next transaction finds numbers. A block is flushed before it is used: a
// number that a client has seen must not come back after a power failure.
func (db *DB) fillBlocks() error {
	if err := db.fillBlock("ino", &db.inos); err != nil {
		return err
	}
	return db.fillBlock("version", &db.versions)
}

// fillBlock commits the counter before it changes b: a block must not be used after a rollback.
func (db *DB) fillBlock(name string, b *idBlock) error {
	if b.limit-b.next >= idsPerTx {
		return nil
	}
	size := int64(max(db.opts.InoBlock, idsPerTx))
	if err := db.commitPending(); err != nil {
		return err
	}
	var limit int64
	commit, err := db.attempt(func(t *tx) error {
		r, ok, err := t.one("UPDATE counters SET value = value + ? WHERE name = ? RETURNING value", size, name)
		if err == nil && !ok {
			err = fmt.Errorf("counter %s is missing: %w", name, syscall.EIO)
		}
		if err != nil {
			return err
		}
		limit = r.int(0)
		return nil
	})
	if err != nil {
		return err
	}
	b.next, b.limit = limit-size, limit
	return db.flush.wait(context.Background(), commit)
}
