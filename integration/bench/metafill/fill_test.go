package metafill

import (
	"path/filepath"
	"strings"
	"testing"

	"tote/meta"
)

// TestFill makes a small tree and finds in it what its names promise.
func TestFill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tote.db")
	withDB(t, path, func(db *meta.DB) {
		if _, err := db.EnsureTenant(t.Context(), tenant, 0o755, 0, 0, meta.Relaxed); err != nil {
			t.Fatal(err)
		}
	})
	const wide = 50
	if err := Fill(t.Context(), path, 2*GroupFiles); err != nil {
		t.Fatal(err)
	}
	if err := FillWide(t.Context(), path, wide); err != nil {
		t.Fatal(err)
	}
	withDB(t, path, func(db *meta.DB) {
		tn, err := db.TenantByName(t.Context(), tenant)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{Dir(0) + "/" + Name(0), Dir(2*groupDirs-1) + "/" + Name(DirFiles-1), Wide + "/" + Name(wide-1)} {
			if _, err := db.WalkPath(t.Context(), tn.Root, strings.Split(p, "/")); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
		if u, err := db.Usage(t.Context(), tn.ID); err != nil || u.Files < 2*GroupFiles+wide {
			t.Errorf("%+v, %v", u, err)
		}
		if found, err := db.Check(t.Context()); err != nil || len(found) > 0 {
			t.Errorf("the database is damaged: %v, %v", found, err)
		}
	})
}

func withDB(t *testing.T, path string, use func(*meta.DB)) {
	t.Helper()
	db, err := meta.Open(t.Context(), path, meta.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	use(db)
}
