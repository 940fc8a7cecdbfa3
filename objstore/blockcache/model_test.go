package blockcache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"tote/objstore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

// model is what the objects hold, and a store that lies about it.
type model struct {
	dir     string
	limit   int64
	store   objstore.Store
	data    [][]byte
	objects []Object
}

func newModel(t *testing.T, limit int64) *model {
	m := &model{dir: t.TempDir(), limit: limit}
	s := memstore.New()
	for i := range 12 {
		size := []int{1, 100, testBlock, 3*testBlock + 1, 40 * testBlock, 100*testBlock + 77}[i%6]
		m.data = append(m.data, pattern(uint64(i), size))
		o := stored(t, s, fmt.Sprintf("o%d", i), m.data[i])
		m.objects = append(m.objects, o)
	}
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(5, 6))
	d := &damaged{Store: s, change: func(_ int, _ int64, b []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		if r.IntN(10) == 0 && len(b) > 0 {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		return b
	}}
	faulty := storetest.NewFault(d)
	for nth := 1; nth < 100_000; nth += 1 + r.IntN(20) {
		act := storetest.Fail(objstore.ErrTemporary)
		switch r.IntN(3) {
		case 0:
			act = storetest.Cut(r.Int64N(5 * testBlock))
		case 1:
			act = storetest.Delay(time.Duration(r.IntN(3)) * time.Millisecond)
		}
		faulty.Add(storetest.Rule{Op: "get", Nth: nth, Do: act})
	}
	m.store = faulty
	return m
}

// run lets some goroutines do random things to a cache.
func (m *model) run(t *testing.T, seed uint64, rounds int) {
	c := open(t, m.dir, m.limit, m.store, Options{Memory: 50 * testBlock, Ahead: 20 * testBlock})
	c.pause = 10 * time.Microsecond
	defer c.Close()
	files := make([]*File, len(m.objects))
	for i, o := range m.objects {
		files[i] = c.Open(o)
		defer files[i].Close()
	}
	var wg sync.WaitGroup
	for g := range uint64(5) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, g))
			for range rounds {
				i := r.IntN(len(files))
				f := files[i]
				if r.IntN(3) == 0 {
					f = c.Open(m.objects[i])
					defer f.Close()
				}
				m.act(t, c, f, m.data[i], r)
			}
		})
	}
	wg.Wait()
}

func (m *model) act(t *testing.T, c *Cache, f *File, data []byte, r *rand.Rand) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	size := int64(len(data))
	off := r.Int64N(size)
	switch n := r.IntN(20); {
	case n < 8: // one read
		m.read(ctx, t, f, data, off, 1+r.Int64N(5*testBlock))
	case n < 12: // a stream
		step := 1 + r.Int64N(2*testBlock)
		for i := 0; i < 30 && off < size; i++ {
			m.read(ctx, t, f, data, off, step)
			off += step
		}
	case n < 15: // a body
		var b bytes.Buffer
		sent, err := f.SendTo(ctx, &b, off, -1)
		if m.ok(t, err, nil) && sent != size-off || !bytes.Equal(b.Bytes(), data[off:off+sent]) {
			t.Errorf("sent %d of %d, %v", sent, size-off, err)
		}
	case n < 18: // a reader that leaves
		time.AfterFunc(time.Duration(r.IntN(2000))*time.Microsecond, cancel)
		m.read(ctx, t, f, data, off, 1+r.Int64N(20*testBlock))
	case n < 19:
		c.Forget(f.o.Key)
	default:
		m.harm(t, r)
	}
}

func (m *model) read(ctx context.Context, t *testing.T, f *File, data []byte, off, n int64) {
	p := make([]byte, n)
	got, err := f.ReadAt(ctx, p, off)
	want := data[off:min(off+n, int64(len(data)))]
	if m.ok(t, err, io.EOF) && got != len(want) || !bytes.Equal(p[:got], want[:got]) {
		t.Errorf("%d bytes at %d of %s: got %d, %v", n, off, f.o.Key, got, err)
	}
}

// ok says whether a read has to be complete. The only other errors are those that were asked for: five times wrong
// bytes for one block, and readers that left.
func (m *model) ok(t *testing.T, err, end error) bool {
	if err != nil && err != end && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	return err == nil || err == end
}

// harm damages a file of the cache directory, or deletes it.
func (m *model) harm(t *testing.T, r *rand.Rand) {
	all := files(t, m.dir)
	if len(all) == 0 {
		return
	}
	path := all[r.IntN(len(all))]
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return
	}
	switch r.IntN(3) {
	case 0:
		data[r.IntN(len(data))] ^= 1 << r.IntN(8)
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, _ = f.Write(data)
			f.Close()
		}
	case 1:
		_ = os.Truncate(path, int64(r.IntN(len(data)))) // it may be gone
	default:
		_ = os.Remove(path)
	}
}

// TestModel runs caches one after the other in one directory, over a store that fails, cuts and damages, while bits
// flip on the disk: every byte that is read is right.
func TestModel(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for _, limit := range []int64{0, 20 * testBlock, 1 << 30} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			m := newModel(t, limit)
			for seed := range uint64(4) {
				m.run(t, seed, rounds)
				if sum := usage(t, m.dir); sum > limit+page {
					t.Errorf("%d bytes on the disk", sum)
				}
			}
		})
	}
}
