package davserver

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tote/fs"
)

// cutPut sends the head of a PUT and the first n bytes of the framed body, then hangs up.
func (s *share) cutPut(path string, chunked bool, body string, n int) {
	s.t.Helper()
	framing, framed := fmt.Sprintf("Content-Length: %d", len(body)), body
	if chunked {
		framing = "Transfer-Encoding: chunked"
		framed = ""
		for part := range slices.Chunk([]byte(body), 1000) {
			framed += fmt.Sprintf("%x\r\n%s\r\n", len(part), part)
		}
		framed += "0\r\n\r\n"
	}
	conn, err := net.Dial("tcp", s.addr())
	must(s.t, err)
	_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s", path, framing, framed[:min(n, len(framed))])
	must(s.t, err)
	must(s.t, conn.(*net.TCPConn).CloseWrite())
	_, _ = io.Copy(io.Discard, conn) // until the server has given up too
	conn.Close()
	s.active.Wait()
}

// TestPutCutOff: a body that ends early leaves the old state, whatever the framing and wherever it ends.
func TestPutCutOff(t *testing.T) {
	s := newShare(t)
	body := strings.Repeat("0123456789abcdef", 625) // 10,000 bytes
	cuts := []int{0, 1, 2, 5, 999, 1000, 1006, 1007, 5000, 9998, 9999}
	for i := range 40 {
		cuts = append(cuts, 1+i*247)
	}
	s.put("/dav/old", "the old content")
	for _, chunked := range []bool{false, true} {
		all := cuts
		if chunked { // all bytes of the body, but not the end of the framing
			all = append(slices.Clone(cuts), 10000, 10071, 10072, 10073)
		}
		for _, n := range all {
			s.cutPut("/dav/new", chunked, body, n)
			s.absent("/dav/new")
			s.cutPut("/dav/old", chunked, body, n)
			s.holds("/dav/old", "the old content")
		}
	}
	left, err := os.ReadDir(filepath.Join(s.dir, "staging"))
	must(t, err)
	if len(left) != 0 {
		t.Errorf("%d staging files were left behind", len(left))
	}
	s.cutPut("/dav/new", true, body, 1<<20) // not cut: the helper itself works
	s.holds("/dav/new", body)
}

// TestReadDuringPut: an open reader keeps the version it opened.
func TestReadDuringPut(t *testing.T) {
	s := newShare(t)
	old := strings.Repeat("o", 8<<20)
	s.put("/dav/f", old)
	resp, err := s.srv.Client().Get(s.srv.URL + "/dav/f")
	must(t, err)
	defer resp.Body.Close()
	first := make([]byte, 1000)
	_, err = io.ReadFull(resp.Body, first)
	must(t, err)
	s.want(204, "PUT", "/dav/f", strings.Repeat("n", 8<<20))
	rest, err := io.ReadAll(resp.Body)
	must(t, err)
	if got := string(first) + string(rest); got != old {
		t.Error("the reader saw something else than the old version")
	}
}

// TestHalfBodyIsInvisible: while a PUT runs, readers see the old file.
func TestHalfBodyIsInvisible(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "old")
	rd, wr := io.Pipe()
	done := make(chan answer)
	go func() { done <- s.send("PUT", "/dav/f", rd) }()
	_, err := io.WriteString(wr, strings.Repeat("n", 100000))
	must(t, err)
	s.holds("/dav/f", "old")
	s.want(204, "PUT", "/dav/f", "other") // a second writer is not locked out
	wr.Close()
	if got := <-done; got.code != 204 {
		t.Fatalf("got %d", got.code)
	}
	s.holds("/dav/f", strings.Repeat("n", 100000))
}

func TestPutRefused(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "0123456789")
	s.want(201, "MKCOL", "/dav/d", "")
	for _, c := range []struct {
		name, path, body string
		code             int
		headers          []string
	}{
		{"content-range", "/dav/f", "abc", 400, []string{"Content-Range: bytes 3-5/11"}},
		{"expected length too long", "/dav/f", "abc", 400, []string{"X-Expected-Entity-Length: 10"}},
		{"expected length nonsense", "/dav/f", "abc", 400, []string{"X-Expected-Entity-Length: -3"}},
		{"bad mtime", "/dav/f", "abc", 400, []string{"X-OC-Mtime: yesterday"}},
		{"collection", "/dav/d", "abc", 405, nil},
		{"collection with slash", "/dav/d/", "abc", 405, nil},
		{"root", "/dav/", "abc", 405, nil},
		{"parent missing", "/dav/no/f", "abc", 409, nil},
		{"parent is a file", "/dav/f/g", "abc", 409, nil},
	} {
		s.run(c.name, func(t *testing.T) {
			if got := s.do("PUT", c.path, c.body, c.headers...); got.code != c.code {
				t.Errorf("got %d, want %d: %s", got.code, c.code, got.body)
			}
			s.holds("/dav/f", "0123456789")
		})
	}
	chunked := struct{ io.Reader }{strings.NewReader("abc")}
	if got := s.send("PUT", "/dav/f", chunked, "X-Expected-Entity-Length: 4"); got.code != 400 {
		t.Errorf("chunked with a wrong expected length: got %d", got.code)
	}
	s.holds("/dav/f", "0123456789")
}

