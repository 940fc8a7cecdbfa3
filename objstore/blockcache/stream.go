package blockcache

import "time"

// stream is a sequential read of a File. It is guarded by File.mu, or is of one goroutine only.
type stream struct {
	next   int64 // where the next read is expected
	run    int64 // bytes read in sequence
	end    int64 // where read-ahead stops
	reads  int   // in sequence; 0 is an unused stream
	used   int64 // File.clock of the last read
	at     int64 // block of next when it was planned last
	target int64 // first block behind the read-ahead planned last
	ahead  bool  // was ever read ahead
}

// near says whether a read of n bytes at off continues the stream. Reads of one reader overtake each other by a few,
// because the kernel sends several at once.
func (s *stream) near(off, n int64) bool {
	return s.reads > 0 && off >= s.next-4*n && off <= s.next+4*n
}

// extend adds a read and returns how far to read ahead now: up to four times of what was read, and nothing at all
// before the second read, or where that would be no news.
func (s *stream) extend(off, n, block, most int64) (window int64, due bool) {
	s.reads++
	if end := off + n; end > s.next {
		s.run += end - s.next
		s.next = end
	}
	if s.reads < 2 || most == 0 {
		return 0, false
	}
	window = min(4*s.run, most)
	at, target := s.next/block, (min(s.next+window, s.end)+block-1)/block
	due = at != s.at || target > s.target
	s.at, s.target = at, max(s.target, target)
	return window, due
}

// plan starts to fetch what a read of the blocks [first, behind) misses, and, with a window, what a stream is going
// to read. The caller leaves the fetches returned when it is done.
func (c *Cache) plan(o *object, s *stream, first, behind, window int64) []*fetch {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	var own []*fetch
	for from, to := range c.missing(o, first, behind, c.piece) {
		t := c.launch(o, from, to, nil)
		t.waiters++
		own = append(own, t)
	}
	if window > 0 {
		s.ahead = true
		c.readAhead(o, s, behind, min(window, c.share(s)))
	}
	return own
}

// launch starts to fetch a run of blocks. Called with mu held.
func (c *Cache) launch(o *object, from, to int64, owner *stream) *fetch {
	flights := make([]*flight, 0, to-from)
	for n := from; n < to; n++ {
		flights = append(flights, c.depart(o.id(n)))
	}
	return c.start(o, from, flights, owner)
}

// readAhead starts to fetch what is missing in a stream's window, in pieces. One at the window's end waits
// until it is whole. Called with mu held.
func (c *Cache) readAhead(o *object, s *stream, from, window int64) {
	size := max(1, min(window/4/o.block, c.piece))
	to := (min(s.next+window, s.end) + o.block - 1) / o.block
	for a, b := range c.missing(o, from, to, size) {
		if b-a == size || b < to || s.next+window >= s.end {
			c.launch(o, a, b, s)
		}
	}
}

// share is how far each of the streams that are read now may be read ahead, so that what comes fits into memory.
// Called with mu held.
func (c *Cache) share(s *stream) int64 {
	now := time.Now()
	c.active[s] = now
	if len(c.active) > 1 {
		for other, last := range c.active {
			if now.Sub(last) > streamIdle {
				delete(c.active, other)
			}
		}
	}
	return c.room / int64(len(c.active)) / c.o.Block * c.o.Block
}

// disown gives a stream's read-ahead up, as far as nobody waits for it.
func (c *Cache) disown(s *stream) {
	if !s.ahead {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.active, s)
	for t := range c.fetches {
		if t.owner != s {
			continue
		}
		t.owner = nil
		if t.waiters == 0 {
			c.fail(t, errDropped)
		}
	}
}
