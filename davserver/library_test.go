package davserver

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/net/webdav"

	"tote/fs"
)

// libraryShare serves every method with x/net's own Handler over our implementations of its interfaces.
func libraryShare(t *testing.T) *share {
	s := &share{t: t, dir: t.TempDir(), admin: fs.System("rdp", "core")}
	s.fsys = openCore(t, s.dir)
	ours := New(s.fsys, Options{}).(*handler)
	s.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := ours.newRequest(w, r)
		if err != nil {
			q.fail(err)
			return
		}
		c := &corrector{ResponseWriter: w}
		h := webdav.Handler{Prefix: "/dav", FileSystem: &fileSystem{q: q, c: c}, LockSystem: &lockSystem{q: q, c: c}}
		h.ServeHTTP(c, r)
		if err := c.verdict(r.Method); err != nil {
			q.fail(err)
		}
	}))
	return s
}

// TestLibraryAlone: the interfaces are right by themselves, not only for the methods that x/net serves today.
func TestLibraryAlone(t *testing.T) {
	s := libraryShare(t)
	s.want(201, "MKCOL", "/dav/d", "")
	s.want(405, "MKCOL", "/dav/d", "")
	s.want(409, "MKCOL", "/dav/no/d", "")
	etag := s.want(201, "PUT", "/dav/d/f.txt", "hello").Get("ETag")
	got := s.want(200, "GET", "/dav/d/f.txt", "")
	if got.body != "hello" || got.Get("ETag") != etag {
		t.Errorf("GET: %q %s, want %s", got.body, got.Get("ETag"), etag)
	}
	if got := s.want(206, "GET", "/dav/d/f.txt", "", "Range: bytes=1-3").body; got != "ell" {
		t.Errorf("range: %q", got)
	}
	s.want(207, "PROPPATCH", "/dav/d/f.txt", `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="u:">v</x></D:prop></D:set></D:propertyupdate>`)
	contains(t, s.propfind("/dav/d", "1", `<D:getetag/><D:getcontenttype/><x xmlns="u:"/>`).body, "text/plain", ">v</x>")
	s.want(201, "COPY", "/dav/d", "", "Destination: {base}/dav/e")
	s.want(201, "MOVE", "/dav/e", "", "Destination: {base}/dav/g")
	s.holds("/dav/g/f.txt", "hello")

	token := s.lock("/dav/g/f.txt")
	s.want(423, "PUT", "/dav/g/f.txt", "new")
	s.want(423, "LOCK", "/dav/g/f.txt", lockBody("exclusive"))
	s.want(200, "LOCK", "/dav/g/f.txt", "", "If: (<"+token+">)", "Timeout: Second-60")
	s.want(201, "PUT", "/dav/g/f.txt", "new", "If: (<"+token+">)")
	s.want(412, "PUT", "/dav/g/f.txt", "bad", "If: (<urn:uuid:x>)")
	s.want(204, "UNLOCK", "/dav/g/f.txt", "", "Lock-Token: <"+token+">")
	s.want(409, "UNLOCK", "/dav/g/f.txt", "", "Lock-Token: <urn:uuid:x>")
	s.holds("/dav/g/f.txt", "new")
	s.want(204, "DELETE", "/dav/g", "")
	s.want(404, "DELETE", "/dav/g", "")
}

// TestFileAborts: x/net calls Stat and Close on a file whose body failed. Neither may publish it.
func TestFileAborts(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "old")
	h := New(s.fsys, Options{}).(*handler)
	q := &request{h: h, ctx: t.Context(), actor: s.admin, path: "/f"}
	view := &fileSystem{q: q, c: &corrector{}}
	for _, path := range []string{"/f", "/new"} {
		f, err := view.OpenFile(t.Context(), path, 0x242, 0o666) // O_RDWR|O_CREATE|O_TRUNC
		must(t, err)
		if _, err := f.(*file).ReadFrom(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("body")))); err == nil {
			t.Fatal("the body did not fail")
		}
		if _, err := f.Stat(); err == nil {
			t.Error("Stat describes a file that will not be")
		}
		if err := f.Close(); !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("Close: %v", err)
		}
	}
	s.holds("/dav/f", "old")
	s.absent("/dav/new")
}
