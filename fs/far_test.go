package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"tote/meta"
	"tote/objstore"
	"tote/objstore/storetest"
)

func TestMountSendsWhileItWrites(t *testing.T) {
	c := newFar(t)
	data := randomBytes(1, 5*mib+10)
	h := c.create("big")
	if h.Backing() != nil {
		t.Fatal("the kernel would write past the core")
	}
	for off := 0; off < 4*mib; off += mib / 4 {
		c.write(h, int64(off), string(data[off:off+mib/4]))
	}
	c.eventually("parts are there before close", func() bool { return c.fault.Calls("part") >= 4 })
	c.write(h, 4*mib, string(data[4*mib:]))
	c.write(h, 100, "changed") // part 1 is there already
	copy(data[100:], "changed")
	ok(t, h.Flush(t.Context()))
	h.Release()
	if n := c.fault.Calls("part"); n != 7 {
		t.Errorf("%d parts were sent, want 6 and one again", n)
	}
	c.holds("/big", data)
	c.sound()
}

func TestMountWritesASmallFileInOneCall(t *testing.T) {
	c := newFar(t)
	h := c.create("a")
	c.write(h, 0, "hello")
	ok(t, h.Flush(t.Context()))
	h.Release()
	if n := c.fault.Calls(""); n != 1 {
		t.Errorf("%d calls", n)
	}
	c.holds("/a", []byte("hello"))
	c.sound()
}

// model is a file and what it should be.
type model struct {
	t    *testing.T
	c    *far
	h    *Handle
	rnd  *rand.Rand
	want []byte
}

func (m *model) write(off int64, n int) {
	p := randomBytes(m.rnd.Uint64(), n)
	must(m.h.WriteAt(m.t.Context(), p, off))(m.t)
	if end := int(off) + n; end > len(m.want) {
		m.want = append(m.want, make([]byte, end-len(m.want))...)
	}
	copy(m.want[off:], p)
}

func (m *model) truncate(size int) {
	ok(m.t, m.h.Truncate(m.t.Context(), int64(size)))
	if size <= len(m.want) {
		m.want = m.want[:size:size]
	}
	m.want = append(m.want, make([]byte, size-len(m.want))...)
}

func (m *model) step(limit int) string {
	off := m.rnd.IntN(max(1, min(len(m.want)+mib, limit)))
	n := 1 + m.rnd.IntN(min(3*mib/2, limit))
	switch op := m.rnd.IntN(12); op {
	case 0, 1, 2:
		m.write(int64(len(m.want)), n) // append
		return fmt.Sprint("append ", n)
	case 3, 4, 5:
		m.write(int64(off), n)
		return fmt.Sprint("write ", off, " ", n)
	case 6:
		m.write(int64(off), 1+m.rnd.IntN(5000))
		return fmt.Sprint("small write ", off)
	case 7:
		m.truncate(off)
		return fmt.Sprint("truncate ", off)
	case 8:
		n = min(n, len(m.want)-off)
		if n <= 0 {
			return "nothing"
		}
		ok(m.t, m.h.Allocate(m.t.Context(), 0x3, int64(off), int64(n))) // punch a hole
		clear(m.want[off : off+n])
		return fmt.Sprint("punch ", off, " ", n)
	case 9:
		return "flush " + fmt.Sprint(m.h.Flush(m.t.Context()))
	case 10:
		ok(m.t, m.h.Flush(m.t.Context()))
		m.h.Release()
		m.c.holds("/f", m.want)
		m.h = m.c.open("/f", os.O_RDWR)
		return "reopen"
	}
	p := make([]byte, n)
	got, err := m.h.ReadAt(m.t.Context(), p, int64(off))
	want := m.want[min(off, len(m.want)):min(off+n, len(m.want))]
	if ignoreEOF(err) != nil || !slices.Equal(p[:got], want) {
		m.t.Fatalf("reading %d at %d: %d bytes, %v", n, off, got, err)
	}
	return fmt.Sprint("read ", off, " ", n)
}