// TestMoveCopyKeep: what cannot be done leaves both ends as they were.
func TestMoveCopyKeep(t *testing.T) {
	s := newShare(t)
	s.want(201, "MKCOL", "/dav/a", "")
	s.want(201, "MKCOL", "/dav/a/b", "")
	s.put("/dav/a/b/f", "deep")
	s.put("/dav/x", "ex")
	for _, c := range []struct {
		name, method, from, to string
		code                   int
		headers                []string
	}{
		{"move missing", "MOVE", "/dav/none", "/dav/x", 404, []string{"Overwrite: T"}},
		{"copy missing", "COPY", "/dav/none", "/dav/x", 404, []string{"Overwrite: T"}},
		{"move onto ancestor", "MOVE", "/dav/a/b", "/dav/a", 403, []string{"Overwrite: T"}},
		{"copy onto ancestor", "COPY", "/dav/a/b", "/dav/a", 403, nil},
		{"move into itself", "MOVE", "/dav/a", "/dav/a/b/c", 403, nil},
		{"copy into itself", "COPY", "/dav/a", "/dav/a/b/c", 403, nil},
		{"move onto itself", "MOVE", "/dav/a", "/dav/a/", 403, nil},
		{"copy onto itself", "COPY", "/dav/x", "/dav/x", 403, nil},
		{"no overwrite, move", "MOVE", "/dav/a/b", "/dav/x", 412, []string{"Overwrite: F"}},
		{"no overwrite, copy", "COPY", "/dav/a/b/f", "/dav/x", 412, []string{"Overwrite: f"}},
		{"overwrite nonsense", "COPY", "/dav/a/b/f", "/dav/x", 400, []string{"Overwrite: maybe"}},
		{"no parent, move", "MOVE", "/dav/x", "/dav/no/x", 409, nil},
		{"no parent, copy", "COPY", "/dav/x", "/dav/no/x", 409, nil},
		{"parent is a file", "MOVE", "/dav/a/b/f", "/dav/x/f", 409, nil},
		{"move a tree with depth", "MOVE", "/dav/a", "/dav/m", 400, []string{"Depth: 0"}},
		{"copy depth", "COPY", "/dav/a", "/dav/m", 400, []string{"Depth: 1"}},
		{"delete depth", "DELETE", "/dav/a", "", 400, []string{"Depth: 0"}},
		{"move root", "MOVE", "/dav/", "/dav/m", 403, nil},
		{"onto root", "MOVE", "/dav/x", "/dav/", 403, nil},
		{"delete root", "DELETE", "/dav/", "", 403, nil},
	} {
		s.run(c.name, func(t *testing.T) {
			headers := append([]string{"Destination: {base}" + c.to}, c.headers...)
			if got := s.do(c.method, c.from, "", headers...); got.code != c.code {
				t.Errorf("got %d, want %d: %s", got.code, c.code, got.body)
			}
			s.holds("/dav/a/b/f", "deep")
			s.holds("/dav/x", "ex")
			s.absent("/dav/m")
		})
	}
}

func TestMoveCopy(t *testing.T) {
	s := newShare(t)
	s.want(201, "MKCOL", "/dav/a", "")
	s.want(201, "MKCOL", "/dav/a/sub", "")
	s.put("/dav/a/sub/f", "deep")
	s.put("/dav/x", "ex")
	s.want(201, "COPY", "/dav/a", "", "Destination: {base}/dav/b")
	s.holds("/dav/b/sub/f", "deep")
	s.want(204, "COPY", "/dav/x", "", "Destination: /dav/b/sub/f") // no Overwrite means T
	s.holds("/dav/b/sub/f", "ex")
	s.want(204, "MOVE", "/dav/a", "", "Destination: {base}/dav/b/")
	s.holds("/dav/b/sub/f", "deep")
	s.absent("/dav/a")
	s.want(201, "COPY", "/dav/b", "", "Destination: {base}/dav/shallow", "Depth: 0")
	s.absent("/dav/shallow/sub")
	s.want(204, "MOVE", "/dav/x", "", "Destination: {base}/dav/b") // a file replaces a whole tree
	s.holds("/dav/b", "ex")
	s.want(204, "DELETE", "/dav/shallow", "")
	s.want(404, "DELETE", "/dav/shallow", "")
}

