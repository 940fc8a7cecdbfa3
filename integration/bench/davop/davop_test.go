package davop

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/webdav"
)

// serve starts a WebDAV server in memory that wants a login.
func serve(t *testing.T) *Client {
	t.Helper()
	h := &webdav.Handler{Prefix: "/dav", FileSystem: webdav.NewMemFS(), LockSystem: webdav.NewMemLS()}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != `se"cret` {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	c := New(srv.URL+"/dav", "me", `se"cret`)
	t.Cleanup(c.Close)
	return c
}

func TestManyAndList(t *testing.T) {
	c, ctx := serve(t), t.Context()
	if err := c.Mkcol(ctx, "a b"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutMany(ctx, "a b", 20, 10, 3); err != nil {
		t.Fatal(err)
	}
	if _, n, err := c.List(ctx, "a b"); err != nil || n != 21 {
		t.Errorf("List: %d resources, %v", n, err)
	}
	if err := c.Delete(ctx, "a b"); err != nil {
		t.Error(err)
	}
	if _, _, err := c.List(ctx, "a b"); err == nil {
		t.Error("List of a deleted collection: no error")
	}
	if _, err := c.PutMany(ctx, "a b", 5, 10, 3); err == nil {
		t.Error("PutMany into a deleted collection: no error")
	}
}

func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("TOTE_MUST_RUN") == "" {
		t.Skip("curl is not installed")
	}
	c, ctx := serve(t), t.Context()
	content := bytes.Repeat([]byte("0123456789"), 1000)
	local := filepath.Join(t.TempDir(), "local")
	if err := os.WriteFile(local, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, n, err := c.Put(ctx, "x", local); err != nil || n != int64(len(content)) {
		t.Fatalf("Put: %d bytes, %v", n, err)
	}
	if d, n, err := c.Get(ctx, "x"); err != nil || n != int64(len(content)) || d <= 0 {
		t.Errorf("Get: %d bytes in %v, %v", n, d, err)
	}
	if _, _, err := c.Get(ctx, "y"); err == nil {
		t.Error("Get of a missing file: no error")
	}
	checkBlocks(t, c, content)
}

func checkBlocks(t *testing.T, c *Client, content []byte) {
	t.Helper()
	for _, block := range []int{1000, 999, len(content), len(content) + 1} {
		var got []byte
		err := c.Check(t.Context(), "x", block, func(_ int, b []byte) error { got = append(got, b...); return nil })
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("Check by %d: %d bytes, %v", block, len(got), err)
		}
	}
	other := errors.New("other bytes")
	if err := c.Check(t.Context(), "x", 10, func(int, []byte) error { return other }); !errors.Is(err, other) {
		t.Errorf("Check: %v", err)
	}
}

func TestWrongLogin(t *testing.T) {
	c := serve(t)
	c.password = "wrong"
	if err := c.Mkcol(t.Context(), "d"); err == nil {
		t.Error("no error")
	}
}

func TestCancel(t *testing.T) {
	c := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.PutMany(ctx, "d", 5, 10, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("PutMany: %v", err)
	}
}

func TestParseCurl(t *testing.T) {
	if d, n, err := parseCurl("0.250000 1024\n"); err != nil || d != 250*time.Millisecond || n != 1024 {
		t.Errorf("%v, %d, %v", d, n, err)
	}
	for _, bad := range []string{"", "x 1", "1", "1 x", "0 5"} {
		if _, _, err := parseCurl(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
