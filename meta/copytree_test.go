package meta

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/google/uuid"
)

// copyArgs copies a tree to a name in a directory.
func copyArgs(from, parent Ino, name string) CopyTreeArgs {
	return CopyTreeArgs{
		From: from, Deep: true, Parent: parent, Name: name, GUID: uuid.Must(uuid.NewV7()).String(), FileMode: 0o640, DirMode: 0o750, UID: 7, GID: 8,
		Identity: []string{"objectKey"}, Shareable: func(Ino) bool { return true }, Origin: "t",
	}
}

// sharedKey is a key with a GUID, as the core makes them.
func sharedKey(name string) string { return "rdp/x/" + name + "@_@" + uuid.Must(uuid.NewV7()).String() }

// TestCopyTree: a copy has nodes, names and versions of its own on the same objects, and the counters and the checker agree.
func TestCopyTree(t *testing.T) {
	db := newDB(t)
	src := mkdir(t, db, RootIno, "src")
	sub := mkdir(t, db, src, "sub")
	mkdir(t, db, sub, "empty")
	key := sharedKey("a")
	a := commit(t, db, src, "a", key)
	commit(t, db, sub, "b", sharedKey("b"))
	mkfile(t, db, sub, "none")
	create(t, db, CreateArgs{Parent: src, Name: "link", Mode: syscall.S_IFLNK | 0o777, Target: "a"})
	create(t, db, CreateArgs{Parent: src, Name: "fifo", Mode: syscall.S_IFIFO | 0o600})
	if _, err := db.Link(t.Context(), LinkArgs{Ino: a.Attr.Ino, Parent: sub, Name: "a2"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	props := []Property{{"", "objectKey", `"k"`}, {"", "user", `"u"`}, {"c8y", "_event", "1"}, {"c8y", "x", "2"}, {"http://ns/", "p", "<v/>"}}
	if err := db.PatchProps(t.Context(), a.Attr.Ino, props, nil, "t", Relaxed); err != nil {
		t.Fatal(err)
	}
	before, err := db.Usage(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	out, err := db.CopyTree(t.Context(), copyArgs(src, RootIno, "dst"), Durable)
	if err != nil || out.Replaced != nil {
		t.Fatalf("%+v, %v", out, err)
	}
	wantEqual(t, "copy", names(t, db, out.Root.Ino), []string{"a", "link", "sub"})
	dsub := lookup(t, db, out.Root.Ino, "sub").Ino
	wantEqual(t, "below", names(t, db, dsub), []string{"a2", "b", "empty", "none"})
	copied := lookup(t, db, out.Root.Ino, "a")
	v, err := db.CurrentVersion(t.Context(), copied.Ino)
	if err != nil || v.Key != key || v.GUID == a.Version.GUID || len(v.GUID) != 36 || copied.Nlink != 1 || copied.Mode != syscall.S_IFREG|0o640 || copied.UID != 7 {
		t.Errorf("%+v %+v %v", copied, v, err)
	}
	if found, err := db.VersionsByGUID(t.Context(), v.GUID); err != nil || len(found) != 1 || found[0] != v {
		t.Errorf("by its GUID: %v, %v", found, err)
	}
	got, err := db.Props(t.Context(), copied.Ino)
	if err != nil || fmt.Sprint(got) != fmt.Sprint([]Property{{"", "user", `"u"`}, {"c8y", "x", "2"}, {"http://ns/", "p", "<v/>"}}) {
		t.Errorf("properties %v, %v", got, err)
	}
	if to, err := db.Readlink(t.Context(), lookup(t, db, out.Root.Ino, "link").Ino); err != nil || to != "a" {
		t.Errorf("link to %q, %v", to, err)
	}
	wantUsage(t, db, Usage{Files: before.Files + 8, Bytes: before.Bytes + 30})
	if n := mkfile(t, db, RootIno, "later"); n.Ino <= out.Root.Ino && n.Ino > a.Attr.Ino+100 {
		t.Errorf("number %d after %d", n.Ino, out.Root.Ino)
	}

	// The object lives as long as one of its versions does.
	if shared, err := db.SharedKey(t.Context(), key); err != nil || !shared {
		t.Errorf("shared %t, %v", shared, err)
	}
	if _, err := db.RemoveTree(t.Context(), RemoveTreeArgs{Parent: RootIno, Name: "src"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if del, err := db.ClaimIntent(t.Context(), key, Relaxed); err != nil || del {
			t.Fatalf("the object would be deleted: %t, %v", del, err)
		}
	}
	if _, err := db.RemoveTree(t.Context(), RemoveTreeArgs{Parent: RootIno, Name: "dst"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	if del, err := db.ClaimIntent(t.Context(), key, Relaxed); err != nil || !del {
		t.Fatalf("the object would stay: %t, %v", del, err)
	}
}

// TestCopyTreeOver: what has the name goes with all it holds, or nothing happens.
func TestCopyTreeOver(t *testing.T) {
	db := newDB(t)
	src := mkdir(t, db, RootIno, "src")
	commit(t, db, src, "a", sharedKey("a"))
	dst := mkdir(t, db, RootIno, "dst")
	old := commit(t, db, dst, "old", "old")
	args := copyArgs(src, RootIno, "dst")
	if _, err := db.CopyTree(t.Context(), args, Relaxed); !errors.Is(err, syscall.EEXIST) {
		t.Errorf("no replacing: %v", err)
	}
	args.Replace, args.Keep = true, func(i Ino) bool { return i == old.Attr.Ino }
	out, err := db.CopyTree(t.Context(), args, Relaxed)
	if err != nil || out.Replaced == nil || len(out.Replaced.Orphans) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	wantEqual(t, "copy", names(t, db, out.Root.Ino), []string{"a"})
	flat := copyArgs(src, RootIno, "flat")
	flat.Deep = false
	if out, err = db.CopyTree(t.Context(), flat, Relaxed); err != nil || out.Root.Nlink != 2 || len(names(t, db, out.Root.Ino)) != 0 {
		t.Errorf("flat: %+v, %v", out, err)
	}
}

// TestCopyTreeRefused: nothing has changed afterwards.
func TestCopyTreeRefused(t *testing.T) {
	db := newDB(t)
	src := mkdir(t, db, RootIno, "src")
	sub := mkdir(t, db, src, "sub")
	commit(t, db, sub, "a", sharedKey("a"))
	named := mkdir(t, db, RootIno, "named")
	commit(t, db, named, "main.zip", "rdp/x/main.zip")
	staged := mkdir(t, db, RootIno, "staged")
	if _, err := db.Commit(t.Context(), CommitArgs{Parent: staged, Name: "s", GUID: "g", Key: sharedKey("s"), State: StateStaged, Staging: "s"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*CopyTreeArgs)
		want   error
	}{
		"into itself":   {func(a *CopyTreeArgs) { a.Parent = sub }, syscall.EINVAL},
		"onto a parent": {func(a *CopyTreeArgs) { a.From, a.Name, a.Replace = sub, "src", true }, syscall.EINVAL},
		"no source":     {func(a *CopyTreeArgs) { a.From = 9999 }, syscall.ENOENT},
		"no parent":     {func(a *CopyTreeArgs) { a.Parent = 9999 }, syscall.ENOENT},
		"bad name":      {func(a *CopyTreeArgs) { a.Name = ".." }, syscall.EINVAL},
		"busy":          {func(a *CopyTreeArgs) { a.Shareable = func(Ino) bool { return false } }, ErrNotShared},
		"client's key":  {func(a *CopyTreeArgs) { a.From = named }, ErrNotShared},
		"staged":        {func(a *CopyTreeArgs) { a.From = staged }, ErrNotShared},
	} {
		t.Run(name, func(t *testing.T) {
			args := copyArgs(src, RootIno, "dst")
			c.change(&args)
			before := names(t, db, RootIno)
			_, err := db.CopyTree(t.Context(), args, Relaxed)
			wantErr(t, err, c.want)
			wantEqual(t, "root", names(t, db, RootIno), before)
		})
	}
}
