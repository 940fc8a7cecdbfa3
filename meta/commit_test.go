package meta

import (
	"syscall"
	"testing"
)

func TestCommitNewFile(t *testing.T) {
	db := newDB(t)
	got, err := db.Commit(t.Context(), CommitArgs{
		Parent: RootIno, Name: "f", Mode: 0o640, UID: 1, GID: 2, GUID: "g", Key: "k", Size: 10, State: StateStored, Sum: "s",
		MD5: "m", Mtime: ptr(int64(77)), Atime: ptr(int64(78)), Props: []Property{{"", "a", "1"}}, Expect: ptr(int64(0)), Origin: "rest",
		Check: func(cur *Attr) error {
			if cur != nil {
				t.Errorf("check sees %+v", cur)
			}
			return nil
		},
	}, Durable)
	if err != nil || !got.Created || got.Name != "f" || got.Old != nil {
		t.Fatalf("committed %+v, %v", got, err)
	}
	n := lookup(t, db, RootIno, "f")
	if n != got.Attr || n.Mode != syscall.S_IFREG|0o640 || n.Size != 10 || n.Mtime != 77 || n.Atime != 78 || n.Version == 0 {
		t.Errorf("node is %+v, answer %+v", n, got.Attr)
	}
	v, err := db.CurrentVersion(t.Context(), n.Ino)
	if err != nil || v != got.Version || v.ID != n.Version || v.GUID != "g" || v.Key != "k" || v.Sum != "s" || v.MD5 != "m" ||
		!v.Synced || v.Ino != n.Ino {
		t.Errorf("version is %+v, %v", v, err)
	}
	if props, err := db.Props(t.Context(), n.Ino); err != nil || len(props) != 1 {
		t.Errorf("properties are %v, %v", props, err)
	}
	if c := last(t, db); c.Op != "create" || c.Name != "f" || c.Origin != "rest" {
		t.Errorf("change is %+v", c)
	}
	wantUsage(t, db, Usage{Files: 1, Bytes: 10})
}

func TestCommitOver(t *testing.T) {
	db := newDB(t)
	first := commit(t, db, RootIno, "f", "k1")
	if err := db.PatchProps(t.Context(), first.Attr.Ino, []Property{{"", "a", "1"}, {"c8y", "b", "2"}}, nil, "", Relaxed); err != nil {
		t.Fatal(err)
	}
	got, err := db.Commit(t.Context(), CommitArgs{
		Ino: first.Attr.Ino, GUID: "g2", Key: "k2", Size: 25, State: StateStaged, Staging: "st2", Expect: &first.Version.ID,
		ClearProps: []string{""}, Props: []Property{{"", "c", "3"}}, Origin: "fuse",
	}, Relaxed)
	if err != nil || got.Created || got.Old == nil || *got.Old != first.Version || got.Version.Synced {
		t.Fatalf("committed %+v, %v", got, err)
	}
	wantEqual(t, "staging", got.Staging, nil)
	wantEqual(t, "intents", intents(t, db), []string{"k1"})
	wantUsage(t, db, Usage{Files: 1, Bytes: 25})
	if c := last(t, db); c.Op != "update" || c.Ino != first.Attr.Ino {
		t.Errorf("change is %+v", c)
	}
	props, err := db.Props(t.Context(), first.Attr.Ino)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "properties", props, []Property{{"", "c", "3"}, {"c8y", "b", "2"}})
	old, err := db.VersionsByGUID(t.Context(), "guid-k1")
	if err != nil || len(old) != 1 || old[0].State != StateGone || old[0].Ino != first.Attr.Ino {
		t.Errorf("old version is %+v, %v", old, err)
	}
	third := commit(t, db, RootIno, "f", "k3")
	wantEqual(t, "staging", third.Staging, []string{"st2"})
	wantEqual(t, "intents", intents(t, db), []string{"k1"})
	if all, err := db.VersionsOf(t.Context(), first.Attr.Ino); err != nil || len(all) != 3 || all[0].ID != third.Version.ID {
		t.Errorf("versions are %+v, %v", all, err)
	}
}

