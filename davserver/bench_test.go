package davserver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"golang.org/x/net/webdav"

	"tote/fs"
)

// servers starts ours and, as the baseline, x/net/webdav's own over a plain directory.
func servers(b *testing.B) map[string]string {
	fsys := openCore(b, b.TempDir())
	h := New(fsys, Options{})
	ours := httptest.NewServer(Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(fs.WithActor(r.Context(), fs.System("rdp", "dav"))))
	})))
	b.Cleanup(ours.Close)
	xnet := httptest.NewServer(&webdav.Handler{Prefix: "/dav", FileSystem: webdav.Dir(b.TempDir()), LockSystem: webdav.NewMemLS()})
	b.Cleanup(xnet.Close)
	return map[string]string{"tote": ours.URL + "/dav", "xnet": xnet.URL + "/dav"}
}

// call sends one request and reads the answer.
func call(b *testing.B, method, url string, body io.Reader, n int64, depth string) {
	req, err := http.NewRequest(method, url, body)
	must(b, err)
	req.ContentLength = n
	if depth != "" {
		req.Header.Set("Depth", depth)
	}
	resp, err := http.DefaultClient.Do(req)
	must(b, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(b, err)
	resp.Body.Close()
	if resp.StatusCode >= 400 && resp.StatusCode != 404 {
		b.Fatalf("%s %s: %d", method, url, resp.StatusCode)
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// bigFile is the size of the file in BenchmarkPut and BenchmarkGet, TOTE_BENCH_MIB MiB.
func bigFile(b *testing.B) int64 {
	n := int64(64)
	if v := os.Getenv("TOTE_BENCH_MIB"); v != "" {
		_, err := fmt.Sscan(v, &n)
		must(b, err)
	}
	return n << 20
}

func BenchmarkPut(b *testing.B) {
	size := bigFile(b)
	for name, url := range servers(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				call(b, "PUT", url+"/big", io.LimitReader(zeros{}, size), size, "")
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	size := bigFile(b)
	for name, url := range servers(b) {
		b.Run(name, func(b *testing.B) {
			call(b, "PUT", url+"/big", io.LimitReader(zeros{}, size), size, "")
			b.SetBytes(size)
			for b.Loop() {
				call(b, "GET", url+"/big", nil, 0, "")
			}
		})
	}
}

func BenchmarkPropfind(b *testing.B) {
	for name, url := range servers(b) {
		for i := range 10000 {
			call(b, "PUT", fmt.Sprintf("%s/f%05d.txt", url, i), nil, 0, "")
		}
		b.Run("10000/"+name, func(b *testing.B) {
			for b.Loop() {
				call(b, "PROPFIND", url+"/", nil, 0, "1")
			}
		})
		b.Run("one/"+name, func(b *testing.B) {
			for b.Loop() {
				call(b, "PROPFIND", url+"/f00777.txt", nil, 0, "0")
			}
		})
		b.Run("missing/"+name, func(b *testing.B) {
			for b.Loop() {
				call(b, "PROPFIND", url+"/._f00777.txt", nil, 0, "0")
			}
		})
	}
}
