package meta

import (
	"strings"
	"syscall"
	"testing"
)

func TestCreate(t *testing.T) {
	db := openDB(t, t.TempDir()+"/tote.db", Options{Now: clock()})
	before, err := db.GetAttr(t.Context(), RootIno)
	if err != nil {
		t.Fatal(err)
	}
	n := create(t, db, CreateArgs{Parent: RootIno, Name: "a.txt", Mode: syscall.S_IFREG | 0o640, UID: 7, GID: 8, Origin: "dav"})
	if n.Ino == 0 || n.Parent != RootIno || n.Nlink != 1 || n.Mode != syscall.S_IFREG|0o640 || n.UID != 7 || n.GID != 8 ||
		n.Version != 0 || n.Size != 0 || n.Btime != n.Mtime || n.Atime != n.Ctime || n.Tenant != 1 {
		t.Errorf("created %+v", n)
	}
	if got := lookup(t, db, RootIno, "a.txt"); got != n {
		t.Errorf("lookup gives %+v, want %+v", got, n)
	}
	after, err := db.GetAttr(t.Context(), RootIno)
	if err != nil || after.Mtime != n.Btime || after.Ctime != n.Btime || after.Mtime <= before.Mtime || after.Nlink != 2 {
		t.Errorf("directory after it is %+v, %v", after, err)
	}
	if c := last(t, db); c.Op != "create" || c.Ino != n.Ino || c.Parent != RootIno || c.Name != "a.txt" || c.Origin != "dav" {
		t.Errorf("change is %+v", c)
	}
	mkdir(t, db, RootIno, "dir")
	if root := lookupRoot(t, db); root.Nlink != 3 {
		t.Errorf("root has %d links, want 3", root.Nlink)
	}
	wantUsage(t, db, Usage{Files: 2})
	wantSound(t, db)
}

func lookupRoot(t *testing.T, db *DB) Attr {
	t.Helper()
	root, err := db.GetAttr(t.Context(), RootIno)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestCreateRefuses(t *testing.T) {
	db := newDB(t)
	file := mkfile(t, db, RootIno, "file")
	dir := mkdir(t, db, RootIno, "gone")
	if _, err := db.Rmdir(t.Context(), UnlinkArgs{Parent: RootIno, Name: "gone", Keep: always}, Relaxed); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		parent Ino
		name   string
		mode   uint32
		want   syscall.Errno
	}{
		{"taken", RootIno, "file", syscall.S_IFREG, syscall.EEXIST},
		{"in a file", file.Ino, "x", syscall.S_IFREG, syscall.ENOTDIR},
		{"in nothing", 999, "x", syscall.S_IFREG, syscall.ENOENT},
		{"in a removed directory that is open", dir, "x", syscall.S_IFREG, syscall.ENOENT},
		{"empty", RootIno, "", syscall.S_IFREG, syscall.EINVAL},
		{"dot", RootIno, ".", syscall.S_IFREG, syscall.EINVAL},
		{"dots", RootIno, "..", syscall.S_IFREG, syscall.EINVAL},
		{"slash", RootIno, "a/b", syscall.S_IFREG, syscall.EINVAL},
		{"nul", RootIno, "a\x00b", syscall.S_IFREG, syscall.EINVAL},
		{"long", RootIno, strings.Repeat("x", 256), syscall.S_IFREG, syscall.ENAMETOOLONG},
		{"no type", RootIno, "x", 0o644, syscall.EINVAL},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := db.Create(t.Context(), CreateArgs{Parent: c.parent, Name: c.name, Mode: c.mode}, Relaxed)
			if err != c.want {
				t.Errorf("error is %v, want the bare %v", err, c.want)
			}
		})
	}
	mkfile(t, db, RootIno, strings.Repeat("x", 255))
	mkfile(t, db, RootIno, "not\xff utf-8\n")
	lookup(t, db, RootIno, "not\xff utf-8\n")
}

func TestCreateKinds(t *testing.T) {
	db := newDB(t)
	link := create(t, db, CreateArgs{Parent: RootIno, Name: "link", Mode: syscall.S_IFLNK | 0o777, Target: "to/where"})
	if target, err := db.Readlink(t.Context(), link.Ino); err != nil || target != "to/where" || link.Size != 8 {
		t.Errorf("target is %q, %v, size %d", target, err, link.Size)
	}
	_, err := db.Readlink(t.Context(), RootIno)
	wantErr(t, err, syscall.EINVAL)
	_, err = db.Readlink(t.Context(), 999)
	wantErr(t, err, syscall.ENOENT)
	fifo := create(t, db, CreateArgs{Parent: RootIno, Name: "dev", Mode: syscall.S_IFCHR | 0o600, Rdev: 0x103})
	if got := lookup(t, db, RootIno, "dev"); got.Rdev != 0x103 || got != fifo {
		t.Errorf("device is %+v", got)
	}
}

