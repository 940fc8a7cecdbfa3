package s3proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second

// setup starts a backend, a proxy before it, and a client.
func setup(t *testing.T, handler http.HandlerFunc) (*Proxy, *http.Client) {
	t.Helper()
	backend := httptest.NewServer(handler)
	t.Cleanup(backend.Close)
	p, err := New(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, &http.Client{Transport: transport, Timeout: patience}
}

// send makes a call and reads the whole answer.
func send(t *testing.T, c *http.Client, method, url string, body io.Reader) (int, []byte, error) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// eventually polls until ok is content.
func eventually(t *testing.T, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestNothingChanges wants everything that a signature may cover to arrive as it was sent, and the answer as it was given.
func TestNothingChanges(t *testing.T) {
	seen := make(chan *http.Request, 1)
	p, c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		b, _ := io.ReadAll(r.Body)
		w.Header()["X-Amz-Id"] = []string{"one", "two"}
		w.Header().Set("ETag", `"tag"`)
		w.WriteHeader(http.StatusTeapot)
		w.Write(b)
	})
	r, err := http.NewRequest("PUT", p.URL()+"/b/a%2Fb%20c%3D+ü/@_@?x-id=PutObject&prefix=%2F&empty", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("X-Amz-Meta-Name", "  a  b")
	r.Header["User-Agent"] = nil
	r.Header.Set("Expect", "100-continue")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := <-seen
	if got.Host != r.URL.Host || got.RequestURI != r.URL.RequestURI() {
		t.Errorf("the server sees %s %s, want %s %s", got.Host, got.RequestURI, r.URL.Host, r.URL.RequestURI())
	}
	for name, want := range map[string]string{"Accept-Encoding": "identity", "X-Amz-Meta-Name": "a  b", "Content-Length": "4", "User-Agent": ""} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil || string(b) != "body" || resp.StatusCode != http.StatusTeapot {
		t.Errorf("answered %d %q, %v", resp.StatusCode, b, err)
	}
	if v := resp.Header["X-Amz-Id"]; len(v) != 2 || resp.Header.Get("ETag") != `"tag"` {
		t.Errorf("the answer's header is %v", resp.Header)
	}
}

// TestBodiesStream lets each side wait for the other in the middle of its body: a proxy that holds bodies back would never get there.
func TestBodiesStream(t *testing.T) {
	const piece = 256 << 10
	half, rest := make(chan struct{}), make(chan struct{})
	p, c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			io.ReadFull(r.Body, make([]byte, piece))
			close(half)
			io.Copy(io.Discard, r.Body)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(2*piece))
		w.Write(make([]byte, piece))
		<-rest
		w.Write(make([]byte, piece))
	})
	in, out := io.Pipe()
	go func() {
		out.Write(make([]byte, piece))
		select {
		case <-half:
			out.Write(make([]byte, piece))
			out.Close()
		case <-time.After(patience):
			out.CloseWithError(errors.New("the first half does not arrive"))
		}
	}()
	if _, _, err := send(t, c, "PUT", p.URL()+"/b/k", in); err != nil {
		t.Error(err)
	}
	resp, err := c.Get(p.URL() + "/b/k")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, piece/2)); err != nil {
		t.Error(err)
	}
	close(rest)
	if n, err := io.Copy(io.Discard, resp.Body); n != piece+piece/2 || err != nil {
		t.Errorf("the rest: %d bytes, %v", n, err)
	}
}

// TestCounts wants calls and bytes by operation, both ways, and the most at the same time.
func TestCounts(t *testing.T) {
	const calls = 5
	together := make(chan struct{}, calls)
	release := make(chan struct{})
	p, c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Method == "PUT" {
			together <- struct{}{}
			<-release
			return
		}
		w.Write(make([]byte, 700))
	})
	done := make(chan error, calls)
	for range calls {
		go func() {
			_, _, err := send(t, c, "PUT", p.URL()+"/b/k?partNumber=1&uploadId=u", bytes.NewReader(make([]byte, 1000)))
			done <- err
		}()
	}
	for range calls {
		<-together
	}
	close(release)
	for range calls {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, _, err := send(t, c, "GET", p.URL()+"/b/k", nil); err != nil {
		t.Error(err)
	}
	if got, want := p.Count(UploadPart), (Count{Calls: calls, Most: calls, Up: calls * 1000}); got != want {
		t.Errorf("UploadPart: %+v, want %+v", got, want)
	}
	if got, want := p.Total(), (Count{Calls: calls + 1, Most: calls, Up: calls * 1000, Down: 700}); got != want {
		t.Errorf("all: %+v, want %+v", got, want)
	}
	p.Forget()
	if got := p.Counts(); len(got) != 0 {
		t.Errorf("after Forget: %v", got)
	}
}

// TestExpect lets the server refuse a body before it is sent.
func TestExpect(t *testing.T) {
	p, c := setup(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	r, err := http.NewRequest("PUT", p.URL()+"/b/k", bytes.NewReader(make([]byte, 8<<20)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Expect", "100-continue")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := p.Count(PutObject); resp.StatusCode != http.StatusForbidden || n.Up > 0 {
		t.Errorf("%d, %d bytes were sent", resp.StatusCode, n.Up)
	}
}

// TestServerGone resets connections when there is no server.
func TestServerGone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p, err := New("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if code, _, err := send(t, http.DefaultClient, "GET", p.URL()+"/b/k", nil); err == nil {
		t.Errorf("answered %d", code)
	}
}

func TestBadAddress(t *testing.T) {
	for _, addr := range []string{"", "127.0.0.1:80", "https://host", "http://", "http://[::1"} {
		if p, err := New(addr); err == nil {
			p.Close()
			t.Errorf("%q is accepted", addr)
		}
	}
}
