package blockcache

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

// call is one range the store was asked for, in blocks.
type call struct{ first, n int64 }

// calls takes the ranges out of a trace, in their order in the object.
func calls(t testing.TB, trace *storetest.Trace) (all []call) {
	t.Helper()
	for _, line := range trace.Lines() {
		var key string
		var c call
		_, err := fmt.Sscanf(line, "get %s off=%d n=%d", &key, &c.first, &c.n)
		noErr(t, err)
		all = append(all, call{c.first / testBlock, (c.n + testBlock - 1) / testBlock})
	}
	trace.Reset()
	slices.SortFunc(all, func(a, b call) int { return cmp.Compare(a.first, b.first) })
	return all
}

// behind is the first block that no call has asked for.
func behind(all []call) (end int64) {
	for _, c := range all {
		end = max(end, c.first+c.n)
	}
	return end
}

// streamed is a cache beneath which calls are traced.
func streamed(t testing.TB, blocks int, limit int64, o Options) (*Cache, *File, []byte, *storetest.Trace) {
	data, s, obj := one(t, blocks*testBlock-9)
	trace := storetest.NewTrace(s)
	c := open(t, t.TempDir(), limit, trace, o)
	f := c.Open(obj)
	t.Cleanup(f.Close)
	return c, f, data, trace
}

// TestSequential reads an object from end to end: each block comes once, in large pieces, and never too early.
func TestSequential(t *testing.T) {
	const ahead = 64
	for _, step := range []int64{testBlock / 8, testBlock/2 + 1, testBlock, 3 * testBlock} {
		bubbled(t, fmt.Sprint(step), func(t *testing.T) {
			_, f, data, trace := streamed(t, 600, 1<<30, Options{Ahead: ahead * testBlock})
			var all []call
			for off := int64(0); off < int64(len(data)); off += step {
				reads(t, f, data, off, step)
				synctest.Wait()
				all = append(all, calls(t, trace)...)
				if at := (off + step) / testBlock; behind(all) > at+ahead+1 {
					t.Fatalf("at block %d it reads up to %d", at, behind(all))
				}
			}
			slices.SortFunc(all, func(a, b call) int { return cmp.Compare(a.first, b.first) })
			next := int64(0)
			for _, c := range all {
				if c.first != next || c.n > ahead/4 {
					t.Fatalf("call %+v where block %d was next", c, next)
				}
				next += c.n
			}
			if next != 600 || len(all) > 100 {
				t.Errorf("%d blocks in %d calls", next, len(all))
			}
		})
	}
}

// TestSequential_Grows pins how quickly.
func TestSequential_Grows(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		_, f, data, trace := streamed(t, 3000, 1<<30, Options{})
		for i, want := range []int64{1, 10, 15, 20, 25, 30} {
			reads(t, f, data, int64(i)*testBlock, testBlock)
			synctest.Wait()
			if got := behind(calls(t, trace)); got > want || i < 2 && got != want {
				t.Errorf("after %d reads: %d blocks", i+1, got)
			}
		}
	})
}

// TestSequential_Overtaking reads as the kernel does: several requests at once, in any order.
func TestSequential_Overtaking(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		_, f, data, trace := streamed(t, 600, 1<<30, Options{})
		r := rand.New(rand.NewPCG(1, 2))
		step := int64(testBlock / 2)
		for off := int64(0); off < int64(len(data)); off += 4 * step {
			for _, i := range r.Perm(4) {
				reads(t, f, data, off+int64(i)*step, step)
			}
			synctest.Wait()
		}
		if n := len(calls(t, trace)); n > 80 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestSequential_Several interleaves streams of one File, and random reads.
func TestSequential_Several(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		_, f, data, trace := streamed(t, 800, 1<<30, Options{})
		for i := range int64(200) {
			for s := range int64(3) {
				reads(t, f, data, (s*200+i)*testBlock, testBlock)
			}
			reads(t, f, data, (600+i*37%200)*testBlock, 100)
			synctest.Wait()
		}
		if n := len(calls(t, trace)); n > 3*60+200 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestRandom fetches the blocks that are read, and nothing else.
func TestRandom(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		_, f, data, trace := streamed(t, 1000, 1<<30, Options{})
		r := rand.New(rand.NewPCG(1, 2))
		want := map[int64]bool{}
		for range 300 {
			off := r.Int64N(990) * testBlock
			if want[off/testBlock] {
				continue
			}
			want[off/testBlock] = true
			reads(t, f, data, off+r.Int64N(testBlock-500), 500)
		}
		synctest.Wait()
		for _, c := range calls(t, trace) {
			if c.n != 1 || !want[c.first] {
				t.Fatalf("call %+v", c)
			}
			delete(want, c.first)
		}
		if len(want) > 0 {
			t.Errorf("%d blocks were not fetched", len(want))
		}
	})
}

