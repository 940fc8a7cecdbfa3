package blockcache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"tote/objstore"
)

const (
	leastPause  = 50 * time.Millisecond
	mostPause   = 3 * time.Second
	mostCorrupt = 5 // wrong answers for one block
)

// again says whether to try again after an error, having waited a little. If not, the fetch has failed.
func (t *fetch) again(err error) bool {
	if errors.Is(err, ErrCorrupt) {
		t.c.stats.corrupt.Add(1)
	}
	switch {
	case t.ctx.Err() != nil:
		t.fail(t.verdict())
		return false
	case permanent(err):
		t.fail(err)
		return false
	case t.drop():
		return false
	}
	t.last = err
	if errors.Is(err, ErrCorrupt) && !t.endure(err) {
		return true
	}
	t.c.stats.retries.Add(1)
	t.sleep()
	return true
}

func (t *fetch) fail(err error) {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.c.fail(t, err)
}

// verdict is the error of a fetch that was ended from outside.
func (t *fetch) verdict() error {
	cause := context.Cause(t.ctx)
	if cause != errPatience {
		return cause
	}
	if t.last == nil {
		return fmt.Errorf("%w: %w", objstore.ErrTemporary, cause)
	}
	return fmt.Errorf("%w: %w: %w", objstore.ErrTemporary, cause, t.last)
}

// drop ends read-ahead that failed, unless somebody waits for it.
func (t *fetch) drop() bool {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.waiters > 0 {
		return false
	}
	t.c.fail(t, errDropped)
	return true
}

// endure counts wrong answers for a block. After too many it gives the block up, returns false, and the ones behind
// it get their turn.
func (t *fetch) endure(err error) bool {
	t.corrupt++
	if t.corrupt < mostCorrupt {
		return true
	}
	t.corrupt, t.pause = 0, t.c.pause
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if !t.ended {
		t.c.crash(t.flights[t.next], err)
	}
	return false
}

// sleep waits before the next attempt, longer each time, and not the same time as everybody else.
func (t *fetch) sleep() {
	pause := t.pause/2 + rand.N(t.pause/2+1)
	t.pause = min(2*t.pause, mostPause)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
	}
}
