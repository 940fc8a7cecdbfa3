package meta

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
)

// The counts are right at every moment, wherever they are, and after the change feed was trimmed.
func TestCountsWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tote.db")
	db := openDB(t, path, Options{})
	other, err := db.EnsureTenant(t.Context(), "other", 0o755, 0, 0, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	want := func(tenant int64, u Usage) {
		t.Helper()
		if got, err := db.Usage(t.Context(), tenant); err != nil || got != u {
			t.Fatalf("usage of tenant %d is %+v, %v, want %+v", tenant, got, err, u)
		}
	}
	for i := range int64(2*countEvery + 5) {
		name := fmt.Sprint("f", i)
		commit(t, db, RootIno, name, name)
		mkfile(t, db, other.Root, name)
		want(1, Usage{Files: i + 1, Bytes: 10 * (i + 1)})
		want(other.ID, Usage{Files: i + 1})
		if i%50 == 49 {
			if err := db.TrimChanges(t.Context(), 1, Relaxed); err != nil {
				t.Fatal(err)
			}
		}
	}
	const n = 2*countEvery + 5
	if plain, err := db.CountFiles(t.Context(), FileQuery{Tenant: other.ID}); err != nil || plain != n {
		t.Errorf("%d files, %v, want %d", plain, err, n)
	}
	wantSound(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDB(t, path, Options{})
	want(1, Usage{Files: n, Bytes: 10 * n})
	mkfile(t, db, other.Root, "g")
	want(other.ID, Usage{Files: n + 1})
	_, err = db.Usage(t.Context(), 99)
	wantErr(t, err, syscall.ENOENT)
	wantSound(t, db)
}

// Touch changes sizes of several tenants without a change that could take their counts along.
func TestCountsOfTouch(t *testing.T) {
	db := newDB(t)
	other, err := db.EnsureTenant(t.Context(), "other", 0o755, 0, 0, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	var updates []TimeUpdate
	for i := range int64(4) {
		n := mkfile(t, db, []Ino{RootIno, other.Root}[i%2], fmt.Sprint("f", i))
		updates = append(updates, TimeUpdate{Ino: n.Ino, Size: 1 + i})
	}
	if err := db.Touch(t.Context(), updates, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, db, Usage{Files: 2, Bytes: 4})
	if u, err := db.Usage(t.Context(), other.ID); err != nil || u != (Usage{Files: 2, Bytes: 6}) {
		t.Errorf("usage is %+v, %v", u, err)
	}
}

// Every version is found by its GUID and by its key, wherever the two are in the index.
func TestPlaces(t *testing.T) {
	db := newDB(t)
	const first, second = "0198c2a4-7f3c-7abc-8def-000000000001", "0198c2a4-7f3c-7abc-8def-000000000002"
	for i, v := range []struct{ guid, key string }{
		{first, "rdp/a@_@" + first + ".png"},
		{second, "rdp/a@_@" + second},
		{"7b0e0f5a-0f0d-4d0e-9c3b-000000000003", "rdp/b@_@7b0e0f5a-0f0d-4d0e-9c3b-000000000003.tar.gz"},
		{"0198c2a4-7f3c-7abc-8def-000000000004", "own/key.png"},
		{"0198c2a4-7f3c-7abc-8def-000000000005", "own@_@1.png"},
		{"0198c2a4-zz3c-7abc-8def-000000000006", "rdp/c@_@0198c2a4-zz3c-7abc-8def-000000000006"},
		{"empty", ""},
		{"", "none"},
	} {
		c, err := db.Commit(t.Context(), CommitArgs{
			Parent: RootIno, Name: fmt.Sprint("f", i), GUID: v.guid, Key: v.key, State: StateStored,
		}, Relaxed)
		if err != nil {
			t.Fatal(err)
		}
		found, err := db.VersionsByGUID(t.Context(), v.guid)
		if err != nil || len(found) != 1 || found[0] != c.Version {
			t.Errorf("by GUID %q: %+v, %v", v.guid, found, err)
		}
		if live, err := db.LiveKey(t.Context(), v.key); err != nil || live != (v.key != "") {
			t.Errorf("key %q is live: %v, %v", v.key, live, err)
		}
	}
	if a, b := keyPlace("a@_@"+first), keyPlace("b@_@"+first); a == b || extraPlace(first, "a@_@"+first) != 0 {
		t.Errorf("two keys with one GUID have the places %x and %x", a, b)
	}
	const later = "0198c2a5-0000-7000-8def-000000000001"
	if keyPlace("a@_@"+first) >= keyPlace("a@_@"+later) {
		t.Error("a later key is not at the end of the index")
	}
}

// The files of an owner are counted, whatever becomes of the files and of the property.
func TestCountsOfOwners(t *testing.T) {
	db := newDB(t)
	ctx := t.Context()
	other, err := db.EnsureTenant(ctx, "other", 0o755, 0, 0, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	own := func(ino Ino, owner string) {
		t.Helper()
		if err := db.PatchProps(ctx, ino, []Property{{"", "user", owner}, {"c8y", "user", "x"}}, nil, "", Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, tenant int64, owner string, n int64) {
		t.Helper()
		got, err := db.CountFiles(ctx, FileQuery{Tenant: tenant, Props: []Property{{"", "user", owner}}})
		if err != nil || got != n {
			t.Errorf("%s: %d files, %v, want %d", what, got, err, n)
		}
		files, err := db.Files(ctx, FileQuery{Tenant: tenant, Props: []Property{{"", "user", owner}}})
		if err != nil || int64(len(files)) != n {
			t.Errorf("%s: %d files are found, %v, want %d", what, len(files), err, n)
		}
		wantSound(t, db)
	}
	dir := mkdir(t, db, RootIno, "dir")
	own(dir, "a") // no file
	var inos []Ino
	for i := range 4 {
		n := mkfile(t, db, dir, fmt.Sprint("f", i))
		own(n.Ino, "a")
		inos = append(inos, n.Ino)
	}
	own(mkfile(t, db, other.Root, "f").Ino, "a")
	want("made", 1, "a", 4)
	want("of the other tenant", other.ID, "a", 1)
	own(inos[0], "b")
	want("given away", 1, "a", 3)
	want("taken", 1, "b", 1)
	if err := db.PatchProps(ctx, inos[0], nil, []Property{{Name: "user"}}, "", Relaxed); err != nil {
		t.Fatal(err)
	}
	want("nobody's", 1, "b", 0)
	open := func(Ino) bool { return true }
	if _, err := db.Unlink(ctx, UnlinkArgs{Parent: dir, Name: "f1", Keep: open}, Relaxed); err != nil {
		t.Fatal(err)
	}
	want("unlinked while it is open", 1, "a", 2)
	if _, err := db.Link(ctx, LinkArgs{Ino: inos[2], Parent: RootIno, Name: "second"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	if _, err := db.RemoveTree(ctx, RemoveTreeArgs{Parent: RootIno, Name: "dir"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	want("with a name outside of what was removed", 1, "a", 1)
	if _, err := db.Unlink(ctx, UnlinkArgs{Parent: RootIno, Name: "second"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	want("gone", 1, "a", 0)
}
