package fs

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tote/meta"
	"tote/objstore"
)

func TestAdoptObject(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		key := clientKey("rdp", "bag@_@my-guid.png")
		_, err := c.store.Put(t.Context(), key, strings.NewReader("uploaded directly"), 17)
		ok(t, err)
		target := Target{Dir: "/", Name: "bag.png"}
		for _, o := range []struct {
			key  string
			size int64
			want syscall.Errno
		}{{"rdp/none", -1, syscall.ENOENT}, {"../bad", -1, syscall.EINVAL}, {key, 3, syscall.EINVAL}} {
			if _, _, err := c.AdoptObject(t.Context(), c.dav, target, o.key, CommitOptions{ExpectSize: o.size}); Errno(err) != o.want {
				t.Errorf("%s: %v, want %v", o.key, err, o.want)
			}
		}
		info, created, err := c.AdoptObject(t.Context(), c.dav, target, key, CommitOptions{ExpectSize: 17, ContentType: "image/png"})
		if err != nil || !created || info.Path() != "/bag.png" {
			t.Fatalf("%+v, created %v, %v", info, created, err)
		}
		again, created, err := c.AdoptObject(t.Context(), c.dav, target, key, CommitOptions{ExpectSize: 17})
		if err != nil || created || again.Ino() != info.Ino() || again.Path() != "/bag.png" {
			t.Errorf("again: %+v, created %v, %v", again, created, err)
		}
		v := must(c.db.CurrentVersion(t.Context(), info.Ino()))(t)
		if v.GUID != "my-guid" || v.Key != key || v.Size != 17 {
			t.Errorf("version %+v", v)
		}
		if got := c.get("/bag@_@my-guid.png"); got != "uploaded directly" {
			t.Errorf("got %q", got)
		}
		reader := &Actor{Tenant: "rdp", User: "r", Roles: []string{RoleReader}}
		if _, _, err := c.AdoptObject(t.Context(), reader, Target{Dir: "/", Name: "x"}, key, CommitOptions{ExpectSize: -1}); Errno(err) != syscall.EACCES {
			t.Errorf("without the right to write: %v", err)
		}
		h := c.open("/bag.png", os.O_RDWR)
		must(h.WriteAt(t.Context(), []byte("U"), 0))(t)
		ok(t, h.Flush(t.Context()))
		h.Release()
		if got := c.get("/bag.png"); got != "Uploaded directly" {
			t.Errorf("after a change: %q", got)
		}
		c.fsckClean()
		c.noOrphans()
	})
}

