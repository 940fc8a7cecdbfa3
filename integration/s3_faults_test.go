package integration

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"tote/objstore/s3store/s3proxy"
)

// TestS3Faults lets 10 % of the calls to S3 fail in each way that there is, under mixed load through all doors. Nobody notices: no operation
// fails, and afterwards everything is there byte for byte, read through the same faults, with no object and no upload too many. One way comes after the
// other: a program that is being started closes its copies of this process's files, and would wait for a call that stalls while it has those of a
// mount that is to end.
func TestS3Faults(t *testing.T) {
	length := 2 * time.Second
	if d := soak(t); d > 0 {
		length = d / 20
	}
	for _, mode := range s3proxy.Modes {
		t.Run(mode.String(), func(t *testing.T) {
			s, p := startProxied(t)
			c := newCrash(t, s, uint64(mode))
			for _, name := range []string{"large1", "large2"} {
				c.add(crasherKind{name: name, setup: setupLarge, step: stepLarge})
			}
			p.Forget()
			p.Inject(uint64(mode), tenPercent(t, mode, 100)...)
			c.work(length)
			p.Inject(0)
			s.forget()
			p.Inject(uint64(mode), tenPercent(t, mode, 50)...)
			c.verify("read through faults")
			p.Inject(0)
			c.bites(p.Total())
			s.settled()
			s.checkMemory()
		})
	}
}

// tenPercent lets every tenth call fail; more in the ways that only few calls can fail in. A call that stands still costs twenty seconds: unless there
// is time, only the first calls of these are in danger.
func tenPercent(t *testing.T, mode s3proxy.Mode, calls int) (list []s3proxy.Fault) {
	switch {
	case mode >= s3proxy.ErrorIn200:
		return []s3proxy.Fault{{Mode: mode, Share: 0.5}}
	case soak(t) > 0 || mode != s3proxy.Stall && mode != s3proxy.Hang:
		return []s3proxy.Fault{{Mode: mode, Share: 0.1}}
	}
	for n := 1; n <= calls; n += 10 {
		list = append(list, s3proxy.Fault{Mode: mode, Nth: n})
	}
	return list
}

// bites wants every worker to have done something, and calls to have failed.
func (c *crash) bites(n s3proxy.Count) {
	c.t.Helper()
	c.t.Logf("%d calls, %d of them failed", n.Calls, n.Faults)
	if n.Faults == 0 {
		c.t.Error("no call failed: the test proves nothing")
	}
	for _, w := range c.workers {
		c.t.Logf("%-8s %5d done", w.kind, w.acked.Load())
		if w.acked.Load() == 0 {
			c.t.Errorf("%s: nothing was done", w.kind)
		}
	}
}

const largeSize = 2*s3Part + 1234567

// setupLarge makes the large file that stepLarge works on.
func setupLarge(w *crasher) error {
	w.content = randomBytes(largeSize, 6)
	p := w.root + "/large"
	return w.op(func() error { return w.s.dav().Put(p, w.content) }, w.state.with(p, w.content))
}

// stepLarge works with files of several parts: it replaces one through a random door, changes a little in one, or makes and removes a copy.
func stepLarge(w *crasher) error {
	p, copied := w.root+"/large", w.root+"/copy"
	if err := w.reread(p); err != nil {
		return err
	}
	switch n := w.rnd.IntN(4); n {
	case 0:
		data := randomBytes(s3Part+w.rnd.IntN(2*s3Part), w.rnd.Uint64())
		f := w.s.faces()[w.rnd.IntN(3)]
		states := []state{w.state.with(p, data)}
		if f.Name() == "mount" {
			states = append([]state{w.state.with(p, nil)}, states...)
		}
		w.content = data
		return w.op(func() error { return f.Put(p, data) }, states...)
	case 1:
		return w.op(func() error { return w.s.dav().Copy(p, copied, true) }, w.state.with(copied, w.content))
	default:
		return editLarge(w, p)
	}
}

// editLarge changes a few bytes of a file in place, grows it or cuts it, and closes it.
func editLarge(w *crasher, p string) error {
	data := bytes.Clone(w.content)
	off := w.rnd.IntN(len(data) - 5000)
	piece := randomBytes(5000, w.rnd.Uint64())
	copy(data[off:], piece)
	cut := w.rnd.IntN(3) == 0
	if cut {
		data = data[:len(data)-w.rnd.IntN(5000)]
	}
	w.content = data
	return w.op(func() error {
		f, err := os.OpenFile(w.s.mount().at(p), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(piece, int64(off)); err != nil {
			f.Close()
			return fmt.Errorf("write: %w", err)
		}
		if cut {
			if err := f.Truncate(int64(len(data))); err != nil {
				f.Close()
				return fmt.Errorf("truncate: %w", err)
			}
		}
		return f.Close()
	}, w.state.with(p, data))
}

// TestS3Changed changes an object in the bucket while it is being read. Nobody gets a mixture, or other bytes for the file's: who has begun gets
// the old ones or an error, who begins gets an error.
func TestS3Changed(t *testing.T) {
	needS3(t)
	s := startServer(t, withErrors(), withArgs("--cache-size", "0"))
	s.unsafe = true
	want := randomBytes(64<<20, 1)
	check(t, s.dav().Put("/f", want))
	check(t, s.dav().Put("/other", want[:1<<20]))
	s.forget()
	resp, err := s.request("GET", davURL("/f"), nil)
	check(t, err)
	defer resp.Body.Close()
	got := make([]byte, 1<<20)
	readHalf(t, resp.Body, got, want)
	s.replaceObject(s.objectOf("f"), func(b []byte) []byte { return randomBytes(len(b), 3) })
	rest, err := io.ReadAll(resp.Body)
	got = append(got, rest...)
	if !bytes.HasPrefix(want, got) || err == nil && len(got) < len(want) {
		t.Errorf("a file whose object changed while it was read: %v, %s", err, difference(got, want))
	}
	for _, f := range s.faces() {
		if b, err := f.Get("/f"); err == nil {
			t.Errorf("%s reads a file whose object is another one: %s", f.Name(), difference(b, want))
		}
		wantContent(t, f, "/other", want[:1<<20])
	}
}
