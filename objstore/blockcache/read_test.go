package blockcache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"testing"

	"tote/objstore"
	"tote/objstore/memstore"
)

// TestReadAt reads ranges of every kind, with what the cache holds growing from nothing to all.
func TestReadAt(t *testing.T) {
	const size = 10*testBlock + 100
	for _, limit := range []int64{0, 1 << 20} {
		for _, step := range []int64{1, 100, testBlock - 1, testBlock, testBlock + 1, 3 * testBlock, size} {
			t.Run(fmt.Sprintf("limit %d step %d", limit, step), func(t *testing.T) {
				data, s, o := one(t, size)
				f := open(t, t.TempDir(), limit, s, Options{}).Open(o)
				defer f.Close()
				for off := int64(0); off < size+2*testBlock; off += max(step, testBlock/4) {
					reads(t, f, data, off, step)
				}
				reads(t, f, data, 0, size+1)
				reads(t, f, data, size, 1)
				reads(t, f, data, 5, 0)
			})
		}
	}
}

// TestReadAt_Large reads more at once than one call of the store fetches, and than the memory holds.
func TestReadAt_Large(t *testing.T) {
	data, s := pattern(1, 3*mostRange+5), memstore.New()
	info := put(t, s, "a", data)
	for _, limit := range []int64{0, 1 << 30} {
		c := open(t, t.TempDir(), limit, s, Options{Block: 1 << 20, Memory: 1})
		f := c.Open(Object{Key: "a", ETag: info.ETag, Size: info.Size, Sums: sumsOf(data, 1<<20)})
		reads(t, f, data, 3, info.Size)
		f.Close()
	}
}

func TestReadAt_Refuses(t *testing.T) {
	_, s, o := one(t, 2*testBlock)
	c := open(t, t.TempDir(), 0, s, Options{})
	t.Run("negative offset", func(t *testing.T) {
		isErr(t, fails(t, c.Open(o), -1), objstore.ErrRange)
	})
	t.Run("sums of another size", func(t *testing.T) {
		bad := o
		bad.Sums = bad.Sums[:4]
		isErr(t, fails(t, c.Open(bad), 0), errSums)
	})
	for _, size := range []int64{-1, math.MaxInt64} {
		t.Run(fmt.Sprintf("size %d", size), func(t *testing.T) {
			fails(t, c.Open(Object{Key: "a", Size: size}), 0)
		})
	}
	t.Run("closed file", func(t *testing.T) {
		f := c.Open(o)
		f.Close()
		f.Close()
		isErr(t, fails(t, f, 0), os.ErrClosed)
	})
	t.Run("empty object", func(t *testing.T) {
		f := c.Open(Object{Key: "nowhere"})
		isErr(t, fails(t, f, 0), io.EOF)
		if n, err := f.SendTo(t.Context(), io.Discard, 0, -1); n != 0 || err != nil {
			t.Errorf("sent %d, %v", n, err)
		}
	})
}

func TestNew_Refuses(t *testing.T) {
	file := t.TempDir() + "/file"
	noErr(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		dir   string
		limit int64
		o     Options
	}{
		"negative limit": {t.TempDir(), -1, Options{}},
		"negative block": {t.TempDir(), 1, Options{Block: -1}},
		"huge block":     {t.TempDir(), 1, Options{Block: 1 << 40}},
		"no fetches":     {t.TempDir(), 1, Options{Fetches: -1}},
		"a file":         {file, 1, Options{}},
	} {
		if _, err := New(c.dir, c.limit, memstore.New(), c.o); err == nil {
			t.Errorf("%s is fine", name)
		}
	}
	c, err := New(file+"/missing", 0, memstore.New(), Options{})
	if err == nil {
		t.Error("a directory in a file is fine")
		c.Close()
	}
	c, err = New(t.TempDir()+"/missing", 0, memstore.New(), Options{})
	noErr(t, err)
	noErr(t, errors.Join(c.Close(), c.Close()))
}

func TestClosedCache(t *testing.T) {
	_, s, o := one(t, 3*testBlock)
	c := open(t, t.TempDir(), 1<<20, s, Options{})
	f := c.Open(o)
	noErr(t, c.Close())
	isErr(t, fails(t, f, 0), os.ErrClosed)
	_, err := f.ReadAt(t.Context(), make([]byte, 3*testBlock), 0)
	isErr(t, err, os.ErrClosed)
}

func TestSendTo(t *testing.T) {
	const size = 2*sendBuffer + 3*testBlock + 7
	data, s, o := one(t, size)
	c := open(t, t.TempDir(), 1<<20, s, Options{})
	f := c.Open(o)
	for _, r := range []struct{ off, n int64 }{
		{0, -1}, {0, size}, {1, size - 2}, {testBlock, 10}, {size, 0}, {size, -1}, {0, 0}, {size - 1, -1},
	} {
		var b bytes.Buffer
		n, err := f.SendTo(t.Context(), &b, r.off, r.n)
		end := r.off + r.n
		if r.n < 0 {
			end = size
		}
		if err != nil || n != end-r.off || !bytes.Equal(b.Bytes(), data[r.off:end]) {
			t.Errorf("%d at %d: sent %d, %v", r.n, r.off, n, err)
		}
	}
	for _, r := range []struct{ off, n int64 }{{-1, 1}, {0, size + 1}, {size + 1, -1}} {
		_, err := f.SendTo(t.Context(), io.Discard, r.off, r.n)
		isErr(t, err, objstore.ErrRange)
	}
}

// full is a writer that takes a few bytes.
type full struct{ room int }

var errFull = errors.New("full")

func (w *full) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	if w.room -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestSendTo_Fails(t *testing.T) {
	_, s, o := one(t, 2*sendBuffer)
	c := open(t, t.TempDir(), 1<<20, s, Options{})
	f := c.Open(o)
	n, err := f.SendTo(t.Context(), &full{sendBuffer + 3}, 0, -1)
	if n != sendBuffer+3 || !errors.Is(err, errFull) {
		t.Errorf("a full writer: %d, %v", n, err)
	}
	c.Forget("a")
	noErr(t, s.Delete(t.Context(), "a"))
	n, err = f.SendTo(t.Context(), io.Discard, 0, -1)
	if n != 0 || !errors.Is(err, objstore.ErrNotFound) {
		t.Errorf("a missing object: %d, %v", n, err)
	}
	f.Close()
	_, err = f.SendTo(t.Context(), io.Discard, 0, -1)
	isErr(t, err, os.ErrClosed)
}

// TestHotReadsAllocateNothing pins what makes small reads cheap.
func TestHotReadsAllocateNothing(t *testing.T) {
	_, s, o := one(t, 4*testBlock)
	f := open(t, t.TempDir(), 1<<20, s, Options{}).Open(o)
	p := make([]byte, 100)
	off := int64(0)
	read := func() {
		if _, err := f.ReadAt(t.Context(), p, off); err != nil {
			t.Error(err)
		}
		off = (off + 3*testBlock/2) % (3 * testBlock)
	}
	for range 10 {
		read()
	}
	if n := testing.AllocsPerRun(1000, read); n > 0 {
		t.Errorf("a read allocates %v times", n)
	}
}
