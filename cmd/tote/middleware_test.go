package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// chain is the middleware around h, without login.
func chain(logs io.Writer, h http.HandlerFunc) http.Handler {
	log := newLogger(logs, slog.LevelDebug, "text")
	return withRequestID(withAccessLog(log, withRecover(log, h)))
}

func serveTest(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestRequestID(t *testing.T) {
	var logs buffer
	inner := newLogger(&logs, slog.LevelInfo, "text")
	s := serveTest(t, chain(&logs, func(_ http.ResponseWriter, r *http.Request) { inner.InfoContext(r.Context(), "inside") }))
	seen := map[string]bool{}
	for range 3 {
		res := must(http.Get(s.URL))
		res.Body.Close()
		id := res.Header.Get("X-Request-Id")
		if len(id) != 16 || seen[id] {
			t.Errorf("request id %q", id)
		}
		seen[id] = true
		waitFor(t, "log of the request", func() bool { return strings.Count(logs.String(), "request="+id) == 2 })
	}
}

func TestAccessLogHasNoSecrets(t *testing.T) {
	var logs buffer
	s := serveTest(t, chain(&logs, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot); fmt.Fprint(w, "short") }))
	req := must(http.NewRequest(http.MethodGet, s.URL+"/blobs/c/k%0Aforged?sig=hunter2", nil))
	req.SetBasicAuth("ann", "hunter2")
	req.Header.Set("auth-client-secret", "hunter2")
	must(http.DefaultClient.Do(req)).Body.Close()
	waitFor(t, "log line", func() bool { return strings.Contains(logs.String(), "status=418") })
	text := logs.String()
	if strings.Contains(text, "hunter2") || strings.Contains(text, "sig=") || strings.Count(text, "\n") != 1 {
		t.Errorf("log: %s", text)
	}
	for _, want := range []string{"method=GET", `path="/blobs/c/k\nforged"`, "sent=5", "from=127.0.0.1", "took="} {
		if !strings.Contains(text, want) {
			t.Errorf("log lacks %s: %s", want, text)
		}
	}
}

func TestPanicsBecomeErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		h      http.HandlerFunc
		status int // 0: the connection is cut
		logged bool
	}{
		{"before the answer", func(http.ResponseWriter, *http.Request) { panic("boom") }, 500, true},
		{"within the answer", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat("x", 1<<20))
			panic("boom")
		}, 0, true},
		{"on purpose", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var logs buffer
			s := serveTest(t, chain(&logs, tt.h))
			res, err := http.Get(s.URL)
			status := 0
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				status = res.StatusCode
			}
			if tt.status != 0 && (status != tt.status || err != nil) || tt.status == 0 && err == nil {
				t.Errorf("status %d, error %v", status, err)
			}
			waitFor(t, "access log", func() bool { return strings.Contains(logs.String(), "msg=request ") })
			if got := strings.Contains(logs.String(), "msg=panic"); got != tt.logged {
				t.Errorf("logged %v: %s", got, logs.String())
			}
		})
	}
}

// withFloor is withProgress with limits that a test can wait for.
func withFloor(patience time.Duration, step int64, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		withProgress(w, r, patience, step)
		h(w, r)
	})
}

// dial sends the head of a request by hand and returns the connection.
func dial(t *testing.T, s *httptest.Server, head string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprint(c, strings.ReplaceAll(head, "\n", "\r\n"))
	return c
}

func TestSlowBodyIsCutOff(t *testing.T) {
	for name, send := range map[string]func(c net.Conn, stop <-chan struct{}){
		"stalled":  func(c net.Conn, _ <-chan struct{}) { fmt.Fprint(c, "x") },
		"trickled": func(c net.Conn, stop <-chan struct{}) { trickle(c, 10*time.Millisecond, 1, stop) },
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan error, 1)
			s := serveTest(t, withFloor(200*time.Millisecond, 1000, func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				got <- err
			}))
			c := dial(t, s, "PUT /x HTTP/1.1\nHost: x\nContent-Length: 100000\n\n")
			stop := make(chan struct{})
			defer close(stop)
			go send(c, stop)
			select {
			case err := <-got:
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the body ended with %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("a slow body holds its connection")
			}
		})
	}
}

// trickle writes n bytes again and again.
func trickle(w io.Writer, every time.Duration, n int, stop <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), n)); err != nil {
			return
		}
	}
}

