package fs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// putObject puts bytes into the store behind the core's back.
func (c *far) putObject(key, content string) {
	c.t.Helper()
	_, err := c.mem.Put(context.Background(), key, strings.NewReader(content), int64(len(content)))
	ok(c.t, err)
}

// On a remote store objects are counted by listing, and only what looks wrong is asked for.
func TestFsckOfARemoteStore(t *testing.T) {
	c := newFar(t)
	const files = 40
	keys := make([]string, files)
	for i := range files {
		path := fmt.Sprintf("/f%02d", i)
		ok(t, c.putBytes(path, []byte("content of "+path)))
		info := must(c.Stat(t.Context(), c.dav, path))(t)
		keys[i] = must(c.db.CurrentVersion(t.Context(), info.Ino()))(t).Key
	}
	check := func(deep bool) (found []string, asked int) {
		t.Helper()
		before := c.fault.Calls("stat")
		var last int64
		o := FsckOptions{Deep: deep, Progress: func(done, total int64) {
			if last++; done != last || total != files {
				t.Errorf("progress %d of %d after %d", done, total, last-1)
			}
		}}
		r := must(c.Fsck(t.Context(), o, func(p string) { found = append(found, p) }))(t)
		if r.Versions != files || r.Problems != int64(len(found)) || last != files {
			t.Errorf("%+v, %d times progress, problems %q", r, last, found)
		}
		return found, c.fault.Calls("stat") - before
	}
	if found, asked := check(true); len(found) != 0 || asked != 0 {
		t.Errorf("problems %q, %d objects were asked for", found, asked)
	}
	ok(t, c.mem.Delete(t.Context(), keys[3]))
	c.putObject(keys[5], "longer than it was before")
	c.putObject(keys[7], "CONTENT OF /f07")
	c.putObject("somebody/elses.jpg", "x")
	if found, asked := check(false); asked != 2 || !slices.EqualFunc(found, []string{"/f03: ", "/f05: "}, strings.HasPrefix) {
		t.Errorf("problems %q, %d objects were asked for", found, asked)
	}
	if found, _ := check(true); !slices.EqualFunc(found, []string{"/f03: ", "/f05: ", "/f07: "}, strings.HasPrefix) {
		t.Errorf("a deep look finds %q", found)
	}
}

// A bucket may hold what is not ours. The garbage collection takes only what has the form of our keys.
func TestGCLeavesWhatIsNotOurs(t *testing.T) {
	c := newFar(t)
	keys := []string{"photo.jpg", "a/b@_@c.txt", "rdp/binarystreamobject/other/x", "x/rdp/binarystreamobject/assets/y"}
	for _, key := range append(keys, "rdp/binarystreamobject/assets/o@_@g.txt") {
		c.putObject(key, "x")
	}
	must(c.mem.Store.NewUpload(t.Context(), "photo.jpg"))(t)
	must(c.mem.Store.NewUpload(t.Context(), "rdp/binarystreamobject/assets/u@_@g.txt"))(t)
	r := must(c.GC(t.Context(), true))(t)
	if r.Orphans != 1 || r.Uploads != 1 {
		t.Errorf("removed %+v, want one orphan and one upload", r)
	}
	if open := c.openUploads(); len(open) != 1 || open[0].Key != "photo.jpg" {
		t.Errorf("open uploads are %+v", open)
	}
	for _, key := range keys {
		if _, err := c.mem.Stat(t.Context(), key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestIDSet(t *testing.T) {
	s, in := idSet{}, []int64{0, 1, 63, 64, 4095, 4096, 1 << 40}
	for _, id := range in {
		s.add(id)
	}
	for _, id := range in {
		if !s.has(id) || s.has(id+2) {
			t.Errorf("%d: %v, %d: %v", id, s.has(id), id+2, s.has(id+2))
		}
	}
}

// An import of the whole store leaves alone what the core keeps there itself.
func TestImportLeavesWhatIsOurs(t *testing.T) {
	c := newFar(t)
	for _, key := range []string{"photo.jpg", "rdp/binarystreamobject/assets/o@_@g.txt", "rdp/binarystreamobject/uploads/u"} {
		c.putObject(key, "x")
	}
	r := must(c.Import(t.Context(), c.dav, ImportOptions{}))(t)
	if r.Adopted != 1 || r.Skipped != 2 {
		t.Errorf("%+v", r)
	}
	r = must(c.Import(t.Context(), c.dav, ImportOptions{Prefix: "rdp/binarystreamobject/assets/"}))(t)
	if r.Adopted != 1 {
		t.Errorf("asked for: %+v", r)
	}
}

// Where a list of everything does not go, what is missing is listed by what its keys have in common.
func TestFsckListsWhatIsElsewhere(t *testing.T) {
	c := newFar(t)
	for i := range worthList {
		c.putObject(fmt.Sprintf("ext/%d/photo%d.jpg", i%3, i), "x")
	}
	must(c.Import(t.Context(), c.dav, ImportOptions{Prefix: "ext/"}))(t)
	page := must(c.db.EachVersion(t.Context(), 0, fsckPage))(t)
	k := &checker{f: c.FS, listed: idSet{}, roots: []string{""}}
	ok(t, k.listMore(t.Context(), page[1:]))
	if len(k.roots) != 1 {
		t.Errorf("%d objects were worth a list", len(page)-1)
	}
	ok(t, k.listMore(t.Context(), page))
	for _, v := range page {
		if !k.listed.has(v.ID) {
			t.Errorf("%s is not listed", v.Key)
		}
	}
	if !slices.Equal(k.roots, []string{"", "ext/"}) {
		t.Errorf("listed %q", k.roots)
	}
	k.listed = idSet{}
	ok(t, k.listMore(t.Context(), page)) // not again: what is missing is missing
	if len(k.roots) != 2 {
		t.Errorf("listed %q", k.roots)
	}
}

// Uploads that no record knows end at the start, those under way go on.
func TestEndStrays(t *testing.T) {
	c := newFar(t)
	must(c.mem.Store.NewUpload(t.Context(), "photo.jpg"))(t)
	must(c.mem.Store.NewUpload(t.Context(), "rdp/binarystreamobject/assets/u@_@g.txt"))(t)
	data := randomBytes(1, 5*mib)
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/big"}))(t)
	must(w.Write(data))(t)
	c.eventually("an upload is on record", func() bool { return len(must(c.db.Uploads(t.Context(), false))(t)) == 1 })
	ok(t, c.EndStrays(t.Context()))
	if open := c.openUploads(); len(open) != 2 {
		t.Errorf("open uploads are %+v", open)
	}
	_, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: int64(len(data))})
	ok(t, err)
	c.holds("/big", data)
}
