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
		locks, err := db.LocksNear(t.Context(), 1, path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range locks {
			got = append(got, l.Path)
		}
		slices.Sort(got)
		slices.Sort(want)
		wantEqual(t, path, got, want)
	}
	if other, err := db.LocksNear(t.Context(), 2, "/a"); err != nil || len(other) != 0 {
		t.Errorf("of another tenant: %v, %v", other, err)
	}
	if err := db.DeleteLocksUnder(t.Context(), 1, "/a/b", Relaxed); err != nil {
		t.Fatal(err)
	}
	if left, err := db.LocksNear(t.Context(), 1, "/"); err != nil || len(left) != len(all)-3 {
		t.Errorf("%d locks are left, %v", len(left), err)
	}
}

// TestLocksNearIsIndexed: a hundred thousand locks elsewhere cost nothing.
func TestLocksNearIsIndexed(t *testing.T) {
	db := newDB(t)
	args, err := nearArgs(1, 1, "/a/b")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := list(t.Context(), db, func(r row) string { return r.text(3) }, "EXPLAIN QUERY PLAN "+nearLocks, args...)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(plan, "\n")
	if strings.Count(text, "USING INDEX locks_path (tenant=? AND path") != 2 || strings.Contains(text, "SCAN locks") {
		t.Errorf("the plan is\n%s", text)
	}
}
