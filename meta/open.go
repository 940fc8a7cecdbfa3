package meta

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure Open. The zero value is good.
type Options struct {
	Now       func() time.Time // time.Now
	Logger    *slog.Logger     // slog.Default()
	ReadConns int              // reading connections, 4
	NoSync    bool             // never flush: for tests and imports that can be repeated
	InoBlock  int              // numbers taken from the counters at once, 1,024
	Cache     int64            // bytes of pages that all connections keep in memory together, DefaultCache; at least MinCache
	Gather    time.Duration    // how long relaxed operations may share a transaction, 50 ms; negative: each has its own
	Grace     time.Duration    // from the end of an object's use to its deletion, 10 minutes

	syncWAL func(*os.File) error // flushes the log; tests count and fail it
	wal     walLimits            // 8 and 64 MiB
}

// DB is an open metadata database.
type DB struct {
	path    string
	opts    Options
	log     *slog.Logger
	readers *connPool
	opened  int      // connections in readers when nobody reads
	file    *os.File // the database, only to flush it and to read it ahead; closed after every connection, because that drops SQLite's locks
	flush   *flusher
	ckpt    *checkpointer
	gather  gatherer
	users   userCache
	warmed  atomic.Int64 // ns, when the file was last read ahead

	// mu is held for a whole writing transaction. It is taken before every other lock of the package.
	mu       sync.Mutex
	w        *conn   // guarded by mu
	inos     idBlock // guarded by mu
	versions idBlock // guarded by mu
	changes  int     // guarded by mu: whose counts are not in their tenants
	closed   atomic.Bool
	done     chan struct{} // closed with it
	reserve  reserve       // space that is held back for deletions
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.ReadConns <= 0 {
		o.ReadConns = 4
	}
	if o.InoBlock <= 0 {
		o.InoBlock = 1024
	}
	if o.Cache <= 0 {
		o.Cache = DefaultCache
	}
	o.Cache = max(o.Cache, MinCache)
	if o.Gather == 0 {
		o.Gather = 50 * time.Millisecond
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Minute
	}
	if o.wal == (walLimits{}) {
		o.wal = walLimits{copy: 8 << 20, restart: 64 << 20}
	}
	if o.syncWAL == nil {
		o.syncWAL = dataSync
	}
	return o
}

// DefaultCache and MinCache are sizes of Options.Cache in bytes. What is not in it is read from the database file, which the kernel keeps in
// memory as long as nobody needs that for something else: a miss costs microseconds, so the default is not large.
const (
	DefaultCache = 32 << 20
	MinCache     = 1 << 20
)

// cacheSizes divides a cache among the connections. The writer has most: it also answers questions about single nodes. The checkpointer reads no
// tables.
func (o Options) cacheSizes() (writer, reader, checkpointer pragma) {
	share := func(bytes int64) pragma { return pragma{"cache_size", strconv.FormatInt(-bytes>>10, 10)} }
	return share(o.Cache * 3 / 8), share(o.Cache * 9 / 16 / int64(o.ReadConns)), share(o.Cache / 16)
}

// pageSize is small because most commits change a few bytes in each of their pages, and the log takes whole ones.
const pageSize = 2048

// maxWAL is what is left of a log that an old reader let grow, once it starts again.
const maxWAL = 128 << 20

// pragmas returns the settings of every connection after its own first ones.
func pragmas(busy string, own ...pragma) []pragma {
	return append(own, []pragma{
		{"busy_timeout", busy},
		{"foreign_keys", "1"},
		{"temp_store", "2"},
		{"mmap_size", "0"}, // a failed read of a mapped page would be SIGBUS instead of EIO
		{"synchronous", "1"},
		{"wal_autocheckpoint", "0"}, // the checkpointer does it, not the caller who happens to cross a limit
	}...)
}

// writerPragmas sets page_size first: it counts only before the first table and the log exist.
func writerPragmas(cache pragma) []pragma {
	return pragmas("5000", pragma{"page_size", strconv.Itoa(pageSize)}, pragma{"journal_mode", "wal"}, cache,
		pragma{"journal_size_limit", strconv.Itoa(maxWAL)})
}

// readerPragmas make a mistake in a reading method fail instead of writing past the writer's lock.
func readerPragmas(cache pragma) []pragma {
	return pragmas("5000", pragma{"query_only", "1"}, cache)
}