func TestCommitRefuses(t *testing.T) {
	db := newDB(t)
	f := commit(t, db, RootIno, "f", "k").Attr
	dir := mkdir(t, db, RootIno, "dir")
	link := create(t, db, CreateArgs{Parent: RootIno, Name: "l", Mode: syscall.S_IFLNK, Target: "x"})
	open := mkfile(t, db, RootIno, "open")
	if _, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "open", Keep: always}, Relaxed); err != nil {
		t.Fatal(err)
	}
	refuse := func(*Attr) error { return errRefused }
	for _, c := range []struct {
		what string
		args CommitArgs
		want error
	}{
		{"stale", CommitArgs{Ino: f.Ino, Expect: ptr(f.Version + 1)}, syscall.ESTALE},
		{"expects nothing", CommitArgs{Parent: RootIno, Name: "f", Expect: ptr(int64(0))}, syscall.ESTALE},
		{"expects something", CommitArgs{Parent: RootIno, Name: "new", Expect: ptr(int64(5))}, syscall.ESTALE},
		{"no replace", CommitArgs{Parent: RootIno, Name: "f", NoReplace: true}, syscall.EEXIST},
		{"directory", CommitArgs{Ino: dir}, syscall.EISDIR},
		{"directory by name", CommitArgs{Parent: RootIno, Name: "dir"}, syscall.EISDIR},
		{"symlink", CommitArgs{Ino: link.Ino}, syscall.EINVAL},
		{"no node", CommitArgs{Ino: 999}, syscall.ENOENT},
		{"orphan", CommitArgs{Ino: open.Ino}, syscall.ENOENT},
		{"parent is a file", CommitArgs{Parent: f.Ino, Name: "x"}, syscall.ENOTDIR},
		{"bad name", CommitArgs{Parent: RootIno, Name: "a/b"}, syscall.EINVAL},
		{"check", CommitArgs{Ino: f.Ino, Check: refuse}, errRefused},
		{"check of a new one", CommitArgs{Parent: RootIno, Name: "new", Check: refuse}, errRefused},
	} {
		t.Run(c.what, func(t *testing.T) {
			c.args.State = StateStored
			_, err := db.Commit(t.Context(), c.args, Relaxed)
			wantErr(t, err, c.want)
		})
	}
	if n := lookup(t, db, RootIno, "f"); n != f {
		t.Errorf("file is %+v, want %+v", n, f)
	}
	wantGone(t, db, RootIno, "new")
	got, err := db.Commit(t.Context(), CommitArgs{Ino: open.Ino, AllowOrphan: true, State: StateStored, Size: 5}, Relaxed)
	if err != nil || got.Attr.Nlink != 0 {
		t.Errorf("committed to an orphan: %+v, %v", got, err)
	}
	wantUsage(t, db, Usage{Files: 3, Bytes: 10})
}

func TestCommitAltName(t *testing.T) {
	db := newDB(t)
	args := func(key string, noReplace bool) CommitArgs {
		return CommitArgs{
			Parent: RootIno, Name: "f", AltName: "f@_@" + key, Key: key, GUID: key, State: StateStored, NoReplace: noReplace,
		}
	}
	for _, c := range []struct{ key, want string }{{"k1", "f"}, {"k2", "f@_@k2"}} {
		got, err := db.Commit(t.Context(), args(c.key, true), Relaxed)
		if err != nil || got.Name != c.want || !got.Created {
			t.Errorf("committed %+v, %v, want the name %s", got, err, c.want)
		}
	}
	for _, noReplace := range []bool{false, true} {
		_, err := db.Commit(t.Context(), args("k2", noReplace), Relaxed)
		wantErr(t, err, syscall.EEXIST)
	}
	wantEqual(t, "intents", intents(t, db), nil)
}

// The beginning of 1970 is a time like any other.
func TestCommitTimeZero(t *testing.T) {
	db := newDB(t)
	a := CommitArgs{Parent: RootIno, Name: "f", State: StateStored, Mtime: ptr(int64(0)), Atime: ptr(int64(0))}
	for range 2 {
		got, err := db.Commit(t.Context(), a, Relaxed)
		if err != nil || got.Attr.Mtime != 0 || got.Attr.Atime != 0 || lookup(t, db, RootIno, "f") != got.Attr {
			t.Errorf("committed %+v, %v", got, err)
		}
	}
	a.Mtime, a.Atime = nil, nil
	if got, err := db.Commit(t.Context(), a, Relaxed); err != nil || got.Attr.Mtime == 0 || got.Attr.Atime != 0 {
		t.Errorf("without times: %+v, %v", got, err)
	}
}