// TestParallelPut: writers of one path do not refuse each other, and one of them wins whole.
func TestParallelPut(t *testing.T) {
	s := newShare(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body := strings.Repeat(string(rune('a'+i)), 200000)
			for range 5 {
				if got := s.do("PUT", "/dav/f", body); got.code != 201 && got.code != 204 {
					t.Errorf("got %d: %s", got.code, got.body)
				}
			}
		})
	}
	wg.Wait()
	got := s.want(200, "GET", "/dav/f", "").body
	if len(got) != 200000 || strings.Count(got, got[:1]) != len(got) {
		t.Error("the file is a mixture")
	}
}

// TestNoSpace: a full disk is 507 on every framing, and the old file stays.
func TestNoSpace(t *testing.T) {
	s := &share{t: t, dir: t.TempDir(), admin: fs.System("rdp", "core")}
	s.fsys = openCore(t, s.dir, func(o *fs.Options) { o.StagingMax = 2 << 20 })
	s.serve(New(s.fsys, Options{}))
	s.put("/dav/f", "old")
	body := strings.Repeat("x", 3<<20)
	s.want(507, "PUT", "/dav/f", body)
	if got := s.send("PUT", "/dav/f", struct{ io.Reader }{strings.NewReader(body)}); got.code != 507 {
		t.Errorf("chunked: got %d", got.code)
	}
	s.want(507, "PUT", "/dav/new", body)
	s.absent("/dav/new")
	s.holds("/dav/f", "old")
	s.want(204, "PUT", "/dav/f", "new") // nothing stays reserved
}

// TestLostBytes: when the store has lost bytes, a reader gets a broken connection and the log a line, never other bytes.
func TestLostBytes(t *testing.T) {
	s := newShare(t)
	body := strings.Repeat("0123456789", 1<<20)
	s.put("/dav/f", body)
	var object string
	must(t, filepath.WalkDir(filepath.Join(s.dir, "objects"), func(p string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, _ := d.Info(); info != nil && info.Size() == int64(len(body)) {
				object = p
			}
		}
		return err
	}))
	must(t, os.Truncate(object, 5<<20))
	resp, err := s.srv.Client().Get(s.srv.URL + "/dav/f")
	must(t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if resp.StatusCode == 200 && err == nil {
		t.Errorf("%d bytes were served as if they were whole", len(got))
	}
	if !strings.HasPrefix(body, string(got)) && resp.StatusCode == 200 {
		t.Error("other bytes were served")
	}
	s.active.Wait()
	contains(t, s.log.String(), "level=ERROR")
}

// TestHalfClosedClient: a client may close its sending side once its request is out. net/http takes that for a client that left and cancels
// the context; the request is served all the same.
func TestHalfClosedClient(t *testing.T) {
	s := newShare(t)
	for _, c := range []struct {
		method, target, body string
		want                 int
	}{
		{"PUT", "/dav/f", "data", 201},
		{"GET", "/dav/f", "", 200},
		{"PROPFIND", "/dav/", "", 207},
		{"MKCOL", "/dav/d", "", 201},
		{"COPY", "/dav/f", "", 201},
		{"LOCK", "/dav/new", `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`, 201},
		{"DELETE", "/dav/f", "", 204},
	} {
		ctx, cancel := context.WithCancel(fs.WithActor(t.Context(), s.admin))
		cancel()
		req := httptest.NewRequestWithContext(ctx, c.method, c.target, strings.NewReader(c.body))
		req.Header.Set("Destination", "/dav/d/copy")
		w := httptest.NewRecorder()
		New(s.fsys, Options{Logger: slog.New(slog.NewTextHandler(&s.log, nil))}).ServeHTTP(w, req)
		if w.Code != c.want {
			t.Errorf("%s %s: %d %s", c.method, c.target, w.Code, w.Body)
		}
	}
	s.holds("/dav/d/copy", "data")
	if log := s.log.String(); log != "" {
		t.Errorf("log: %s", log)
	}
}

// TestRefusalsAreNotErrors: what a client is refused for reasons of its own leaves nothing in the log.
func TestRefusalsAreNotErrors(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	s.want(502, "MOVE", "/dav/f", "", "Destination: http://elsewhere.example/dav/g")
	s.want(502, "COPY", "/dav/f", "", "Destination: /elsewhere/g")
	s.want(501, "BREW", "/dav/f", "")
	if log := s.log.String(); log != "" {
		t.Errorf("log: %s", log)
	}
}
