package blockcache

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tote/objstore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

// settled waits until the disk holds a number of blocks and nothing is being written any more.
func settled(t testing.TB, c *Cache, blocks int) {
	t.Helper()
	quiet(t, c)
	eventually(t, fmt.Sprintf("%d blocks on the disk", blocks), func() bool { return c.Stats().Blocks == int64(blocks) })
}

// warmed is a directory that an earlier run filled with an object, and what it takes to read it again.
func warmed(t testing.TB, blocks int) (string, []byte, *storetest.Fault, Object) {
	t.Helper()
	data, s, o := one(t, blocks*testBlock-100)
	faulty := storetest.NewFault(s)
	dir := t.TempDir()
	c := open(t, dir, 1<<30, faulty, Options{})
	reads(t, c.Open(o), data, 0, o.Size)
	settled(t, c, blocks)
	noErr(t, c.Close())
	faulty.Add(storetest.Rule{Op: "get", Do: storetest.Fail(objstore.ErrNotFound)})
	return dir, data, faulty, o
}

// TestRestart reads everything again without the store, in the order the blocks were used.
func TestRestart(t *testing.T) {
	dir, data, faulty, o := warmed(t, 40)
	c := open(t, dir, 1<<30, faulty, Options{})
	if st := c.Stats(); st.Blocks != 40 || st.Bytes != o.Size {
		t.Errorf("%+v", st)
	}
	reads(t, c.Open(o), data, 0, o.Size)
	if st := c.Stats(); st.DiskHits != 40 || st.Misses != 0 || faulty.Calls("get") != 1 {
		t.Errorf("%+v, %d calls", st, faulty.Calls("get"))
	}
}

// TestRestart_Order keeps what was used last when the limit is lower than it was.
func TestRestart_Order(t *testing.T) {
	dir, data, faulty, o := warmed(t, 40)
	now := time.Now()
	for _, path := range files(t, dir) {
		id, _, _ := parseName(filepath.Base(path))
		used := now.Add(-time.Duration(id.n) * time.Minute)
		noErr(t, os.Chtimes(path, used, used))
	}
	c := open(t, dir, 10*testBlock+page, faulty, Options{})
	if st := c.Stats(); st.Blocks != 10 {
		t.Errorf("%+v", st)
	}
	f := c.Open(o)
	reads(t, f, data, 0, 10*testBlock)
	isErr(t, fails(t, f, 10*testBlock), objstore.ErrNotFound)
}

// TestRestart_Limits opens a full directory with limits that are too small for it.
func TestRestart_Limits(t *testing.T) {
	for _, limit := range []int64{0, 1, page, testBlock, testBlock + page} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			dir, data, faulty, o := warmed(t, 5)
			faulty.Clear()
			c := open(t, dir, limit, faulty, Options{})
			if sum := usage(t, dir); sum > limit+page {
				t.Errorf("%d bytes are left", sum)
			}
			f := c.Open(o)
			for range 3 {
				for off := int64(0); off < o.Size; off += testBlock {
					reads(t, f, data, off, testBlock)
				}
			}
			quiet(t, c)
			if sum := usage(t, dir); sum > limit+page {
				t.Errorf("%d bytes were written", sum)
			}
		})
	}
}

