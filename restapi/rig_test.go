package restapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tote/fs"
	"tote/meta"
	"tote/objstore"
	"tote/objstore/filestore"
	"tote/objstore/memstore"
)

// documents is the adapter that the composer writes: names and fields are the same.
type documents struct{ db *meta.DB }

func (d documents) PutBSO(ctx context.Context, b BSO, check func(*BSO) error) error {
	return d.db.PutBSO(ctx, meta.BSO(b), func(old *meta.BSO) error {
		if check == nil {
			return nil
		}
		return check((*BSO)(old))
	}, meta.Durable)
}

func (d documents) GetBSO(ctx context.Context, tenant, id string) (BSO, error) {
	b, err := d.db.GetBSO(ctx, tenant, id)
	return BSO(b), err
}

func (d documents) BSOsByKey(ctx context.Context, tenant, key string) ([]BSO, error) {
	return rowsOf(d.db.BSOsByKey(ctx, tenant, key))
}

func (d documents) ListBSO(ctx context.Context, tenant string, types []string, offset, limit int) ([]BSO, error) {
	return rowsOf(d.db.ListBSO(ctx, tenant, types, offset, limit))
}

func (d documents) DeleteBSO(ctx context.Context, tenant, id string) error {
	return d.db.DeleteBSO(ctx, tenant, id, meta.Durable)
}

func rowsOf(in []meta.BSO, err error) ([]BSO, error) {
	out := make([]BSO, len(in))
	for i, b := range in {
		out[i] = BSO(b)
	}
	return out, err
}

// rig is a server over a real core. Users log in with Basic and no password; their name decides their roles.
type rig struct {
	testing.TB
	fs    *fs.FS
	db    *meta.DB
	store objstore.Store
	url   string
	addr  string
	dir   string       // of database and staging
	skip  atomic.Int64 // ns that the clock is ahead
	logs  bytes.Buffer

	handler http.Handler // without the login
	api     *Handler
	drafts  *fs.Drafts
}

var users = map[string][]string{
	"mira":   {fs.RoleEditor},
	"root":   {fs.RoleAdmin},
	"reader": {fs.RoleReader},
	"nobody": nil,
	"owner":  {"ROLE_INVENTORY_CREATE"},
	"invr":   {"ROLE_INVENTORY_READ"},
	"inva":   {"ROLE_INVENTORY_ADMIN"},
	"invc":   {"ROLE_INVENTORY_CREATE"},
	"binr":   {"ROLE_BINARY_READ"},
	"bina":   {"ROLE_BINARY_ADMIN"},
	"binc":   {"ROLE_BINARY_CREATE"},
	"mor":    {"ROLE_MANAGED_OBJECT_READ"},
	"moa":    {"ROLE_MANAGED_OBJECT_ADMIN"},
	"evr":    {"ROLE_EVENT_READ"},
	"eva":    {"ROLE_EVENT_ADMIN"},
}

func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	store, err := filestore.New(filepath.Join(t.TempDir(), "objects"), filestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return newRigOn(t, store, change...)
}

func newMemRig(t testing.TB) *rig { return newRigOn(t, memstore.New()) }