// TestMountAgainstAModel changes one file in every way, with faults of the store in between, and compares it with bytes in memory.
func TestMountAgainstAModel(t *testing.T) {
	for seed := range uint64(4) {
		for _, equal := range []bool{false, true} {
			for _, back := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d equal=%v writeback=%v", seed, equal, back), func(t *testing.T) { modelRun(t, seed, equal, back) })
			}
		}
	}
}

func modelRun(t *testing.T, seed uint64, equal, back bool) {
	mem := newLimited()
	mem.limits.EqualParts = equal
	c := openFar(t, t.TempDir(), mem, func(o *Options) { o.Writeback = back })
	m := &model{t: t, c: c, h: c.create("f"), rnd: rand.New(rand.NewPCG(seed, 1))}
	for range 60 {
		if m.rnd.IntN(4) == 0 {
			op := []string{"part", "copypart", "complete", "put", "upload"}[m.rnd.IntN(5)]
			do := []storetest.Action{storetest.Fail(objstore.ErrTemporary), storetest.Lose(objstore.ErrTemporary)}[m.rnd.IntN(2)]
			c.fault.Add(storetest.Rule{Op: op, Nth: 1, Do: do})
			_ = m.h.Flush(t.Context()) // may fail now, must not later
			if !back {
				c.fault.Clear()
			}
		}
		if back && m.rnd.IntN(10) == 0 {
			ok(t, c.Drain(t.Context(), nil))
		}
		t.Log(m.step(9 * mib))
	}
	ok(t, m.h.Flush(t.Context()))
	m.h.Release()
	c.holds("/f", m.want)
	ok(t, c.Drain(t.Context(), nil))
	c.holds("/f", m.want)
	c.remote.tasks.group.Wait()
	must(c.GC(t.Context(), true))(t) // a lost answer to the beginning of an upload
	c.sound()
}

// edited opens a file of the given size in parts of 8 MiB and counts from then on.
func edited(t *testing.T, size int, change func(h *Handle, want []byte) []byte) *far {
	c := newFar(t, func(o *Options) { o.PartSize = 8 * mib })
	want := randomBytes(3, size)
	ok(t, c.putBytes("/f", want))
	c.mem.sent.Store(0)
	c.mem.read.Store(0)
	h := c.open("/f", os.O_RDWR)
	if n := c.mem.read.Load(); n != 0 {
		t.Errorf("opening read %d bytes", n)
	}
	want = change(h, want)
	ok(t, h.Flush(t.Context()))
	h.Release()
	sent, read := c.mem.sent.Load(), c.mem.read.Load()
	c.holds("/f", want)
	c.mem.sent.Store(sent)
	c.mem.read.Store(read)
	return c
}

func TestSmallChangeSendsLittle(t *testing.T) {
	c := edited(t, 64*mib, func(h *Handle, want []byte) []byte {
		p := randomBytes(4, 4096)
		must(h.WriteAt(t.Context(), p, 32*mib+100))(t)
		copy(want[32*mib+100:], p)
		return want
	})
	if sent, read := c.mem.sent.Load(), c.mem.read.Load(); sent > 8*mib || read > 8*mib {
		t.Errorf("4 KiB in the middle: %d bytes sent, %d read", sent, read)
	}
	c.sound()
}

func TestAppendSendsTheEnd(t *testing.T) {
	c := edited(t, 60*mib, func(h *Handle, want []byte) []byte {
		must(h.WriteAt(t.Context(), []byte("the end"), 60*mib))(t)
		return append(want, "the end"...)
	})
	if sent, read := c.mem.sent.Load(), c.mem.read.Load(); sent > 4*mib+7 || read > 4*mib {
		t.Errorf("7 bytes at the end: %d bytes sent, %d read", sent, read)
	}
	c.sound()
}

func TestTruncateSendsNothing(t *testing.T) {
	c := edited(t, 64*mib, func(h *Handle, want []byte) []byte {
		ok(t, h.Truncate(t.Context(), 30*mib+5))
		return want[:30*mib+5]
	})
	if sent, read := c.mem.sent.Load(), c.mem.read.Load(); sent != 0 || read > mib {
		t.Errorf("cut in the middle of a block: %d bytes sent, %d read", sent, read)
	}
	c.sound()
}