// TestHarm damages the files of an earlier run in all ways: every read is right all the same.
func TestHarm(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, path string){
		"a bit":     func(t *testing.T, p string) { rewrite(t, p, func(b []byte) []byte { b[77] ^= 8; return b }) },
		"cut":       func(t *testing.T, p string) { rewrite(t, p, func(b []byte) []byte { return b[:50] }) },
		"empty":     func(t *testing.T, p string) { rewrite(t, p, func([]byte) []byte { return nil }) },
		"zeroes":    func(t *testing.T, p string) { rewrite(t, p, func(b []byte) []byte { clear(b); return b }) },
		"gone":      func(t *testing.T, p string) { noErr(t, os.Remove(p)) },
		"directory": func(t *testing.T, p string) { noErr(t, os.Remove(p)); noErr(t, os.Mkdir(p, 0o700)) },
		"link":      func(t *testing.T, p string) { noErr(t, os.Remove(p)); noErr(t, os.Symlink("nowhere", p)) },
		"swapped": func(t *testing.T, p string) {
			others := files(t, filepath.Dir(p))
			other := others[0]
			if other == p {
				other = others[1]
			}
			noErr(t, os.Rename(p, p+".x"))
			noErr(t, os.Rename(other, p))
			noErr(t, os.Rename(p+".x", other))
		},
		// the name of one block with the sum that belongs to the other one's bytes
		"forged": func(t *testing.T, p string) {
			id, _, _ := parseName(filepath.Base(p))
			for _, other := range files(t, filepath.Dir(p)) {
				if other != p {
					name := fileName(id, 0)[:48] + filepath.Base(other)[48:]
					noErr(t, os.Rename(other, filepath.Join(filepath.Dir(p), name)))
					noErr(t, os.Remove(p))
					return
				}
			}
		},
	} {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s before the start %t", name, before), func(t *testing.T) {
				dir, data, faulty, o := warmed(t, 6)
				faulty.Clear()
				o.Sums = nil // nothing but the cache's own sums
				c := reopen(t, dir, faulty, o, data)
				if before {
					noErr(t, c.Close())
				}
				harm(t, block2(t, dir))
				if before {
					c = open(t, dir, 1<<30, faulty, Options{})
				}
				emptyMemory(c)
				f := c.Open(o)
				calls := faulty.Calls("get")
				for off := int64(0); off < o.Size; off += testBlock {
					reads(t, f, data, off, testBlock)
				}
				if n := faulty.Calls("get") - calls; n < 1 || n > 2 {
					t.Errorf("%d calls", n)
				}
				quiet(t, c)
			})
		}
	}
}

// emptyMemory makes the next reads use the disk.
func emptyMemory(c *Cache) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.memory.drop(func(blockID) bool { return true })
}

// reopen fills a cache with an object's blocks.
func reopen(t testing.TB, dir string, s objstore.Store, o Object, data []byte) *Cache {
	t.Helper()
	for _, path := range files(t, dir) {
		noErr(t, os.Remove(path))
	}
	c := open(t, dir, 1<<30, s, Options{})
	reads(t, c.Open(o), data, 0, o.Size)
	settled(t, c, len(data)/testBlock+1)
	return c
}

// block2 is the file of the third block.
func block2(t testing.TB, dir string) string {
	t.Helper()
	for _, path := range files(t, dir) {
		if id, _, ok := parseName(filepath.Base(path)); ok && id.n == 2 {
			return path
		}
	}
	t.Fatal("there is no block 2")
	return ""
}

// TestStrangers leaves files alone that are not of the cache, and counts them.
func TestStrangers(t *testing.T) {
	dir := t.TempDir()
	noErr(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	stranger := filepath.Join(dir, "lost+found", "x")
	noErr(t, os.WriteFile(stranger, make([]byte, 20*testBlock), 0o600))
	noErr(t, os.WriteFile(filepath.Join(dir, "torn"+suffix), make([]byte, 20*testBlock), 0o600))
	data, s, o := one(t, 40*testBlock)
	limit := int64(30 * testBlock)
	c := open(t, dir, limit, s, Options{})
	for off := int64(0); off < o.Size; off += testBlock {
		reads(t, c.Open(o), data, off, testBlock)
	}
	eventually(t, "blocks are on the disk", func() bool { return c.Stats().Blocks > 5 })
	quiet(t, c)
	if sum := usage(t, dir); sum > limit {
		t.Errorf("%d bytes", sum)
	}
	if _, err := os.Stat(stranger); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "torn"+suffix)); err == nil {
		t.Error("a file that was none of the cache's is still there")
	}
}

