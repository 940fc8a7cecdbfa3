package meta

import (
	"bytes"
	"fmt"
	"reflect"
	"syscall"
	"testing"
	"time"
)

func TestUploads(t *testing.T) {
	db := newDB(t)
	for _, u := range []Upload{{ID: "u2", Key: "k2", Ino: 5, Started: 2}, {ID: "u1", Key: "k1", Started: 1}} {
		if err := db.BeginUpload(t.Context(), u, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, db.BeginUpload(t.Context(), Upload{ID: "u1"}, Relaxed), syscall.EEXIST)
	if err := db.FinishUpload(t.Context(), "u1", Relaxed); err != nil {
		t.Fatal(err)
	}
	for done, want := range map[bool]Upload{
		true: {ID: "u1", Key: "k1", Started: 1, Done: true}, false: {ID: "u2", Key: "k2", Ino: 5, Started: 2},
	} {
		got, err := db.Uploads(t.Context(), done)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "uploads", got, []Upload{want})
	}
	for id, want := range map[string]bool{"u1": true, "u2": true, "u3": false} {
		if has, err := db.HasUpload(t.Context(), id); err != nil || has != want {
			t.Errorf("%s is on record: %v, %v", id, has, err)
		}
	}
	if err := db.ForgetTombstones(t.Context(), 1, Relaxed); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Uploads(t.Context(), true); err != nil || len(got) != 1 {
		t.Errorf("young tombstones are %v, %v", got, err)
	}
	if err := db.ForgetTombstones(t.Context(), 100, Relaxed); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Uploads(t.Context(), false); err != nil || len(got) != 1 {
		t.Errorf("what runs is %v, %v", got, err)
	}
	if got, err := db.Uploads(t.Context(), true); err != nil || len(got) != 0 {
		t.Errorf("tombstones are %v, %v", got, err)
	}
}