func newRigOn(t testing.TB, store objstore.Store, change ...func(*Options)) *rig {
	t.Helper()
	ctx := t.Context()
	dir := t.TempDir()
	db, err := meta.Open(ctx, filepath.Join(dir, "tote.db"), meta.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"rdp", "other"} {
		if _, err := db.EnsureTenant(ctx, tenant, 0o755, 0, 0, meta.Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{TB: t, db: db, store: store, dir: dir}
	core, err := fs.Open(ctx, db, store, fs.Options{Staging: filepath.Join(dir, "staging"), Logger: slog.New(slog.DiscardHandler), Now: r.now})
	if err != nil {
		t.Fatal(err)
	}
	r.fs = core
	o := Options{SigningKey: []byte("0123456789abcdef0123456789abcdef"), Logger: slog.New(slog.NewTextHandler(&r.logs, nil))}
	o.Now = r.now
	for _, c := range change {
		c(&o)
	}
	drafts, err := fs.OpenDrafts(filepath.Join(dir, "drafts"), 0)
	if err != nil {
		t.Fatal(err)
	}
	d := documents{db}
	r.api = New(core, Stores{Documents: d, Objects: d, Relations: d, Events: d, Partials: d, Drafts: drafts, Accounts: accounts{}}, o)
	r.handler, r.drafts = r.api, drafts
	served := login(r.handler)
	if _, test := t.(*testing.T); test { // a benchmark measures the handler alone
		served = r.described(served)
	}
	srv := httptest.NewServer(served)
	r.url, r.addr = srv.URL, srv.Listener.Addr().String()
	t.Cleanup(func() {
		srv.Close()
		if err := core.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// login is what the composer's middleware does, without passwords. A name "tenant/user" belongs to that tenant.
func login(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Public(r) {
			next.ServeHTTP(w, r)
			return
		}
		name, _, ok := r.BasicAuth()
		tenant := "rdp"
		if t, n, has := strings.Cut(name, "/"); has {
			tenant, name = t, n
		}
		roles, known := users[name]
		if name == "program" { // acts for others
			roles, known = []string{fs.RoleEditor}, true
		}
		if ok && name == "busy" {
			Refuse(w, r, http.StatusTooManyRequests)
			return
		}
		if !ok || !known {
			Unauthorized(w, r)
			return
		}
		a := &fs.Actor{Tenant: tenant, User: name, Roles: roles, Origin: "rest"}
		ctx := fs.WithActor(r.Context(), a)
		if name == "program" {
			ctx = WithDelegate(ctx)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// now is the clock of the core and the handler.
func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.skip.Load())) }

// clock sets it ahead.
func (r *rig) clock(ahead time.Duration) { r.skip.Store(int64(ahead)) }

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, a.body)
	}
	return m
}

// do sends a request as mira, unless the headers say otherwise. Headers come as "Name: value"; "user: x" logs in as x, "user:" as nobody.
func (r *rig) do(method, url, body string, headers ...string) answer {
	r.Helper()
	return r.send(method, url, strings.NewReader(body), headers...)
}

func (r *rig) send(method, url string, body io.Reader, headers ...string) answer {
	r.Helper()
	if strings.HasPrefix(url, "/") {
		url = r.url + url
	}
	req, err := http.NewRequestWithContext(r.Context(), method, url, body)
	if err != nil {
		r.Fatal(err)
	}
	req.SetBasicAuth("mira", "")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		value = strings.TrimSpace(value)
		switch {
		case name == "user" && value == "":
			req.Header.Del("Authorization")
		case name == "user":
			req.SetBasicAuth(value, "")
		case name == "Host":
			req.Host = value
		default:
			req.Header.Add(name, value)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirects
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(data)}
}

// want fails when the status is another one.
func (r *rig) want(status int, a answer) answer {
	r.Helper()
	if a.status != status {
		r.Fatalf("status is %d, want %d\n%v\n%s", a.status, status, a.header, a.body)
	}
	return a
}

func (r *rig) equal(what string, got, want any) {
	r.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		r.Errorf("%s is %s, want %s", what, g, w)
	}
}

func sys() *fs.Actor { return fs.System("rdp", "core") }

// put writes a file as another face does.
func (r *rig) put(path, content string) fs.Info {
	r.Helper()
	ctx := r.Context()
	if _, err := r.fs.MkdirAll(ctx, sys(), filepath.Dir(path)); err != nil {
		r.Fatal(err)
	}
	w, err := r.fs.NewWriter(ctx, sys(), fs.Target{Path: path})
	if err != nil {
		r.Fatal(err)
	}
	io.WriteString(w, content)
	info, _, err := w.Commit(ctx, fs.CommitOptions{ExpectSize: -1})
	if err != nil {
		r.Fatal(err)
	}
	return info
}

// cat reads a file as another face does.
func (r *rig) cat(path string) string {
	r.Helper()
	rd, err := r.fs.OpenReader(r.Context(), sys(), path)
	if err != nil {
		r.Fatal(err)
	}
	defer rd.Close()
	data, err := io.ReadAll(rd)
	if err != nil {
		r.Fatal(err)
	}
	return string(data)
}

// tree lists all paths of the tenant.
func (r *rig) tree() []string {
	r.Helper()
	var out []string
	var walk func(dir string)
	walk = func(dir string) {
		infos, _, err := r.fs.List(r.Context(), sys(), dir, 0, 10000)
		if err != nil {
			r.Fatal(err)
		}
		for _, i := range infos {
			p := strings.TrimSuffix(dir, "/") + "/" + i.Name()
			if i.IsDir() {
				walk(p)
				p += "/"
			}
			out = append(out, p)
		}
	}
	walk("/")
	slices.Sort(out)
	return out
}

// nothing asserts that no file exists, and none of the directories that only uploads make.
func (r *rig) nothing() {
	r.Helper()
	for _, p := range r.tree() {
		if p != "/inventory/" && p != "/assets/" && p != "/events/" {
			r.Errorf("left behind: %s", p)
		}
	}
	st, err := r.fs.Status(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	if st.Staged != 0 {
		r.Errorf("%d bytes stay in staging", st.Staged)
	}
}
