package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"tote/meta"
	"tote/objstore"
	"tote/objstore/storetest"
)

// lazily has close not wait for the store.
func lazily(o *Options) { o.Writeback = true }

// blocked holds every call of the store back until the function it gives is called.
func (c *far) blocked() (open func()) {
	gate := make(chan struct{})
	c.fault.Add(storetest.Rule{Do: storetest.Block(gate)})
	return func() { c.fault.Clear(); close(gate) }
}

// crash ends the core like kill -9 does and starts it again over the same store.
func (c *far) crash(change ...func(*Options)) *far {
	c.t.Helper()
	c.stop()
	c.work.Wait()
	c.queue.close()
	c.remote.tasks.close(canceled())
	ok(c.t, c.db.Close())
	c.core.db = nil
	return openFar(c.t, c.dir, c.mem, change...)
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestWritebackCloseDoesNotWaitForTheStore(t *testing.T) {
	c := newFar(t, lazily)
	open := c.blocked()
	files := map[string][]byte{"small": randomBytes(1, 100), "large": randomBytes(2, 3*mib+5), "empty": nil}
	for name, data := range files {
		h := c.create(name)
		c.write(h, 0, string(data))
		soon(t, "close", func() error { return h.Flush(t.Context()) })
		h.Release()
		if got, err := c.slurp("/" + name); err != nil || got != string(data) {
			t.Errorf("%s over HTTP: %d bytes, %v", name, len(got), err)
		}
		again := c.open("/"+name, os.O_RDONLY)
		if got := c.read(again); got != string(data) {
			t.Errorf("%s on the mount: %d bytes", name, len(got))
		}
		again.Release()
	}
	list := must(c.Pending(t.Context()))(t)
	if len(list) != 2 || !list[0].Staged || list[0].Path == "" || list[0].Size+list[1].Size != 100+3*mib+5 {
		t.Errorf("pending: %+v", list)
	}
	if st := must(c.Status(t.Context()))(t); st.Staged != 2 {
		t.Errorf("status: %+v", st)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Drain(ctx, nil); err == nil || !strings.Contains(err.Error(), "2 files") {
		t.Errorf("draining while nothing is sent: %v", err)
	}
	open()
	var last Progress
	ok(t, c.Drain(t.Context(), func(p Progress) { last = p }))
	if last != (Progress{}) {
		t.Errorf("at the end: %+v", last)
	}
	for name, data := range files {
		c.holds("/"+name, data)
	}
	if n := c.staging.bytes.Load(); n != 0 {
		t.Errorf("%d bytes of staging are still accounted for", n)
	}
	c.sound()
}

func TestWritebackHTTPWaitsForTheStore(t *testing.T) {
	c := newFar(t, lazily)
	ok(t, c.putBytes("/a", []byte("text")))
	c.holds("/a", []byte("text"))
	if n := c.fault.Calls("put"); n != 1 {
		t.Errorf("%d puts", n)
	}
	c.sound()
}

func TestWritebackChangeOfAStoredFileStaysALayer(t *testing.T) {
	c := newFar(t, lazily)
	want := randomBytes(3, 5*mib+9)
	ok(t, c.putBytes("/f", want))
	c.mem.read.Store(0)
	c.mem.sent.Store(0)
	fail := c.fault
	fail.Add(storetest.Rule{Op: "upload", Do: storetest.Fail(objstore.ErrTemporary)})
	h := c.open("/f", os.O_RDWR)
	for i, off := range []int{2*mib + 7, 2*mib + 3, 5 * mib, 100} {
		p := randomBytes(uint64(i), 50)
		must(h.WriteAt(t.Context(), p, int64(off)))(t)
		copy(want[off:], p)
		ok(t, h.Flush(t.Context()))
		if h.v.base.State != meta.StateRedo {
			t.Fatalf("version %+v", h.v.base)
		}
	}
	ok(t, h.Truncate(t.Context(), 4*mib+1))
	ok(t, h.Flush(t.Context()))
	ok(t, h.Truncate(t.Context(), 4*mib+500))
	want = append(want[:4*mib+1:4*mib+1], make([]byte, 499)...)
	ok(t, h.Flush(t.Context()))
	if n := c.mem.read.Load(); n != 0 {
		t.Errorf("closing read %d bytes from the store", n)
	}
	for range 2 {
		if got, err := c.slurp("/f"); err != nil || got != string(want) {
			t.Fatalf("a layer over HTTP: %d bytes of %d, %v", len(got), len(want), err)
		}
		var b strings.Builder
		r := must(c.OpenReader(t.Context(), c.dav, "/f"))(t)
		if _, err := r.SendTo(&b, 100, r.Size()-100); err != nil || b.String() != string(want[100:]) {
			t.Errorf("sending a layer: %v", err)
		}
		ok(t, r.Close())
		if got := c.read(h); got != string(want) {
			t.Error("a layer on the mount")
		}
		h.Release()
		c = c.crash(lazily) // and again from the record
		c.fault.Add(storetest.Rule{Op: "upload", Do: storetest.Fail(objstore.ErrTemporary)})
		h = c.open("/f", os.O_RDWR)
	}
	h.Release()
	c.fault.Clear()
	ok(t, c.Drain(t.Context(), nil))
	c.holds("/f", want)
	c.sound()
}

func TestWritebackSurvivesACrash(t *testing.T) {
	c := newFar(t, lazily)
	open := c.blocked()
	data := randomBytes(4, 4*mib)
	h := c.create("large")
	c.write(h, 0, string(data))
	ok(t, h.Flush(t.Context()))
	h.Release()
	h = c.create("unsaved")
	c.write(h, 0, "never closed")
	open()
	c = c.crash() // without the option: what was promised is kept all the same
	ok(t, c.Drain(t.Context(), nil))
	c.holds("/large", data)
	if got, err := c.slurp("/unsaved"); err != nil || got != "" {
		t.Errorf("a file that was never closed: %q, %v", got, err)
	}
	c.sound()
}

func TestWritebackCrashBeforeTheRecordOfWhatWasSent(t *testing.T) {
	c := newFar(t, lazily)
	open := c.blocked()
	h := c.create("f")
	c.write(h, 0, "text")
	ok(t, h.Flush(t.Context()))
	v := h.v.base
	h.Release()
	c.queue.close()
	open()
	_, err := c.mem.Put(t.Context(), v.Key, strings.NewReader("text"), 4)
	ok(t, err)
	ok(t, c.staging.remove(v.Staging))
	c = c.crash(lazily)
	ok(t, c.Drain(t.Context(), nil))
	if got, err := c.slurp("/f"); err != nil || got != "text" {
		t.Errorf("%q, %v", got, err)
	}
	c.sound()
}

func TestWritebackDropsWhatIsReplacedOrDeleted(t *testing.T) {
	c := newFar(t, lazily)
	open := c.blocked()
	for _, text := range []string{"one", "two", "three"} {
		h := must(c.OpenIno(t.Context(), c.mount, c.touch("f"), os.O_WRONLY|os.O_TRUNC, true))(t)
		c.write(h, 0, text)
		ok(t, h.Flush(t.Context()))
		h.Release()
	}
	h := c.create("gone")
	c.write(h, 0, string(randomBytes(5, 3*mib)))
	ok(t, h.Flush(t.Context()))
	h.Release()
	ok(t, c.Unlink(t.Context(), c.mount, RootIno, "gone"))
	if list := must(c.Pending(t.Context()))(t); len(list) > 3 {
		t.Errorf("pending: %+v", list)
	}
	open()
	ok(t, c.Drain(t.Context(), nil))
	c.holds("/f", []byte("three"))
	c.sound()
}

// touch makes sure that there is a file and gives its number.
func (c *core) touch(name string) Ino {
	attr, err := c.Lookup(c.t.Context(), c.mount, RootIno, name)
	if errors.Is(err, syscall.ENOENT) {
		attr, err = c.Mknod(c.t.Context(), c.mount, RootIno, name, 0o644, 0)
	}
	ok(c.t, err)
	return attr.Ino
}

func TestWritebackTriesAgain(t *testing.T) {
	c := newFar(t, lazily)
	c.fault.Add(storetest.Rule{Op: "put", Do: storetest.Fail(objstore.ErrTemporary)})
	h := c.create("f")
	c.write(h, 0, "text")
	ok(t, h.Flush(t.Context()))
	h.Release()
	c.eventually("the failure shows", func() bool {
		list := must(c.Pending(t.Context()))(t)
		return len(list) == 1 && list[0].Tries > 1 && list[0].Error != ""
	})
	c.fault.Clear()
	ok(t, c.Drain(t.Context(), nil))
	c.holds("/f", []byte("text"))
	c.sound()
}

func TestWritebackFullStagingHoldsWritersBack(t *testing.T) {
	c := newFar(t, lazily, func(o *Options) { o.StagingMax = 2 * mib })
	open := c.blocked()
	h := c.create("a")
	c.write(h, 0, string(randomBytes(6, mib+mib/2)))
	ok(t, h.Flush(t.Context()))
	h.Release()
	h = c.create("b")
	data := randomBytes(7, mib)
	wrote := make(chan error, 1)
	go func() {
		_, err := h.WriteAt(t.Context(), data, 0)
		wrote <- err
	}()
	select {
	case err := <-wrote:
		t.Errorf("a write beyond the limit did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	soon(t, "stat", func() error { _, err := c.GetAttr(t.Context(), c.mount, h.Ino()); return err })
	open()
	ok(t, <-wrote)
	ok(t, h.Flush(t.Context()))
	h.Release()
	ok(t, c.Drain(t.Context(), nil))
	c.holds("/b", data)
	c.sound()
}

func TestWritebackReaderKeepsItsVersion(t *testing.T) {
	c := newFar(t, lazily)
	open := c.blocked()
	h := c.create("f")
	c.write(h, 0, "staged")
	ok(t, h.Flush(t.Context()))
	r := must(c.OpenReader(t.Context(), c.dav, "/f"))(t)
	open()
	ok(t, c.Drain(t.Context(), nil))
	ok(t, c.settler.settle(t.Context()))
	ok(t, c.putBytes("/f", []byte("replaced")))
	if b, err := io.ReadAll(r); err != nil || string(b) != "staged" {
		t.Errorf("the reader sees %q, %v", b, err)
	}
	ok(t, r.Close())
	h.Release()
	c.holds("/f", []byte("replaced"))
	c.sound()
}