// TestSmall caches many small objects: each costs a page, not a block.
func TestSmall(t *testing.T) {
	const count, size = 600, 4000
	s := memstore.New()
	faulty := storetest.NewFault(s)
	var objects []Object
	var data [][]byte
	dir := t.TempDir()
	open1 := func() *Cache { return open(t, dir, count*page+256<<10, faulty, Options{Block: 1 << 20, Memory: 1}) }
	c := open1()
	for i := range count {
		data = append(data, pattern(uint64(i), size))
		o := stored(t, s, fmt.Sprintf("small/%d", i), data[i])
		objects = append(objects, o)
		reads(t, c.Open(o), data[i], 0, size)
	}
	settled(t, c, count)
	noErr(t, c.Close())
	faulty.Add(storetest.Rule{Op: "get", Do: storetest.Fail(objstore.ErrNotFound)})
	c = open1()
	for i, o := range objects {
		reads(t, c.Open(o), data[i], 0, size)
	}
	if sum := usage(t, dir); sum > count*page+256<<10 {
		t.Errorf("%d bytes", sum)
	}
}

// TestForget drops an object's blocks, of all versions, and nobody else's.
func TestForget(t *testing.T) {
	s := memstore.New()
	faulty := storetest.NewFault(s)
	data := pattern(1, 5*testBlock)
	old := stored(t, s, "a", data)
	other := stored(t, s, "b", data)
	dir := t.TempDir()
	c := open(t, dir, 1<<30, faulty, Options{})
	reads(t, c.Open(old), data, 0, old.Size)
	a := stored(t, s, "a", data)
	reads(t, c.Open(a), data, 0, old.Size)
	reads(t, c.Open(other), data, 0, old.Size)
	settled(t, c, 15)
	c.Forget("nothing")
	c.Forget("a")
	if st := c.Stats(); st.Blocks != 5 || len(files(t, dir)) != 5 {
		t.Errorf("%+v, %d files", st, len(files(t, dir)))
	}
	calls := faulty.Calls("get")
	reads(t, c.Open(other), data, 0, old.Size)
	if faulty.Calls("get") != calls {
		t.Error("another object was forgotten")
	}
	reads(t, c.Open(a), data, 0, old.Size)
	if faulty.Calls("get") == calls {
		t.Error("the object was not forgotten")
	}
	settled(t, c, 10)
}

