package s3store_test

import (
	"crypto/rand"
	"log/slog"
	"testing"

	"tote/objstore"
	"tote/objstore/s3store"
	"tote/objstore/s3store/s3test"
	"tote/objstore/storetest"
)

// options are those of a prefix on a gateway.
func options(t testing.TB, g *s3test.Gateway, prefix string) s3store.Options {
	t.Helper()
	opts, err := s3store.ParseURL(g.URL(prefix))
	if err != nil {
		t.Fatal(err)
	}
	opts.Credentials = g.Credentials()
	opts.Logger = slog.New(slog.DiscardHandler)
	return opts
}

func open(t testing.TB, opts s3store.Options) *s3store.Store {
	t.Helper()
	s, err := s3store.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	g := s3test.Start(t)
	storetest.Run(t, func(t testing.TB) objstore.Store {
		return open(t, options(t, g, "p-"+rand.Text()[:8]+"/ü"))
	})
}
