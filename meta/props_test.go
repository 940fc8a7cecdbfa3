package meta

import (
	"fmt"
	"syscall"
	"testing"
)

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