// TestDropped ends read-ahead whose stream is over.
func TestDropped(t *testing.T) {
	for name, stop := range map[string]func(*testing.T, *Cache, *File, []byte){
		"random": func(t *testing.T, _ *Cache, f *File, data []byte) {
			for i := range int64(mostStreams) {
				reads(t, f, data, (300+50*i)*testBlock, 10)
			}
		},
		"closed": func(_ *testing.T, _ *Cache, f *File, _ []byte) { f.Close() },
	} {
		bubbled(t, name, func(t *testing.T) {
			data, s, o := one(t, 500*testBlock)
			hold := make(chan struct{})
			faulty := storetest.NewFault(s)
			c := open(t, t.TempDir(), 1<<20, faulty, Options{})
			f := c.Open(o)
			reads(t, f, data, 0, 4*testBlock)
			for i := range int64(mostStreams) { // so that these can be read without the store
				reads(t, c.Open(o), data, (300+50*i)*testBlock, 10)
			}
			faulty.Add(storetest.Rule{Op: "get", Do: storetest.Block(hold)})
			go func() { reads(t, f, data, 4*testBlock, testBlock) }()
			synctest.Wait()
			if len(c.fetches) < 4 {
				t.Fatalf("%d fetches", len(c.fetches))
			}
			stop(t, c, f, data)
			synctest.Wait()
			if len(c.fetches) != 1 {
				t.Errorf("%d fetches are left instead of the reader's", len(c.fetches))
			}
			close(hold)
			synctest.Wait()
		})
	}
}

// TestDropped_Wanted keeps read-ahead that another File waits for.
func TestDropped_Wanted(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		data, s, o := one(t, 500*testBlock)
		hold := make(chan struct{})
		faulty := storetest.NewFault(s)
		c := open(t, t.TempDir(), 1<<20, faulty, Options{})
		f := c.Open(o)
		reads(t, f, data, 0, 4*testBlock)
		faulty.Add(storetest.Rule{Op: "get", Do: storetest.Block(hold)})
		go func() { reads(t, f, data, 4*testBlock, testBlock) }()
		synctest.Wait()
		before := faulty.Calls("get")
		go func() { reads(t, c.Open(o), data, 12*testBlock, 10) }()
		synctest.Wait()
		f.Close()
		synctest.Wait()
		if len(c.fetches) != 2 || faulty.Calls("get") != before {
			t.Errorf("%d fetches are left, %d new calls", len(c.fetches), faulty.Calls("get")-before)
		}
		close(hold)
		synctest.Wait()
	})
}

// TestAheadFails leaves errors of read-ahead to those who read there.
func TestAheadFails(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		data, s, o := one(t, 100*testBlock)
		faulty := storetest.NewFault(s)
		c := open(t, t.TempDir(), 1<<20, faulty, Options{})
		f := c.Open(o)
		reads(t, f, data, 0, 4*testBlock)
		faulty.Add(storetest.Rule{Op: "get", Do: storetest.Cut(testBlock + 1)})
		reads(t, f, data, 4*testBlock, testBlock)
		synctest.Wait()
		if n := faulty.Calls("get"); n > 8 || c.Stats().Retries > 0 {
			t.Errorf("%d calls, %+v", n, c.Stats())
		}
		faulty.Clear()
		for off := int64(0); off < 100*testBlock; off += testBlock {
			reads(t, f, data, off, testBlock)
		}
	})
}

