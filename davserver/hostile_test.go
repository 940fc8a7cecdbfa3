package davserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"tote/fs"
)

// TestHostile: what nobody sends by mistake is refused, or does no harm, and leaves things as they were.
func TestHostile(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "kept")
	long := strings.Repeat("x", 9<<10)
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		headers                  []string
	}{
		{"header injection by name", "PUT", "/dav/a%0d%0aSet-Cookie:%20x=1", "x", 201, nil},
		{"destination elsewhere", "MOVE", "/dav/f", "", 502, []string{"Destination: http://evil.example/dav/g"}},
		{"destination with userinfo", "MOVE", "/dav/f", "", 502, []string{"Destination: http://x@evil.example/dav/g"}},
		{"destination of another scheme", "MOVE", "/dav/f", "", 502, []string{"Destination: file://evil/dav/g"}},
		{"destination above", "MOVE", "/dav/f", "", 400, []string{"Destination: /dav/%2e%2e/g"}},
		{"destination with a slash in a name", "MOVE", "/dav/f", "", 400, []string{"Destination: /dav/a%2fb"}},
		{"many lists", "PUT", "/dav/f", "x", 400, []string{"If: " + strings.Repeat("(<urn:x>)", 200)}},
		{"long owner", "LOCK", "/dav/f", strings.Replace(lockBody("exclusive"), "http://example.org/me", long, 1), 400, nil},
		{"owner with markup", "LOCK", "/dav/f", strings.Replace(lockBody("exclusive"), "<D:href>", "<x/></D:owner><D:href>", 1), 400, nil},
		{"negative range", "PATCH", "/dav/f", "x", 400, []string{sabre, "X-Update-Range: bytes=-0"}},
		{"signed range", "PATCH", "/dav/f", "x", 400, []string{sabre, "X-Update-Range: bytes=+1-+1"}},
		{"endless gap", "PATCH", "/dav/f", "x", 413, []string{sabre, "X-Update-Range: bytes=9223372036854775000-"}},
		{"overflowing range", "PATCH", "/dav/f", "x", 400, []string{sabre, "X-Update-Range: bytes=0-9223372036854775807"}},
		{"gap by PUT", "PUT", "/dav/f", "x", 413, []string{"Content-Range: bytes 99999999999-99999999999/*"}},
		{"time before time", "PUT", "/dav/f", "x", 400, []string{"X-OC-Mtime: -1"}},
		{"time after time", "PUT", "/dav/f", "x", 400, []string{"X-OC-Mtime: 99999999999999"}},
		{"digest of another length", "PUT", "/dav/f", "x", 400, []string{"OC-Checksum: SHA1:00"}},
		{"dead property too long", "PROPPATCH", "/dav/f", `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><a xmlns="u:">` + strings.Repeat("x", 70<<10) + `</a></D:prop></D:set></D:propertyupdate>`, 207, nil},
		{"chunk of nobody", "PUT", "/remote.php/dav/uploads/ann/../bob/1", "x", 404, nil},
		{"files of nobody", "PUT", "/remote.php/dav/files/bob/f", "x", 404, []string{"X-User: ann"}},
		{"chunk below a chunk", "PUT", "/remote.php/dav/uploads/ann/1/2/3", "x", 405, []string{"X-User: ann"}},
	} {
		s.run(c.name, func(t *testing.T) {
			got := s.want(c.code, c.method, c.path, c.body, c.headers...)
			if got.Get("Set-Cookie") != "" {
				t.Error("a header was injected")
			}
			if c.code == 207 && !strings.Contains(got.body, "507") {
				t.Errorf("taken: %.300s", got.body)
			}
			s.holds("/dav/f", "kept")
		})
	}
	s.lacks(s.propfind("/dav/", "1", "<D:displayname/>").body, "\r\n")
}

// TestHostileCopyBomb: a folder that is copied into itself, or many times over, takes rows and no bytes, and stays removable.
func TestHostileCopyBomb(t *testing.T) {
	s := newShare(t)
	s.want(201, "MKCOL", "/dav/d", "")
	s.put("/dav/d/f", "x")
	for i := range 8 {
		s.want(201, "COPY", "/dav/d", "", fmt.Sprintf("Destination: /dav/x%d", i))
		s.want(201, "MOVE", fmt.Sprintf("/dav/x%d", i), "", fmt.Sprintf("Destination: /dav/d/x%d", i))
	}
	s.holds("/dav/d/x7/x6/x5/x4/x3/x2/x1/x0/f", "x")
	s.want(204, "DELETE", "/dav/d", "")
	s.absent("/dav/d")
}

// discard is a client that counts what it gets and keeps nothing.
type discard struct {
	head http.Header
	code int
	n    int64
}

func (d *discard) Header() http.Header  { return d.head }
func (d *discard) WriteHeader(code int) { d.code = code }
func (d *discard) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	return len(p), nil
}

// TestListingMemory: a listing of many entries is streamed: what it allocates at a time has nothing to do with their number.
func TestListingMemory(t *testing.T) {
	fsys := openCore(t, t.TempDir())
	a := fs.System("rdp", "dav")
	_, err := fsys.MkdirPath(t.Context(), a, "/d", nil)
	must(t, err)
	w, err := fsys.NewWriter(t.Context(), a, fs.Target{Path: "/d/f"})
	must(t, err)
	_, _, err = w.Commit(t.Context(), fs.CommitOptions{ExpectSize: -1})
	must(t, err)
	for i := range 14 { // 16,384 files in one folder and those below it
		_, err = fsys.Copy(t.Context(), a, "/d", "/copy", true, true, nil)
		must(t, err)
		_, err = fsys.Move(t.Context(), a, "/copy", "/d/x"+strconv.Itoa(i), false, nil)
		must(t, err)
	}
	h := New(fsys, Options{MaxInfinite: 100})
	serve := func(depth string) *discard {
		r := httptest.NewRequest("PROPFIND", "/dav/"+url.PathEscape("d"), nil)
		r.Header.Set("Depth", depth)
		out := &discard{head: http.Header{}}
		h.ServeHTTP(out, r.WithContext(fs.WithActor(r.Context(), a)))
		return out
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := serve("infinity"); got.code != http.StatusForbidden {
		t.Errorf("infinity: %d", got.code)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("a refusal took %d bytes", n)
	}
	if got := serve("1"); got.code != http.StatusMultiStatus || got.n == 0 {
		t.Errorf("depth 1: %d, %d bytes", got.code, got.n)
	}
}
