package restop

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A server that keeps one file and gives it back.
func TestTransfers(t *testing.T) {
	var kept string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		switch r.Method {
		case http.MethodGet:
			io.WriteString(w, kept)
		case http.MethodPut:
			data, _ := io.ReadAll(r.Body)
			kept = string(data)
		case http.MethodPost:
			file, head, err := r.FormFile("file")
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			data, _ := io.ReadAll(file)
			kept = string(data)
			fmt.Fprintf(w, `{"id":"7","length":%d}`, head.Size)
		}
	}))
	defer srv.Close()
	c, ctx := New(srv.URL+"/", "me", "secret"), t.Context()
	defer c.Close()
	file := func(text string) File {
		return File{Size: int64(len(text)), Open: func() io.Reader { return strings.NewReader(text) }}
	}
	if _, err := c.Put(ctx, "/dav/f", file("put")); err != nil || kept != "put" {
		t.Fatalf("Put: %q, %v", kept, err)
	}
	path, _, err := c.Post(ctx, "f", file("posted"))
	if err != nil || kept != "posted" || path != "/inventory/binaries/7" {
		t.Fatalf("Post: %q at %q, %v", kept, path, err)
	}
	if took, n, err := c.Get(ctx, path); err != nil || n != 6 || took <= 0 {
		t.Errorf("Get: %d bytes in %v, %v", n, took, err)
	}
	if err := c.Delete(ctx, path); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if _, _, err := New(srv.URL, "you", "").Get(ctx, path); err == nil {
		t.Error("Get without a login: no error")
	}
}
