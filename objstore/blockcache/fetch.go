package blockcache

import (
	"context"
	"fmt"
	"io"
	"time"
)

// fetch gets neighbouring blocks from the store with one call, if all goes well. It lives as long as somebody wants
// what is still to come: the stream it reads ahead for, or waiters.
type fetch struct {
	c       *Cache
	o       *object
	first   int64
	flights []*flight
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer // ends it when no block came for too long
	pause   time.Duration
	corrupt int   // wrong answers for the next block
	last    error // of the attempts

	next    int     // guarded by c.mu; the first flight that has not ended
	owner   *stream // guarded by c.mu; whose read-ahead it is
	waiters int     // guarded by c.mu; those of its flights, and the reader that started it
	ended   bool    // guarded by c.mu

	turn chan struct{} // tells a fetch in the queue that it has a slot
	slot bool          // guarded by c.mu
}

// start begins to fetch the blocks from first on into their flights. Called with mu held.
func (c *Cache) start(o *object, first int64, flights []*flight, owner *stream) *fetch {
	t := &fetch{c: c, o: o, first: first, flights: flights, pause: c.pause, owner: owner, turn: make(chan struct{}, 1)}
	t.ctx, t.cancel = context.WithCancelCause(c.ctx)
	t.timer = time.AfterFunc(c.o.Patience, func() { t.cancel(errPatience) })
	for _, f := range flights {
		f.fetch = t
		t.waiters += f.waiters
	}
	c.fetches[t] = struct{}{}
	c.wg.Go(t.run)
	return t
}

// leave takes a waiter off. Called with mu held.
func (c *Cache) leave(t *fetch) {
	t.waiters--
	if t.waiters == 0 && t.owner == nil {
		c.fail(t, errDropped)
	}
}

// fail ends a fetch and the flights that are left. Called with mu held.
func (c *Cache) fail(t *fetch, err error) {
	if t.ended {
		return
	}
	t.ended = true
	for _, f := range t.flights[t.next:] {
		c.crash(f, err)
	}
	t.cancel(errDropped)
}

func (t *fetch) run() {
	defer t.finish()
	for f, _ := t.upcoming(); f != nil; f, _ = t.upcoming() {
		if err := t.attempt(); err != nil && !t.again(err) {
			return
		}
	}
}

func (t *fetch) finish() {
	t.timer.Stop()
	t.cancel(errDropped)
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	delete(t.c.fetches, t)
}

// upcoming returns the flight that comes next and the number of its block, or nil when nothing is left to do.
func (t *fetch) upcoming() (*flight, int64) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.ended || t.next == len(t.flights) {
		return nil, 0
	}
	return t.flights[t.next], t.first + int64(t.next)
}

// attempt gets what is left with one call of the store.
func (t *fetch) attempt() error {
	if err := t.enter(); err != nil {
		return err
	}
	defer t.exit()
	body, err := t.open()
	if err != nil {
		return err
	}
	defer body.Close()
	for f, n := t.upcoming(); f != nil; f, n = t.upcoming() {
		b, err := t.receive(body, f, n)
		if err != nil {
			return err
		}
		t.deliver(f, b)
		t.giveWay()
	}
	return nil
}

// open calls the store for all that is left.
func (t *fetch) open() (io.ReadCloser, error) {
	f, n := t.upcoming()
	if f == nil {
		return nil, errDropped
	}
	off := n * t.o.block
	size := min((t.first+int64(len(t.flights)))*t.o.block, t.o.Size) - off
	t.c.stats.fetches.Add(1)
	if t.c.match != nil && t.o.ETag != "" {
		return t.c.match.GetMatch(t.ctx, t.o.Key, t.o.ETag, off, size)
	}
	return t.c.store.Get(t.ctx, t.o.Key, off, size)
}

// receive reads and verifies one block of a body. The caller releases it.
func (t *fetch) receive(body io.Reader, f *flight, n int64) (*block, error) {
	buf, err := t.c.buffers.get(t.ctx)
	if err != nil {
		return nil, err
	}
	b := newBlock(t.c.buffers, buf, f.id, t.o.size(n))
	if err := t.fill(b, body, n); err != nil {
		b.release()
		return nil, err
	}
	return b, nil
}

func (t *fetch) fill(b *block, body io.Reader, n int64) error {
	got, err := io.ReadFull(body, b.data)
	t.c.stats.fetched.Add(int64(got))
	if err != nil {
		return early(err)
	}
	if n == t.first+int64(len(t.flights))-1 {
		if err := atEnd(body); err != nil {
			return err
		}
	}
	b.crc = checksum(b.data)
	return t.o.verify(n, b.crc)
}

// atEnd wants the end of a body. Bytes too many are wrong bytes, and some stores tell of damage only there.
func atEnd(body io.Reader) error {
	n, err := io.ReadFull(body, make([]byte, 1))
	if n > 0 {
		return fmt.Errorf("%w: it has more bytes than were asked for", ErrCorrupt)
	}
	if err != io.EOF {
		return err
	}
	return nil
}

// deliver hands a block to those who wait, and then to the disk.
func (t *fetch) deliver(f *flight, b *block) {
	defer b.release()
	t.corrupt, t.pause = 0, t.c.pause
	if t.c.land(f, b) {
		t.c.spill(b)
		t.timer.Reset(t.c.o.Patience)
	}
}
