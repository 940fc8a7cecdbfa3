package blockcache

import (
	"context"
	"io"
	"os"
	"sync"
	"testing"
	"testing/synctest"

	"tote/objstore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

// TestOneFetch has many Files of one object ask for one block at once.
func TestOneFetch(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		data, s, o := one(t, 3*testBlock)
		open1 := make(chan struct{})
		faulty := storetest.NewFault(s, storetest.Rule{Op: "get", Do: storetest.Block(open1)})
		c := open(t, t.TempDir(), 1<<20, faulty, Options{})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() { reads(t, c.Open(o), data, testBlock+int64(i), 10) })
		}
		synctest.Wait()
		close(open1)
		wg.Wait()
		if n := faulty.Calls("get"); n != 1 {
			t.Errorf("%d calls", n)
		}
		if st := c.Stats(); st.Misses != 50 || st.Fetches != 1 || st.Fetched != testBlock {
			t.Errorf("%+v", st)
		}
	})
}

// TestCancel has readers leave a fetch one after the other.
func TestCancel(t *testing.T) {
	for name, size := range map[string]int{"one block": 10, "several": 3 * testBlock} {
		bubbled(t, name, func(t *testing.T) {
			_, s, o := one(t, 3*testBlock)
			faulty := storetest.NewFault(s, storetest.Rule{Op: "get", Do: storetest.Block(nil)})
			c := open(t, t.TempDir(), 1<<20, faulty, Options{})
			ctxs, cancels, errs := [3]context.Context{}, [3]context.CancelFunc{}, make(chan error, 3)
			for i := range ctxs {
				ctxs[i], cancels[i] = context.WithCancel(t.Context())
				go func() {
					_, err := c.Open(o).ReadAt(ctxs[i], make([]byte, size), 0)
					errs <- err
				}()
				synctest.Wait() // the first one starts the fetch
			}
			for i, cancel := range cancels {
				if len(c.fetches) != 1 {
					t.Fatalf("%d fetches for %d readers", len(c.fetches), 3-i)
				}
				cancel()
				isErr(t, <-errs, context.Canceled)
				synctest.Wait()
			}
			if len(c.fetches)+len(c.pending) > 0 {
				t.Error("the fetch goes on for nobody")
			}
		})
	}
}

// TestCancel_Others has the reader that started a fetch leave another one alone with it.
func TestCancel_Others(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		data, s, o := one(t, 3*testBlock)
		go1 := make(chan struct{})
		faulty := storetest.NewFault(s, storetest.Rule{Op: "get", Do: storetest.Block(go1)})
		c := open(t, t.TempDir(), 1<<20, faulty, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		go func() {
			_, err := c.Open(o).ReadAt(ctx, make([]byte, 3*testBlock), 0)
			errs <- err
		}()
		synctest.Wait()
		var wg sync.WaitGroup
		wg.Go(func() { reads(t, c.Open(o), data, 2*testBlock, 10) })
		synctest.Wait()
		cancel()
		isErr(t, <-errs, context.Canceled)
		close(go1)
		wg.Wait()
		if n := faulty.Calls("get"); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestClose_Readers closes the cache under readers that wait.
func TestClose_Readers(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		_, s, o := one(t, 30*testBlock)
		c := open(t, t.TempDir(), 1<<20, storetest.NewFault(s, storetest.Rule{Op: "get", Do: storetest.Block(nil)}), Options{})
		errs := make(chan error, 20)
		for i := range 20 {
			go func() {
				_, err := c.Open(o).ReadAt(t.Context(), make([]byte, testBlock), int64(i)*testBlock+5)
				errs <- err
			}()
		}
		synctest.Wait()
		noErr(t, c.Close())
		for range 20 {
			isErr(t, <-errs, os.ErrClosed)
		}
	})
}

// gated is a store whose bodies give one block for each token.
type gated struct {
	*memstore.Store
	tokens chan struct{}
}

func (g gated) GetMatch(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error) {
	body, err := g.Store.GetMatch(ctx, key, etag, off, n)
	if err != nil {
		return nil, err
	}
	return &gatedBody{ReadCloser: body, ctx: ctx, tokens: g.tokens, size: n}, nil
}

func (g gated) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return g.GetMatch(ctx, key, "", off, n)
}

type gatedBody struct {
	io.ReadCloser
	ctx    context.Context
	tokens chan struct{}
	size   int64 // to come
	left   int   // of the block the last token was for
}

func (b *gatedBody) Read(p []byte) (int, error) {
	if b.left == 0 && b.size > 0 {
		select {
		case <-b.tokens:
			b.left = testBlock
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), max(b.left, 1))])
	b.left -= n
	b.size -= int64(n)
	return n, err
}

// TestUrgent lets a reader's fetch go before read-ahead, both that which runs and that which waits.
func TestUrgent(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		s := gated{memstore.New(), make(chan struct{})}
		data, other := pattern(1, 200*testBlock), pattern(2, testBlock)
		long, short := stored(t, s, "long", data), stored(t, s, "short", other)
		trace := storetest.NewTrace(s)
		c := open(t, t.TempDir(), 1<<24, trace, Options{Fetches: 1})
		f := c.Open(long)
		feed(s, func() {
			reads(t, f, data, 0, 4*testBlock)
			reads(t, f, data, 4*testBlock, 4*testBlock)
		})
		synctest.Wait()
		if len(c.queue) == 0 || c.running != 1 {
			t.Fatalf("%d fetches run, %d wait", c.running, len(c.queue))
		}
		trace.Reset()
		done := make(chan bool)
		go func() { reads(t, c.Open(short), other, 0, testBlock); close(done) }()
		synctest.Wait()
		s.tokens <- struct{}{} // one block of read-ahead arrives, and its fetch gives way
		synctest.Wait()
		if got := trace.String(); got != "get short off=0 n=8192\n" {
			t.Fatalf("next came %q", got)
		}
		feed(s, func() { <-done })
		f.Close()
		synctest.Wait()
		if c.running+len(c.queue)+len(c.fetches) > 0 {
			t.Errorf("%d run and %d wait after Close", c.running, len(c.queue))
		}
	})
}

// feed gives tokens until fn is done.
func feed(g gated, fn func()) {
	done := make(chan struct{})
	go func() { fn(); close(done) }()
	for {
		synctest.Wait()
		select {
		case <-done:
			return
		default:
		}
		select {
		case g.tokens <- struct{}{}:
		case <-done:
		}
	}
}

// TestFetches counts the calls at once.
func TestFetches(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		data, s, o := one(t, 40*testBlock)
		hold := make(chan struct{})
		faulty := storetest.NewFault(s, storetest.Rule{Op: "get", Do: storetest.Block(hold)})
		c := open(t, t.TempDir(), 1<<20, faulty, Options{Fetches: 3})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { reads(t, c.Open(o), data, int64(i)*2*testBlock, testBlock) })
		}
		synctest.Wait()
		if n := faulty.Calls("get"); n != 3 {
			t.Errorf("%d calls at once", n)
		}
		close(hold)
		wg.Wait()
		if n := faulty.Calls("get"); n != 20 {
			t.Errorf("%d calls in all", n)
		}
	})
}

var _ objstore.MatchGetter = gated{}
