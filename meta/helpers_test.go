package meta

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// openDB opens a database with the tenant rdp and closes it when the test ends.
func openDB(t testing.TB, path string, o Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if _, err := db.EnsureTenant(t.Context(), "rdp", 0o755, 1000, 1000, Relaxed); err != nil {
		t.Fatal(err)
	}
	return db
}

// newDB opens an empty database that is checked for damage at the end of the test.
func newDB(t testing.TB) *DB {
	t.Helper()
	db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{})
	if _, ok := t.(*testing.T); ok {
		t.Cleanup(func() { wantSound(t, db) })
	}
	return db
}

// clock is a time source that moves by a second with every transaction.
func clock() func() time.Time {
	now := time.Unix(1_700_000_000, 0)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func wantSound(t testing.TB, db *DB) {
	t.Helper()
	// The test's own context has ended when this runs as a cleanup.
	found, err := db.Check(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	for _, f := range found {
		t.Errorf("check: %s", f)
	}
}

func create(t testing.TB, db *DB, a CreateArgs) Attr {
	t.Helper()
	n, err := db.Create(t.Context(), a, Relaxed)
	if err != nil {
		t.Fatalf("create %q: %v", a.Name, err)
	}
	return n
}

func mkfile(t testing.TB, db *DB, parent Ino, name string) Attr {
	t.Helper()
	return create(t, db, CreateArgs{Parent: parent, Name: name, Mode: syscall.S_IFREG | 0o644, Origin: "fuse"})
}

func mkdir(t testing.TB, db *DB, parent Ino, name string) Ino {
	t.Helper()
	return create(t, db, CreateArgs{Parent: parent, Name: name, Mode: syscall.S_IFDIR | 0o755, Origin: "fuse"}).Ino
}

// commit makes a stored version of 10 bytes under the given key.
func commit(t testing.TB, db *DB, parent Ino, name, key string) Committed {
	t.Helper()
	c, err := db.Commit(t.Context(), CommitArgs{
		Parent: parent, Name: name, Mode: 0o644, GUID: "guid-" + key, Key: key, Size: 10, State: StateStored, Sum: "sum",
		Origin: "rest",
	}, Relaxed)
	if err != nil {
		t.Fatalf("commit %q: %v", name, err)
	}
	return c
}

func lookup(t testing.TB, db *DB, parent Ino, name string) Attr {
	t.Helper()
	n, err := db.Lookup(t.Context(), parent, name)
	if err != nil {
		t.Fatalf("lookup %q: %v", name, err)
	}
	return n
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

func wantGone(t testing.TB, db *DB, parent Ino, name string) {
	t.Helper()
	_, err := db.Lookup(t.Context(), parent, name)
	wantErr(t, err, syscall.ENOENT)
}

func wantUsage(t testing.TB, db *DB, want Usage) {
	t.Helper()
	got, err := db.Usage(t.Context(), 1)
	if err != nil || got != want {
		t.Errorf("usage is %+v, %v, want %+v", got, err, want)
	}
}

// intents returns the keys that wait for their deletion, sorted.
func intents(t testing.TB, db *DB) []string {
	t.Helper()
	due, err := db.DueIntents(t.Context(), 1<<62, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, i := range due {
		keys = append(keys, i.Key)
	}
	slices.Sort(keys)
	return keys
}

func wantEqual[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func names(t testing.TB, db *DB, dir Ino) []string {
	t.Helper()
	page, err := db.ReadDir(t.Context(), dir, 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range page {
		all = append(all, e.Name)
	}
	slices.Sort(all)
	return all
}

func always(Ino) bool { return true }

func ptr[T any](v T) *T { return &v }

// last is the newest row of the change feed.
func last(t testing.TB, db *DB) Change {
	t.Helper()
	all, err := db.Changes(t.Context(), 0, 1<<20)
	if err != nil || len(all) == 0 {
		t.Fatalf("changes: %d rows, %v", len(all), err)
	}
	return all[len(all)-1]
}
