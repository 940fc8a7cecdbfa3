package blockcache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tote/objstore"
	"tote/objstore/memstore"
)

const testBlock = 8 << 10 // small blocks make many of them

// pattern makes n bytes that differ from seed to seed and have no period.
func pattern(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	data := make([]byte, n)
	_, _ = r.Read(data) // never fails
	return data
}

// sumsOf are the sums of data's blocks.
func sumsOf(data []byte, block int) []byte {
	sums := []byte{}
	for len(data) > 0 {
		n := min(block, len(data))
		sums = binary.BigEndian.AppendUint32(sums, checksum(data[:n]))
		data = data[n:]
	}
	return sums
}

func put(t testing.TB, s objstore.Store, key string, data []byte) objstore.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data)))
	noErr(t, err)
	return info
}

// object puts data and describes it, with sums.
func stored(t testing.TB, s objstore.Store, key string, data []byte) Object {
	t.Helper()
	info := put(t, s, key, data)
	return Object{Key: key, ETag: info.ETag, Size: info.Size, Sums: sumsOf(data, testBlock)}
}

// open makes a cache with small blocks. When the test ends all its memory has to have come back.
func open(t testing.TB, dir string, limit int64, s objstore.Store, o Options) *Cache {
	t.Helper()
	if o.Block == 0 {
		o.Block = testBlock
	}
	c, err := New(dir, limit, s, o)
	noErr(t, err)
	c.pause = time.Millisecond
	c.writer.thrift.slow = 0 // what is fetched is written
	mapped := poison(c.buffers)
	t.Cleanup(func() {
		noErr(t, c.Close())
		if n := mapped(); n != 0 {
			t.Errorf("%d buffers are still in use after Close", n)
		}
	})
	return c
}

// poison makes use of a buffer that was given back show, as wrong bytes and to the race detector, and counts buffers.
func poison(p *buffers) func() int {
	var mu sync.Mutex
	count := 0
	add := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		count += n
	}
	p.alloc = func(n int) ([]byte, error) { add(1); return make([]byte, n), nil }
	p.unmap = func([]byte) error { add(-1); return nil }
	junk := bytes.Repeat([]byte{0xdb}, p.size)
	p.idle = func(buf []byte) { copy(buf, junk) }
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

// one is a store with one object, and a cache for it.
func one(t testing.TB, size int) ([]byte, *memstore.Store, Object) {
	t.Helper()
	data, s := pattern(1, size), memstore.New()
	return data, s, stored(t, s, "a", data)
}

// reads checks one read against what the object holds.
func reads(t testing.TB, f *File, want []byte, off, n int64) {
	t.Helper()
	p := make([]byte, n)
	got, err := f.ReadAt(t.Context(), p, off)
	rest := want[min(off, int64(len(want))):]
	rest = rest[:min(n, int64(len(rest)))]
	wantErr := error(nil)
	if len(rest) < int(n) || len(rest) == 0 && off >= int64(len(want)) {
		wantErr = io.EOF
	}
	if got != len(rest) || err != wantErr {
		t.Fatalf("%d bytes at %d: got %d, %v", n, off, got, err)
	}
	if !bytes.Equal(p[:got], rest) {
		t.Fatalf("%d bytes at %d are wrong", n, off)
	}
}

// fails returns the error that a read has to end with.
func fails(t testing.TB, f *File, off int64) error {
	t.Helper()
	n, err := f.ReadAt(t.Context(), make([]byte, 1), off)
	if n != 0 || err == nil {
		t.Fatalf("a read at %d gave %d bytes, error %v", off, n, err)
	}
	return err
}

// files lists the cache directory's blocks.
func files(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	noErr(t, err)
	return names
}

// eventually waits for what other goroutines are about to do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to pass: %s", what)
		}
	}
}

// quiet waits until nothing is fetched or written any more.
func quiet(t testing.TB, c *Cache) {
	t.Helper()
	eventually(t, "all fetches end", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.fetches) == 0 && c.writer.unwritten.Load() == 0
	})
}

// damaged is a store that hands bodies to a function on their way out.
type damaged struct {
	*memstore.Store
	change func(call int, off int64, body []byte) []byte

	mu    sync.Mutex
	calls int
}

func (d *damaged) GetMatch(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error) {
	body, err := d.Store.GetMatch(ctx, key, etag, off, n)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	return io.NopCloser(bytes.NewReader(d.change(d.calls, off, data))), err
}

func (d *damaged) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return d.GetMatch(ctx, key, "", off, n)
}

// blocksOf is what a file takes on the disk.
func blocksOf(info os.FileInfo) int64 { return info.Sys().(*syscall.Stat_t).Blocks * 512 }

// rewrite changes a file in place.
func rewrite(t testing.TB, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	noErr(t, err)
	noErr(t, os.WriteFile(path, change(data), 0o600))
}

// lines counts the log's lines that have a text in them.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), text)
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}
