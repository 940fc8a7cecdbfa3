package meta

import (
	"fmt"
	"strings"
	"testing"
)

// Every invariant finds the damage that it is about.
func TestCheckFinds(t *testing.T) {
	for _, c := range []struct{ damage, want string }{
		{"DELETE FROM nodes WHERE ino = %[2]d", "points to node"},
		{"DELETE FROM nodes WHERE ino = %[1]d", "not a directory with a name"},
		{"UPDATE nodes SET nlink = 2 WHERE ino = %[2]d", "has link count 2 and 1 names"},
		{"UPDATE nodes SET nlink = 9 WHERE ino = %[1]d", "has link count 9 and 0 subdirectories"},
		{"UPDATE nodes SET parent = %[1]d WHERE ino = %[1]d", "says its parent is"},
		{"INSERT INTO entries VALUES (1, 5, x'41', %[1]d, 2)", "is not where the node says"},
		{"INSERT INTO entries SELECT parent, h, x'41', ino, kind FROM entries WHERE ino = %[1]d", "has 2 names"},
		{"UPDATE nodes SET h = 7 WHERE ino = %[2]d", "newest name"},
		{"UPDATE nodes SET nlink = 2 WHERE ino = %[2]d", "is one of several"},
		{"UPDATE entries SET kind = 0 WHERE ino = %[1]d", "has the wrong kind 0"},
		{"UPDATE nodes SET tenant = 2 WHERE ino = %[2]d", "belongs to tenant 2"},
		{"UPDATE tenants SET root = 999 WHERE id = 1", "root 999 of tenant"},
		{"UPDATE tenants SET files = 50, bytes = 7", "counts 51 nodes, 1 files, 17 bytes, but has 2, 1, 10"},
		{"UPDATE counters SET value = 99 WHERE name = 'counted'", "counted up to 99, but end at 2"},
		{"UPDATE nodes SET version = 999 WHERE ino = %[2]d", "has version 999"},
		{"UPDATE nodes SET version = 0 WHERE ino = %[2]d", "neither replaced nor current"},
		{"UPDATE nodes SET size = 11 WHERE ino = %[2]d", "has size 11, its version 10"},
		{"INSERT INTO redos VALUES (1, 'k', NULL)", "has a redo record but state 2"},
		{"UPDATE versions SET state = 3", "but no redo record"},
		{"INSERT INTO xattrs VALUES (999, 'a', x'00')", "extended attribute a"},
		{"INSERT INTO props VALUES (999, '', 'p', '')", "property p"},
		{"INSERT INTO bso VALUES ('rdp', 'b', '', '', 999, x'', 0, 0)", "binary stream object b"},
		{"UPDATE counters SET value = 0 WHERE name = 'ino'", "not given out"},
		{"UPDATE counters SET value = 0 WHERE name = 'version'", "not given out"},
		{"PRAGMA foreign_keys=0; UPDATE nodes SET tenant = 99 WHERE ino = 1", "foreign key"},
	} {
		t.Run(c.want, func(t *testing.T) {
			db := openDB(t, t.TempDir()+"/tote.db", Options{NoSync: true})
			if _, err := db.EnsureTenant(t.Context(), "other", 0o755, 0, 0, Relaxed); err != nil {
				t.Fatal(err)
			}
			dir := mkdir(t, db, RootIno, "dir")
			f := commit(t, db, dir, "f", "key").Attr
			if found, err := db.Check(t.Context()); err != nil || len(found) != 0 {
				t.Fatalf("before the damage: %v, %v", found, err)
			}
			text := strings.NewReplacer("%[1]d", fmt.Sprint(dir), "%[2]d", fmt.Sprint(f.Ino)).Replace(c.damage)
			if err := db.w.script(text); err != nil {
				t.Fatal(err)
			}
			found, err := db.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(found, "\n"); !strings.Contains(all, c.want) {
				t.Errorf("found %q, want %q", all, c.want)
			}
		})
	}
}

// TestCheckIsLinear asks how SQLite goes about each invariant: a table that is read once per row of another takes days on a large tree.
func TestCheckIsLinear(t *testing.T) {
	db := newDB(t)
	for _, inv := range invariants() {
		if strings.HasPrefix(inv.text, "PRAGMA") {
			continue
		}
		err := db.w.each(func(r row) error {
			if step := r.text(3); strings.HasPrefix(step, "SCAN") && strings.Contains(step, "LEFT-JOIN") {
				t.Errorf("%q: %s", inv.format, step)
			}
			return nil
		}, "EXPLAIN QUERY PLAN "+inv.text)
		if err != nil {
			t.Fatal(err)
		}
	}
}
