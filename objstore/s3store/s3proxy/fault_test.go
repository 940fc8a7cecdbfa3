package s3proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

const size = 300_000

// object is what the backend serves and the client sends.
func object() []byte { return bytes.Repeat([]byte("object "), size/7+1)[:size] }

// want is what a client gets.
type want struct {
	status  int
	body    string // the answer holds it; "" is anything
	broken  bool   // an error while sending or reading
	reset   bool   // and it is a reset
	reaches int    // bytes of the request that reach the server: 0 none, 1 a part, 2 all
}

// TestModes makes one call fail in each way and looks at both sides.
func TestModes(t *testing.T) {
	const put, get, list, create = "PUT /b/k", "GET /b/k", "GET /b?list-type=2", "POST /b/k?uploads"
	const complete, remove = "POST /b/k?uploadId=u", "DELETE /b/k"
	for _, c := range []struct {
		mode Mode
		call string
		want want
	}{
		{Reset, put, want{broken: true, reset: true, reaches: 1}},
		{Reset, get, want{status: 200, broken: true, reset: true, reaches: 2}},
		{Reset, remove, want{broken: true}},
		{Reset, create, want{broken: true}},
		{ServerError, put, want{status: 500, body: "<Code>InternalError</Code>"}},
		{ServerError, remove, want{status: 500, body: "<Error>"}},
		{SlowDown, get, want{status: 503, body: "<Code>SlowDown</Code>"}},
		{Truncate, get, want{status: 200, broken: true, reaches: 2}},
		{Truncate, list, want{status: 200, broken: true, reaches: 2}},
		{Lost, put, want{broken: true, reaches: 2}},
		{Lost, complete, want{broken: true, reaches: 2}},
		{Lost, remove, want{broken: true, reaches: 2}},
		{ErrorIn200, complete, want{status: 200, body: "<Error>"}},
		{ErrorIn200After, complete, want{status: 200, body: "<Error>", reaches: 2}},
		{NoSuchUpload, complete, want{status: 404, body: "<Code>NoSuchUpload</Code>", reaches: 2}},
	} {
		t.Run(c.mode.String()+" of "+c.call, func(t *testing.T) { tryMode(t, c.mode, c.call, c.want) })
	}
}

func tryMode(t *testing.T, mode Mode, call string, want want) {
	var reached atomic.Int32
	p, c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		reached.Store(1)
		if b, err := io.ReadAll(r.Body); err == nil && len(b) == max(int(r.ContentLength), 0) {
			reached.Store(2)
		}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Write(object())
	})
	p.Inject(1, Fault{Mode: mode, Nth: 1})
	method, path, _ := strings.Cut(call, " ")
	var body io.Reader
	if method == "PUT" || strings.HasSuffix(path, "uploadId=u") {
		body = bytes.NewReader(object())
	}
	status, got, err := send(t, c, method, p.URL()+path, body)
	if (err != nil) != want.broken || want.reset && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%d, %d bytes, %v", status, len(got), err)
	}
	if !want.broken && status != want.status || !bytes.Contains(got, []byte(want.body)) {
		t.Errorf("answered %d %.200s, want %+v", status, got, want)
	}
	if want.broken && want.status == 200 && !bytes.HasPrefix(object(), got) {
		t.Error("the bytes before the cut are others")
	}
	eventually(t, func() error {
		if n := int(reached.Load()); n != want.reaches {
			return fmt.Errorf("the server saw %d of 2, want %d", n, want.reaches)
		}
		return nil
	})
	if n := p.Total(); n.Faults != 1 {
		t.Errorf("%d faults are counted", n.Faults)
	}
	if status, got, err = send(t, c, "GET", p.URL()+"/b/k", nil); err != nil || status != 200 || !bytes.Equal(got, object()) {
		t.Errorf("the next call: %d, %d bytes, %v", status, len(got), err)
	}
}

// TestCorrupt changes one bit, on the way up or down.
func TestCorrupt(t *testing.T) {
	var sent []byte
	p, c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			sent, _ = io.ReadAll(r.Body)
			return
		}
		w.Write(object())
	})
	for _, at := range []int64{0, 1, size - 1} {
		p.Inject(1, Fault{Mode: Corrupt, Share: 1, At: at})
		if _, _, err := send(t, c, "PUT", p.URL()+"/b/k?partNumber=1&uploadId=u", bytes.NewReader(object())); err != nil {
			t.Fatal(err)
		}
		status, got, err := send(t, c, "GET", p.URL()+"/b/k", nil)
		if status != 200 || err != nil {
			t.Fatal(status, err)
		}
		for name, b := range map[string][]byte{"up": sent, "down": got} {
			if n := differing(b, object()); n != 1 || at > 0 && b[at] == object()[at] {
				t.Errorf("%s, at %d: %d bytes differ", name, at, n)
			}
		}
	}
	if n := p.Total().Faults; n != 6 {
		t.Errorf("%d faults are counted", n)
	}
}

