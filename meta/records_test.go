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
	if err := db.ForgetUpload(t.Context(), "u1", Relaxed); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Uploads(t.Context(), true); err != nil || len(got) != 0 {
		t.Errorf("tombstones are %v, %v", got, err)
	}
}

func TestXattrs(t *testing.T) {
	db := openDB(t, t.TempDir()+"/tote.db", Options{Now: clock()})
	f := mkfile(t, db, RootIno, "f")
	set := func(name, value string, f Ino, flags XattrFlags) error {
		return db.SetXattr(t.Context(), f, name, []byte(value), flags, "fuse", Relaxed)
	}
	for _, c := range []struct {
		name  string
		ino   Ino
		flags XattrFlags
		want  error
	}{
		{"user.a", f.Ino, XattrReplace, syscall.ENODATA},
		{"user.a", f.Ino, XattrCreate, nil},
		{"user.a", f.Ino, XattrCreate, syscall.EEXIST},
		{"user.a", f.Ino, XattrReplace, nil},
		{"user.b", f.Ino, 0, nil},
		{"user.b", 999, 0, syscall.ENOENT},
		{"", f.Ino, 0, syscall.EINVAL},
		{"user.c", f.Ino, 4, syscall.EINVAL},
	} {
		if err := set(c.name, "v", c.ino, c.flags); err != c.want {
			t.Errorf("set %q with %d: %v, want %v", c.name, c.flags, err, c.want)
		}
	}
	if err := set("user.empty", "", f.Ino, 0); err != nil {
		t.Fatal(err)
	}
	if v, err := db.GetXattr(t.Context(), f.Ino, "user.empty"); err != nil || len(v) != 0 {
		t.Errorf("empty value is %q, %v", v, err)
	}
	if v, err := db.GetXattr(t.Context(), f.Ino, "user.a"); err != nil || string(v) != "v" {
		t.Errorf("value is %q, %v", v, err)
	}
	all, err := db.ListXattr(t.Context(), f.Ino)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "names", all, []string{"user.a", "user.b", "user.empty"})
	if n := lookup(t, db, RootIno, "f"); n.Ctime <= f.Ctime || n.Mtime != f.Mtime {
		t.Errorf("file is %+v, was %+v", n, f)
	}
	if err := db.RemoveXattr(t.Context(), f.Ino, "user.a", "fuse", Relaxed); err != nil {
		t.Fatal(err)
	}
	wantErr(t, db.RemoveXattr(t.Context(), f.Ino, "user.a", "fuse", Relaxed), syscall.ENODATA)
	_, err = db.GetXattr(t.Context(), f.Ino, "user.a")
	wantErr(t, err, syscall.ENODATA)
	_, err = db.GetXattr(t.Context(), 999, "user.a")
	wantErr(t, err, syscall.ENOENT)
	_, err = db.ListXattr(t.Context(), 999)
	wantErr(t, err, syscall.ENOENT)
	for ino, want := range map[Ino]bool{f.Ino: true, RootIno: false} {
		if has, err := db.HasXattrs(t.Context(), ino); err != nil || has != want {
			t.Errorf("node %d has attributes: %v, %v", ino, has, err)
		}
	}
}