// TestDiskFails breaks the cache's disk: reads go on, one line is logged, and it is used again when it is back.
func TestDiskFails(t *testing.T) {
	data, s, o := one(t, 300*testBlock)
	dir := filepath.Join(t.TempDir(), "cache")
	var log lines
	c := open(t, dir, 1<<30, s, Options{Ahead: -1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	var later atomic.Int64
	c.disk.now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	f := c.Open(o)
	reads(t, f, data, 0, 50*testBlock)
	settled(t, c, 50)
	noErr(t, os.Rename(dir, dir+".away"))
	noErr(t, os.WriteFile(dir, nil, 0o600))
	emptyMemory(c)
	reads(t, f, data, 0, 100*testBlock)
	eventually(t, "the error is seen", func() bool { return log.count("reading goes on without it") == 1 })
	reads(t, f, data, 0, 200*testBlock)
	quiet(t, c)
	settled(t, c, 0)
	if st := c.Stats(); st.DiskErrors < 50 || log.count("\n") > 2 {
		t.Errorf("%+v, log %s", st, log.all.String())
	}

	noErr(t, os.Remove(dir)) // a minute later it is made again
	later.Store(int64(2 * diskPause))
	reads(t, f, data, 200*testBlock, 100*testBlock)
	settled(t, c, 100)
	if log.count("can be written again") != 1 {
		t.Errorf("log %s", log.all.String())
	}
}

// TestSlowDisk leaves blocks out that the disk can't take in time, and none that it can: large ones as many as there
// is memory for, small ones many more.
func TestSlowDisk(t *testing.T) {
	for _, c := range []struct{ block, count, least int64 }{{2 * spillSmall, 50, 20}, {spillSmall, 100, spillCopy / spillSmall}} {
		t.Run(fmt.Sprint(c.block), func(t *testing.T) {
			data, s, o := one(t, int(c.block*c.count))
			o.Sums = nil
			x := open(t, t.TempDir(), 1<<30, s, Options{Block: c.block, Memory: 1, Ahead: -1})
			f := x.Open(o)
			x.disk.space.Lock() // as if the disk hung
			reads(t, f, data, 0, o.Size)
			x.disk.space.Unlock()
			quiet(t, x)
			most := c.least + 1 // one was being written
			if c.block <= spillSmall {
				most += int64(x.memory.most)
			}
			if st := x.Stats(); st.DiskSkipped+st.Blocks < c.count || st.Blocks < c.least || st.Blocks > most {
				t.Errorf("%+v", st)
			}
			if x.writer.copied.Load() != 0 {
				t.Errorf("%d bytes are still copied", x.writer.copied.Load())
			}
		})
	}
}

// TestThrift writes no more than there is processor time for while something is fetched, and the rest afterwards.
func TestThrift(t *testing.T) {
	bubbled(t, "", func(t *testing.T) {
		data, s, o := one(t, 60*testBlock)
		hold := make(chan struct{})
		faulty := storetest.NewFault(s, storetest.Rule{Op: "get", Nth: 1, Do: storetest.Block(hold)})
		c := open(t, t.TempDir(), 1<<30, faulty, Options{Ahead: -1})
		f := c.Open(o)
		go func() { reads(t, f, data, 0, testBlock) }()
		synctest.Wait()
		c.writer.thrift.slow = 10
		c.writer.thrift.spend(spillBurst + time.Second)
		reads(t, f, data, testBlock, 59*testBlock)
		time.Sleep(9 * time.Second)
		if st := c.Stats(); st.Blocks != 0 || c.writer.unwritten.Load() != 59 {
			t.Errorf("%+v", st)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if st := c.Stats(); st.Blocks == 0 {
			t.Errorf("after a while: %+v", st)
		}
		c.writer.thrift.spend(time.Hour)
		close(hold)
		time.Sleep(time.Second)
		synctest.Wait()
		if st := c.Stats(); st.Blocks != 60 || st.DiskSkipped > 0 {
			t.Errorf("when nothing is fetched: %+v", st)
		}
	})
}

// usage is what du says of a directory, with apparent or allocated sizes, whatever is more.
func usage(t testing.TB, dir string) int64 {
	t.Helper()
	apparent, allocated := int64(0), int64(0)
	noErr(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err == nil {
			apparent += info.Size()
			allocated += blocksOf(info)
		}
		return err
	}))
	return max(apparent, allocated)
}

// TestCap samples the directory as quickly as it can while readers of all kinds fill it.
func TestCap(t *testing.T) {
	for _, c := range []struct{ limit, block int64 }{
		{0, 64 << 10}, {40 << 10, 64 << 10}, {100 << 10, 64 << 10}, {1 << 20, 64 << 10}, {10 << 20, 1 << 20},
	} {
		t.Run(fmt.Sprintf("%d KiB in %d", c.limit>>10, c.block>>10), func(t *testing.T) {
			testCap(t, c.limit, c.block)
		})
	}
}

func testCap(t *testing.T, limit, block int64) {
	s := memstore.New()
	data := pattern(1, int(24*block+100))
	o := stored(t, s, "large", data)
	o.Sums = nil
	dir := t.TempDir()
	c := open(t, dir, limit, s, Options{Block: block, Memory: 1})
	done, most := make(chan struct{}), make(chan int64)
	go func() {
		worst := int64(0)
		for {
			worst = max(worst, usage(t, dir))
			select {
			case <-done:
				most <- worst
				return
			default:
			}
		}
	}()
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() { capReader(t, c, s, data, o, uint64(i)) })
	}
	wg.Wait()
	quiet(t, c)
	close(done)
	if worst := <-most; worst > limit+block {
		t.Errorf("there were %d bytes, %d too many", worst, worst-limit-block)
	} else if c := c.Stats(); limit > 4*block && (worst < limit/2 || c.Blocks == 0) {
		t.Errorf("there never were more than %d bytes, %+v", worst, c)
	}
}