// checkpointPragmas wait less for readers, because the writer may stand still meanwhile.
func checkpointPragmas(cache pragma) []pragma {
	return pragmas("20", pragma{"journal_mode", "wal"}, cache)
}

// Open opens or creates the database at path and brings its schema up to date. The caller makes sure that no other
// process uses it.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	db := &DB{path: path, opts: o.withDefaults(), done: make(chan struct{}), changes: countEvery}
	db.log = db.opts.Logger
	if err := db.open(); err != nil {
		return nil, errors.Join(wrap(err), db.closeConns())
	}
	db.refillReserve()
	return db, nil
}

// open leaves what it has opened to closeConns when it fails.
func (db *DB) open() error {
	db.findReserve()
	// Created here for its mode: it holds password hashes. SQLite gives its side files the same one.
	var err error
	if db.file, err = os.OpenFile(db.path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return fmt.Errorf("meta: open database: %w", err)
	}
	writer, reader, _ := db.opts.cacheSizes()
	if db.w, err = openConn(db.path, false, writerPragmas(writer)); err != nil {
		return err
	}
	if err := db.w.script(tempSchema); err != nil { // the operations of the last run may need it
		return err
	}
	if err := db.upgrade(); err != nil {
		return err
	}
	db.readers = newConnPool(db.opts.ReadConns)
	for range db.opts.ReadConns {
		c, err := openConn(db.path, true, readerPragmas(reader))
		if err != nil {
			return err
		}
		db.readers.put(c)
		db.opened++
	}
	if err := db.startGathering(); err != nil {
		return err
	}
	return db.startWorkers()
}

// upgrade does what the last run left undone, while the schema is still the one it was done for, and then brings the schema up to date.
func (db *DB) upgrade() error {
	r, _, err := db.w.one("SELECT 1 FROM sqlite_master WHERE name = 'counters'")
	if err != nil {
		return err
	}
	newer, err := db.w.newer()
	if err != nil {
		return err
	}
	if r != nil && !newer {
		if err := db.replayLeft(); err != nil {
			return fmt.Errorf("meta: do again what the last run acknowledged: %w", err)
		}
	}
	return migrate(db.w, db.path)
}

// newer tells that the schema is of a program after this one, which migrate refuses.
func (c *conn) newer() (bool, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return false, err
	}
	text, err := c.pragma("user_version")
	if err != nil {
		return false, err
	}
	have, err := strconv.Atoi(text)
	return have > len(names), err
}

// startWorkers comes last: the log exists by now, and its name is made durable before anyone relies on its bytes.
func (db *DB) startWorkers() error {
	wal, err := os.OpenFile(db.path+"-wal", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("meta: open the write-ahead log: %w", err)
	}
	_, _, cache := db.opts.cacheSizes()
	c, err := openConn(db.path, false, checkpointPragmas(cache))
	if err != nil {
		return errors.Join(err, wal.Close())
	}
	if err := syncDir(filepath.Dir(db.path)); err != nil {
		return errors.Join(fmt.Errorf("meta: flush the directory of %s: %w", db.path, err), c.close(), wal.Close())
	}
	db.flush = newFlusher(wal, db.opts)
	db.flush.committed() // what the last run and this start have left in the log
	db.ckpt = newCheckpointer(db, c, wal)
	return nil
}

// Close flushes and checkpoints the database and closes it. Calls that are still running finish first; later ones
// fail. A second Close does nothing.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	close(db.done)
	err := db.ckpt.stop()
	db.mu.Lock()
	defer db.mu.Unlock()
	return wrap(errors.Join(err, db.flush.stop(), db.closeConns()))
}

// closeConns waits for every reader to come back. After a failed Open there are only some, and nobody has one.
func (db *DB) closeConns() error {
	var errs []error
	for range db.opened {
		<-db.readers.ready
		errs = append(errs, db.readers.pop().close())
	}
	if db.w != nil {
		errs = append(errs, db.w.close())
	}
	if db.gather.log != nil {
		db.gather.timer.Stop()
		errs = append(errs, db.gather.log.close())
	}
	if db.file != nil {
		errs = append(errs, db.file.Close())
	}
	return errors.Join(errs...)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
