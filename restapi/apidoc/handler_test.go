package apidoc

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// get asks a handler.
func get(t testing.TB, h http.Handler, method, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func read(t testing.TB, r io.Reader) []byte {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestServe asks for everything, packed and not.
func TestServe(t *testing.T) {
	h := New()
	for path, mime := range map[string]string{
		"/openapi.json": "application/json", "/docs": "text/html; charset=utf-8", "/docs/page.js": "text/javascript; charset=utf-8",
		"/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8", "/docs/swagger-ui.css": "text/css; charset=utf-8",
	} {
		t.Run(path, func(t *testing.T) {
			plain, packed := get(t, h, "GET", path, "Accept-Encoding", "gzip;q=0, br"), get(t, h, "GET", path, "Accept-Encoding", "br, gzip")
			for _, res := range []*http.Response{plain, packed} {
				if res.StatusCode != 200 || res.Header.Get("Content-Type") != mime || res.Header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s %v", res.Status, res.Header)
				}
			}
			z, err := gzip.NewReader(packed.Body)
			if err != nil {
				t.Fatal(err)
			}
			if want := read(t, plain.Body); !bytes.Equal(read(t, z), want) || len(want) == 0 {
				t.Error("packed and not packed differ")
			}
			tag := packed.Header.Get("ETag")
			if tag == plain.Header.Get("ETag") {
				t.Error("two encodings have the same ETag")
			}
			if res := get(t, h, "GET", path, "Accept-Encoding", "gzip", "If-None-Match", tag); res.StatusCode != http.StatusNotModified {
				t.Errorf("with its ETag: %s", res.Status)
			}
			if res := get(t, h, "HEAD", path); res.StatusCode != 200 || len(read(t, res.Body)) != 0 {
				t.Errorf("HEAD: %s", res.Status)
			}
		})
	}
}

// TestServeOther asks for what is not there, and in ways that are not served.
func TestServeOther(t *testing.T) {
	h := New()
	for _, c := range []struct {
		method, path string
		status       int
		header, want string
	}{
		{"GET", "/docs/", http.StatusMovedPermanently, "Location", "../docs"},
		{"GET", "/docs/other.js", http.StatusNotFound, "", ""},
		{"GET", "/docs/../handler.go", http.StatusNotFound, "", ""},
		{"POST", "/docs", http.StatusMethodNotAllowed, "Allow", "GET, HEAD"},
		{"DELETE", "/openapi.json", http.StatusMethodNotAllowed, "Allow", "GET, HEAD"},
	} {
		res := get(t, h, c.method, c.path)
		if res.StatusCode != c.status || c.header != "" && res.Header.Get(c.header) != c.want {
			t.Errorf("%s %s: %s %v", c.method, c.path, res.Status, res.Header)
		}
	}
	for path, want := range map[string]bool{"/docs": true, "/docs/x": true, "/openapi.json": true, "/docsx": false, "/openapi.json/x": false, "/": false} {
		if Handles(path) != want {
			t.Errorf("Handles(%q) is not %v", path, want)
		}
	}
}

// TestPolicy wants the page to load nothing from elsewhere, and nothing inline.
func TestPolicy(t *testing.T) {
	h := New()
	res := get(t, h, "GET", "/docs")
	csp := res.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
		t.Errorf("policy: %s", csp)
	}
	page := string(read(t, res.Body))
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if m[1] == "data:," {
			continue
		}
		if res := get(t, h, "GET", "/"+m[1]); res.StatusCode != 200 {
			t.Errorf("the page refers to %s: %s", m[1], res.Status)
		}
	}
	if regexp.MustCompile(`<script>|<style>| style=| on\w+=`).MatchString(page) {
		t.Error("the page has something inline, which the policy forbids")
	}
}