func TestLongUploadIsNotCutOff(t *testing.T) {
	const size = 20_000
	got := make(chan string, 1)
	s := serveTest(t, withFloor(500*time.Millisecond, 500, func(_ http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		got <- fmt.Sprint(n, err)
	}))
	c := dial(t, s, fmt.Sprintf("PUT /x HTTP/1.1\nHost: x\nContent-Length: %d\n\n", size))
	stop := make(chan struct{})
	defer close(stop)
	go trickle(c, 10*time.Millisecond, 100, stop) // 2 s in all, four times the patience
	if g, want := <-got, fmt.Sprint(size, nil); g != want {
		t.Errorf("got %s, want %s", g, want)
	}
}

func TestSlowHandlerIsNotCutOff(t *testing.T) {
	got := make(chan error, 1)
	release := make(chan struct{})
	s := serveTest(t, withFloor(100*time.Millisecond, 1000, func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 10)); err != nil {
			got <- err
			return
		}
		<-release // busy for longer than the client's patience, which must not count
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			got <- err
			return
		}
		select { // the whole body is there: the client has no duty left
		case <-r.Context().Done():
			got <- context.Cause(r.Context())
		case <-time.After(300 * time.Millisecond):
			got <- nil
		}
	}))
	time.AfterFunc(300*time.Millisecond, func() { close(release) })
	c := dial(t, s, "PUT /x HTTP/1.1\nHost: x\nContent-Length: 20\n\n")
	fmt.Fprint(c, strings.Repeat("x", 20))
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// Connections are used again after a body, and after one that nobody read.
func TestKeepAliveAfterBodies(t *testing.T) {
	s := serveTest(t, withFloor(time.Second, 1000, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}))
	c := dial(t, s, "")
	r := bufio.NewReader(c)
	for _, path := range []string{"/read", "/skip", "/read", "/skip", "/read"} {
		fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", path)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		res.Body.Close()
	}
}

// sink is a response writer that can take a file, like net/http's.
type sink struct {
	http.ResponseWriter
	sources []string
	n       int64
}

func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	l, ok := r.(*io.LimitedReader)
	if !ok {
		return 0, errors.New("no io.LimitedReader: net/http would not use sendfile")
	}
	s.sources = append(s.sources, fmt.Sprintf("%T", l.R))
	n, err := io.Copy(io.Discard, r)
	s.n += n
	return n, err
}

func TestResponseKeepsSendfile(t *testing.T) {
	const size = 3*sendChunk + 17
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name        string
		wrap        func(*os.File) io.Reader
		sent, calls int
	}{
		{"file", func(f *os.File) io.Reader { return f }, size, 4},
		{"limited file", func(f *os.File) io.Reader { return io.LimitReader(f, sendChunk+5) }, sendChunk + 5, 2},
		{"limit beyond the end", func(f *os.File) io.Reader { return io.LimitReader(f, size*2) }, size, 4},
		{"nothing", func(f *os.File) io.Reader { return io.LimitReader(f, 0) }, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := must(os.Open(path))
			defer f.Close()
			s := &sink{ResponseWriter: httptest.NewRecorder()}
			res := newResponse(s)
			n, err := io.Copy(res, tt.wrap(f))
			if err != nil || n != int64(tt.sent) || s.n != n || res.sent != n {
				t.Errorf("sent %d, inner %d, counted %d, error %v, want %d", n, s.n, res.sent, err, tt.sent)
			}
			if len(s.sources) != tt.calls {
				t.Errorf("%d calls, want %d", len(s.sources), tt.calls)
			}
			for _, src := range s.sources {
				if src != "*os.File" && src != "os.fileWithoutWriteTo" {
					t.Errorf("the kernel gets a %s", src)
				}
			}
		})
	}
}

func TestResponseOverAConnection(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var logs buffer
	s := serveTest(t, chain(&logs, func(w http.ResponseWriter, _ *http.Request) {
		f := must(os.Open(path))
		defer f.Close()
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.CopyN(w, f, int64(len(data)-1))
	}))
	res := must(http.Get(s.URL))
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Equal(got, data[:len(data)-1]) || res.StatusCode != http.StatusPartialContent {
		t.Errorf("got %d bytes, status %d, %v", len(got), res.StatusCode, err)
	}
	waitFor(t, "access log", func() bool { return strings.Contains(logs.String(), fmt.Sprintf("sent=%d ", len(got))) })
}

// askSlowly sends a request over a connection that buffers little.
func askSlowly(t *testing.T, s *httptest.Server) net.Conn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	c := must(d.Dial("tcp", s.Listener.Addr().String()))
	t.Cleanup(func() { c.Close() })
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	return c
}

