package s3proxy

import (
	"maps"
	"sync"
)

// Count says what passed of one operation, or of all.
type Count struct {
	Calls  int64 // that began
	Faults int64 // that were made to fail
	Most   int64 // that were under way at the same time, at most
	Up     int64 // bytes of request bodies that came from the client
	Down   int64 // bytes of answers' bodies that went to the client
}

// counts are the counters of a proxy.
type counts struct {
	mu  sync.Mutex
	ops map[Op]*Count // guarded by mu
	now map[Op]int64  // guarded by mu; calls that are under way
}

func newCounts() *counts { return &counts{ops: map[Op]*Count{}, now: map[Op]int64{}} }

// change runs fn on an operation's counters.
func (c *counts) change(op Op, fn func(*Count)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.ops[op]
	if n == nil {
		n = &Count{}
		c.ops[op] = n
	}
	fn(n)
}

func (c *counts) begin(op Op) {
	c.change(op, func(n *Count) {
		n.Calls++
		c.now[op]++
		n.Most = max(n.Most, c.now[op])
	})
}

func (c *counts) end(op Op) {
	c.change(op, func(*Count) { c.now[op]-- })
}

func (c *counts) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.ops)
}

func (c *counts) all() map[Op]Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[Op]Count{}
	for op := range maps.Keys(c.ops) {
		all[op] = *c.ops[op]
	}
	return all
}
