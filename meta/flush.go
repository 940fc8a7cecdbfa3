package meta

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// flusher makes commits durable: one goroutine flushes the write-ahead log, and every commit that was finished when a
// flush began is covered by it. While one flush runs the next group gathers.
type flusher struct {
	file   *os.File
	sync   func(*os.File) error
	off    bool
	wake   chan struct{} // holds one token
	quit   chan struct{}
	ended  chan struct{}
	commit atomic.Uint64 // commits so far; written under DB.mu

	mu      sync.Mutex
	flushed uint64        // guarded by mu: commits known to be on disk
	round   chan struct{} // guarded by mu: closed when the next flush ends
	err     error         // guarded by mu: of the first flush that failed, for good
}

// newFlusher owns wal from here on. Closing a file drops all locks that the process has on it, but SQLite has none on
// its log.
func newFlusher(wal *os.File, o Options) *flusher {
	f := &flusher{
		file: wal, sync: o.syncWAL, off: o.NoSync,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
		round: make(chan struct{}),
	}
	go f.loop()
	return f
}

// committed counts a commit and returns its number, to be waited for.
func (f *flusher) committed() uint64 { return f.commit.Add(1) }

// begin has what was committed flushed soon.
func (f *flusher) begin() {
	if f.off {
		return
	}
	select {
	case f.wake <- struct{}{}:
	default: // the goroutine has been told
	}
}

// wait returns when commit n is on disk, or when no flush can be trusted any more.
func (f *flusher) wait(ctx context.Context, n uint64) error {
	for !f.off {
		done, round, err := f.outcome(n)
		if done || err != nil {
			return err
		}
		f.begin()
		select {
		case <-round:
		case <-f.ended:
			// The last flush may have ended at the same time.
			if done, _, err := f.outcome(n); done || err != nil {
				return err
			}
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// outcome says whether commit n is on disk, and else when to ask again.
func (f *flusher) outcome(n uint64) (done bool, round <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flushed >= n, f.round, f.err
}

// loop flushes once for each token, however many callers wait for it.
func (f *flusher) loop() {
	defer close(f.ended)
	for {
		select {
		case <-f.wake:
			f.flush()
		case <-f.quit:
			return
		}
	}
}

// flush covers every commit counted before it begins. The token may be stale when the last flush covered its waiter.
func (f *flusher) flush() {
	upTo := f.commit.Load()
	f.mu.Lock()
	idle := f.err != nil || f.flushed >= upTo
	f.mu.Unlock()
	var err error
	if !idle {
		err = f.sync(f.file)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.setError(err)
	} else if f.err == nil {
		f.flushed = max(f.flushed, upTo)
	}
	close(f.round)
	f.round = make(chan struct{})
}

// fail makes every later durable call fail: the disk lost something that a later flush would not report again.
func (f *flusher) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setError(err)
}

// setError needs mu.
func (f *flusher) setError(err error) {
	if f.err == nil {
		f.err = fmt.Errorf("meta: flush of the database failed, restart after checking the disk: %w: %w", syscall.EIO, err)
	}
}

// stop flushes what is left and ends the goroutine. Nobody commits any more.
func (f *flusher) stop() error {
	err := f.wait(context.Background(), f.commit.Load())
	close(f.quit)
	<-f.ended
	if cerr := f.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// dataSync flushes a file's bytes and its size, but not its times.
func dataSync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}

// Flush returns when everything that was committed before is on disk.
func (db *DB) Flush(ctx context.Context) error { return db.BeginFlush()(ctx) }

// BeginFlush begins to bring to the disk what was committed before, and returns the wait for its end.
func (db *DB) BeginFlush() (wait func(context.Context) error) {
	if db.closed.Load() {
		return func(context.Context) error { return errClosed }
	}
	db.refillReserve()
	if err := db.settlePending(); err != nil {
		return func(context.Context) error { return wrap(err) }
	}
	n := db.flush.commit.Load()
	db.flush.begin()
	return func(ctx context.Context) error { return db.flush.wait(ctx, n) }
}
