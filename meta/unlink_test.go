package meta

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

var errRefused = errors.New("refused")

func TestUnlink(t *testing.T) {
	db := newDB(t)
	f := commit(t, db, RootIno, "f", "key").Attr
	if err := db.SetXattr(t.Context(), f.Ino, "user.a", []byte("1"), 0, "", Relaxed); err != nil {
		t.Fatal(err)
	}
	if err := db.PatchProps(t.Context(), f.Ino, []Property{{"", "a", "1"}}, nil, "", Relaxed); err != nil {
		t.Fatal(err)
	}
	if err := db.PutBSO(t.Context(), BSO{Tenant: "rdp", ID: "b", Ino: f.Ino}, nil, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, db, Usage{Files: 1, Bytes: 10})
	_, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "f", Check: func(Attr) error { return errRefused }}, Relaxed)
	wantErr(t, err, errRefused)
	got, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "f", Origin: "dav"}, Relaxed)
	if err != nil || got.Orphan || got.Attr.Nlink != 0 || len(got.Staging) != 0 {
		t.Fatalf("removed %+v, %v", got, err)
	}
	wantGone(t, db, RootIno, "f")
	wantUsage(t, db, Usage{})
	wantEqual(t, "intents", intents(t, db), []string{"key"})
	if c := last(t, db); c.Op != "delete" || c.Ino != f.Ino || c.Name != "f" || c.Origin != "dav" {
		t.Errorf("change is %+v", c)
	}
	_, err = db.GetBSO(t.Context(), "rdp", "b")
	wantErr(t, err, syscall.ENOENT)
	if all, err := db.VersionsOf(t.Context(), f.Ino); err != nil || len(all) != 0 {
		t.Errorf("versions are %v, %v", all, err)
	}
}

func TestUnlinkOpen(t *testing.T) {
	db := newDB(t)
	f := commit(t, db, RootIno, "f", "key").Attr
	if err := db.PutBSO(t.Context(), BSO{Tenant: "rdp", ID: "b", Ino: f.Ino}, nil, Relaxed); err != nil {
		t.Fatal(err)
	}
	got, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "f", Keep: always}, Relaxed)
	if err != nil || !got.Orphan {
		t.Fatalf("removed %+v, %v", got, err)
	}
	n, err := db.GetAttr(t.Context(), f.Ino)
	if err != nil || n.Nlink != 0 || n.Parent != 0 || n.Version != f.Version || n != got.Attr {
		t.Errorf("orphan is %+v, %v", n, err)
	}
	_, err = db.GetBSO(t.Context(), "rdp", "b")
	wantErr(t, err, syscall.ENOENT)
	wantUsage(t, db, Usage{})
	wantEqual(t, "intents", intents(t, db), nil)
	orphans, err := db.Orphans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "orphans", orphans, []Attr{n})
	if _, err := db.DropOrphan(t.Context(), f.Ino, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "intents", intents(t, db), []string{"key"})
	_, err = db.GetAttr(t.Context(), f.Ino)
	wantErr(t, err, syscall.ENOENT)
	_, err = db.DropOrphan(t.Context(), f.Ino, Relaxed)
	wantErr(t, err, syscall.ENOENT)
	_, err = db.DropOrphan(t.Context(), RootIno, Relaxed)
	wantErr(t, err, syscall.EINVAL)
}

func TestUnlinkOneOfSeveral(t *testing.T) {
	db := newDB(t)
	dir := mkdir(t, db, RootIno, "dir")
	f := commit(t, db, RootIno, "a", "key").Attr
	for _, name := range []string{"b", "c"} {
		if _, err := db.Link(t.Context(), LinkArgs{Ino: f.Ino, Parent: dir, Name: name}, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		parent Ino
		name   string
		now    Ino
	}{{dir, "c", dir}, {dir, "b", RootIno}} {
		got, err := db.Unlink(t.Context(), UnlinkArgs{Parent: c.parent, Name: c.name, Keep: always}, Relaxed)
		if err != nil || got.Orphan || got.Attr.Nlink != uint32(2-i) || got.Attr.Parent != c.now {
			t.Errorf("removed %+v, %v", got, err)
		}
		wantSound(t, db)
	}
	if path, err := db.Path(t.Context(), f.Ino); err != nil || path != "/a" {
		t.Errorf("path is %q, %v", path, err)
	}
	wantEqual(t, "intents", intents(t, db), nil)
}

func TestUnlinkStaged(t *testing.T) {
	db := newDB(t)
	c, err := db.Commit(t.Context(), CommitArgs{Parent: RootIno, Name: "f", State: StateStaged, Staging: "st", Key: "key"}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Commit(t.Context(), CommitArgs{
		Parent: RootIno, Name: "g", State: StateRedo, Staging: "redo", Key: "new", Redo: &Redo{BaseKey: "base"},
	}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "f"}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "staging", got.Staging, []string{"st"})
	wantEqual(t, "intents", intents(t, db), nil)
	got, err = db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "g"}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "staging", got.Staging, []string{"redo"})
	wantEqual(t, "intents", intents(t, db), []string{"base", "new"})
	// The store was faster than the unlink: what it published has nobody.
	if err := db.MarkStored(t.Context(), []Stored{{ID: c.Version.ID, Key: "key"}}, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "intents", intents(t, db), []string{"base", "key", "new"})
}

