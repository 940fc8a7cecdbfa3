package blockcache

import (
	"context"
	"slices"
)

// enter takes a slot, of which there are as many as calls of the store may run at once, or waits for one.
func (t *fetch) enter() error {
	c := t.c
	c.mu.Lock()
	if c.running < c.o.Fetches {
		c.running++
		t.slot = true
		c.mu.Unlock()
		return nil
	}
	c.queue = append(c.queue, t)
	c.mu.Unlock()
	select {
	case <-t.turn:
		return nil
	case <-t.ctx.Done():
		t.exit()
		return context.Cause(t.ctx)
	}
}

// exit leaves the queue, or hands the slot on.
func (t *fetch) exit() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if i := slices.Index(t.c.queue, t); i >= 0 {
		t.c.queue = slices.Delete(t.c.queue, i, i+1)
		return
	}
	if t.slot {
		t.c.pass(t, max(t.c.urgent(), 0))
	}
}

// urgent is the first in the queue that somebody waits for, or -1. Called with mu held.
func (c *Cache) urgent() int {
	return slices.IndexFunc(c.queue, func(t *fetch) bool { return t.waiters > 0 })
}

// pass hands the slot of one fetch to number i of the queue, if there is one. Called with mu held.
func (c *Cache) pass(from *fetch, i int) {
	from.slot = false
	if i >= len(c.queue) {
		c.running--
		return
	}
	to := c.queue[i]
	c.queue = slices.Delete(c.queue, i, i+1)
	to.slot = true
	to.turn <- struct{}{}
}

// giveWay ends read-ahead that nobody waits for when a reader's fetch needs the slot.
func (t *fetch) giveWay() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if i := t.c.urgent(); i >= 0 && t.waiters == 0 && !t.ended {
		t.c.fail(t, errDropped)
		t.c.pass(t, i)
	}
}
