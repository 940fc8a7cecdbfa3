package storetest

import (
	"testing"

	"tote/objstore"
)

// clause is one promise of the contract and the test that holds a store to it.
type clause struct {
	name string
	test func(t *testing.T, s objstore.Store)
}

// Run holds the stores that newStore makes to the contract, each clause on a fresh and empty one. newStore
// cleans up with t.Cleanup.
func Run(t *testing.T, newStore func(t testing.TB) objstore.Store) {
	t.Helper()
	run(t, "Key", keyClauses(), newStore)
	run(t, "Put", putClauses(), newStore)
	run(t, "Get", getClauses(), newStore)
	run(t, "Stat", statClauses(), newStore)
	run(t, "Delete", deleteClauses(), newStore)
	run(t, "List", listClauses(), newStore)
	run(t, "Upload", uploadClauses(), newStore)
	run(t, "CopyPart", copyClauses(), newStore)
	run(t, "Complete", completeClauses(), newStore)
	run(t, "Abort", abortClauses(), newStore)
	run(t, "Limits", limitClauses(), newStore)
	runAbility[objstore.Adopter](t, "Adopter", adopterClauses(), newStore)
	runAbility[objstore.LazyAdopter](t, "LazyAdopter", lazyAdopterClauses(), newStore)
	runAbility[objstore.FileOpener](t, "FileOpener", fileOpenerClauses(), newStore)
	runAbility[objstore.Renamer](t, "Renamer", renamerClauses(), newStore)
	runAbility[objstore.PathFinder](t, "PathFinder", pathFinderClauses(), newStore)
	runAbility[objstore.Resumer](t, "Resumer", resumerClauses(), newStore)
	runAbility[objstore.UploadLister](t, "UploadLister", uploadListerClauses(), newStore)
	runAbility[objstore.MatchGetter](t, "MatchGetter", matchGetterClauses(), newStore)
	runAbility[objstore.Describer](t, "Describer", describerClauses(), newStore)
	runAbility[objstore.Presigner](t, "Presigner", presignerClauses(), newStore)
	runAbility[objstore.PutPresigner](t, "PutPresigner", putPresignerClauses(), newStore)
}

func run(t *testing.T, group string, clauses []clause, newStore func(t testing.TB) objstore.Store) {
	t.Helper()
	t.Run(group, func(t *testing.T) {
		for _, c := range clauses {
			t.Run(c.name, func(t *testing.T) { c.test(t, newStore(t)) })
		}
	})
}

// runAbility runs the clauses of an ability that the store has. One it lacks leaves no skipped test behind,
// because a skip is a failure where the tests must all run.
func runAbility[T any](t *testing.T, group string, clauses []clause, newStore func(t testing.TB) objstore.Store) {
	t.Helper()
	if has[T](t, newStore) {
		run(t, group, clauses, newStore)
	}
}

func has[T any](t *testing.T, newStore func(t testing.TB) objstore.Store) (ok bool) {
	t.Helper()
	t.Run("Has", func(t *testing.T) { _, ok = objstore.As[T](newStore(t)) })
	return ok
}