// capReader reads a large object in order and at random, and small ones.
func capReader(t *testing.T, c *Cache, s *memstore.Store, data []byte, o Object, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	f := c.Open(o)
	defer f.Close()
	for i := range 40 {
		reads(t, f, data, r.Int64N(o.Size), 1000)
		small := pattern(uint64(i), 1+r.IntN(5000))
		info := put(t, s, fmt.Sprintf("small/%d/%d", seed, i), small)
		g := c.Open(Object{Key: info.Key, ETag: info.ETag, Size: info.Size})
		reads(t, g, small, 0, info.Size)
		g.Close()
	}
	for off := int64(0); off < o.Size; off += 100 << 10 {
		reads(t, f, data, off, 100<<10)
	}
}

// TestIndex holds the index of a disk to a simple model.
func TestIndex(t *testing.T) {
	d, err := openDisk(t.TempDir(), 1<<30, testBlock, slog.New(slog.DiscardHandler))
	noErr(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	var order []blockID // the one used last at the end
	drop := func(id blockID) {
		order = slices.DeleteFunc(order, func(x blockID) bool { return x == id })
	}
	for range 3000 {
		id := blockID{key: keyID{byte(r.IntN(5))}, version: [8]byte{byte(r.IntN(2))}, n: r.Uint32N(5)}
		had := slices.Contains(order, id)
		switch r.IntN(5) {
		case 0, 1:
			d.write(id, 0, []byte("x"))
			if !had {
				order = append(order, id)
			}
		case 2:
			if (d.touch(id) != nil) != had {
				t.Fatal("touch is wrong")
			}
			if had {
				drop(id)
				order = append(order, id)
			}
		case 3:
			if r.IntN(10) == 0 {
				d.dropKey(id.key)
				order = slices.DeleteFunc(order, func(x blockID) bool { return x.key == id.key })
			}
		case 4:
			if d.evict() {
				order = order[1:]
			}
		}
		if d.count() != len(order) || d.size != int64(len(order)) || d.used != int64(len(order))*page {
			t.Fatalf("%d blocks, %d bytes, %d used, want %d", d.count(), d.size, d.used, len(order))
		}
		for i, s := 0, d.order.prev; s != &d.order; i, s = i+1, s.prev {
			if s.id != order[i] {
				t.Fatalf("number %d is another one", i)
			}
		}
	}
	if n := len(files(t, d.dir)); n != len(order) {
		t.Errorf("%d files for %d blocks", n, len(order))
	}
}

// TestMost bounds the number of blocks, too.
func TestMost(t *testing.T) {
	d, err := openDisk(t.TempDir(), 1<<30, testBlock, slog.New(slog.DiscardHandler))
	noErr(t, err)
	d.most = 10
	for n := range uint32(30) {
		d.write(blockID{n: n}, 7, []byte(strings.Repeat("x", 10)))
	}
	if d.count() != 10 || len(files(t, d.dir)) != 10 || !d.has(blockID{n: 29}) || d.has(blockID{n: 19}) {
		t.Errorf("%d blocks, %d files", d.count(), len(files(t, d.dir)))
	}
	// another writer's file with the same name, and one with other bytes
	d.write(blockID{n: 29}, 8, []byte("y"))
	noErr(t, os.WriteFile(filepath.Join(d.dir, fileName(blockID{n: 99}, 8)), []byte("z"), 0o600))
	used := d.used
	d.write(blockID{n: 99}, 8, []byte("z"))
	if d.used > used || d.errors.Load() > 0 {
		t.Errorf("%d bytes more, %d errors", d.used-used, d.errors.Load())
	}
	if got, err := os.ReadFile(filepath.Join(d.dir, fileName(blockID{n: 99}, 8))); err != nil || !bytes.Equal(got, []byte("z")) {
		t.Errorf("%q, %v", got, err)
	}
}
