package meta

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

func TestLookup(t *testing.T) {
	db := newDB(t)
	f := mkfile(t, db, RootIno, "f")
	for _, c := range []struct {
		parent Ino
		name   string
		want   syscall.Errno
	}{
		{RootIno, "none", syscall.ENOENT}, {RootIno, "F", syscall.ENOENT}, {999, "f", syscall.ENOENT}, {f.Ino, "f", syscall.ENOTDIR},
	} {
		if _, err := db.Lookup(t.Context(), c.parent, c.name); err != c.want {
			t.Errorf("lookup %q in %d: %v, want %v", c.name, c.parent, err, c.want)
		}
	}
	_, err := db.GetAttr(t.Context(), 999)
	wantErr(t, err, syscall.ENOENT)
}

func TestSetAttr(t *testing.T) {
	db := openDB(t, t.TempDir()+"/tote.db", Options{Now: clock()})
	f := mkfile(t, db, RootIno, "f")
	got, err := db.SetAttr(t.Context(), f.Ino, SetAttr{
		Mode: ptr(uint32(0o4755)), UID: ptr(uint32(1)), GID: ptr(uint32(2)), Size: ptr(int64(100)), Atime: ptr(int64(3)),
		Mtime: ptr(int64(4)),
	}, "fuse", Relaxed)
	want := f
	want.Mode, want.UID, want.GID, want.Size, want.Atime, want.Mtime = syscall.S_IFREG|0o4755, 1, 2, 100, 3, 4
	want.Ctime = got.Ctime
	if err != nil || got != want || got.Ctime <= f.Ctime {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got := lookup(t, db, RootIno, "f"); got != want {
		t.Errorf("stored %+v, want %+v", got, want)
	}
	wantUsage(t, db, Usage{Files: 1, Bytes: 100})
	if c := last(t, db); c.Op != "attr" || c.Ino != f.Ino {
		t.Errorf("change is %+v", c)
	}
	got, err = db.SetAttr(t.Context(), f.Ino, SetAttr{Ctime: ptr(int64(5))}, "fuse", Relaxed)
	want.Ctime = 5
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, c := range []struct {
		ino  Ino
		size int64
		want syscall.Errno
	}{{RootIno, 1, syscall.EISDIR}, {f.Ino, -1, syscall.EINVAL}, {999, 1, syscall.ENOENT}} {
		_, err := db.SetAttr(t.Context(), c.ino, SetAttr{Size: &c.size}, "", Relaxed)
		wantErr(t, err, c.want)
	}
}

func TestTouch(t *testing.T) {
	db := newDB(t)
	a, b := mkfile(t, db, RootIno, "a"), mkfile(t, db, RootIno, "b")
	err := db.Touch(t.Context(), []TimeUpdate{{a.Ino, 5, 100}, {999, 1, 1}, {b.Ino, -1, 200}, {b.Ino, 7, 0}}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	if n := lookup(t, db, RootIno, "a"); n.Size != 5 || n.Mtime != 100 {
		t.Errorf("a is %+v", n)
	}
	if n := lookup(t, db, RootIno, "b"); n.Size != 7 || n.Mtime != 200 {
		t.Errorf("b is %+v", n)
	}
	wantUsage(t, db, Usage{Files: 2, Bytes: 12})
}

func TestPaths(t *testing.T) {
	db := newDB(t)
	a := mkdir(t, db, RootIno, "a")
	b := mkdir(t, db, a, "b")
	f := mkfile(t, db, b, "f")
	for ino, want := range map[Ino]string{RootIno: "/", a: "/a", b: "/a/b", f.Ino: "/a/b/f"} {
		if got, err := db.Path(t.Context(), ino); err != nil || got != want {
			t.Errorf("path of %d is %q, %v, want %q", ino, got, err, want)
		}
	}
	if links, err := db.Names(t.Context(), RootIno); err != nil || len(links) != 0 {
		t.Errorf("names of the root: %v, %v", links, err)
	}
	if _, err := db.Unlink(t.Context(), UnlinkArgs{Parent: b, Name: "f", Keep: always}, Relaxed); err != nil {
		t.Fatal(err)
	}
	for _, ino := range []Ino{f.Ino, 999} {
		_, err := db.Path(t.Context(), ino)
		wantErr(t, err, syscall.ENOENT)
	}
}

func TestWalkPath(t *testing.T) {
	db := newDB(t)
	a := mkdir(t, db, RootIno, "a")
	b := mkdir(t, db, a, "b")
	f := mkfile(t, db, b, "f")
	link := create(t, db, CreateArgs{Parent: a, Name: "l", Mode: syscall.S_IFLNK, Target: "b"})
	for _, c := range []struct {
		path string
		want []Ino
		err  error
	}{
		{"", nil, nil},
		{"a/b/f", []Ino{a, b, f.Ino}, nil},
		{"a/l", []Ino{a, link.Ino}, nil},
		{"a/l/f", []Ino{a, link.Ino}, nil},
		{"a/b/f/x", []Ino{a, b, f.Ino}, nil},
		{"a/none/f", []Ino{a}, syscall.ENOENT},
		{"none", nil, syscall.ENOENT},
	} {
		t.Run(c.path, func(t *testing.T) {
			walked, err := db.WalkPath(t.Context(), RootIno, strings.FieldsFunc(c.path, func(r rune) bool { return r == '/' }))
			if err != c.err {
				t.Errorf("error is %v, want %v", err, c.err)
			}
			var got []Ino
			for _, n := range walked {
				got = append(got, n.Ino)
			}
			wantEqual(t, "walked", got, c.want)
		})
	}
	_, err := db.WalkPath(t.Context(), f.Ino, []string{"x"})
	wantErr(t, err, syscall.ENOTDIR)
}

func TestReadDirPages(t *testing.T) {
	db := newDB(t)
	dir := mkdir(t, db, RootIno, "dir")
	want := map[string]Attr{}
	for i := range 100 {
		name := fmt.Sprintf("f%02d", i)
		want[name] = mkfile(t, db, dir, name)
	}
	seen := map[string]int{}
	removed := false
	for after := uint64(0); ; {
		page, err := db.ReadDir(t.Context(), dir, after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			seen[e.Name]++
			if e.Attr != want[e.Name] || e.Cursor <= after {
				t.Errorf("entry %+v after %d, want %+v", e, after, want[e.Name])
			}
			after = e.Cursor
		}
		if removed {
			continue
		}
		// Entries that come and go must not move the others.
		removed = true
		for i := range 50 {
			mkfile(t, db, dir, fmt.Sprintf("new%02d", i))
			want[fmt.Sprintf("new%02d", i)] = lookup(t, db, dir, fmt.Sprintf("new%02d", i))
		}
		if _, err := db.Unlink(t.Context(), UnlinkArgs{Parent: dir, Name: page[0].Name}, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	for name := range want {
		if n := seen[name]; n != 1 && !(n == 0 && strings.HasPrefix(name, "new")) {
			t.Errorf("%s was listed %d times", name, n)
		}
	}
	file := lookup(t, db, dir, "new00")
	_, err := db.ReadDir(t.Context(), file.Ino, 0, 10)
	wantErr(t, err, syscall.ENOTDIR)
	_, err = db.ReadDir(t.Context(), 999, 0, 10)
	wantErr(t, err, syscall.ENOENT)
}

// A page must not end between two names with one cursor.
func TestReadDirEqualCursors(t *testing.T) {
	db := newDB(t)
	dir := mkdir(t, db, RootIno, "dir")
	for i := range 6 {
		f := mkfile(t, db, dir, fmt.Sprint("f", i))
		err := db.update(t.Context(), Relaxed, func(t *tx) error {
			if err := t.run("UPDATE nodes SET h = ? WHERE ino = ?", 10+i/3, f.Ino); err != nil {
				return err
			}
			return t.run("UPDATE entries SET h = ? WHERE parent = ? AND ino = ?", 10+i/3, dir, f.Ino)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	page, err := db.ReadDir(t.Context(), dir, 0, 2)
	if err != nil || len(page) != 3 {
		t.Fatalf("%d entries, %v, want 3", len(page), err)
	}
	rest, err := db.ReadNames(t.Context(), dir, page[2].Cursor, 100)
	if err != nil || len(rest) != 3 {
		t.Fatalf("%d entries, %v, want 3", len(rest), err)
	}
	if e := rest[0]; e.Name != "f3" || e.Attr.Ino == 0 || e.Attr.Mode&syscall.S_IFMT != syscall.S_IFREG {
		t.Errorf("entry is %+v", e)
	}
}

// The hash is part of the database format.
func TestNameHashStays(t *testing.T) {
	for name, want := range map[string]uint64{"": 0x77e80fb05d4c9493, "a": 0x415154ac54df672d, "toteBag.png": 0x356d7a7b8f63e328} {
		if got := nameHash(name); got != want {
			t.Errorf("hash of %q is %#x, want %#x", name, got, want)
		}
	}
}

func TestTenants(t *testing.T) {
	db := newDB(t)
	if _, err := db.EnsureTenant(t.Context(), "", 0, 0, 0, Relaxed); err != syscall.EINVAL {
		t.Errorf("tenant without a name: %v", err)
	}
	other, err := db.EnsureTenant(t.Context(), "other", 0o700, 1, 2, Relaxed)
	if err != nil || other.Root == RootIno || other.Name != "other" {
		t.Fatalf("tenant is %+v, %v", other, err)
	}
	again, err := db.EnsureTenant(t.Context(), "other", 0o777, 3, 4, Relaxed)
	if err != nil || again != other {
		t.Errorf("tenant is %+v, %v, want %+v", again, err, other)
	}
	all, err := db.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "tenants", all, []Tenant{{1, "rdp", RootIno}, other})
	if root, err := db.GetAttr(t.Context(), other.Root); err != nil || root.Mode != syscall.S_IFDIR|0o700 || root.UID != 1 {
		t.Errorf("root is %+v, %v", root, err)
	}
	_, err = db.TenantByName(t.Context(), "none")
	wantErr(t, err, syscall.ENOENT)
	_, err = db.Usage(t.Context(), 99)
	wantErr(t, err, syscall.ENOENT)

	f := mkfile(t, db, RootIno, "f")
	_, err = db.Link(t.Context(), LinkArgs{Ino: f.Ino, Parent: other.Root, Name: "f"}, Relaxed)
	wantErr(t, err, syscall.EXDEV)
	_, err = db.Rename(t.Context(), RenameArgs{OldParent: RootIno, OldName: "f", NewParent: other.Root, NewName: "f"}, Relaxed)
	wantErr(t, err, syscall.EXDEV)
}