// A client that takes a little all the time is served to the end, for many times as long as one that takes nothing is waited for.
func TestSlowReader(t *testing.T) {
	const size = 128 << 10
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	sent := make(chan string, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		f := must(os.Open(path))
		defer f.Close()
		res := newResponse(w)
		res.timeout, res.armed = 400*time.Millisecond, time.Time{}
		w.Header().Set("Content-Length", fmt.Sprint(size))
		start := time.Now()
		n, err := io.CopyN(res, f, size)
		sent <- fmt.Sprintln(n == size, err == nil, time.Since(start) > 2*res.timeout, errors.Is(err, os.ErrDeadlineExceeded))
	}))
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(4096)
		return ctx
	}
	s.Start()
	t.Cleanup(s.Close)
	c, total, tick := askSlowly(t, s), 0, time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for buf := make([]byte, 1<<10); ; <-tick.C {
		n, err := c.Read(buf)
		if total += n; err != nil {
			break
		}
	}
	if total < size {
		t.Errorf("a slow reader got %d of %d bytes", total, size)
	}
	if got := <-sent; got != "true true true false\n" {
		t.Errorf("a slow reader: %s", got)
	}
	askSlowly(t, s)
	if got := <-sent; !strings.HasPrefix(got, "false false") || !strings.HasSuffix(got, "true\n") {
		t.Errorf("a reader that stopped: %s", got)
	}
}

func TestResponseWithoutReadFrom(t *testing.T) {
	rec := httptest.NewRecorder()
	res := newResponse(struct{ http.ResponseWriter }{rec})
	if n, err := res.ReadFrom(strings.NewReader("hello")); n != 5 || err != nil || res.sent != 5 || rec.Body.String() != "hello" {
		t.Errorf("got %d, %v, %q", n, err, rec.Body.String())
	}
	if res.status != http.StatusOK {
		t.Errorf("status %d", res.status)
	}
}

func TestInformationalStatusIsNotTheAnswer(t *testing.T) {
	res := newResponse(httptest.NewRecorder())
	res.WriteHeader(http.StatusProcessing)
	res.WriteHeader(http.StatusCreated)
	if res.status != http.StatusCreated {
		t.Errorf("status %d", res.status)
	}
}

func TestLimitConns(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = limitConns(2)
	s.Start()
	t.Cleanup(s.Close)
	ask := func(c net.Conn) error {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	a, b := dial(t, s, ""), dial(t, s, "")
	if err := errors.Join(ask(a), ask(b)); err != nil {
		t.Fatal(err)
	}
	if ask(dial(t, s, "")) == nil {
		t.Error("a third connection was served")
	}
	a.Close()
	waitFor(t, "room after a connection ended", func() bool { return ask(dial(t, s, "")) == nil })
	if err := ask(b); err != nil {
		t.Errorf("the second connection suffered: %v", err)
	}
}

func TestHTTPErrorsAreLogged(t *testing.T) {
	var logs buffer
	l := httpErrors(newLogger(&logs, slog.LevelInfo, "json"))
	l.Print("http: TLS handshake error from 1.2.3.4: EOF")
	l.Print("http: Accept error: too many open files")
	if text := logs.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "too many open files") {
		t.Errorf("log: %s", text)
	}
}

// The log calls an error what somebody has to look at, not what a client asked for and could not have.
func TestAccessLevel(t *testing.T) {
	for _, tt := range []struct {
		path   string
		status int
		want   slog.Level
	}{
		{"/dav/f", 200, slog.LevelInfo}, {"/dav/f", 404, slog.LevelInfo}, {"/dav/f", 501, slog.LevelInfo}, {"/dav/f", 502, slog.LevelInfo},
		{"/dav/f", 507, slog.LevelWarn}, {"/dav/f", 500, slog.LevelError}, {"/dav/f", 503, slog.LevelError}, {"/dav/f", 504, slog.LevelError},
		{"/readyz", 503, slog.LevelDebug},
	} {
		if got := accessLevel(tt.path, tt.status); got != tt.want {
			t.Errorf("%s %d: %v, want %v", tt.path, tt.status, got, tt.want)
		}
	}
}

// A client that has closed its sending side is logged in and served. net/http has cancelled the context of its request by then.
func TestHalfClosedClient(t *testing.T) {
	s := startProgram(t, testConfig(t))
	h := s.site().handler()
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{{"PUT", "/dav/f", "data", 201}, {"GET", "/dav/f", "", 200}, {"GET", "/inventory/binaries", "", 200}} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(ctx, tt.method, tt.path, strings.NewReader(tt.body))
		r.SetBasicAuth("admin", "correct horse")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, w.Code, w.Body)
		}
	}
	if log := s.Logs.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("log: %s", log)
	}
}
