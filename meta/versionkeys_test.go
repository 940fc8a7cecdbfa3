package meta

import "testing"

func TestVersionsByKey(t *testing.T) {
	db := newDB(t)
	a, b := commit(t, db, RootIno, "a", "ka"), commit(t, db, RootIno, "b", "dir/b@_@g.txt")
	commit(t, db, RootIno, "c", "old")
	commit(t, db, RootIno, "c", "new")
	found, err := db.VersionsByKey(t.Context(), []string{"dir/b@_@g.txt", "old", "none", "", "ka"})
	if err != nil || len(found) != 2 || found[0] != b.Version || found[1] != a.Version {
		t.Errorf("found %+v, %v", found, err)
	}
}
