package meta

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLocksNear: the locks on a path, above it and below it, and no others, whatever bytes names hold.
func TestLocksNear(t *testing.T) {
	db := newDB(t)
	all := []string{"/", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/b0", "/a/b!", "/a/bc", "/a/b\xff", "/a/\"b", "/b", "/a0", "/\xff/b"}
	for _, p := range all {
		l := Lock{Token: "t" + p, Tenant: 1, Path: p, Expires: time.Now().Add(time.Hour)}
		if err := db.AddLock(t.Context(), l, Precondition{}, nil, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string][]string{
		"/a/b":     {"/", "/a", "/a/b", "/a/b/c", "/a/b/c/d"},
		"/a/b/x":   {"/", "/a", "/a/b"},
		"/a/b\xff": {"/", "/a", "/a/b\xff"},
		"/a/\"b/c": {"/", "/a", "/a/\"b"},
		"/\xff/b":  {"/", "/\xff/b"},
		"/c":       {"/"},
		"/":        all,
	} {
		got := nearPaths(t, db, 1, path)
		slices.Sort(want)
		wantEqual(t, path, got, want)
	}
	if other := nearPaths(t, db, 2, "/a"); len(other) != 0 {
		t.Errorf("of another tenant: %q", other)
	}
	on, err := db.LocksOn(t.Context(), 1, []string{"/a/b", "/a/b\xff", "/none"})
	if err != nil || len(on) != 2 || on[0].Path != "/a/b" || on[1].Path != "/a/b\xff" {
		t.Errorf("on two paths: %v, %v", on, err)
	}
	if err := db.DeleteLocksUnder(t.Context(), 1, "/a/b", Relaxed); err != nil {
		t.Fatal(err)
	}
	if left := nearPaths(t, db, 1, "/"); len(left) != len(all)-3 {
		t.Errorf("%d locks are left", len(left))
	}
	seen := 0
	err = db.EachLockBelow(t.Context(), 1, "/", func(Lock) error {
		seen++
		return errRefused
	})
	if seen != 1 {
		t.Errorf("a walk that was stopped saw %d locks", seen)
	}
	wantErr(t, err, errRefused)
}

// nearPaths lists the paths of the locks on a path, above it and below it, as a reader and as a new lock see them.
func nearPaths(t *testing.T, db *DB, tenant int64, path string) []string {
	t.Helper()
	var got, seen []string
	over, err := db.LocksOver(t.Context(), tenant, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range over {
		got = append(got, l.Path)
	}
	err = db.EachLockBelow(t.Context(), tenant, path, func(l Lock) error {
		got = append(got, l.Path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.update(t.Context(), Relaxed, func(tx *tx) error {
		return tx.eachLockNear(Lock{Tenant: tenant, Path: path}, func(l Lock) error {
			seen = append(seen, l.Path)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(seen)
	wantEqual(t, "near "+path, seen, got)
	return got
}

// TestLocksNearIsIndexed: a hundred thousand locks elsewhere cost nothing.
func TestLocksNearIsIndexed(t *testing.T) {
	db := newDB(t)
	over, err := overArgs(1, 1, "/a/b")
	if err != nil {
		t.Fatal(err)
	}
	for query, args := range map[string][]any{
		locksOver: over, locksBelow: {1, 1, []byte("/a/b/"), []byte("/a/b0")}, locksOn: {1, 1, []byte("/a/b")},
	} {
		plan, err := list(t.Context(), db, func(r row) string { return r.text(3) }, "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "\n")
		if !strings.Contains(text, "USING INDEX locks_path (tenant=? AND path") || strings.Contains(text, "SCAN locks") {
			t.Errorf("the plan of %s is\n%s", query, text)
		}
	}
}