func TestChangeOfAnObjectWithoutSums(t *testing.T) {
	c := newFar(t)
	want := randomBytes(5, 4*mib)
	info, err := c.store.Put(t.Context(), "rdp/x", &sliceReader{want}, 4*mib)
	ok(t, err)
	h := c.create("f")
	zero := int64(0)
	must(c.db.Commit(t.Context(), meta.CommitArgs{
		Ino: h.Ino(), Expect: &zero, GUID: "g", Key: "rdp/x", Size: 4 * mib, State: meta.StateStored, Object: meta.Object{ETag: info.ETag},
	}, meta.Relaxed))(t)
	h.Release()
	h = c.open("/f", os.O_RDWR)
	must(h.WriteAt(t.Context(), []byte("X"), 2*mib))(t)
	want[2*mib] = 'X'
	ok(t, h.Flush(t.Context()))
	v := h.v.base
	h.Release()
	if v.Sum != "" {
		t.Errorf("a sum came from nowhere: %s", v.Sum)
	}
	if got, err := c.slurp("/f"); err != nil || got != string(want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	c.sound()
}

type sliceReader struct{ b []byte }

func (r *sliceReader) Read(p []byte) (int, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b)
	r.b = r.b[n:]
	return n, nil
}

// soon fails the test when fn takes longer than nobody would notice.
func soon(t *testing.T, what string, fn func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(time.Second):
		t.Errorf("%s waits for the store", what)
	}
}

// TestNobodyWaitsForAnUpload blocks every kind of call in turn and does everything else meanwhile.
func TestNobodyWaitsForAnUpload(t *testing.T) {
	for _, op := range []string{"put", "upload", "part", "copypart", "complete", "get"} {
		t.Run(op, func(t *testing.T) {
			c := newFar(t)
			old := randomBytes(6, 4*mib)
			if op == "put" {
				old = old[:100]
			}
			ok(t, c.putBytes("/f", old))
			ok(t, c.putBytes("/other", []byte("other")))
			h, reader := c.open("/f", os.O_RDWR), c.open("/f", os.O_RDONLY)
			must(h.WriteAt(t.Context(), []byte("new"), 50))(t)
			gate := make(chan struct{})
			before := c.fault.Calls(op)
			c.fault.Add(storetest.Rule{Op: op, Do: storetest.Block(gate)})
			flushed := make(chan error, 1)
			go func() { flushed <- h.Flush(t.Context()) }()
			c.eventually("the call hangs", func() bool { return c.fault.Calls(op) > before })

			ctx := t.Context()
			soon(t, "stat of the file", func() error {
				attr, err := c.GetAttr(ctx, c.mount, h.Ino())
				if err == nil && attr.Size != int64(len(old)) {
					err = fmt.Errorf("size %d", attr.Size)
				}
				return err
			})
			soon(t, "lookup", func() error { _, err := c.Lookup(ctx, c.mount, RootIno, "f"); return err })
			soon(t, "ls", func() error { _, err := c.ReadDir(ctx, c.mount, RootIno, 0, 10); return err })
			soon(t, "df", func() error { _, err := c.StatFS(ctx, c.mount); return err })
			soon(t, "PROPFIND", func() error { _, _, err := c.List(ctx, c.dav, "/", 0, 10); return err })
			soon(t, "opening the file on the mount", func() error {
				again, err := c.OpenIno(ctx, c.mount, h.Ino(), os.O_RDONLY, true)
				if err == nil {
					again.Release()
				}
				return err
			})
			soon(t, "opening the file for writing", func() error {
				again, err := c.OpenIno(ctx, c.mount, h.Ino(), os.O_RDWR, true)
				if err == nil {
					go again.Release() // this one may wait
				}
				return err
			})
			soon(t, "opening the file over HTTP", func() error {
				r, err := c.OpenReader(ctx, c.dav, "/f")
				if err == nil {
					err = r.Close()
				}
				return err
			})
			soon(t, "closing a reader", func() error { reader.Release(); return nil })
			soon(t, "making a file", func() error { _, err := c.Mknod(ctx, c.mount, RootIno, "n", 0o644, 0); return err })
			soon(t, "renaming the file", func() error { return c.Rename(ctx, c.mount, RootIno, "f", RootIno, "g", 0) })
			select {
			case err := <-flushed:
				t.Errorf("close did not wait: %v", err)
			default:
			}
			if op != "get" {
				if got, err := c.slurp("/g"); err != nil || got != string(old) {
					t.Errorf("before the commit another face sees %d bytes, %v", len(got), err)
				}
			}
			close(gate)
			ok(t, <-flushed)
			h.Release()
			copy(old[50:], "new")
			c.holds("/g", old)
			c.sound()
		})
	}
}

