package fs

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tote/meta"
	"tote/objstore/filestore"
	"tote/objstore/storetest"
)

// logged keeps what is logged.
type logged struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// wantPanic wants a panic to be in the log, with its stack.
func (l *logged) wantPanic(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.b.String(); !strings.Contains(s, "value=boom") || !strings.Contains(s, "goroutine ") {
		t.Errorf("the panic is not in the log: %.500q", s)
	}
}

// TestPanicDuringAnUpload lets the code of the store panic at each step of bringing a file there, in the goroutines of the upload and in the one that
// commits. The writer gets an error at most, nothing hangs, and another try brings all bytes there.
func TestPanicDuringAnUpload(t *testing.T) {
	for _, op := range []string{"put", "upload", "part", "complete", "copypart"} {
		for _, back := range []bool{false, true} {
			t.Run(op+map[bool]string{true: " writeback"}[back], func(t *testing.T) {
				log := &logged{}
				c := newFar(t, func(o *Options) { o.Writeback, o.Logger = back, slog.New(slog.NewTextHandler(log, nil)) })
				data := randomBytes(1, 4*mib+9)
				if op == "put" {
					data = data[:1000]
				}
				c.fault.Add(storetest.Rule{Op: op, Nth: 1, Do: storetest.Panic("boom")})
				h := c.create("f")
				c.write(h, 0, string(data))
				h = c.flushTwice(h)
				sent := func() bool { return len(must(c.Pending(t.Context()))(t)) == 0 }
				c.eventually("all is sent", sent)
				h.Release()
				h = c.open("/f", os.O_RDWR)
				copy(data[10:], "changed") // which lets the store copy what has not
				c.write(h, 10, "changed")
				c.flushTwice(h).Release()
				c.eventually("all is sent", sent)
				log.wantPanic(t)
				c.fault.Clear()
				c.remote.tasks.group.Wait()
				must(c.GC(t.Context(), true))(t)
				c.holds("/f", data)
				c.sound()
			})
		}
	}
}

// flushTwice closes a file, once more if that failed, and gives back a handle that is open.
func (c *far) flushTwice(h *Handle) *Handle {
	c.t.Helper()
	if err := h.Flush(context.Background()); err != nil {
		ok(c.t, h.Flush(context.Background()))
	}
	return h
}

// TestPanicOfATask lets the store panic while it ends an upload that is not needed any more. The next start ends it.
func TestPanicOfATask(t *testing.T) {
	log := &logged{}
	c := newFar(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	c.fault.Add(storetest.Rule{Op: "abort", Nth: 1, Do: storetest.Panic("boom")})
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/given up"}))(t)
	must(w.Write(randomBytes(3, 3*mib)))(t)
	c.eventually("a part is sent", func() bool { return c.fault.Calls("part") > 0 })
	w.Abort()
	c.remote.tasks.group.Wait()
	log.wantPanic(t)
	c.close()
	c = openFar(t, c.dir, c.mem)
	c.sound()
}

// TestPanicOfTheSettler lets the store panic while closed files are moved there. They stay where they are, and the next round moves them.
func TestPanicOfTheSettler(t *testing.T) {
	for _, op := range []string{"adoptlazy", "sync"} {
		t.Run(op, func(t *testing.T) {
			dir, log := t.TempDir(), &logged{}
			inner := must(filestore.New(filepath.Join(dir, "objects"), filestore.Options{NoSync: true}))(t)
			fault := storetest.NewFault(inner)
			c := openCore(t, dir, fault)
			c.log = slog.New(slog.NewTextHandler(log, nil))
			h := c.create("f")
			c.write(h, 0, "hello")
			ok(t, h.Flush(t.Context()))
			h.Release()
			fault.Add(storetest.Rule{Op: op, Nth: 1, Do: storetest.Panic("boom")})
			if err := c.settler.settle(t.Context()); err == nil {
				t.Error("nobody is told")
			}
			log.wantPanic(t)
			ok(t, c.settler.settle(t.Context()))
			info := must(c.Stat(t.Context(), c.dav, "/f"))(t)
			if v := must(c.db.CurrentVersion(t.Context(), info.Ino()))(t); v.State != meta.StateStored {
				t.Errorf("the version is %v", v.State)
			}
			if got := c.get("/f"); got != "hello" {
				t.Errorf("%q", got)
			}
			c.fsckClean()
		})
	}
}

// TestPanicOfChecksums lets the store panic in the goroutine that makes checksums, which goes on.
func TestPanicOfChecksums(t *testing.T) {
	dir, log := t.TempDir(), &logged{}
	inner := must(filestore.New(filepath.Join(dir, "objects"), filestore.Options{NoSync: true}))(t)
	fault := storetest.NewFault(inner)
	c := openCore(t, dir, fault)
	c.log = slog.New(slog.NewTextHandler(log, nil))
	h := c.create("f")
	c.write(h, 0, string(randomBytes(1, 2*mib)))
	ok(t, h.Flush(t.Context()))
	h.Release()
	ok(t, c.settler.settle(t.Context()))
	fault.Add(storetest.Rule{Op: "open", Nth: 1, Do: storetest.Panic("boom")})
	tick := make(chan time.Time)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.sumAt(ctx, tick) }()
	for range 3 { // the third is taken when the second has been served
		tick <- time.Time{}
	}
	cancel()
	<-done
	log.wantPanic(t)
	info := must(c.Stat(t.Context(), c.dav, "/f"))(t)
	if v := must(c.db.CurrentVersion(t.Context(), info.Ino()))(t); v.Sum == "" {
		t.Error("there is no checksum")
	}
}
