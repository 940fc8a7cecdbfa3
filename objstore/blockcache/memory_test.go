package blockcache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

// TestBuffers waits for memory, and gives it back to the system.
func TestBuffers(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		p := newBuffers(100, 2)
		mapped := 0
		p.alloc = func(n int) ([]byte, error) { mapped++; return mapMemory(n) }
		p.unmap = func(b []byte) error { mapped--; return unix.Munmap(b) }
		a, err := p.get(t.Context())
		noErr(t, err)
		b, err := p.get(t.Context())
		noErr(t, err)
		a[99], b[99] = 1, 2

		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		go func() { _, err := p.get(ctx); errs <- err }()
		synctest.Wait()
		cancel()
		isErr(t, <-errs, context.Canceled)

		got := make(chan []byte)
		go func() { b, _ := p.get(t.Context()); got <- b }()
		synctest.Wait()
		p.put(b)
		if b = <-got; b[99] != 2 {
			t.Error("it is another buffer")
		}
		p.put(a)
		p.close()
		p.close()
		if mapped != 1 {
			t.Errorf("%d buffers after close", mapped)
		}
		p.put(b)
		if mapped != 0 {
			t.Errorf("%d buffers at the end", mapped)
		}
	})
}

// TestBuffers_NoMemory makes do with the buffers there are.
func TestBuffers_NoMemory(t *testing.T) {
	data, s, o := one(t, 50*testBlock)
	c := open(t, t.TempDir(), 1<<20, s, Options{Fetches: 2, Memory: 1})
	made, alloc := 0, c.buffers.alloc
	c.buffers.alloc = func(n int) ([]byte, error) {
		if made == c.buffers.max-1 {
			return nil, unix.ENOMEM
		}
		made++
		return alloc(n)
	}
	f := c.Open(o)
	for range 3 {
		reads(t, f, data, 0, o.Size)
	}
}

// TestBound has far more readers than there is memory: all come through, and no more than the memory is used.
func TestBound(t *testing.T) {
	for _, limit := range []int64{0, 30 * testBlock, 1 << 30} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			data, s, o := one(t, 200*testBlock)
			c := open(t, t.TempDir(), limit, s, Options{Memory: 1, Fetches: 3})
			var wg sync.WaitGroup
			for i := range uint64(200) {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(i, 1))
					f := c.Open(o)
					defer f.Close()
					for range 20 {
						reads(t, f, data, r.Int64N(o.Size), r.Int64N(4*testBlock))
					}
				})
			}
			wg.Wait()
			if n := c.buffers.made; n > 3*3+9 {
				t.Errorf("%d blocks in memory", n)
			}
		})
	}
}

// TestRealMemory runs on the memory of the real thing.
func TestRealMemory(t *testing.T) {
	data, s, o := one(t, 50*testBlock)
	c, err := New(t.TempDir(), 1<<20, s, Options{Block: testBlock})
	noErr(t, err)
	f := c.Open(o)
	reads(t, f, data, 0, o.Size)
	emptyMemory(c)
	reads(t, f, data, 0, o.Size)
	f.Close()
	noErr(t, c.Close())
}
