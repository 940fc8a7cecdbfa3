package meta

import (
	"errors"
	"os"
	"sync"
)

const (
	noticeCommits = 64      // between two looks at the log
	holdBytes     = 1 << 20 // of the log that may be copied while the writer waits
	copyRounds    = 6       // before the writer waits for more than that
)

// walLimits are sizes of the write-ahead log in bytes.
type walLimits struct {
	copy    int64 // not yet in the database: begin to copy
	restart int64 // in the log: start it again from its beginning
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

// noticeCommits counts n operations that were committed. It needs DB.mu.
func (k *checkpointer) noticeCommits(n int) {
	if k.commits += n; k.commits < noticeCommits {
		return
	}
	k.commits = 0
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
	if isBroken(err) && !errors.Is(err, errUncommitted) {
		k.db.flush.fail(err)
	}
}

// check copies the log when enough of it waits, and lets it start again when it has become long. Writers go on
// meanwhile.
func (k *checkpointer) check() error {
	fi, err := k.wal.Stat()
	if err != nil || fi.Size() < k.limit.copy {
		return err
	}
	// The file keeps its size when the log starts again from its beginning: ask how much of it is alive.
	s, err := k.run("NOOP")
	if err != nil {
		return err
	}
	if s.total >= max(k.limit.restart, k.retryAt) {
		return k.shorten()
	}
	if s.left() < k.limit.copy {
		return nil
	}
	_, err = k.run("PASSIVE")
	return err
}

// shorten copies the log round by round, each with less to do than the one before, until the writer need not wait long
// for the rest. An old reader can hold up the copying; then nothing is gained until it ends.
func (k *checkpointer) shorten() error {
	before := int64(-1)
	for range copyRounds {
		s, err := k.copyAndFlush()
		if err != nil {
			return err
		}
		if s.total < k.limit.restart { // a writer found everything copied and has begun again
			return nil
		}
		if s.left() <= holdBytes {
			break
		}
		if s.copied == before {
			k.retryAt = s.total + k.limit.restart/4
			return nil
		}
		before = s.copied
	}
	return k.restart()
}

// copyAndFlush returns what is left now. SQLite flushes the database itself when it has copied the whole log, which in
// a busy one is when the writer waits: so that is done before.
func (k *checkpointer) copyAndFlush() (logState, error) {
	if _, err := k.run("PASSIVE"); err != nil {
		return logState{}, err
	}
	if !k.db.opts.NoSync {
		if err := dataSync(k.db.file); err != nil {
			k.db.flush.fail(err)
			return logState{}, err
		}
	}
	return k.run("NOOP")
}

// restart copies the rest while nobody writes, after which the log starts again. A reader that is still in the log
// prevents that; then it is tried again only when the log has grown, because each try stops the writer for a moment.
func (k *checkpointer) restart() error {
	k.db.mu.Lock()
	defer k.db.mu.Unlock()
	if err := k.db.commitPending(); err != nil {
		return err
	}
	s, err := k.run("RESTART")
	if k.retryAt = 0; s.busy {
		k.retryAt = s.total + k.limit.restart/4
	}
	return err
}

// logState says how many bytes are in the log, and how many of them in the database.
type logState struct {
	busy          bool // somebody was in the way
	total, copied int64
}

func (s logState) left() int64 { return s.total - s.copied }

// run runs a checkpoint; NOOP only asks.
func (k *checkpointer) run(mode string) (logState, error) {
	if k.broken() {
		return logState{}, nil
	}
	r, _, err := k.c.one("PRAGMA wal_checkpoint(" + mode + ")")
	if err != nil {
		return logState{}, err
	}
	const frame = pageSize + 24 // with its header
	return logState{busy: r.bool(0), total: max(r.int(1), 0) * frame, copied: max(r.int(2), 0) * frame}, nil
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
