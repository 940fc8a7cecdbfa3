package meta

import (
	"context"
	"sync"
)

// connPool lends the reading connections. The one that came back last goes first, because its pages are those that are asked for now; in turn, each of
// them would read the same pages again.
type connPool struct {
	ready chan struct{} // a token for each connection in free

	mu   sync.Mutex
	free []*conn // guarded by mu
}

func newConnPool(size int) *connPool { return &connPool{ready: make(chan struct{}, size)} }

// put gives a connection to the pool, or back.
func (p *connPool) put(c *conn) {
	p.mu.Lock()
	p.free = append(p.free, c)
	p.mu.Unlock()
	p.ready <- struct{}{}
}

// take waits for a free connection, until ctx or done ends.
func (p *connPool) take(ctx context.Context, done <-chan struct{}) (*conn, error) {
	select {
	case <-p.ready:
		return p.pop(), nil
	case <-done:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pop needs a token.
func (p *connPool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	c := p.free[last]
	p.free = p.free[:last]
	return c
}