func differing(a, b []byte) (n int) {
	if len(a) != len(b) {
		return -1
	}
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// TestCorruptEmpty leaves alone what has no bytes.
func TestCorruptEmpty(t *testing.T) {
	p, c := setup(t, func(http.ResponseWriter, *http.Request) {})
	p.Inject(1, Fault{Mode: Corrupt, Share: 1}, Fault{Mode: Truncate, Share: 1})
	for _, m := range []string{"GET", "PUT"} {
		if status, _, err := send(t, c, m, p.URL()+"/b/k", nil); status != 200 || err != nil {
			t.Error(status, err)
		}
	}
	if n := p.Total().Faults; n != 0 {
		t.Errorf("%d faults are counted", n)
	}
}

// TestStall stops an upload and a download in their middle and lets them go on to a reset.
func TestStall(t *testing.T) {
	p, c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(object())
	})
	p.Inject(1, Fault{Mode: Hang, Share: 1, Ops: []Op{HeadObject}}, Fault{Mode: Stall, Share: 1})
	ended := make(chan error, 4)
	for _, m := range []string{"PUT", "GET", "DELETE", "HEAD"} {
		go func() {
			var body io.Reader
			if m == "PUT" {
				body = bytes.NewReader(object())
			}
			_, _, err := send(t, c, m, p.URL()+"/b/k", body)
			ended <- err
		}()
	}
	eventually(t, func() error {
		if n := p.Total().Faults; n != 4 {
			return fmt.Errorf("%d calls are stalled", n)
		}
		return nil
	})
	select {
	case err := <-ended:
		t.Errorf("a stalled call has ended: %v", err)
	default:
	}
	p.Inject(1)
	for range 4 {
		if err := <-ended; err == nil {
			t.Error("a stalled call has succeeded")
		}
	}
}

// TestCloseEndsStalls closes a proxy in which calls are stalled.
func TestCloseEndsStalls(t *testing.T) {
	p, c := setup(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	p.Inject(1, Fault{Mode: Stall, Share: 1})
	ended := make(chan error, 1)
	go func() {
		_, _, err := send(t, c, "PUT", p.URL()+"/b/k", bytes.NewReader(object()))
		ended <- err
	}()
	eventually(t, func() error {
		if p.Total().Faults == 0 {
			return errors.New("no call is stalled")
		}
		return nil
	})
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("a stalled call has succeeded")
	}
}

// failures makes calls and notes which fail.
func failures(t *testing.T, p *Proxy, c *http.Client, calls int) (failed string) {
	for range calls {
		status, _, err := send(t, c, "GET", p.URL()+"/b/k", nil)
		if err != nil {
			t.Fatal(err)
		}
		failed += fmt.Sprintf("%d ", status)
	}
	return failed
}

// TestShare wants about the share of failures that was asked for, the same ones for the same seed, and none of other operations.
func TestShare(t *testing.T) {
	p, c := setup(t, func(http.ResponseWriter, *http.Request) {})
	faults := []Fault{
		{Mode: SlowDown, Share: 0.1, Ops: []Op{GetObject}, Path: "/b/"},
		{Mode: ServerError, Share: 1, Ops: []Op{PutObject}},
		{Mode: ServerError, Share: 1, Path: "/other/"},
	}
	p.Inject(7, faults...)
	first := failures(t, p, c, 500)
	if n := strings.Count(first, "503"); n < 25 || n > 85 {
		t.Errorf("%d of 500 calls fail, want about 50", n)
	}
	if strings.Contains(first, "500") {
		t.Error("the fault of another operation or path struck")
	}
	p.Inject(7, faults...)
	if again := failures(t, p, c, 500); again != first {
		t.Error("the same seed gives other failures")
	}
	p.Inject(8, faults...)
	if other := failures(t, p, c, 500); other == first {
		t.Error("another seed gives the same failures")
	}
}

// TestNth wants exactly the n-th call to fail.
func TestNth(t *testing.T) {
	p, c := setup(t, func(http.ResponseWriter, *http.Request) {})
	p.Inject(1, Fault{Mode: SlowDown, Nth: 3}, Fault{Mode: ServerError, Nth: 5})
	if got := failures(t, p, c, 6); got != "200 200 503 200 500 200 " {
		t.Error(got)
	}
}

func TestModeNames(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range append(Modes, -1) {
		if seen[m.String()] {
			t.Errorf("%d is called %s, too", m, m)
		}
		seen[m.String()] = true
	}
}
