package meta

import (
	"path/filepath"
	"syscall"
	"testing"
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

func newDB(t testing.TB) *DB {
	t.Helper()
	return openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{})
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