func TestCreateInSetgidDirectory(t *testing.T) {
	db := newDB(t)
	dir := create(t, db, CreateArgs{Parent: RootIno, Name: "d", Mode: syscall.S_IFDIR | syscall.S_ISGID | 0o775, GID: 50})
	file := create(t, db, CreateArgs{Parent: dir.Ino, Name: "f", Mode: syscall.S_IFREG | 0o644, GID: 60})
	sub := create(t, db, CreateArgs{Parent: dir.Ino, Name: "s", Mode: syscall.S_IFDIR | 0o755, GID: 60})
	if file.GID != 50 || file.Mode&syscall.S_ISGID != 0 {
		t.Errorf("file is %+v", file)
	}
	if sub.GID != 50 || sub.Mode&syscall.S_ISGID == 0 {
		t.Errorf("directory is %+v", sub)
	}
	if c := commit(t, db, dir.Ino, "committed", "key"); c.Attr.GID != 50 {
		t.Errorf("committed file is %+v", c.Attr)
	}
}

func TestLink(t *testing.T) {
	db := newDB(t)
	dir := mkdir(t, db, RootIno, "dir")
	f := commit(t, db, RootIno, "a", "key").Attr
	n, err := db.Link(t.Context(), LinkArgs{Ino: f.Ino, Parent: dir, Name: "b", Origin: "fuse"}, Relaxed)
	if err != nil || n.Nlink != 2 || n.Parent != dir {
		t.Fatalf("link gives %+v, %v", n, err)
	}
	links, err := db.Names(t.Context(), f.Ino)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "names", links, []Link{{RootIno, "a"}, {dir, "b"}})
	wantUsage(t, db, Usage{Files: 2, Bytes: 10})

	for _, c := range []struct {
		what string
		args LinkArgs
		want syscall.Errno
	}{
		{"taken", LinkArgs{Ino: f.Ino, Parent: dir, Name: "b"}, syscall.EEXIST},
		{"directory", LinkArgs{Ino: dir, Parent: RootIno, Name: "d2"}, syscall.EPERM},
		{"no node", LinkArgs{Ino: 999, Parent: RootIno, Name: "x"}, syscall.ENOENT},
		{"no directory", LinkArgs{Ino: f.Ino, Parent: f.Ino, Name: "x"}, syscall.ENOTDIR},
		{"bad name", LinkArgs{Ino: f.Ino, Parent: RootIno, Name: ".."}, syscall.EINVAL},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := db.Link(t.Context(), c.args, Relaxed)
			wantErr(t, err, c.want)
		})
	}
}

func TestLinkLimit(t *testing.T) {
	db := newDB(t)
	f := mkfile(t, db, RootIno, "f")
	set := func(n int) {
		err := db.update(t.Context(), Relaxed, func(t *tx) error { return t.run("UPDATE nodes SET nlink = ? WHERE ino = ?", n, f.Ino) })
		if err != nil {
			t.Fatal(err)
		}
	}
	set(maxLinks)
	_, err := db.Link(t.Context(), LinkArgs{Ino: f.Ino, Parent: RootIno, Name: "g"}, Relaxed)
	wantErr(t, err, syscall.EMLINK)
	set(1)
}

func TestTmpfile(t *testing.T) {
	db := newDB(t)
	n := create(t, db, CreateArgs{Parent: RootIno, Mode: syscall.S_IFREG | 0o600, Tmpfile: true})
	if n.Nlink != 0 || len(names(t, db, RootIno)) != 0 {
		t.Errorf("temporary file is %+v", n)
	}
	wantUsage(t, db, Usage{})
	_, err := db.Link(t.Context(), LinkArgs{Ino: n.Ino, Parent: RootIno, Name: "f"}, Relaxed)
	wantErr(t, err, syscall.ENOENT)
	if _, err := db.Link(t.Context(), LinkArgs{Ino: n.Ino, Parent: RootIno, Name: "f", Tmpfile: true}, Relaxed); err != nil {
		t.Fatal(err)
	}
	if path, err := db.Path(t.Context(), n.Ino); err != nil || path != "/f" {
		t.Errorf("path is %q, %v", path, err)
	}
	wantUsage(t, db, Usage{Files: 1})
}