func TestReadOfASlowStoreHoldsNobodyUp(t *testing.T) {
	c := newFar(t)
	ok(t, c.putBytes("/f", randomBytes(7, 2*mib)))
	h := c.open("/f", os.O_RDWR)
	gate := make(chan struct{})
	c.fault.Add(storetest.Rule{Op: "get", Do: storetest.Block(gate)})
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := h.ReadAt(t.Context(), make([]byte, 10), 0); err != nil {
			t.Error(err)
		}
	})
	c.eventually("the read hangs", func() bool { return c.fault.Calls("get") > 0 })
	soon(t, "a write", func() error { _, err := h.WriteAt(t.Context(), []byte("x"), 5); return err })
	soon(t, "stat", func() error { _, err := c.GetAttr(t.Context(), c.mount, h.Ino()); return err })
	close(gate)
	wg.Wait()
	ok(t, h.Flush(t.Context()))
	h.Release()
	c.sound()
}

func TestTruncatingOpenWaitsForTheCommit(t *testing.T) {
	c := newFar(t)
	h := c.create("f")
	c.write(h, 0, "first")
	gate := make(chan struct{})
	c.fault.Add(storetest.Rule{Op: "put", Nth: 1, Do: storetest.Block(gate)})
	flushed := make(chan error, 1)
	go func() { flushed <- h.Flush(t.Context()) }()
	c.eventually("the put hangs", func() bool { return c.fault.Calls("put") > 0 })
	opened := make(chan *Handle, 1)
	go func() {
		w, err := c.OpenIno(t.Context(), c.mount, h.Ino(), os.O_WRONLY|os.O_TRUNC, true)
		if err != nil {
			t.Error(err)
		}
		opened <- w
	}()
	soon(t, "stat", func() error { _, err := c.GetAttr(t.Context(), c.mount, h.Ino()); return err })
	close(gate)
	ok(t, <-flushed)
	w := <-opened
	h.Release()
	c.write(w, 0, "2nd")
	ok(t, w.Flush(t.Context()))
	w.Release()
	c.holds("/f", []byte("2nd"))
	c.sound()
}

func TestStoreThatDoesNotAnswer(t *testing.T) {
	for _, op := range []string{"put", "part", "upload", "complete"} {
		t.Run(op, func(t *testing.T) {
			c := newFar(t, func(o *Options) { o.StoreTimeout = 20 * time.Millisecond })
			data := randomBytes(8, 3*mib)
			if op == "put" {
				data = data[:10]
			}
			h := c.create("f")
			c.fault.Add(storetest.Rule{Op: op, Do: storetest.Block(nil)})
			c.write(h, 0, string(data))
			for _, commit := range []func() error{
				func() error { return h.Flush(t.Context()) },
				func() error { return h.Sync(t.Context(), false) },
			} {
				if err := commit(); Errno(err) != syscall.EIO {
					t.Errorf("with a store that does not answer: %v", err)
				}
			}
			if got := c.read(h); got != string(data) {
				t.Error("the bytes are lost after a failed close")
			}
			c.fault.Clear()
			ok(t, h.Flush(t.Context()))
			h.Release()
			c.holds("/f", data)
			c.remote.tasks.group.Wait()
			c.sound()
		})
	}
}

func TestClientsDeadlineEndsACommit(t *testing.T) {
	c := newFar(t)
	h := c.create("f")
	c.write(h, 0, "x")
	c.fault.Add(storetest.Rule{Op: "put", Nth: 1, Do: storetest.Block(nil)})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := h.Flush(ctx); Errno(err) != syscall.EIO {
		t.Errorf("close: %v", err)
	}
	h.Release() // tries once more
	c.holds("/f", []byte("x"))
	c.sound()
}