func TestCommitDrop(t *testing.T) {
	db := newDB(t)
	staged := func(guid string, drop int64) Committed {
		t.Helper()
		c, err := db.Commit(t.Context(), CommitArgs{
			Parent: RootIno, Name: "f", GUID: guid, Key: guid, State: StateStaged, Staging: "st", Drop: drop,
		}, Relaxed)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := staged("g1", 0)
	second := staged("g2", first.Version.ID)
	wantEqual(t, "staging", second.Staging, nil)
	_, err := db.VersionByID(t.Context(), first.Version.ID)
	wantErr(t, err, syscall.ENOENT)
	other := commit(t, db, RootIno, "f", "other") // another face wrote
	wantEqual(t, "staging", other.Staging, []string{"st"})
	third := staged("g3", second.Version.ID)
	if all, err := db.VersionsOf(t.Context(), first.Attr.Ino); err != nil || len(all) != 2 || all[0].ID != third.Version.ID {
		t.Errorf("versions are %+v, %v", all, err)
	}
	wantEqual(t, "intents", intents(t, db), []string{"other"})
	// A version of another file is not dropped.
	if _, err := db.Commit(t.Context(), CommitArgs{Parent: RootIno, Name: "g", State: StateStored, Drop: third.Version.ID}, Relaxed); err != nil {
		t.Fatal(err)
	}
	if _, err := db.VersionByID(t.Context(), third.Version.ID); err != nil {
		t.Error(err)
	}
}

func TestCommitRedo(t *testing.T) {
	db := newDB(t)
	base := commit(t, db, RootIno, "f", "base")
	redo := func(key, from string) Committed {
		t.Helper()
		c, err := db.Commit(t.Context(), CommitArgs{
			Ino: base.Attr.Ino, GUID: key, Key: key, State: StateRedo, Size: 10, Staging: "st-" + key,
			Redo: &Redo{BaseKey: from, Ranges: []byte{1, 2}},
		}, Relaxed)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := redo("k1", "base")
	wantEqual(t, "intents", intents(t, db), nil)
	for key, want := range map[string]bool{"base": true, "k1": true, "none": false, "": false} {
		if live, err := db.LiveKey(t.Context(), key); err != nil || live != want {
			t.Errorf("key %q is live: %v, %v, want %v", key, live, err, want)
		}
	}
	_, redos, err := db.Pending(t.Context())
	if err != nil || len(redos) != 1 || redos[0].BaseKey != "base" || string(redos[0].Ranges) != "\x01\x02" ||
		redos[0].Version != first.Version {
		t.Fatalf("pending are %+v, %v", redos, err)
	}
	if err := db.MarkStored(t.Context(), []Stored{{ID: first.Version.ID, Key: "k1", Sum: "s", Synced: true}}, Relaxed); err != nil {
		t.Fatal(err)
	}
	v, err := db.CurrentVersion(t.Context(), base.Attr.Ino)
	if err != nil || v.State != StateStored || v.Staging != "" || v.Sum != "s" || !v.Synced {
		t.Errorf("version is %+v, %v", v, err)
	}
	// Replaced before it was applied: the object has the one name or the other.
	redo("k2", "k1")
	last := commit(t, db, RootIno, "f", "k3")
	wantEqual(t, "staging", last.Staging, []string{"st-k2"})
	wantEqual(t, "intents", intents(t, db), []string{"k1", "k2"})
	if _, redos, err := db.Pending(t.Context()); err != nil || len(redos) != 0 {
		t.Errorf("pending are %+v, %v", redos, err)
	}
}

func TestStaging(t *testing.T) {
	db := newDB(t)
	var staged []Committed
	for _, name := range []string{"a", "b"} {
		c, err := db.Commit(t.Context(), CommitArgs{
			Parent: RootIno, Name: name, GUID: name, Key: name, State: StateStaged, Staging: "st-" + name,
		}, Relaxed)
		if err != nil {
			t.Fatal(err)
		}
		staged = append(staged, c)
	}
	pending, _, err := db.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "pending", pending, []Version{staged[0].Version, staged[1].Version})
	commit(t, db, RootIno, "b", "new")
	stored := []Stored{{ID: staged[0].Version.ID, Key: "a", MD5: "m"}, {ID: staged[1].Version.ID, Key: "b"}}
	for range 2 { // a second report changes nothing
		if err := db.MarkStored(t.Context(), stored, Durable); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "intents", intents(t, db), []string{"b"})
	}
	unsummed, err := db.VersionsToSum(t.Context(), 10)
	if err != nil || len(unsummed) != 1 || unsummed[0].ID != staged[0].Version.ID || unsummed[0].MD5 != "m" {
		t.Fatalf("without a sum are %+v, %v", unsummed, err)
	}
	if err := db.SetSums(t.Context(), unsummed[0].ID, "s", "", Relaxed); err != nil {
		t.Fatal(err)
	}
	if v, err := db.VersionByID(t.Context(), unsummed[0].ID); err != nil || v.Sum != "s" || v.MD5 != "m" {
		t.Errorf("version is %+v, %v", v, err)
	}
	if unsummed, err = db.VersionsToSum(t.Context(), 10); err != nil || len(unsummed) != 0 {
		t.Errorf("without a sum are %+v, %v", unsummed, err)
	}
	live, err := db.EachVersion(t.Context(), 0, 10)
	if err != nil || len(live) != 2 {
		t.Errorf("live are %+v, %v", live, err)
	}
	if live, err = db.EachVersion(t.Context(), live[0].ID, 10); err != nil || len(live) != 1 {
		t.Errorf("after the first are %+v, %v", live, err)
	}
}

