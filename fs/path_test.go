package fs

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
)

func TestCleanPath(t *testing.T) {
	long := strings.Repeat("n", 255)
	for in, want := range map[string]string{
		"": "/", "/": "/", "a": "/a", "/a/": "/a", "//a//b": "/a/b", "/a/..b/.c": "/a/..b/.c", "/" + long: "/" + long,
		"/\xff\xfe": "/\xff\xfe", "/a\\b": "/a\\b",
	} {
		if got, err := CleanPath(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]syscall.Errno{
		"/..": syscall.EINVAL, "/a/../b": syscall.EINVAL, "/./a": syscall.EINVAL, "/a\x00b": syscall.EINVAL, "..": syscall.EINVAL,
		"/" + long + "n": syscall.ENAMETOOLONG, strings.Repeat("/a", 3000): syscall.ENAMETOOLONG,
	} {
		if got, err := CleanPath(in); Errno(err) != want {
			t.Errorf("%.40q: %q, %v", in, got, err)
		}
	}
}

func FuzzCleanPath(f *testing.F) {
	f.Add("/a/../b")
	f.Fuzz(func(t *testing.T, p string) {
		clean, err := CleanPath(p)
		if err != nil {
			return
		}
		if again, err := CleanPath(clean); again != clean || err != nil {
			t.Errorf("%q cleans to %q, that to %q, %v", p, clean, again, err)
		}
		for _, part := range strings.Split(clean, "/")[1:] {
			if part == "." || part == ".." || strings.Contains(part, "\x00") {
				t.Errorf("%q let %q through", p, part)
			}
		}
	})
}

func TestAliasOfEveryVersionResolves(t *testing.T) {
	c := newCore(t)
	var guids []string
	for _, text := range []string{"one", "two", "three"} {
		info := c.put("/bag.png", text)
		guids = append(guids, must(c.db.CurrentVersion(t.Context(), info.Ino()))(t).GUID)
	}
	ok(t, c.Rename(t.Context(), c.mount, RootIno, "bag.png", RootIno, "renamed.png", 0))
	for _, g := range guids {
		if got := c.get("/bag@_@" + g + ".png"); got != "three" {
			t.Errorf("%s: %q", g, got)
		}
	}
	if list, _, err := c.List(t.Context(), c.dav, "/", 0, 10); err != nil || len(list) != 1 {
		t.Errorf("the file is listed %d times, %v", len(list), err)
	}
	must(c.MkdirPath(t.Context(), c.dav, "/d", nil))(t)
	if _, err := c.Stat(t.Context(), c.dav, "/d/bag@_@"+guids[0]+".png"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("the alias resolves in another directory: %v", err)
	}
}

func TestUploadWithATakenNameShowsItsGUID(t *testing.T) {
	c := newCore(t)
	c.put("/bag.png", "mine")
	w := must(c.NewWriter(t.Context(), c.dav, Target{Dir: "/", Name: "bag.png", Alias: true}))(t)
	must(io.WriteString(w, "theirs"))(t)
	info, created, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1})
	ok(t, err)
	if !created || !strings.HasPrefix(info.Name(), "bag@_@") || !strings.HasSuffix(info.Name(), ".png") {
		t.Errorf("created %v as %q", created, info.Name())
	}
	if c.get("/bag.png") != "mine" || c.get(info.Path()) != "theirs" {
		t.Error("contents are mixed up")
	}
}

func TestClientKeyIsUsedOnceAndStays(t *testing.T) {
	c := newCore(t)
	key := "deep/pack.zip"
	put := func(path, text string) Version {
		w := must(c.NewWriter(t.Context(), c.dav, Target{Path: path, Key: key}))(t)
		must(io.WriteString(w, text))(t)
		props := []Property{{Name: PropObjectKey, Value: JSONString(key)}}
		info, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1, Props: props})
		ok(t, err)
		return must(c.db.CurrentVersion(t.Context(), info.Ino()))(t)
	}
	if v := put("/pack.zip", "one"); v.Key != "rdp/binarystreamobject/assets/deep/pack.zip" {
		t.Errorf("first version is stored under %s", v.Key)
	}
	if v := put("/pack.zip", "two"); !strings.Contains(v.Key, "pack@_@") {
		t.Errorf("second version is stored under %s", v.Key)
	}
	if file := must(c.FileByKey(t.Context(), c.dav, key))(t); c.get(file.Info.Path()) != "two" {
		t.Error("the key finds another file")
	}
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/x", Key: "../../../etc/passwd"}))(t)
	if _, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1}); Errno(err) != syscall.EINVAL {
		t.Errorf("a key that climbs: %v", err)
	}
}

