package restapi

import (
	"context"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"tote/fs"
)

// fakeStore stands for the store's own URLs: bytes that tests put into it wait to be adopted.
type fakeStore struct {
	fs      *fs.FS
	waiting map[string]string // by tenant and key
	staged  bool              // versions are not in the store yet
}

func (d *fakeStore) Download(_ context.Context, v fs.Version, life time.Duration) (string, error) {
	if d.staged {
		return "", &fs.Error{Errno: syscall.ENOENT}
	}
	return "https://store.test/" + v.Key + "?for=" + life.String(), nil
}

func (d *fakeStore) Upload(_ context.Context, tenant, key string, _ time.Duration) (DirectUpload, error) {
	return DirectUpload{URL: "https://store.test/up/" + tenant + "/" + key, Header: map[string]string{"X-B": "2", "X-A": "1"}}, nil
}

func (d *fakeStore) Waiting(_ context.Context, tenant, key string) (bool, error) {
	_, ok := d.waiting[tenant+"/"+key]
	return ok, nil
}

func (d *fakeStore) Adopt(ctx context.Context, a *fs.Actor, key string, t fs.Target, o fs.CommitOptions) (fs.Info, error) {
	content, ok := d.waiting[a.Tenant+"/"+key]
	if !ok {
		return fs.Info{}, &fs.Error{Errno: syscall.ENOENT}
	}
	delete(d.waiting, a.Tenant+"/"+key)
	w, err := d.fs.NewWriter(ctx, a, t)
	if err != nil {
		return fs.Info{}, err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, content); err != nil {
		return fs.Info{}, err
	}
	info, _, err := w.Commit(ctx, o)
	return info, err
}

// newDirectRig is a server that hands out URLs of a store.
func newDirectRig(t *testing.T) (*rig, *fakeStore) {
	d := &fakeStore{waiting: map[string]string{}}
	r := newRig(t, func(o *Options) { o.Direct = d })
	d.fs = r.fs
	return r, d
}

func TestDirect_Upload(t *testing.T) {
	r, d := newDirectRig(t)
	url, headers, id := r.uploadURL(lamp)
	r.equal("URL", url, "https://store.test/up/rdp/lamp@_@9b6c1f0e.png")
	r.equal("headers", headers, []string{"X-A: 1", "X-B: 2"})
	r.equal("id", id, "9b6c1f0e")
	r.nothing()

	r.ok("create", `{"binaryStreamObject":`+lamp+`}`) // before the bytes
	if _, props := r.one(`{"id":"9b6c1f0e"}`); props["contentSize"] != nil {
		t.Errorf("properties are %v", props)
	}
	d.waiting["rdp/lamp@_@9b6c1f0e.png"] = "light"
	d.waiting["other/lamp@_@9b6c1f0e.png"] = "another tenant's"
	r.ok("create", `{"binaryStreamObject":`+lamp+`}`)
	r.equal("content", r.cat("/catalog/2026/lamp.png"), "light")
	_, props := r.one(`{"id":"9b6c1f0e"}`)
	r.equal("size", props["contentSize"], 5)
	r.equal("pixels", props["pixels"], 640)
	r.equal("waiting", len(d.waiting), 1)
	if rows, err := r.db.BSOsByKey(t.Context(), "rdp", "lamp@_@9b6c1f0e.png"); err != nil || len(rows) != 0 {
		t.Errorf("documents %v, %v", rows, err)
	}

	r.ok("create", `{"binaryStreamObject":`+lamp+`}`) // nothing new
	r.equal("content", r.cat("/catalog/2026/lamp.png"), "light")
	d.waiting["rdp/lamp@_@9b6c1f0e.png"] = "more light"
	r.ok("create", `{"binaryStreamObject":`+lamp+`}`)
	r.equal("content", r.cat("/catalog/2026/lamp.png"), "more light")
	r.equal("tree", strings.Join(r.tree(), " "), "/catalog/ /catalog/2026/ /catalog/2026/lamp.png")
}

func TestDirect_Download(t *testing.T) {
	r, d := newDirectRig(t)
	d.waiting["rdp/lamp@_@9b6c1f0e.png"] = "light"
	r.ok("create", `{"binaryStreamObject":`+lamp+`}`)
	url := r.downloadURL(lamp)
	if !strings.HasPrefix(url, "https://store.test/rdp/binarystreamobject/assets/lamp@_@") || !strings.HasSuffix(url, "?for=1h0m0s") {
		t.Errorf("URL %s", url)
	}
	d.staged = true // it has to come from this server
	r.equal("content", r.want(200, r.do("GET", r.downloadURL(lamp), "", "user:")).body, "light")
}

func TestDirect_Refused(t *testing.T) {
	r, d := newDirectRig(t)
	d.waiting["rdp/lamp@_@9b6c1f0e.png"] = "light"
	if m := r.bso("create", `{"binaryStreamObject":`+lamp+`}`, "user: reader"); m["status"] != "error" {
		t.Errorf("%v", m)
	}
	r.equal("waiting", len(d.waiting), 1)
	r.nothing()
}
