package meta

import (
	"reflect"
	"syscall"
	"testing"
)

func TestObjectOfAVersion(t *testing.T) {
	db := newDB(t)
	want := Object{ETag: "e", Blocks: []byte{1, 2, 3, 4}, Sums: []byte("12345678")}
	commitObject := func(name, key string, o Object) Committed {
		t.Helper()
		c, err := db.Commit(t.Context(), CommitArgs{
			Parent: RootIno, Name: name, GUID: "g" + key, Key: key, Size: 4, State: StateStored, Object: o,
		}, Relaxed)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	holds := func(what string, version int64, want Object) {
		t.Helper()
		if o, err := db.Object(t.Context(), version); err != nil || !reflect.DeepEqual(o, want) {
			t.Errorf("%s: object is %+v, %v, want %+v", what, o, err, want)
		}
	}
	first := commitObject("a", "k1", want)
	holds("committed", first.Version.ID, want)
	plain := commitObject("b", "k2", Object{})
	holds("nothing known", plain.Version.ID, Object{})
	tagged := commitObject("c", "k3", Object{ETag: "only"})
	holds("without sums", tagged.Version.ID, Object{ETag: "only"})

	second := commitObject("a", "k4", Object{ETag: "e2"})
	holds("replaced", first.Version.ID, Object{})
	if _, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "a"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	holds("unlinked", second.Version.ID, Object{})
	dir := mkdir(t, db, RootIno, "dir")
	done, err := db.Commit(t.Context(), CommitArgs{Parent: dir, Name: "d", GUID: "g5", Key: "k5", State: StateStored, Object: want}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.RemoveTree(t.Context(), RemoveTreeArgs{Parent: RootIno, Name: "dir"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	holds("removed with its tree", done.Version.ID, Object{})
}

func TestObjectOfAVersionThatWasStaged(t *testing.T) {
	db := newDB(t)
	f := mkfile(t, db, RootIno, "f")
	done, err := db.Commit(t.Context(), CommitArgs{Ino: f.Ino, GUID: "g", Key: "k", Size: 4, State: StateStaged, Staging: "st"}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	want := Object{ETag: "e", Blocks: []byte{1, 2, 3, 4}}
	stored := Stored{ID: done.Version.ID, Key: "k", Sum: "sum", Object: want}
	for range 2 { // a restart may do it again
		if err := db.MarkStored(t.Context(), []Stored{stored}, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	if o, err := db.Object(t.Context(), done.Version.ID); err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("object is %+v, %v", o, err)
	}
	if v, err := db.VersionByID(t.Context(), done.Version.ID); err != nil || v.State != StateStored || v.Sum != "sum" {
		t.Errorf("version is %+v, %v", v, err)
	}
	if err := db.MarkStored(t.Context(), []Stored{{ID: 999, Key: "gone", Object: want}}, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "intents", intents(t, db), []string{"gone"})
	if _, err := db.VersionByID(t.Context(), 999); err != syscall.ENOENT {
		t.Errorf("a version came from nowhere: %v", err)
	}
}

func TestRedoOf(t *testing.T) {
	db := newDB(t)
	f := mkfile(t, db, RootIno, "f")
	done, err := db.Commit(t.Context(), CommitArgs{
		Ino: f.Ino, GUID: "g", Key: "k", Size: 4, State: StateRedo, Staging: "st", Redo: &Redo{BaseKey: "base", Ranges: []byte("r")},
		Object: Object{ETag: "of the base"},
	}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	r, o, err := db.RedoOf(t.Context(), done.Version.ID)
	if err != nil || r.Version != done.Version || r.BaseKey != "base" || string(r.Ranges) != "r" || o.ETag != "of the base" {
		t.Errorf("record is %+v, object %+v, %v", r, o, err)
	}
	if live, err := db.LiveKey(t.Context(), "base"); err != nil || !live {
		t.Errorf("the base is live: %v, %v", live, err)
	}
	if err := db.MarkStored(t.Context(), []Stored{{ID: done.Version.ID, Key: "k", Object: Object{ETag: "e"}}}, Relaxed); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.RedoOf(t.Context(), done.Version.ID); err != syscall.ENOENT {
		t.Errorf("after it was stored: %v", err)
	}
	if o, err := db.Object(t.Context(), done.Version.ID); err != nil || o.ETag != "e" {
		t.Errorf("object is %+v, %v", o, err)
	}
}
