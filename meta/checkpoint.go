package meta

import (
	"errors"
	"os"
	"sync"
)

// noticeCommits is the number of commits between two looks at the log.
const noticeCommits = 64

// walLimits are sizes of the write-ahead log in bytes.
type walLimits struct {
	copy    int64 // not yet in the database: begin to copy
	restart int64 // grown while it was copied: hold the writer and start it again
}

// checkpointer copies the write-ahead log into the database with a connection of its own, so that no caller does.
type checkpointer struct {
	db    *DB
	c     *conn // of the goroutine
	wal   *os.File
	limit walLimits
	wake  chan struct{}
	quit  chan struct{}
	group sync.WaitGroup

	retryAt int64 // size of the log at which to restart it; of the goroutine
	commits int   // guarded by DB.mu
}

// newCheckpointer starts the goroutine, which owns c from here on.
func newCheckpointer(db *DB, c *conn, wal *os.File) *checkpointer {
	k := &checkpointer{
		db: db, c: c, wal: wal, limit: db.opts.wal, wake: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	k.group.Go(k.loop)
	return k
}

// noticeCommit needs DB.mu.
func (k *checkpointer) noticeCommit() {
	if k.commits++; k.commits%noticeCommits != 0 {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *checkpointer) loop() {
	for {
		select {
		case <-k.quit:
			return
		case <-k.wake:
			if err := k.check(); err != nil {
				k.report(err)
			}
		}
	}
}

// report ends durability when the disk failed under a checkpoint: a second one could succeed on pages that the
// kernel has already dropped.
func (k *checkpointer) report(err error) {
	k.db.log.Error("meta: checkpoint", "path", k.db.path, "err", err)
	if isBroken(err) {
		k.db.flush.fail(err)
	}
}

// check copies the log when enough of it waits. Writers go on meanwhile, so a busy log may never be copied to its end
// by this alone.
func (k *checkpointer) check() error {
	fi, err := k.wal.Stat()
	if err != nil || fi.Size() < k.limit.copy {
		return err
	}
	// The file keeps its size when the log starts again from its beginning: ask how much of it is alive.
	total, copied, err := k.run("NOOP")
	if err != nil || total-copied < k.limit.copy {
		return err
	}
	if total, _, err = k.run("PASSIVE"); err != nil {
		return err
	}
	if total < max(k.limit.restart, k.retryAt) {
		return nil
	}
	return k.restart()
}

// restart copies the rest while nobody writes, after which the log starts again. A long reader may prevent that; then
// it is tried again only when the log has grown by as much, because each try stops the writer for a moment.
func (k *checkpointer) restart() error {
	k.db.mu.Lock()
	defer k.db.mu.Unlock()
	total, _, err := k.run("RESTART")
	k.retryAt = total + k.limit.restart
	return err
}

// run returns the bytes in the log and how many of them are in the database.
func (k *checkpointer) run(mode string) (total, copied int64, err error) {
	if k.broken() {
		return 0, 0, nil
	}
	r, _, err := k.c.one("PRAGMA wal_checkpoint(" + mode + ")")
	if err != nil {
		return 0, 0, err
	}
	const frame = pageSize + 24 // with its header
	return max(r.int(1), 0) * frame, max(r.int(2), 0) * frame, nil
}

// broken says that nothing may be copied any more: the log is the only good record left.
func (k *checkpointer) broken() bool {
	k.db.flush.mu.Lock()
	defer k.db.flush.mu.Unlock()
	return k.db.flush.err != nil
}

// stop ends the goroutine and copies what is left. It must not be called with DB.mu held.
func (k *checkpointer) stop() error {
	close(k.quit)
	k.group.Wait()
	return errors.Join(k.restart(), k.c.close())
}