func TestUsers(t *testing.T) {
	db := newDB(t)
	u := User{Tenant: "rdp", Name: "ann", Hash: "h", Roles: []string{"admin", "x"}, Created: 5, Updated: 6}
	if err := db.PutUser(t.Context(), u, Relaxed); err != nil {
		t.Fatal(err)
	}
	if got, err := db.GetUser(t.Context(), "rdp", "ann"); err != nil || !reflect.DeepEqual(got, u) {
		t.Errorf("user is %+v, %v", got, err)
	}
	again := User{Tenant: "rdp", Name: "ann", Hash: "h2", Created: 100, Updated: 200}
	if err := db.PutUser(t.Context(), again, Relaxed); err != nil {
		t.Fatal(err)
	}
	again.Created = 5
	if err := db.PutUser(t.Context(), User{Tenant: "rdp", Name: "aaa"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	all, err := db.Users(t.Context(), "rdp")
	if err != nil || len(all) != 2 || all[0].Name != "aaa" || all[0].Created == 0 || !reflect.DeepEqual(all[1], again) {
		t.Errorf("users are %+v, %v", all, err)
	}
	if err := db.DeleteUser(t.Context(), "rdp", "ann", Relaxed); err != nil {
		t.Fatal(err)
	}
	wantErr(t, db.DeleteUser(t.Context(), "rdp", "ann", Relaxed), syscall.ENOENT)
	_, err = db.GetUser(t.Context(), "rdp", "ann")
	wantErr(t, err, syscall.ENOENT)
	wantErr(t, db.PutUser(t.Context(), User{Tenant: "rdp"}, Relaxed), syscall.EINVAL)
}

func TestLocks(t *testing.T) {
	now := time.Unix(1000, 0).UTC()
	db := openDB(t, t.TempDir()+"/tote.db", Options{Now: func() time.Time { return now }})
	l := Lock{
		Token: "t1", Tenant: 1, Path: "/a", Infinite: true, Owner: "<o/>", User: "ann", Expires: now.Add(time.Minute), Created: now,
	}
	if err := db.AddLock(t.Context(), l, Precondition{}, nil, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantErr(t, db.AddLock(t.Context(), l, Precondition{}, nil, Relaxed), syscall.EEXIST)
	err := db.AddLock(t.Context(), Lock{Token: "t2", Tenant: 1, Path: "/a"}, Precondition{}, func(existing Lock) error {
		wantEqual(t, "existing", []Lock{existing}, []Lock{l})
		return errRefused
	}, Relaxed)
	wantErr(t, err, errRefused)
	for i, path := range []string{"/a/b", "/ab", "/x"} {
		if err := db.AddLock(t.Context(), Lock{Token: fmt.Sprint("p", i), Tenant: 1, Path: path, Shared: true}, Precondition{}, nil, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(50 * time.Second)
	got, err := db.RefreshLock(t.Context(), 1, "t1", now.Add(time.Minute), Relaxed)
	if err != nil || !got.Expires.Equal(now.Add(time.Minute)) || got.Owner != "<o/>" {
		t.Errorf("refreshed %+v, %v", got, err)
	}
	if err := db.DeleteLocksUnder(t.Context(), 1, "/a", Relaxed); err != nil {
		t.Fatal(err)
	}
	wantPaths(t, db, "/ab", "/x")
	if err := db.DeleteLock(t.Context(), 1, "p1", Relaxed); err != nil {
		t.Fatal(err)
	}
	wantErr(t, db.DeleteLock(t.Context(), 1, "p1", Relaxed), syscall.ENOENT)
	wantPaths(t, db, "/x")
	if err := db.AddLock(t.Context(), l, Precondition{}, nil, Relaxed); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	_, err = db.RefreshLock(t.Context(), 1, "t1", now, Relaxed)
	wantErr(t, err, syscall.ENOENT)
	wantPaths(t, db, "/x") // p2 never expires
	if n, err := db.ExpireLocks(t.Context(), now, Relaxed); err != nil || n != 1 {
		t.Errorf("%d expired, %v, want 1", n, err)
	}
	if err := db.DeleteLocksUnder(t.Context(), 1, "/", Relaxed); err != nil {
		t.Fatal(err)
	}
	wantPaths(t, db)
}

func wantPaths(t *testing.T, db *DB, want ...string) {
	t.Helper()
	locks, err := db.Locks(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range locks {
		got = append(got, l.Path)
	}
	wantEqual(t, "locked", got, want)
}

func TestBSO(t *testing.T) {
	db := newDB(t)
	f := mkfile(t, db, RootIno, "f").Ino
	b := BSO{Tenant: "rdp", ID: "b1", Type: "image", ObjectKey: "k", Ino: f, Doc: []byte(`{"a":1}`), Created: 5, Modified: 6}
	if err := db.PutBSO(t.Context(), b, func(old *BSO) error {
		if old != nil {
			t.Errorf("check sees %+v", old)
		}
		return nil
	}, Relaxed); err != nil {
		t.Fatal(err)
	}
	err := db.PutBSO(t.Context(), b, func(old *BSO) error {
		if !reflect.DeepEqual(*old, b) {
			t.Errorf("check sees %+v", old)
		}
		return errRefused
	}, Relaxed)
	wantErr(t, err, errRefused)
	for i, typ := range []string{"video", "image", "text"} {
		if err := db.PutBSO(t.Context(), BSO{Tenant: "rdp", ID: fmt.Sprint("c", i), Type: typ, ObjectKey: "k2"}, nil, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := db.GetBSO(t.Context(), "rdp", "b1"); err != nil || !reflect.DeepEqual(got, b) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := db.BSOByIno(t.Context(), f); err != nil || got.ID != "b1" {
		t.Errorf("of the file: %+v, %v", got, err)
	}
	if got, err := db.BSOsByKey(t.Context(), "rdp", "k2"); err != nil || len(got) != 3 {
		t.Errorf("by key: %+v, %v", got, err)
	}
	for _, c := range []struct {
		types         []string
		offset, limit int
		want          []string
	}{
		{nil, 0, 10, []string{"b1", "c0", "c1", "c2"}}, {[]string{"image"}, 0, 10, []string{"b1", "c1"}},
		{[]string{"image", "text"}, 1, 1, []string{"c1"}}, {[]string{"none"}, 0, 10, nil},
	} {
		all, err := db.ListBSO(t.Context(), "rdp", c.types, c.offset, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, b := range all {
			got = append(got, b.ID)
		}
		wantEqual(t, fmt.Sprint(c.types), got, c.want)
	}
	wantErr(t, db.PutBSO(t.Context(), BSO{Tenant: "rdp", ID: "x", Ino: 999}, nil, Relaxed), syscall.ENOENT)
	wantErr(t, db.PutBSO(t.Context(), BSO{Tenant: "rdp"}, nil, Relaxed), syscall.EINVAL)
	if err := db.DeleteBSO(t.Context(), "rdp", "b1", Relaxed); err != nil {
		t.Fatal(err)
	}
	wantErr(t, db.DeleteBSO(t.Context(), "rdp", "b1", Relaxed), syscall.ENOENT)
	_, err = db.BSOByIno(t.Context(), f)
	wantErr(t, err, syscall.ENOENT)
}

func TestChanges(t *testing.T) {
	db := newDB(t)
	for i := range 10 {
		mkfile(t, db, RootIno, fmt.Sprint("f", i))
	}
	if all, err := db.Changes(t.Context(), 3, 2); err != nil || len(all) != 2 || all[0].Seq != 4 || all[1].Name != "f4" {
		t.Errorf("changes are %+v, %v", all, err)
	}
	for _, c := range []struct{ keep, want int }{{20, 10}, {4, 4}, {0, 1}} {
		if err := db.TrimChanges(t.Context(), c.keep, Relaxed); err != nil {
			t.Fatal(err)
		}
		if all, err := db.Changes(t.Context(), 0, 100); err != nil || len(all) != c.want {
			t.Errorf("%d changes after trimming to %d, %v, want %d", len(all), c.keep, err, c.want)
		}
	}
	mkfile(t, db, RootIno, "next")
	if c := last(t, db); c.Seq != 11 {
		t.Errorf("the next number is %d, want 11", c.Seq)
	}
}

func TestSettings(t *testing.T) {
	db := newDB(t)
	_, err := db.Setting(t.Context(), "key")
	wantErr(t, err, syscall.ENOENT)
	for _, value := range [][]byte{{1, 0, 2}, {}, {3}} {
		if err := db.PutSetting(t.Context(), "key", value, Durable); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Setting(t.Context(), "key"); err != nil || !bytes.Equal(got, value) {
			t.Errorf("setting is %v, %v, want %v", got, err, value)
		}
	}
}

func TestStats(t *testing.T) {
	db := newDB(t)
	commit(t, db, RootIno, "a", "k1")
	commit(t, db, RootIno, "a", "k2")
	if err := db.BeginUpload(t.Context(), Upload{ID: "u"}, Relaxed); err != nil {
		t.Fatal(err)
	}
	s, err := db.Stats(t.Context())
	want := Stats{Nodes: 2, Versions: map[State]int64{StateStored: 1, StateGone: 1}, Intents: 1, Uploads: 1, Bytes: s.Bytes}
	if err != nil || !reflect.DeepEqual(s, want) || s.Bytes < 4096 {
		t.Errorf("stats are %+v, %v, want %+v", s, err, want)
	}
}

// A user that was looked up is remembered until somebody changes one, whichever way.
func TestUserIsForgotten(t *testing.T) {
	db := newDB(t)
	ctx := t.Context()
	get := func() string {
		u, err := db.GetUser(ctx, "t", "ann")
		if err != nil {
			return err.Error()
		}
		u.Roles[0] = "the caller's own" // results belong to the caller
		return u.Hash
	}
	for i, d := range []Durability{Durable, Relaxed} {
		hash := fmt.Sprint("hash ", i)
		if err := db.PutUser(ctx, User{Tenant: "t", Name: "ann", Hash: hash, Roles: []string{"admin"}}, d); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := get(); got != hash {
				t.Errorf("got %q, want %q", got, hash)
			}
		}
	}
	if u, err := db.GetUser(ctx, "t", "ann"); err != nil || u.Roles[0] != "admin" {
		t.Errorf("roles %v, error %v", u.Roles, err)
	}
	if err := db.DeleteUser(ctx, "t", "ann", Relaxed); err != nil {
		t.Fatal(err)
	}
	if got := get(); got != syscall.ENOENT.Error() {
		t.Errorf("a deleted user: %s", got)
	}
}

// A user that was read before a change is not remembered after it.
func TestUserReadTooEarly(t *testing.T) {
	var c userCache
	_, _, changes := c.get("t", "ann")
	c.forget()
	c.put(User{Tenant: "t", Name: "ann", Hash: "old"}, changes)
	if u, ok, _ := c.get("t", "ann"); ok {
		t.Errorf("remembered %v", u)
	}
}
