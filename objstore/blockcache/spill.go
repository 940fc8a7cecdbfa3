package blockcache

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	spillQueue = 4096                  // blocks that wait to be written
	spillSmall = 64 << 10              // bytes of a block that is copied to wait,
	spillCopy  = 4 << 20               // and of all the copies
	spillBurst = 20 * time.Millisecond // of processor time that writing may use at once beside fetches,
	spillShare = 32                    // and the part of all processors that it may use for long
	spillPause = 5 * time.Millisecond
)

// spill is a block that waits to be written. A large one waits in memory, and is left out if it has to go before its
// turn comes. Small ones are copied: there may be many, and they would soon push each other out.
type spill struct {
	id   blockID
	crc  uint32
	data []byte // of a small one
}

// writer is the goroutine that writes blocks to the disk, and what it has before it.
type writer struct {
	queue     chan spill
	unwritten atomic.Int64 // blocks in the queue, and the one being written
	copied    atomic.Int64 // bytes of the small ones
	thrift    *thrift
	wg        sync.WaitGroup
}

func newWriter() *writer { return &writer{queue: make(chan spill, spillQueue), thrift: newThrift()} }

// spill has a block written, soon, and never waits for the disk. Where the store is faster than the disk, or than
// the little processor time that is left for writing, some are left out: such a store hardly needs a cache.
func (c *Cache) spill(b *block) {
	if !c.disk.wants(len(b.data)) {
		return
	}
	s := spill{id: b.id, crc: b.crc}
	if n := int64(len(b.data)); n <= spillSmall && c.writer.copied.Add(n) <= spillCopy {
		s.data = bytes.Clone(b.data)
	} else if n <= spillSmall {
		c.writer.copied.Add(-n)
	}
	c.writer.unwritten.Add(1)
	select {
	case c.writer.queue <- s:
	default:
		c.skip(s)
	}
}

func (c *Cache) skip(s spill) {
	c.disk.skipped.Add(1)
	c.written(s)
}

// written ends what spill began.
func (c *Cache) written(s spill) {
	c.writer.copied.Add(-int64(len(s.data)))
	c.writer.unwritten.Add(-1)
}

// write writes blocks until Close, on a thread of its own, whose processor time can be told.
func (c *Cache) write() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for s := range c.writer.queue {
		c.pace()
		start := threadTime()
		c.writeOne(s)
		c.writer.thrift.spend(threadTime() - start)
	}
}

func (c *Cache) writeOne(s spill) {
	if s.data != nil {
		c.disk.write(s.id, s.crc, s.data)
		c.written(s)
		return
	}
	c.mu.Lock()
	b := c.memory.peek(s.id)
	if b != nil {
		b.refs.Add(1)
	}
	c.mu.Unlock()
	if b == nil {
		c.skip(s)
		return
	}
	defer b.release()
	c.disk.write(b.id, b.crc, b.data)
	c.written(s)
}

// pace waits until there is time to spend, or nothing is fetched any more.
func (c *Cache) pace() {
	for pause := c.writer.thrift.pause(); pause > 0 && c.fetching(); pause = c.writer.thrift.pause() {
		time.Sleep(min(pause, spillPause))
	}
}

func (c *Cache) fetching() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running > 0
}

// threadTime is the processor time that the thread has used.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// thrift is an account of processor time, which fills up slowly.
type thrift struct {
	slow time.Duration // in which one unit of time comes in; 0 is unlimited

	mu     sync.Mutex
	credit time.Duration // guarded by mu; at most spillBurst, negative where too much was spent
	at     time.Time     // guarded by mu; when credit was right
}

func newThrift() *thrift {
	slow := max(spillShare/time.Duration(runtime.NumCPU()), 1)
	return &thrift{slow: slow, credit: spillBurst, at: time.Now()}
}

// fill is called with mu held.
func (a *thrift) fill() {
	now := time.Now()
	a.credit = min(a.credit+now.Sub(a.at)/max(a.slow, 1), spillBurst)
	a.at = now
}

func (a *thrift) spend(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fill()
	a.credit -= d
}

// pause is how long it takes until there is credit again.
func (a *thrift) pause() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fill()
	return max(-a.credit*a.slow, 0)
}
