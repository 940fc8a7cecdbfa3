package memstore_test

import (
	"testing"

	"tote/objstore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

func newStore(testing.TB) objstore.Store { return memstore.New() }

func TestContract(t *testing.T) { storetest.Run(t, newStore) }

func BenchmarkStore(b *testing.B) { storetest.Bench(b, newStore) }

// TestAbilities pins what code that needs a local disk must not find here.
func TestAbilities(t *testing.T) {
	s := memstore.New()
	if _, ok := objstore.As[objstore.Adopter](s); ok {
		t.Error("memstore adopts files")
	}
	if _, ok := objstore.As[objstore.FileOpener](s); ok {
		t.Error("memstore opens files")
	}
	if _, ok := objstore.As[objstore.Renamer](s); ok {
		t.Error("memstore renames")
	}
}
