package blockcache

import (
	"context"
	"iter"
	"os"
)

// flight is a block on its way into memory, from the disk or from the store. Whoever wants the block joins.
type flight struct {
	id   blockID
	done chan struct{} // closed when block or err is set

	fetch   *fetch // guarded by Cache.mu; nil while the disk is read
	waiters int    // guarded by Cache.mu; each gets a reference to the block
	block   *block // set before done
	err     error  // set before done
}

// block returns block n of an object with a reference, from wherever it is to be had.
func (c *Cache) block(ctx context.Context, o *object, n int64) (*block, error) {
	id := o.id(n)
	c.mu.Lock()
	if b := c.memory.get(id); b != nil {
		b.refs.Add(1)
		c.mu.Unlock()
		c.stats.hits.Add(1)
		c.disk.touch(id)
		return b, nil
	}
	if c.closed {
		c.mu.Unlock()
		return nil, os.ErrClosed
	}
	f, found := c.pending[id]
	if !found {
		f = c.depart(id)
	}
	f.join()
	c.mu.Unlock()
	if !found && c.load(f, o, n) {
		return c.wait(ctx, f)
	}
	c.stats.misses.Add(1)
	if !found {
		c.divert(f, o, n)
	}
	return c.wait(ctx, f)
}

// depart makes a flight. Called with mu held.
func (c *Cache) depart(id blockID) *flight {
	f := &flight{id: id, done: make(chan struct{})}
	c.pending[id] = f
	return f
}

// join adds a waiter, who must call wait. Called with mu held.
func (f *flight) join() {
	f.waiters++
	if f.fetch != nil {
		f.fetch.waiters++
	}
}

// wait waits for a flight the caller has joined, and returns its block with a reference.
func (c *Cache) wait(ctx context.Context, f *flight) (*block, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		if c.quit(f) {
			return nil, ctx.Err()
		}
	}
	return f.block, f.err
}

// quit takes a waiter off, or returns false when the flight has ended.
func (c *Cache) quit(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[f.id] != f {
		return false
	}
	f.waiters--
	if f.fetch != nil {
		c.leave(f.fetch)
	}
	return true
}

// load reads a flight's block from the disk. Others may have joined, so that it does not end with the reader.
func (c *Cache) load(f *flight, o *object, n int64) bool {
	if !c.disk.has(f.id) {
		return false
	}
	buf, err := c.buffers.get(c.ctx)
	if err != nil {
		return false
	}
	b := newBlock(c.buffers, buf, f.id, o.size(n))
	defer b.release()
	crc, ok := c.disk.read(f.id, b.data)
	if !ok || o.verify(n, crc) != nil {
		return false
	}
	b.crc = crc
	c.stats.diskHits.Add(1)
	return c.land(f, b)
}

// divert fetches a block that was not on the disk.
func (c *Cache) divert(f *flight, o *object, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		c.crash(f, os.ErrClosed)
		return
	}
	c.start(o, n, []*flight{f}, nil)
}

// land ends a flight with its block, which the cache and each waiter get a reference to. It returns false when the
// flight has ended already.
func (c *Cache) land(f *flight, b *block) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[f.id] != f {
		return false
	}
	b.refs.Add(int32(f.waiters))
	if !c.closed {
		b.refs.Add(1)
		c.memory.add(b, f.waiters == 0)
	}
	f.block = b
	c.end(f)
	return true
}

// crash ends a flight with an error. Called with mu held.
func (c *Cache) crash(f *flight, err error) {
	f.err = err
	c.end(f)
}

// end is called with mu held, in the order of a fetch's flights.
func (c *Cache) end(f *flight) {
	delete(c.pending, f.id)
	close(f.done)
	if f.fetch != nil {
		f.fetch.next++
		f.fetch.waiters -= f.waiters
	}
}

// missing yields the runs of blocks in [from, to) that are neither in memory, nor on the disk, nor on their way, cut
// into pieces of at most most. Called with mu held.
func (c *Cache) missing(o *object, from, to, most int64) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		for from < to {
			end := from
			for end < to && end-from < most && !c.known(o.id(end)) {
				end++
			}
			if end > from && !yield(from, end) {
				return
			}
			from = max(end, from+1)
		}
	}
}

// known is called with mu held.
func (c *Cache) known(id blockID) bool {
	return c.pending[id] != nil || c.memory.peek(id) != nil || c.disk.has(id)
}