func TestUnlinkedWhileItIsSent(t *testing.T) {
	c := newFar(t)
	h := c.create("f")
	c.write(h, 0, string(randomBytes(9, 3*mib)))
	c.eventually("a part is there", func() bool { return c.fault.Calls("part") > 0 })
	ok(t, c.Unlink(t.Context(), c.mount, RootIno, "f"))
	ok(t, h.Flush(t.Context()))
	h.Release()
	c.sound()
}

func TestReplacedWhileItIsSent(t *testing.T) {
	c := newFar(t)
	ok(t, c.putBytes("/f", []byte("old")))
	h := c.open("/f", os.O_WRONLY)
	c.write(h, 0, "mine")
	gate := make(chan struct{})
	c.fault.Add(storetest.Rule{Op: "put", Nth: 1, Do: storetest.Block(gate)})
	flushed := make(chan error, 1)
	go func() { flushed <- h.Flush(t.Context()) }()
	c.eventually("the put hangs", func() bool { return c.fault.Calls("put") > 1 })
	soon(t, "a PUT of the same file", func() error { return c.putBytes("/f", []byte("theirs")) })
	close(gate)
	if err := <-flushed; !errors.Is(err, syscall.ESTALE) {
		t.Errorf("close of a replaced file: %v", err)
	}
	h.Release()
	c.holds("/f", []byte("theirs"))
	c.sound()
}

func TestLateWriteIsCommittedByTheLastRelease(t *testing.T) {
	c := newFar(t)
	a := c.create("f")
	b := c.open("/f", os.O_RDWR)
	c.write(a, 0, "late")
	var wg sync.WaitGroup
	for _, h := range []*Handle{a, b} {
		wg.Go(h.Release)
	}
	wg.Wait()
	c.holds("/f", []byte("late"))
	c.sound()
}

func TestManyWritersOfOneFile(t *testing.T) {
	c := newFar(t)
	c.fault.Add(storetest.Rule{Op: "part", Do: storetest.Delay(time.Millisecond)})
	const n, piece = 8, 300_000
	data := randomBytes(10, n*piece)
	c.create("f").Release()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			h := c.open("/f", os.O_RDWR)
			defer h.Release()
			for off := i * piece; off < (i+1)*piece; off += 1000 {
				if _, err := h.WriteAt(t.Context(), data[off:min(off+1000, len(data))], int64(off)); err != nil {
					t.Error(err)
				}
			}
			if err := h.Sync(t.Context(), false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c.holds("/f", data)
	c.sound()
}

func TestCopyIsMadeByTheStore(t *testing.T) {
	c := newFar(t)
	for _, n := range []int{0, 100, mib + 5, 5*mib + 7} {
		want := randomBytes(11, n)
		src, dst := fmt.Sprint("/a", n), fmt.Sprint("/b", n)
		ok(t, c.putBytes(src, want))
		c.mem.sent.Store(0)
		_, err := c.Copy(t.Context(), c.dav, src, dst, false, true, nil)
		ok(t, err)
		if sent := c.mem.sent.Load(); sent > mib {
			t.Errorf("copying %d bytes sent %d", n, sent)
		}
		ok(t, c.putBytes(src, []byte("something else")))
		c.holds(dst, want)
	}
	c.sound()
}

func TestScratchFilesComeBackEmpty(t *testing.T) {
	c := newFar(t)
	for i := range 3 {
		h := c.create(fmt.Sprint("f", i))
		c.write(h, 0, string(randomBytes(uint64(i), 5000)))
		ok(t, h.Flush(t.Context()))
		h.Release()
	}
	if n := len(c.staging.spare.files); n == 0 {
		t.Skip("this disk makes no files without a name")
	}
	h := c.create("sparse")
	c.write(h, 3000, "x")
	ok(t, h.Flush(t.Context()))
	h.Release()
	c.holds("/sparse", append(make([]byte, 3000), 'x'))
	ok(t, c.putBytes("/short", []byte("short")))
	c.holds("/short", []byte("short"))
	c.sound()
}