func TestProps(t *testing.T) {
	db := newDB(t)
	a, b := mkfile(t, db, RootIno, "a").Ino, mkfile(t, db, RootIno, "b").Ino
	patch := func(ino Ino, set, remove []Property) error {
		return db.PatchProps(t.Context(), ino, set, remove, "dav", Relaxed)
	}
	for _, err := range []error{
		patch(a, []Property{{"", "user", `"u"`}, {"DAV:", "x", "<x/>"}, {"", "role", "1"}}, nil),
		patch(b, []Property{{"", "user", `"u"`}, {"", "role", "2"}}, nil),
		patch(a, []Property{{"", "role", "2"}}, []Property{{Space: "DAV:", Name: "x"}, {Space: "DAV:", Name: "none"}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, patch(999, []Property{{"", "a", "1"}}, nil), syscall.ENOENT)
	got, err := db.Props(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "properties", got, []Property{{"", "role", "2"}, {"", "user", `"u"`}})
	if c := last(t, db); c.Op != "props" || c.Ino != a || c.Origin != "dav" {
		t.Errorf("change is %+v", c)
	}
	of, err := db.PropsOf(t.Context(), []Ino{a, b, 999}, "")
	if err != nil || len(of) != 2 || len(of[a]) != 2 || of[b][0] != (Property{"", "role", "2"}) {
		t.Errorf("properties of both are %v, %v", of, err)
	}
	if of, err := db.PropsOf(t.Context(), nil, ""); err != nil || len(of) != 0 {
		t.Errorf("properties of none are %v, %v", of, err)
	}
	if err := patch(b, []Property{{"c8y", "type", `"t"`}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		space, name, value string
		tenant             int64
		want               []Ino
	}{
		{"", "role", "2", 1, []Ino{a, b}}, {"", "role", "1", 1, nil}, {"c8y", "type", `"t"`, 1, []Ino{b}}, {"", "role", "2", 2, nil},
	} {
		got, err := db.InosByProp(t.Context(), c.tenant, c.space, c.name, c.value)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, fmt.Sprint(c), got, c.want)
	}
}

func TestFiles(t *testing.T) {
	db := newDB(t)
	mkdir(t, db, RootIno, "dir")
	var inos []Ino
	for i := range 5 {
		inos = append(inos, commit(t, db, RootIno, fmt.Sprintf("f%d.png", i), fmt.Sprint("k", i)).Attr.Ino)
	}
	inos = append(inos, mkfile(t, db, RootIno, "empty.txt").Ino)
	commit(t, db, RootIno, "gone", "gone")
	if _, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "gone", Keep: always}, Relaxed); err != nil {
		t.Fatal(err)
	}
	for i, ino := range inos {
		set := []Property{{"", "even", fmt.Sprint(i%2 == 0)}, {"c8y", "third", fmt.Sprint(i%3 == 0)}}
		if err := db.PatchProps(t.Context(), ino, set, nil, "", Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	even, third := Property{"", "even", "true"}, Property{"c8y", "third", "true"}
	for _, c := range []struct {
		what  string
		query FileQuery
		want  []Ino
		count int64
	}{
		{"all", FileQuery{}, inos, 6},
		{"page", FileQuery{Offset: 1, Limit: 2}, inos[1:3], 6},
		{"after", FileQuery{After: inos[3]}, inos[4:], 2},
		{"numbers", FileQuery{Inos: []Ino{inos[4], inos[0], 999}}, []Ino{inos[0], inos[4]}, 2},
		{"no numbers", FileQuery{Inos: []Ino{}}, nil, 0},
		{"property", FileQuery{Props: []Property{even}}, []Ino{inos[0], inos[2], inos[4]}, 3},
		{"properties", FileQuery{Props: []Property{even, third}}, []Ino{inos[0]}, 1},
		{"properties elsewhere", FileQuery{Props: []Property{third}}, []Ino{inos[0], inos[3]}, 2},
		{"name", FileQuery{NameGlob: "f[0-1].*"}, inos[:2], 2},
		{"other tenant", FileQuery{Tenant: 2}, nil, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			if c.query.Tenant == 0 {
				c.query.Tenant = 1
			}
			rows, err := db.Files(t.Context(), c.query)
			if err != nil {
				t.Fatal(err)
			}
			var got []Ino
			for _, r := range rows {
				got = append(got, r.Attr.Ino)
			}
			wantEqual(t, "files", got, c.want)
			if n, err := db.CountFiles(t.Context(), c.query); err != nil || n != c.count {
				t.Errorf("count is %d, %v, want %d", n, err, c.count)
			}
		})
	}
	rows, err := db.Files(t.Context(), FileQuery{Tenant: 1})
	if err != nil || rows[0].Name != "f0.png" || rows[0].Version.Key != "k0" || rows[5].Version != (Version{}) {
		t.Errorf("files are %+v, %v", rows, err)
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
	if err := db.AddLock(t.Context(), l, nil, Relaxed); err != nil {
		t.Fatal(err)
	}
	wantErr(t, db.AddLock(t.Context(), l, nil, Relaxed), syscall.EEXIST)
	err := db.AddLock(t.Context(), Lock{Token: "t2", Tenant: 1, Path: "/a"}, func(existing []Lock) error {
		wantEqual(t, "existing", existing, []Lock{l})
		return errRefused
	}, Relaxed)
	wantErr(t, err, errRefused)
	for i, path := range []string{"/a/b", "/ab", "/x"} {
		if err := db.AddLock(t.Context(), Lock{Token: fmt.Sprint("p", i), Tenant: 1, Path: path, Shared: true}, nil, Relaxed); err != nil {
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
	if err := db.AddLock(t.Context(), l, nil, Relaxed); err != nil {
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
