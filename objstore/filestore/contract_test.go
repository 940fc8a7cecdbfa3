package filestore

import (
	"os"
	"path/filepath"
	"testing"

	"tote/objstore"
	"tote/objstore/storetest"
)

// open makes a store that must not leave temporary files behind.
func open(t testing.TB, opts Options) *Store {
	t.Helper()
	root := filepath.Join(t.TempDir(), "data", "objects")
	s, err := New(root, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, err := os.ReadDir(filepath.Join(root, tmpDir)); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, error %v", tmpDir, left, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newStore(opts Options) func(testing.TB) objstore.Store {
	return func(t testing.TB) objstore.Store { return open(t, opts) }
}

func TestContract(t *testing.T) {
	t.Run("Sync", func(t *testing.T) { storetest.Run(t, newStore(Options{})) })
	t.Run("NoSync", func(t *testing.T) { storetest.Run(t, newStore(Options{NoSync: true})) })
	t.Run("Trace", func(t *testing.T) {
		storetest.Run(t, func(t testing.TB) objstore.Store {
			return storetest.NewTrace(open(t, Options{NoSync: true}))
		})
	})
	t.Run("Fault", func(t *testing.T) {
		storetest.Run(t, func(t testing.TB) objstore.Store {
			return storetest.NewFault(open(t, Options{NoSync: true}))
		})
	})
}

func BenchmarkStore(b *testing.B) {
	b.Run("Sync", func(b *testing.B) { storetest.Bench(b, newStore(Options{})) })
	b.Run("NoSync", func(b *testing.B) { storetest.Bench(b, newStore(Options{NoSync: true})) })
}
