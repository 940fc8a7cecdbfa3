package blockcache

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"tote/objstore"
	"tote/objstore/memstore"
)

// far is a store whose calls take a while to begin and whose connections have a speed.
type far struct {
	*memstore.Store
	latency time.Duration
	speed   float64 // bytes per second of one connection, 0 is any
}

func (f far) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return f.GetMatch(ctx, key, "", off, n)
}

func (f far) GetMatch(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error) {
	body, err := f.Store.GetMatch(ctx, key, etag, off, n)
	time.Sleep(f.latency)
	return &farBody{ReadCloser: body, speed: f.speed, start: time.Now()}, err
}

type farBody struct {
	io.ReadCloser
	speed float64
	start time.Time
	n     int64
}

func (b *farBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), 64<<10)])
	b.n += int64(n)
	if b.speed > 0 {
		time.Sleep(time.Until(b.start.Add(time.Duration(float64(b.n) / b.speed * 1e9))))
	}
	return n, err
}

// parallel is what a cold read is measured with: ranges of 8 MiB, eight at once, into memory.
func parallel(b testing.TB, s objstore.Store, key string, size int64) {
	var wg sync.WaitGroup
	ranges := make(chan int64)
	for range 8 {
		wg.Go(func() {
			buf := make([]byte, mostRange)
			for off := range ranges {
				body, err := s.Get(b.Context(), key, off, min(mostRange, size-off))
				if err == nil {
					_, err = io.ReadFull(body, buf[:min(mostRange, size-off)])
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	for off := int64(0); off < size; off += mostRange {
		ranges <- off
	}
	close(ranges)
	wg.Wait()
}

// BenchmarkCold reads an object that is nowhere in the cache yet, beside a parallel download of the same.
func BenchmarkCold(b *testing.B) {
	for _, far := range []far{{latency: 0}, {latency: 20 * time.Millisecond, speed: 60e6}, {latency: 100 * time.Millisecond, speed: 60e6}} {
		far.Store = memstore.New()
		const size = 256 << 20
		data := pattern(1, size)
		info := put(b, far, "a", data)
		o := Object{Key: "a", ETag: info.ETag, Size: size, Sums: sumsOf(data, 1<<20)}
		name := fmt.Sprintf("%v", far.latency)
		b.Run(name+"/download", func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				parallel(b, far, "a", size)
			}
		})
		for _, step := range []int{128 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/read/%dKiB", name, step>>10), func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					dir, err := os.MkdirTemp(b.TempDir(), "")
					noErr(b, err)
					c, err := New(dir, 1<<30, far, Options{})
					noErr(b, err)
					readAll(b, c, o, step)
					noErr(b, c.Close())
					noErr(b, os.RemoveAll(dir))
				}
			})
		}
	}
}

func readAll(b *testing.B, c *Cache, o Object, step int) {
	b.Helper()
	f := c.Open(o)
	defer f.Close()
	p := make([]byte, step)
	for off := int64(0); off < o.Size; off += int64(step) {
		if _, err := f.ReadAt(b.Context(), p, off); err != nil && err != io.EOF {
			b.Fatal(err)
		}
	}
}

// BenchmarkHot reads what is in memory or on the disk.
func BenchmarkHot(b *testing.B) {
	s := memstore.New()
	const size = 256 << 20
	data := pattern(1, size)
	info := put(b, s, "a", data)
	c, err := New(b.TempDir(), 1<<30, s, Options{})
	noErr(b, err)
	defer c.Close()
	readAll(b, c, Object{Key: "a", ETag: info.ETag, Size: size}, 1<<20)
	f := c.Open(Object{Key: "a", ETag: info.ETag, Size: size})
	for name, c := range map[string]struct {
		step   int
		within int64
	}{
		"memory/1MiB": {1 << 20, 16 << 20}, "memory/128KiB": {128 << 10, 16 << 20}, "memory/4KiB": {4 << 10, 16 << 20},
		"disk/1MiB": {1 << 20, size}, "disk/128KiB": {128 << 10, size},
	} {
		b.Run(name, func(b *testing.B) {
			p := make([]byte, c.step)
			b.SetBytes(int64(c.step))
			b.ReportAllocs()
			off := int64(0)
			for b.Loop() {
				if _, err := f.ReadAt(b.Context(), p, off); err != nil {
					b.Fatal(err)
				}
				if off += int64(c.step); off == c.within {
					off = 0
				}
			}
		})
	}
}
