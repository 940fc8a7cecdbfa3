package s3store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tote/objstore"
)

// slowest is the rate in bytes per second below which even a transfer that moves is given up.
const slowest = 64 << 10

var errPatience = errors.New("gave up")

// op is one call of the store for as long as it is repeated. It travels in the context of the SDK's calls, where
// the retryer finds it.
type op struct {
	ctx      context.Context // of the SDK's calls
	cancel   context.CancelFunc
	caller   context.Context
	start    time.Time
	patience time.Duration // 0 is until the context ends
	quiet    time.Duration // how much longer than usual the server may be silent

	mu      sync.Mutex
	repeats int   // guarded by mu
	last    error // guarded by mu; why the last attempt failed
	fatal   error // guarded by mu; the caller's body is broken
}

type opKey struct{}

func opOf(ctx context.Context) *op {
	o, _ := ctx.Value(opKey{}).(*op)
	return o
}

// begin starts an op that moves size bytes. The caller ends it.
func (s *Store) begin(ctx context.Context, size int64) *op {
	o := &op{caller: ctx, start: time.Now()}
	ctx = context.WithValue(ctx, opKey{}, o)
	if _, ok := ctx.Deadline(); ok {
		o.ctx, o.cancel = context.WithCancel(ctx)
		return o
	}
	o.patience = s.opts.Patience
	most := o.patience + s.opts.Stall + time.Duration(size/slowest)*time.Second
	o.ctx, o.cancel = context.WithTimeout(ctx, most)
	return o
}

func (o *op) end() { o.cancel() }

// again decides whether an attempt that failed with err is repeated.
func (o *op) again(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = err
	if o.fatal != nil {
		return o.fatal
	}
	if o.patience > 0 && time.Since(o.start) > o.patience {
		return errPatience
	}
	o.repeats++
	return nil
}

// pause waits before the store itself repeats something.
func (o *op) pause(err error) error {
	if err := o.again(err); err != nil {
		return err
	}
	return sleep(o.ctx, backoff(o.repeated()))
}

func (o *op) repeated() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.repeats
}

// broken is called when the caller's body can't be read a second time as it was read the first time.
func (o *op) broken(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fatal = err
}

// err is the error of the op for its caller.
func (o *op) err(err error) error {
	if err == nil {
		return nil
	}
	o.mu.Lock()
	fatal, last := o.fatal, o.last
	o.mu.Unlock()
	switch {
	case fatal != nil:
		return fatal
	case errors.Is(o.caller.Err(), context.Canceled):
		return o.caller.Err()
	case o.ctx.Err() == nil && !errors.Is(err, errPatience):
		return explain(err)
	case last == nil:
		last = err
	}
	waited := time.Since(o.start).Round(time.Second)
	if o.caller.Err() != nil {
		return fmt.Errorf("%w: %w after %s: %s", objstore.ErrTemporary, o.caller.Err(), waited, describe(last))
	}
	return fmt.Errorf("%w: gave up after %s: %s", objstore.ErrTemporary, waited, describe(last))
}
