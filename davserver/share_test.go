package davserver

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tote/fs"
	"tote/meta"
	"tote/objstore/filestore"
)

// share is a WebDAV server over a real core in a temporary directory. Requests name their user in X-User, or a mere reader in X-Reader;
// others are the administrator.
type share struct {
	t      *testing.T
	fsys   *fs.FS
	srv    *httptest.Server
	active sync.WaitGroup // requests that the handler works on
	log    strings.Builder
	admin  *fs.Actor
	dir    string
}

// newShare starts a share and stops it with the test.
func newShare(t *testing.T, opts ...func(*Options)) *share {
	t.Helper()
	s := &share{t: t, admin: fs.System("rdp", "core"), dir: t.TempDir()}
	s.fsys = openCore(t, s.dir)
	o := Options{Logger: slog.New(slog.NewTextHandler(&s.log, nil))}
	for _, f := range opts {
		f(&o)
	}
	s.serve(New(s.fsys, o))
	return s
}

// openCore opens the core kept in dir until the end of the test.
func openCore(t testing.TB, dir string, opts ...func(*fs.Options)) *fs.FS {
	t.Helper()
	ctx := context.Background()
	db, err := meta.Open(ctx, filepath.Join(dir, "tote.db"), meta.Options{})
	must(t, err)
	_, err = db.EnsureTenant(ctx, "rdp", 0o755, 0, 0, meta.Durable)
	must(t, err)
	store, err := filestore.New(filepath.Join(dir, "objects"), filestore.Options{})
	must(t, err)
	o := fs.Options{Staging: filepath.Join(dir, "staging")}
	for _, f := range opts {
		f(&o)
	}
	fsys, err := fs.Open(ctx, db, store, o)
	must(t, err)
	t.Cleanup(func() {
		if err := fsys.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return fsys
}

// run is a subtest whose failures are its own.
func (s *share) run(name string, f func(t *testing.T)) {
	outer := s.t
	defer func() { s.t = outer }()
	outer.Run(name, func(t *testing.T) {
		s.t = t
		f(t)
	})
}

// serve puts the login of a test in front of h.
func (s *share) serve(h http.Handler) {
	s.srv = httptest.NewServer(Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.active.Add(1)
		defer s.active.Done()
		a := fs.System("rdp", "dav")
		if u := r.Header.Get("X-User"); u != "" {
			a = &fs.Actor{Tenant: "rdp", User: u, Roles: []string{fs.RoleEditor}}
		}
		if r.Header.Get("X-Reader") != "" {
			a = &fs.Actor{Tenant: "rdp", User: "rita", Roles: []string{fs.RoleReader}}
		}
		if r.Header.Get("X-Anonymous") == "" {
			r = r.WithContext(fs.WithActor(r.Context(), a))
		}
		h.ServeHTTP(w, r)
	})))
	s.t.Cleanup(s.srv.Close)
}

// addr is host:port of the server.
func (s *share) addr() string { return strings.TrimPrefix(s.srv.URL, "http://") }

// answer is a response that was read whole.
type answer struct {
	code int
	http.Header
	body string
}

// do sends a request; headers are "Key: value" lines.
func (s *share) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	return s.send(method, path, rd, headers...)
}

func (s *share) send(method, path string, body io.Reader, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.srv.URL+path, body)
	must(s.t, err)
	for _, h := range headers {
		k, v, ok := strings.Cut(h, ": ")
		if !ok {
			continue
		}
		req.Header.Add(k, strings.ReplaceAll(v, "{base}", s.srv.URL))
	}
	resp, err := s.srv.Client().Do(req)
	must(s.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(s.t, err)
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// want is do that expects a status, 0 for any.
func (s *share) want(code int, method, path, body string, headers ...string) answer {
	s.t.Helper()
	got := s.do(method, path, body, headers...)
	if got.code != code && code != 0 {
		s.t.Fatalf("%s %s %q: got %d, want %d\n%s", method, path, headers, got.code, code, got.body)
	}
	return got
}

// put stores a file and fails the test when that fails.
func (s *share) put(path, body string) answer {
	s.t.Helper()
	got := s.do("PUT", path, body)
	if got.code != 201 && got.code != 204 {
		s.t.Fatalf("PUT %s: got %d\n%s", path, got.code, got.body)
	}
	return got
}

// holds checks the content of a file, through WebDAV and through the core; "" with absent means that it must not exist.
func (s *share) holds(path, want string) {
	s.t.Helper()
	got := s.want(200, "GET", path, "")
	if got.body != want {
		s.t.Fatalf("GET %s: got %d bytes %.40q, want %d bytes %.40q", path, len(got.body), got.body, len(want), want)
	}
	rd, err := s.fsys.OpenReader(s.t.Context(), s.admin, strings.TrimPrefix(path, "/dav"))
	must(s.t, err)
	defer rd.Close()
	b, err := io.ReadAll(rd)
	must(s.t, err)
	if string(b) != want {
		s.t.Fatalf("core %s: got %d bytes, want %d", path, len(b), len(want))
	}
}

// absent checks that nothing is at path.
func (s *share) absent(path string) {
	s.t.Helper()
	s.want(404, "GET", path, "")
	if _, err := s.fsys.Stat(s.t.Context(), s.admin, strings.TrimPrefix(path, "/dav")); fs.Errno(err) != 2 {
		s.t.Fatalf("core %s: got %v, want ENOENT", path, err)
	}
}

// lockBody asks for a lock.
func lockBody(scope string) string {
	return `<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:` + scope +
		`/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner><D:href>http://example.org/me</D:href></D:owner></D:lockinfo>`
}

// lock takes a lock and returns its token.
func (s *share) lock(path string, headers ...string) string {
	s.t.Helper()
	got := s.do("LOCK", path, lockBody("exclusive"), headers...)
	if got.code != 200 && got.code != 201 {
		s.t.Fatalf("LOCK %s: got %d\n%s", path, got.code, got.body)
	}
	return strings.Trim(got.Get("Lock-Token"), "<>")
}

// propfind asks for named properties, as XML elements in which D is DAV:.
func (s *share) propfind(path, depth, props string, headers ...string) answer {
	s.t.Helper()
	body := `<D:propfind xmlns:D="DAV:"><D:prop>` + props + `</D:prop></D:propfind>`
	return s.want(207, "PROPFIND", path, body, append(headers, "Depth: "+depth)...)
}

// proppatch sets properties given as XML elements.
func (s *share) proppatch(path, props string, headers ...string) answer {
	s.t.Helper()
	body := `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>` + props + `</D:prop></D:set></D:propertyupdate>`
	return s.do("PROPPATCH", path, body, headers...)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contains fails the test when a part is missing from s.
func contains(t *testing.T, s string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(s, p) {
			t.Errorf("%q is missing from\n%s", p, s)
		}
	}
}