func TestRemoveRefuses(t *testing.T) {
	db := newDB(t)
	dir := mkdir(t, db, RootIno, "dir")
	f := mkfile(t, db, dir, "f")
	unlink, rmdir := db.Unlink, db.Rmdir
	for _, c := range []struct {
		what   string
		remove func() (Removed, error)
		want   syscall.Errno
	}{
		{"unlink a directory", func() (Removed, error) { return unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "dir"}, 0) }, syscall.EISDIR},
		{"unlink nothing", func() (Removed, error) { return unlink(t.Context(), UnlinkArgs{Parent: dir, Name: "x"}, 0) }, syscall.ENOENT},
		{"unlink in a file", func() (Removed, error) { return unlink(t.Context(), UnlinkArgs{Parent: f.Ino, Name: "x"}, 0) }, syscall.ENOTDIR},
		{"rmdir a file", func() (Removed, error) { return rmdir(t.Context(), UnlinkArgs{Parent: dir, Name: "f"}, 0) }, syscall.ENOTDIR},
		{"rmdir a full one", func() (Removed, error) { return rmdir(t.Context(), UnlinkArgs{Parent: RootIno, Name: "dir"}, 0) }, syscall.ENOTEMPTY},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := c.remove()
			wantErr(t, err, c.want)
		})
	}
}

func TestRmdir(t *testing.T) {
	db := newDB(t)
	mkdir(t, db, RootIno, "a")
	got, err := db.Rmdir(t.Context(), UnlinkArgs{Parent: RootIno, Name: "a"}, Relaxed)
	if err != nil || got.Orphan {
		t.Errorf("removed %+v, %v", got, err)
	}
	open := mkdir(t, db, RootIno, "b")
	got, err = db.Rmdir(t.Context(), UnlinkArgs{Parent: RootIno, Name: "b", Keep: always}, Relaxed)
	if err != nil || !got.Orphan {
		t.Errorf("removed %+v, %v", got, err)
	}
	if page, err := db.ReadDir(t.Context(), open, 0, 10); err != nil || len(page) != 0 {
		t.Errorf("read a removed directory: %v, %v", page, err)
	}
	if root := lookupRoot(t, db); root.Nlink != 2 {
		t.Errorf("root has %d links, want 2", root.Nlink)
	}
	if _, err := db.DropOrphan(t.Context(), open, Relaxed); err != nil {
		t.Fatal(err)
	}
}

// tree makes top/{f0,f1,sub/{f2,f3}}, links top/sub/hard and out/hard to one file, and top/in to top/sub/f3.
func tree(t *testing.T, db *DB) (top, sub, out Ino) {
	t.Helper()
	top = mkdir(t, db, RootIno, "top")
	sub = mkdir(t, db, top, "sub")
	out = mkdir(t, db, RootIno, "out")
	for i := range 4 {
		commit(t, db, []Ino{top, sub}[i/2], fmt.Sprint("f", i), fmt.Sprint("key", i))
	}
	hard := commit(t, db, out, "hard", "hard").Attr
	f3 := lookup(t, db, sub, "f3")
	for _, l := range []LinkArgs{{Ino: hard.Ino, Parent: sub, Name: "hard"}, {Ino: f3.Ino, Parent: top, Name: "in"}} {
		if _, err := db.Link(t.Context(), l, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	return top, sub, out
}

func TestRemoveTree(t *testing.T) {
	db := newDB(t)
	top, sub, out := tree(t, db)
	open := lookup(t, db, top, "f0")
	_, err := db.Commit(t.Context(), CommitArgs{
		Parent: sub, Name: "staged", State: StateStaged, Staging: "st", Key: "staged",
	}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Commit(t.Context(), CommitArgs{
		Parent: sub, Name: "redo", State: StateRedo, Staging: "ranges", Key: "new", Redo: &Redo{BaseKey: "base"},
	}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.RemoveTree(t.Context(), RemoveTreeArgs{
		Parent: RootIno, Name: "top", Check: func(root Attr) error { return errRefused },
	}, Relaxed)
	wantErr(t, err, errRefused)
	got, err := db.RemoveTree(t.Context(), RemoveTreeArgs{
		Parent: RootIno, Name: "top", Keep: func(ino Ino) bool { return ino == open.Ino }, Origin: "dav",
	}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	if got.Files != 8 || got.Root.Ino != top || got.Root.Nlink != 0 {
		t.Errorf("removed %+v", got)
	}
	wantEqual(t, "staging", got.Staging, []string{"st", "ranges"})
	wantEqual(t, "orphans", got.Orphans, []Ino{open.Ino})
	wantEqual(t, "intents", intents(t, db), []string{"base", "key1", "key2", "key3", "new"})
	wantEqual(t, "root", names(t, db, RootIno), []string{"out"})
	if n := lookup(t, db, out, "hard"); n.Nlink != 1 || n.Parent != out {
		t.Errorf("hard link is %+v", n)
	}
	wantUsage(t, db, Usage{Files: 2, Bytes: 10})
	if c := last(t, db); c.Op != "delete" || c.Ino != top || c.Name != "top" {
		t.Errorf("change is %+v", c)
	}
	if n, err := db.GetAttr(t.Context(), open.Ino); err != nil || n.Nlink != 0 {
		t.Errorf("open file is %+v, %v", n, err)
	}
}

func TestRemoveTreeOfAFile(t *testing.T) {
	db := newDB(t)
	f := commit(t, db, RootIno, "f", "key").Attr
	got, err := db.RemoveTree(t.Context(), RemoveTreeArgs{Parent: RootIno, Name: "f"}, Relaxed)
	if err != nil || got.Files != 1 || got.Root.Ino != f.Ino {
		t.Errorf("removed %+v, %v", got, err)
	}
	wantEqual(t, "intents", intents(t, db), []string{"key"})
	_, err = db.RemoveTree(t.Context(), RemoveTreeArgs{Parent: RootIno, Name: "f"}, Relaxed)
	wantErr(t, err, syscall.ENOENT)
}
