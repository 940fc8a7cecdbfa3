package meta

import (
	"context"
	"testing"
)

// TestPoolLendsTheLastOne: pages of a connection that was used a moment ago are in memory.
func TestPoolLendsTheLastOne(t *testing.T) {
	p := newConnPool(2)
	a, b := &conn{}, &conn{}
	p.put(a)
	p.put(b)
	take := func() *conn {
		c, err := p.take(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range 3 {
		c := take()
		if c != b {
			t.Fatal("the pool lends the one that has rested longest")
		}
		p.put(c)
	}
	if x, y := take(), take(); x != b || y != a {
		t.Error("two borrowers got other connections than there are")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.take(ctx, nil)
	wantErr(t, err, context.Canceled)
	closed := make(chan struct{})
	close(closed)
	_, err = p.take(t.Context(), closed)
	wantErr(t, err, errClosed)
}