func TestSymlinksStayInsideTheTenant(t *testing.T) {
	c := newCore(t)
	must(c.MkdirAll(t.Context(), c.dav, "/a/b"))(t)
	c.put("/a/file", "text")
	for name, target := range map[string]string{
		"good": "a/file", "dir": "a/b", "up": "a/b/../file", "loop": "loop", "out": "../../etc/passwd", "abs": "/etc/passwd", "dangling": "nowhere",
	} {
		must(c.Symlink(t.Context(), c.mount, RootIno, name, target))(t)
	}
	for path, want := range map[string]syscall.Errno{
		"/good": 0, "/dir": 0, "/up": 0, "/loop": syscall.ELOOP, "/out": syscall.ENOENT, "/abs": syscall.ENOENT, "/dangling": syscall.ENOENT,
		"/good/x": syscall.ENOTDIR, "/dir/none": syscall.ENOENT,
	} {
		if _, err := c.Stat(t.Context(), c.dav, path); Errno(err) != want {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	list, _, err := c.List(t.Context(), c.dav, "/", 0, 100)
	ok(t, err)
	if len(list) != 4 { // a, good, dir, up
		t.Errorf("%d entries are shown", len(list))
	}
	ok(t, c.RemoveAll(t.Context(), c.dav, "/dir", nil))
	if _, err := c.Stat(t.Context(), c.dav, "/a/b"); err != nil {
		t.Errorf("removing a link removed what it leads to: %v", err)
	}
}

func TestUnicodeForms(t *testing.T) {
	c := newCore(t)
	c.put("/caf\u00e9", "composed")
	if got := c.get("/cafe\u0301"); got != "composed" {
		t.Errorf("got %q", got)
	}
	c.put("/cafe\u0301/", "replaced")
	if list, _, _ := c.List(t.Context(), c.dav, "/", 0, 9); len(list) != 1 {
		t.Errorf("%d files", len(list))
	}
}

func TestMoveKeepsEverythingWhenItFails(t *testing.T) {
	c := newCore(t)
	must(c.MkdirAll(t.Context(), c.dav, "/a/b"))(t)
	c.put("/a/b/file", "text")
	c.put("/other", "other")
	for _, m := range []struct {
		from, to  string
		overwrite bool
		want      syscall.Errno
	}{
		{"/a/b", "/a", true, syscall.EINVAL}, {"/a", "/a/b/c", true, syscall.EINVAL}, {"/a", "/a", true, syscall.EINVAL},
		{"/none", "/other", true, syscall.ENOENT}, {"/other", "/a", false, syscall.EEXIST}, {"/other", "/none/x", true, syscall.ENOENT},
		{"/", "/x", true, syscall.EBUSY}, {"/other", "/", true, syscall.EBUSY},
	} {
		if _, err := c.Move(t.Context(), c.dav, m.from, m.to, m.overwrite, nil); Errno(err) != m.want {
			t.Errorf("move %s to %s: %v, want %v", m.from, m.to, err, m.want)
		}
		if _, err := c.Copy(t.Context(), c.dav, m.from, m.to, m.overwrite, true, nil); Errno(err) != m.want {
			t.Errorf("copy %s to %s: %v, want %v", m.from, m.to, err, m.want)
		}
		if c.get("/a/b/file") != "text" || c.get("/other") != "other" {
			t.Fatalf("%s to %s changed something", m.from, m.to)
		}
	}
	created, err := c.Move(t.Context(), c.dav, "/other", "/a", true, nil)
	ok(t, err)
	if created || c.get("/a") != "other" {
		t.Error("a file did not replace a tree")
	}
	c.fsckClean()
}

func TestCopyTree(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		must(c.MkdirAll(t.Context(), c.dav, "/a/b"))(t)
		info := c.put("/a/b/f", "text")
		ok(t, c.PatchProps(t.Context(), c.dav, info.Ino(), []Property{{Space: "urn:x", Name: "p", Value: "v"}}, nil))
		created, err := c.Copy(t.Context(), c.dav, "/a", "/c", true, true, nil)
		ok(t, err)
		if !created || c.get("/c/b/f") != "text" || c.get("/a/b/f") != "text" {
			t.Error("the copy is wrong")
		}
		props := must(c.Props(t.Context(), c.dav, must(c.Stat(t.Context(), c.dav, "/c/b/f"))(t).Ino()))(t)
		if len(props) != 1 || props[0].Value != "v" {
			t.Errorf("properties of the copy: %v", props)
		}
		c.fsckClean()
	})
}

func TestRightsOfHTTPActors(t *testing.T) {
	c := newCore(t)
	c.put("/a", "text")
	reader := &Actor{Tenant: "rdp", User: "r", Roles: []string{RoleReader}}
	nobody := &Actor{Tenant: "rdp", User: "n"}
	if _, err := c.OpenReader(t.Context(), nobody, "/a"); Errno(err) != syscall.EACCES {
		t.Errorf("nobody reads: %v", err)
	}
	if _, err := c.Stat(t.Context(), reader, "/a"); err != nil {
		t.Errorf("a reader may not look: %v", err)
	}
	for name, err := range map[string]error{
		"write":  second(c.NewWriter(t.Context(), reader, Target{Path: "/a"})),
		"create": second(c.NewWriter(t.Context(), reader, Target{Path: "/b"})),
		"mkdir":  second(c.MkdirPath(t.Context(), reader, "/d", nil)),
		"remove": c.RemoveAll(t.Context(), reader, "/a", nil),
		"move":   second(c.Move(t.Context(), reader, "/a", "/b", true, nil)),
		"copy":   second(c.Copy(t.Context(), reader, "/a", "/b", true, true, nil)),
	} {
		if Errno(err) != syscall.EACCES {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := &Actor{Tenant: "other", Roles: []string{RoleAdmin}}
	if _, err := c.Stat(t.Context(), stranger, "/a"); Errno(err) != syscall.ENOENT {
		t.Errorf("another tenant: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestCrashInTheMiddleOfACopy(t *testing.T) {
	c := newCore(t)
	c.put("/a", "text")
	ok(t, c.recordCopy(t.Context(), unfinished{Tenant: "rdp", Parent: RootIno, Name: ".tote-copy-x"}, true))
	must(c.MkdirAll(t.Context(), c.dav, "/.tote-copy-x/sub"))(t)
	c.put("/.tote-copy-x/sub/a", "half")
	c = c.kill()
	if list, _, err := c.List(t.Context(), c.dav, "/", 0, 9); err != nil || len(list) != 1 {
		t.Errorf("%d entries, %v", len(list), err)
	}
	c.fsckClean()
	c.noOrphans()
}