func TestCurrentFile(t *testing.T) {
	db := newDB(t)
	f := mkfile(t, db, RootIno, "f")
	if n, v, err := db.CurrentFile(t.Context(), f.Ino); err != nil || n != f || v != (Version{}) {
		t.Errorf("without content: %+v, %+v, %v", n, v, err)
	}
	c := commit(t, db, RootIno, "f", "k")
	if n, v, err := db.CurrentFile(t.Context(), f.Ino); err != nil || n != c.Attr || v != c.Version {
		t.Errorf("with content: %+v, %+v, %v", n, v, err)
	}
	_, _, err := db.CurrentFile(t.Context(), 999)
	wantErr(t, err, syscall.ENOENT)
}

func TestCurrentVersionOfNothing(t *testing.T) {
	db := newDB(t)
	f := mkfile(t, db, RootIno, "f")
	_, err := db.CurrentVersion(t.Context(), f.Ino)
	wantErr(t, err, syscall.ENODATA)
	_, err = db.CurrentVersion(t.Context(), 999)
	wantErr(t, err, syscall.ENOENT)
}

func TestIntents(t *testing.T) {
	db := newDB(t)
	commit(t, db, RootIno, "f", "live")
	for _, i := range []Intent{{"a", 30}, {"live", 10}, {"b", 20}, {"a", 40}, {"b", 15}} {
		if err := db.AddIntent(t.Context(), i.Key, i.Due, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	due, err := db.DueIntents(t.Context(), 29, 10)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "due", due, []Intent{{"live", 10}, {"b", 15}})
	for key, want := range map[string]bool{"live": false, "a": true, "none": false} {
		if del, err := db.ClaimIntent(t.Context(), key, Relaxed); err != nil || del != want {
			t.Errorf("claim %s: %v, %v, want %v", key, del, err, want)
		}
	}
	wantEqual(t, "intents", intents(t, db), []string{"a", "b"})
	if err := db.FinishIntent(t.Context(), "a", Relaxed); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"a": false, "b": true} {
		if has, err := db.HasIntent(t.Context(), key); err != nil || has != want {
			t.Errorf("%s is planned: %v, %v, want %v", key, has, err, want)
		}
	}
	if n, err := db.CountIntents(t.Context()); err != nil || n != 1 {
		t.Errorf("%d intents, %v, want 1", n, err)
	}
}

// wantOpen wants what OpenFile says to be what the other queries say.
func wantOpen(t *testing.T, db *DB, ino Ino, shared bool) {
	t.Helper()
	a, v, is, err := db.OpenFile(t.Context(), ino)
	attr, version, err2 := db.CurrentFile(t.Context(), ino)
	if err != nil || err2 != nil || a != attr || v != version || is != shared {
		t.Errorf("open says %+v, %+v, %v, %v, want %+v, %+v, %v, %v", a, v, is, err, attr, version, shared, err2)
	}
}

// Two files may share an object: it is kept until the last one lets go.
func TestSharedKey(t *testing.T) {
	db := newDB(t)
	commit(t, db, RootIno, "a", "shared")
	commit(t, db, RootIno, "b", "shared")
	commit(t, db, RootIno, "a", "other")
	wantEqual(t, "intents", intents(t, db), nil)
	c := commit(t, db, RootIno, "c", "shared")
	wantOpen(t, db, c.Attr.Ino, true)
	commit(t, db, RootIno, "c", "own")
	wantOpen(t, db, c.Attr.Ino, false)
	if _, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "b"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "intents", intents(t, db), []string{"shared"})
	if del, err := db.ClaimIntent(t.Context(), "shared", Relaxed); err != nil || !del {
		t.Errorf("claim: %v, %v", del, err)
	}
}
