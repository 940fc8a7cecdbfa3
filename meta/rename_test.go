package meta

import (
	"syscall"
	"testing"
)

func rename(db *DB, t *testing.T, from Ino, old string, to Ino, name string, flags RenameFlags) (Renamed, error) {
	t.Helper()
	return db.Rename(t.Context(), RenameArgs{
		OldParent: from, OldName: old, NewParent: to, NewName: name, Flags: flags, Origin: "dav",
	}, Relaxed)
}

func TestRename(t *testing.T) {
	db := openDB(t, t.TempDir()+"/tote.db", Options{Now: clock()})
	a, b := mkdir(t, db, RootIno, "a"), mkdir(t, db, RootIno, "b")
	f := commit(t, db, a, "f", "key").Attr
	got, err := rename(db, t, a, "f", b, "g", 0)
	if err != nil || got.Moved.Ino != f.Ino || got.Moved.Parent != b || got.Moved.Ctime <= f.Ctime || got.Replaced != nil {
		t.Fatalf("renamed %+v, %v", got, err)
	}
	if n := lookup(t, db, b, "g"); n != got.Moved {
		t.Errorf("stored %+v, want %+v", n, got.Moved)
	}
	wantGone(t, db, a, "f")
	for _, dir := range []Ino{a, b} {
		if n, err := db.GetAttr(t.Context(), dir); err != nil || n.Mtime != got.Moved.Ctime || n.Ctime != got.Moved.Ctime {
			t.Errorf("directory is %+v, %v", n, err)
		}
	}
	if c := last(t, db); c.Op != "rename" || c.Ino != f.Ino || c.Parent != b || c.Name != "g" || c.Origin != "dav" {
		t.Errorf("change is %+v", c)
	}
	if _, err := rename(db, t, RootIno, "a", b, "sub", 0); err != nil {
		t.Fatal(err)
	}
	if n, err := db.GetAttr(t.Context(), b); err != nil || n.Nlink != 3 {
		t.Errorf("new directory is %+v, %v", n, err)
	}
	if root := lookupRoot(t, db); root.Nlink != 3 {
		t.Errorf("old directory is %+v", root)
	}
	if path, err := db.Path(t.Context(), a); err != nil || path != "/b/sub" {
		t.Errorf("path is %q, %v", path, err)
	}
	wantSound(t, db)
}

func TestRenameReplaces(t *testing.T) {
	db := newDB(t)
	commit(t, db, RootIno, "a", "a")
	b := commit(t, db, RootIno, "b", "b").Attr
	got, err := rename(db, t, RootIno, "a", RootIno, "b", 0)
	if err != nil || got.Replaced == nil || got.Replaced.Ino != b.Ino || got.ReplacedOrphan {
		t.Fatalf("renamed %+v, %v", got, err)
	}
	wantEqual(t, "intents", intents(t, db), []string{"b"})
	wantUsage(t, db, Usage{Files: 1, Bytes: 10})

	mkdir(t, db, RootIno, "d1")
	d2 := mkdir(t, db, RootIno, "d2")
	got, err = db.Rename(t.Context(), RenameArgs{
		OldParent: RootIno, OldName: "d1", NewParent: RootIno, NewName: "d2", Keep: always,
	}, Relaxed)
	if err != nil || !got.ReplacedOrphan {
		t.Fatalf("renamed %+v, %v", got, err)
	}
	wantEqual(t, "orphans", got.Orphans, []Ino{d2})
	if root := lookupRoot(t, db); root.Nlink != 3 {
		t.Errorf("root has %d links, want 3", root.Nlink)
	}
}

func TestRenameRefuses(t *testing.T) {
	db := newDB(t)
	full := mkdir(t, db, RootIno, "full")
	sub := mkdir(t, db, full, "sub")
	deep := mkdir(t, db, sub, "deep")
	mkdir(t, db, RootIno, "empty")
	mkfile(t, db, RootIno, "file")
	for _, c := range []struct {
		what     string
		from     Ino
		old      string
		to       Ino
		new      string
		flags    RenameFlags
		want     syscall.Errno
		withTree syscall.Errno
	}{
		{"nothing", RootIno, "none", RootIno, "x", 0, syscall.ENOENT, syscall.ENOENT},
		{"to nowhere", RootIno, "file", 999, "x", 0, syscall.ENOENT, syscall.ENOENT},
		{"bad name", RootIno, "file", RootIno, "..", 0, syscall.EINVAL, syscall.EINVAL},
		{"directory over a full one", RootIno, "empty", RootIno, "full", 0, syscall.ENOTEMPTY, 0},
		{"directory over a file", RootIno, "empty", RootIno, "file", 0, syscall.ENOTDIR, 0},
		{"file over a directory", RootIno, "file", RootIno, "empty", 0, syscall.EISDIR, 0},
		{"into itself", RootIno, "full", full, "x", 0, syscall.EINVAL, syscall.EINVAL},
		{"below itself", RootIno, "full", deep, "x", 0, syscall.EINVAL, syscall.EINVAL},
		{"over its parent", full, "sub", RootIno, "full", 0, syscall.ENOTEMPTY, syscall.EINVAL},
		{"over its grandparent", sub, "deep", RootIno, "full", 0, syscall.ENOTEMPTY, syscall.EINVAL},
		{"no replace", RootIno, "file", RootIno, "empty", RenameNoReplace, syscall.EEXIST, 0},
		{"exchange with nothing", RootIno, "file", RootIno, "none", RenameExchange, syscall.ENOENT, 0},
		{"exchange with its child", RootIno, "full", full, "sub", RenameExchange, syscall.EINVAL, 0},
		{"exchange with its parent", full, "sub", RootIno, "full", RenameExchange, syscall.EINVAL, 0},
		{"two flags", RootIno, "file", RootIno, "x", RenameExchange | RenameNoReplace, syscall.EINVAL, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := rename(db, t, c.from, c.old, c.to, c.new, c.flags)
			wantErr(t, err, c.want)
			if c.withTree != 0 {
				_, err = rename(db, t, c.from, c.old, c.to, c.new, RenameTree)
				wantErr(t, err, c.withTree)
			}
		})
	}
	_, err := db.Rename(t.Context(), RenameArgs{
		OldParent: RootIno, OldName: "file", NewParent: RootIno, NewName: "x",
		Check: func(src Attr, dst *Attr) error { return errRefused },
	}, Relaxed)
	wantErr(t, err, errRefused)
	wantEqual(t, "root", names(t, db, RootIno), []string{"empty", "file", "full"})
}