// TestSendTo_Ahead reads ahead at once, and not beyond the range.
func TestSendTo_Ahead(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		_, f, data, trace := streamed(t, 600, 1<<30, Options{})
		var b bytes.Buffer
		_, err := f.SendTo(t.Context(), &b, 3*testBlock+1, 500*testBlock)
		noErr(t, err)
		synctest.Wait()
		all := calls(t, trace)
		if all[0].first != 3 || behind(all) != 504 || len(all) > 40 {
			t.Errorf("%d calls up to block %d: %v", len(all), behind(all), all)
		}
		if !bytes.Equal(b.Bytes(), data[3*testBlock+1:][:500*testBlock]) {
			t.Error("wrong bytes")
		}
		_, err = f.SendTo(t.Context(), io.Discard, 550*testBlock+1, 10)
		noErr(t, err)
		synctest.Wait()
		if all := calls(t, trace); len(all) != 1 || all[0] != (call{550, 1}) {
			t.Errorf("for ten bytes: %v", all)
		}
	})
}

// TestShare has many streams read ahead in a memory that is too small for all of them, without a disk: no block is
// fetched twice.
func TestShare(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		const streams, blocks = 6, 60
		c, f, data, trace := streamed(t, streams*blocks, 0, Options{Memory: 80 * testBlock})
		var files []*File
		for range streams {
			files = append(files, c.Open(f.o.Object))
		}
		for i := range int64(blocks) {
			for n, f := range files {
				reads(t, f, data, (int64(n)*blocks+i)*testBlock, testBlock)
			}
			synctest.Wait()
		}
		sum := int64(0)
		for _, c := range calls(t, trace) {
			sum += c.n
		}
		if sum > streams*blocks+(streams-1)*10 { // the ends overlap
			t.Errorf("%d blocks were fetched of %d", sum, streams*blocks)
		}
		if len(c.active) < streams {
			t.Errorf("%d active streams", len(c.active))
		}
		time.Sleep(2 * streamIdle)
		c.share(&stream{})
		if len(c.active) != 1 {
			t.Errorf("%d active streams after a while", len(c.active))
		}
		for _, f := range files {
			f.Close()
		}
	})
}

// TestNoAhead turns read-ahead off.
func TestNoAhead(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		_, f, data, trace := streamed(t, 50, 1<<30, Options{Ahead: -1})
		for off := int64(0); off < 40*testBlock; off += testBlock {
			reads(t, f, data, off, testBlock)
		}
		synctest.Wait()
		if all := calls(t, trace); len(all) != 40 || behind(all) != 40 {
			t.Errorf("%v", all)
		}
	})
}

// TestFar wants the speed of a parallel download of a store that is far away, in fake time: no more than five
// times to and fro on top of it.
func TestFar(t *testing.T) {
	const block, size = 1 << 20, 128 << 20
	s := far{memstore.New(), 100 * time.Millisecond, 50e6}
	data := make([]byte, size)
	info := put(t, s, "a", data)
	for _, step := range []int64{128 << 10, 1 << 20} {
		bubbled(t, fmt.Sprint(step), func(t *testing.T) {
			start := time.Now()
			parallel(t, s, "a", size)
			best := time.Since(start)
			c := open(t, t.TempDir(), 1<<30, s, Options{Block: block})
			f := c.Open(Object{Key: "a", ETag: info.ETag, Size: size})
			defer f.Close()
			start = time.Now()
			p := make([]byte, step)
			for off := int64(0); off < size; off += step {
				_, err := f.ReadAt(context.Background(), p, off)
				noErr(t, err)
			}
			if took := time.Since(start); took > best+5*s.latency {
				t.Errorf("it took %v, a download %v", took, best)
			}
		})
	}
}