func TestImport(t *testing.T) {
	c := newFar(t)
	ok(t, c.putBytes("/own", []byte("own")))
	for _, key := range []string{
		"photos/a.jpg", "photos/2020/b.jpg", "photos/2020/c d@_@g1.jpg", "photos/2020/c d@_@g2.jpg", "photos/x%2Fy@_@g3.txt",
		"photos/" + strings.Repeat("n", 300), "other/z.jpg",
	} {
		c.putObject(key, key)
	}
	var problems []string
	o := ImportOptions{Prefix: "photos/", Dir: "/in/here", Problem: func(p string) { problems = append(problems, p) }}
	r := must(c.Import(t.Context(), c.dav, o))(t)
	if r.Listed != 6 || r.Adopted != 5 || r.Skipped != 1 || len(problems) != 1 {
		t.Errorf("%+v, problems %q", r, problems)
	}
	for path, want := range map[string]string{
		"/in/here/a.jpg": "photos/a.jpg", "/in/here/2020/b.jpg": "photos/2020/b.jpg", "/in/here/2020/c d.jpg": "photos/2020/c d@_@g1.jpg",
		"/in/here/2020/c d@_@g2.jpg": "photos/2020/c d@_@g2.jpg", "/in/here/x%2Fy@_@g3.txt": "photos/x%2Fy@_@g3.txt",
	} {
		if got, err := c.slurp(path); err != nil || got != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	ok(t, c.Rename(t.Context(), c.mount, RootIno, "in", RootIno, "moved", 0))
	r = must(c.Import(t.Context(), c.dav, o))(t)
	if r.Adopted != 0 || r.Known != 5 {
		t.Errorf("again: %+v", r)
	}
	r = must(c.Import(t.Context(), c.dav, ImportOptions{}))(t)
	if r.Adopted != 1 || r.Known != 6 {
		t.Errorf("all of the store: %+v", r)
	}
	must(c.GC(t.Context(), true))(t)
	if got, err := c.slurp("/other/z.jpg"); err != nil || got != "other/z.jpg" {
		t.Errorf("%q, %v", got, err)
	}
	c.fsckClean()
}

func TestImportIsResumable(t *testing.T) {
	c := newFar(t)
	const files = importBatch + 10
	for i := range files {
		c.putObject("p/"+strings.Repeat("d", i%3+1)+"/"+newGUID(), "x")
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := ImportOptions{Prefix: "p/", Progress: func(r ImportReport) { cancel() }}
	if r, err := c.Import(ctx, c.dav, o); !errors.Is(err, context.Canceled) || r.Adopted != importBatch {
		t.Errorf("%+v, %v", r, err)
	}
	o.Progress = nil
	r := must(c.Import(t.Context(), c.dav, o))(t)
	if r.Adopted != 10 || r.Known != importBatch {
		t.Errorf("the rest: %+v", r)
	}
}

// lose drops the database and starts over the store that is left.
func (c *far) lose() *far {
	c.t.Helper()
	c.close()
	return openFar(c.t, c.t.TempDir(), c.mem)
}

func TestRecoverATree(t *testing.T) {
	c := newFar(t)
	want := map[string]string{"/a.txt": "first", "/dir/sub/b": "second", "/dir/ü \x01%.png": "third", "/new": "newest", "/big": string(randomBytes(1, 3*mib))}
	must(c.MkdirAll(t.Context(), c.dav, "/dir/sub"))(t)
	for path, text := range want {
		c.put(path, "older than "+text)
		c.put(path, text)
	}
	h := c.create("script")
	c.write(h, 0, "#!/bin/sh")
	mode := uint32(0o750)
	must(c.SetAttr(t.Context(), c.mount, h.Ino(), SetAttr{Mode: &mode}, h))(t)
	ok(t, h.Flush(t.Context()))
	h.Release()
	want["/script"] = "#!/bin/sh"
	must(c.db.EnsureTenant(t.Context(), "second", 0o755, 0, 0, meta.Relaxed))(t)
	other := System("second", "dav")
	w := must(c.NewWriter(t.Context(), other, Target{Path: "/theirs"}))(t)
	must(w.Write([]byte("theirs")))(t)
	_, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1})
	ok(t, err)
	_, err = c.Copy(t.Context(), c.dav, "/dir", "/copied", false, true, nil)
	ok(t, err)
	want["/copied/sub/b"], want["/copied/ü \x01%.png"] = want["/dir/sub/b"], want["/dir/ü \x01%.png"]
	c.putObject(clientKey("rdp", "plain@_@0198c0de-1111-7222-8333-444455556666.txt"), "no facts")
	want["/lost+found/plain.txt"] = "no facts"
	c.putObject("not/ours", "x")

	c = c.lose()
	for range 2 {
		var problems []string
		r := must(c.Recover(t.Context(), RecoverOptions{Problem: func(p string) { problems = append(problems, p) }}))(t)
		if len(problems) != 0 {
			t.Errorf("%+v, problems %q", r, problems)
		}
		for path, text := range want {
			if got, err := c.slurp(path); err != nil || got != text {
				t.Errorf("%q: %.40q, want %.40q, %v", path, got, text, err)
			}
		}
	}
	if got := must(c.Stat(t.Context(), c.dav, "/script"))(t).Attr().Mode & 0o7777; got != 0o750 {
		t.Errorf("mode %o", got)
	}
	r, err := c.OpenReader(t.Context(), other, "/theirs")
	ok(t, err)
	ok(t, r.Close())
	c.fsckClean()
	c.noUploads()
	must(c.GC(t.Context(), true))(t)
	if got, err := c.slurp("/new"); err != nil || got != "newest" {
		t.Errorf("after gc: %q, %v", got, err)
	}
}

func TestRecoverKeepsOlderVersionsWhenAsked(t *testing.T) {
	c := newFar(t)
	var keys []string
	for _, text := range []string{"one", "two", "three"} {
		info := c.put("/f.txt", text)
		keys = append(keys, lastSegment(must(c.db.CurrentVersion(t.Context(), info.Ino()))(t).Key))
	}
	c = c.lose()
	must(c.Recover(t.Context(), RecoverOptions{KeepOlder: true}))(t)
	for name, text := range map[string]string{"/f.txt": "three", "/" + keys[0]: "one", "/" + keys[1]: "two"} {
		if got, err := c.slurp(name); err != nil || got != text {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if list, _, err := c.List(t.Context(), c.dav, "/", 0, 10); err != nil || len(list) != 3 {
		t.Errorf("%d files, %v", len(list), err)
	}
	c.sound()
}

func TestFacts(t *testing.T) {
	c := newFar(t)
	for _, d := range []description{
		{tenant: "rdp", path: "/a/b%c/ü\x01", mode: 0o755, mtime: 5, guid: "g"},
		{tenant: "rdp", guid: "g", mode: 0o644},
	} {
		facts := c.facts(d)
		ok(t, objstore.CheckFacts(facts))
		if back := described(facts); back != d {
			t.Errorf("%+v came back as %+v", d, back)
		}
	}
	facts := c.facts(description{tenant: "rdp", path: "/long/name", guid: "g"})
	delete(facts, factPath) // as when there is no room for it
	if d := described(facts); d.path != "/lost+found/name" {
		t.Errorf("without the path: %+v", d)
	}
	for _, bad := range []string{"/a/../b", "/a%2Fb", "/%zz"} {
		if d := described(map[string]string{factPath: bad}); slices.Contains(strings.Split(d.path, "/"), "..") || strings.Contains(d.path, "%zz") {
			t.Errorf("%s became %q", bad, d.path)
		}
	}
}
