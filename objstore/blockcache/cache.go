package blockcache

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"tote/objstore"
)

const (
	mostRange  = 8 << 20 // bytes of one call of the store
	mostBlock  = 64 << 20
	spare      = 4 // buffers for blocks that are being read from the disk
	streamIdle = 2 * time.Second
)

// Options tune a Cache. What is zero has the value in brackets.
type Options struct {
	Logger   *slog.Logger  // [none]
	Block    int64         // bytes of a block [1 MiB]
	Ahead    int64         // most bytes of read-ahead of one stream [64 MiB], negative: none
	Fetches  int           // calls of the store at once, in all [8]
	Memory   int64         // bytes of all blocks in memory [96 MiB], at least 3*Fetches+9 blocks
	Patience time.Duration // how long to go on without a block from the store [5 min]
}

func (o Options) filled() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	fill(&o.Block, 1<<20)
	fill(&o.Ahead, 64<<20)
	fill(&o.Fetches, 8)
	fill(&o.Memory, 96<<20)
	fill(&o.Patience, 5*time.Minute)
	o.Ahead = max(o.Ahead, 0)
	return o
}

func fill[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Cache reads the objects of one store. Use New.
type Cache struct {
	store   objstore.Store
	match   objstore.MatchGetter // nil when the store can't
	o       Options
	disk    *disk
	buffers *buffers
	kept    int           // blocks that stay in memory
	room    int64         // bytes that all streams together may be read ahead
	piece   int64         // blocks of one call of the store, at most
	pause   time.Duration // before the second attempt

	ctx    context.Context
	stop   context.CancelCauseFunc
	wg     sync.WaitGroup // of fetches
	writer *writer
	stats  counters
	copies sync.Pool // of *[sendBuffer]byte

	mu      sync.Mutex            // comes after File.mu, and before disk.mu and buffers.mu
	memory  *shelf                // guarded by mu; verified blocks
	pending map[blockID]*flight   // guarded by mu; blocks on their way into memory
	fetches map[*fetch]struct{}   // guarded by mu; running
	running int                   // guarded by mu; fetches that have a slot
	queue   []*fetch              // guarded by mu; those that wait for one
	active  map[*stream]time.Time // guarded by mu; when each was read ahead last
	closed  bool                  // guarded by mu
}

// New opens the cache in dir; what an earlier run left is used if it is valid and within limit, and removed otherwise.
// The limit is the hard cap of bytes on the disk, 0 is none on the disk at all. The store stays the caller's.
func New(dir string, limit int64, store objstore.Store, o Options) (*Cache, error) {
	o = o.filled()
	if limit < 0 || o.Block < 1 || o.Block > mostBlock || o.Fetches < 1 {
		return nil, fmt.Errorf("bad cache options: limit %d, block %d, fetches %d", limit, o.Block, o.Fetches)
	}
	disk, err := openDisk(dir, limit, o.Block, o.Logger)
	if err != nil {
		return nil, err
	}
	busy := o.Fetches + spare + 1 // buffers of blocks that are on their way
	count := int(max(o.Memory/o.Block, int64(busy+2*o.Fetches+4)))
	c := &Cache{
		store: store, o: o, disk: disk, buffers: newBuffers(int(o.Block), count),
		kept: count - busy, pause: leastPause,
		writer: newWriter(), pending: map[blockID]*flight{}, fetches: map[*fetch]struct{}{}, active: map[*stream]time.Time{},
	}
	c.room = int64(c.kept-o.Fetches) * o.Block
	c.piece = max(1, min(mostRange/o.Block, int64(c.kept/4)))
	c.copies.New = func() any { return new([sendBuffer]byte) }
	c.match, _ = objstore.As[objstore.MatchGetter](store)
	c.ctx, c.stop = context.WithCancelCause(context.Background())
	c.memory, err = newShelf(c.kept, o.Fetches)
	if err != nil {
		return nil, err
	}
	c.writer.wg.Go(c.write)
	return c, nil
}

// Open returns a File to read an object. It touches neither the store nor the disk: what is wrong with the object
// shows when it is read. Several Files of one object share all blocks. The caller closes the File.
func (c *Cache) Open(o Object) *File { return &File{c: c, o: newObject(o, c.o.Block)} }

// Forget drops all blocks of a key, because the object is going to be deleted. Files that are open fetch them again.
func (c *Cache) Forget(key string) {
	id := newKeyID(key)
	c.mu.Lock()
	c.memory.drop(func(b blockID) bool { return b.key == id })
	c.mu.Unlock()
	c.disk.dropKey(id)
}

// Close ends all fetches; readers that wait get os.ErrClosed. The blocks on the disk stay for the next New.
func (c *Cache) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	for t := range c.fetches {
		c.fail(t, os.ErrClosed)
	}
	c.mu.Unlock()
	c.stop(os.ErrClosed)
	c.wg.Wait()
	close(c.writer.queue)
	c.writer.wg.Wait()
	c.mu.Lock()
	c.memory.drop(func(blockID) bool { return true })
	c.mu.Unlock()
	c.buffers.close()
	return nil
}

// Stats counts what a Cache did since New, and says what it holds.
type Stats struct {
	Bytes, Blocks int64 // on the disk
	Limit         int64 // of bytes on the disk

	Hits     int64 // blocks that a read found in memory
	DiskHits int64 // blocks read from the disk
	Misses   int64 // blocks that a read had to wait for, most of them for the store

	Fetches int64 // calls of the store
	Fetched int64 // bytes from the store
	Retries int64 // calls made again after an error
	Corrupt int64 // blocks from the store whose sum was wrong

	DiskCorrupt int64 // blocks on the disk that were damaged
	DiskErrors  int64 // reads and writes that the disk refused
	DiskSkipped int64 // blocks not written because the disk was slower than the store
}

type counters struct {
	hits, diskHits, misses, fetches, fetched, retries, corrupt atomic.Int64
}

// Stats returns the counters.
func (c *Cache) Stats() Stats {
	s := Stats{
		Limit: c.disk.limit,
		Hits:  c.stats.hits.Load(), DiskHits: c.stats.diskHits.Load(), Misses: c.stats.misses.Load(),
		Fetches: c.stats.fetches.Load(), Fetched: c.stats.fetched.Load(), Retries: c.stats.retries.Load(),
		Corrupt: c.stats.corrupt.Load(), DiskCorrupt: c.disk.corrupt.Load(), DiskErrors: c.disk.errors.Load(),
		DiskSkipped: c.disk.skipped.Load(),
	}
	c.disk.mu.Lock()
	defer c.disk.mu.Unlock()
	s.Bytes, s.Blocks = c.disk.size, int64(len(c.disk.slots))
	return s
}