func TestRenameSameFile(t *testing.T) {
	db := newDB(t)
	f := mkfile(t, db, RootIno, "a")
	if _, err := db.Link(t.Context(), LinkArgs{Ino: f.Ino, Parent: RootIno, Name: "b"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"a", "a"}, {"a", "b"}} {
		if _, err := rename(db, t, RootIno, c[0], RootIno, c[1], 0); err != nil {
			t.Errorf("rename %v: %v", c, err)
		}
	}
	wantEqual(t, "root", names(t, db, RootIno), []string{"a", "b"})
	if _, err := rename(db, t, RootIno, "a", RootIno, "a", RenameTree); err != nil {
		t.Error(err)
	}
	got, err := rename(db, t, RootIno, "a", RootIno, "b", RenameTree)
	if err != nil || got.Moved.Nlink != 1 {
		t.Errorf("renamed %+v, %v", got, err)
	}
	wantEqual(t, "root", names(t, db, RootIno), []string{"b"})
}

func TestRenameExchange(t *testing.T) {
	db := newDB(t)
	a, b := mkdir(t, db, RootIno, "a"), mkdir(t, db, RootIno, "b")
	dir := mkdir(t, db, a, "x")
	mkfile(t, db, dir, "inner")
	f := mkfile(t, db, b, "y")
	if _, err := db.Link(t.Context(), LinkArgs{Ino: f.Ino, Parent: RootIno, Name: "hard"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	got, err := rename(db, t, a, "x", b, "y", RenameExchange)
	if err != nil || got.Moved.Ino != dir || got.Replaced == nil || got.Replaced.Ino != f.Ino || got.Moved.Parent != b {
		t.Fatalf("exchanged %+v, %v", got, err)
	}
	if n := lookup(t, db, a, "x"); n.Ino != f.Ino || n.Parent != a {
		t.Errorf("a/x is %+v", n)
	}
	if n := lookup(t, db, b, "y"); n.Ino != dir {
		t.Errorf("b/y is %+v", n)
	}
	if path, err := db.Path(t.Context(), lookup(t, db, dir, "inner").Ino); err != nil || path != "/b/y/inner" {
		t.Errorf("path is %q, %v", path, err)
	}
	wantSound(t, db)
	links, err := db.Names(t.Context(), f.Ino)
	if err != nil || len(links) != 2 {
		t.Errorf("names are %v, %v", links, err)
	}
}

// The tree that a file replaces may hold another name of that file.
func TestRenameTreeOverOwnLink(t *testing.T) {
	db := newDB(t)
	dir := mkdir(t, db, RootIno, "dir")
	f := commit(t, db, RootIno, "f", "key").Attr
	if _, err := db.Link(t.Context(), LinkArgs{Ino: f.Ino, Parent: dir, Name: "hard"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	got, err := rename(db, t, RootIno, "f", RootIno, "dir", RenameTree)
	if err != nil || got.Moved.Ino != f.Ino || got.Moved.Nlink != 1 || got.Moved.Parent != RootIno {
		t.Errorf("renamed %+v, %v", got, err)
	}
	wantEqual(t, "root", names(t, db, RootIno), []string{"dir"})
	wantEqual(t, "intents", intents(t, db), nil)
	wantUsage(t, db, Usage{Files: 1, Bytes: 10})
}

func TestRenameTree(t *testing.T) {
	db := newDB(t)
	top, _, _ := tree(t, db)
	src := mkdir(t, db, RootIno, "src")
	commit(t, db, src, "new", "new")
	open := lookup(t, db, top, "f1")
	got, err := db.Rename(t.Context(), RenameArgs{
		OldParent: RootIno, OldName: "src", NewParent: RootIno, NewName: "top", Flags: RenameTree,
		Keep: func(ino Ino) bool { return ino == open.Ino || ino == top },
	}, Relaxed)
	if err != nil || got.Moved.Ino != src || got.Replaced == nil || got.Replaced.Ino != top || !got.ReplacedOrphan {
		t.Fatalf("renamed %+v, %v", got, err)
	}
	wantEqual(t, "orphans", got.Orphans, []Ino{top, open.Ino})
	wantEqual(t, "top", names(t, db, src), []string{"new"})
	wantEqual(t, "intents", intents(t, db), []string{"key0", "key2", "key3"})
	wantSound(t, db)
	if _, err := rename(db, t, src, "new", RootIno, "top", RenameTree); err != syscall.EINVAL {
		t.Errorf("over its parent: %v", err)
	}
	mkfile(t, db, RootIno, "file")
	if _, err := rename(db, t, RootIno, "top", RootIno, "file", RenameTree); err != nil {
		t.Error(err)
	}
	wantEqual(t, "root", names(t, db, RootIno), []string{"file", "out"})
}
