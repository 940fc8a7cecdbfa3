package s3store_test

import (
	"crypto/rand"
	"log/slog"
	"strings"
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

func TestStore_At(t *testing.T) {
	g := s3test.Start(t)
	s := open(t, options(t, g, "p"))
	_, err := s.Put(t.Context(), "q/a", strings.NewReader("x"), 1)
	must(t, err)
	other, err := s.At(g.Prefix("p/q"))
	must(t, err)
	if info, err := other.Stat(t.Context(), "a"); err != nil || info.Size != 1 || other.Capabilities() != s.Capabilities() {
		t.Errorf("%+v, error %v", info, err)
	}
	if _, err := s.At("a//b"); err == nil {
		t.Error("a bad prefix is taken")
	}
}
