package memstore_test

import (
	"bytes"
	"errors"
	"testing"

	"tote/objstore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

func newStore(testing.TB) objstore.Store { return memstore.New() }

func TestContract(t *testing.T) { storetest.Run(t, newStore) }

// TestContract_Limited holds the suite itself to what stores on the network can't do.
func TestContract_Limited(t *testing.T) {
	storetest.Run(t, func(testing.TB) objstore.Store {
		return memstore.NewLimited(objstore.Limits{
			MinPart: 20_000, MaxPart: 1 << 30, MaxPut: 1 << 30, MinCopy: 20_000, MaxCopy: 1 << 30, MaxKey: 900,
			EqualParts: true, AllParts: true, TreeKeys: true,
		})
	})
}

func TestLimited_Sizes(t *testing.T) {
	s := memstore.NewLimited(objstore.Limits{MinPart: 1, MaxPart: 10, MaxPut: 20, MinCopy: 1, MaxCopy: 5, MaxKey: 9})
	put := func(n int64) error {
		_, err := s.Put(t.Context(), "a", bytes.NewReader(make([]byte, n)), n)
		return err
	}
	if err := put(20); err != nil {
		t.Error(err)
	}
	if err := put(21); !errors.Is(err, objstore.ErrSize) {
		t.Errorf("a put beyond the limit: %v", err)
	}
	u, err := s.NewUpload(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Part(t.Context(), 1, bytes.NewReader(make([]byte, 11)), 11); !errors.Is(err, objstore.ErrPart) {
		t.Errorf("a part beyond the limit: %v", err)
	}
	if _, err := u.CopyPart(t.Context(), 1, "a", 0, 6); !errors.Is(err, objstore.ErrPart) {
		t.Errorf("a copy beyond the limit: %v", err)
	}
	if _, err := u.CopyPart(t.Context(), 1, "a", 0, 5); err != nil {
		t.Error(err)
	}
}

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
