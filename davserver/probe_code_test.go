package davserver

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestProbesCode: the status that RFC 4918 and the clients' habits call for.
func TestProbesCode(t *testing.T) {
	probes(t, "code", []probe{
		{"put-new-replace", func(s *share, d string) {
			s.want(201, "PUT", d+"/f", "x")
			s.want(204, "PUT", d+"/f", "y")
			s.want(201, "PUT", d+"/empty", "")
		}},
		{"put-collection", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/c", "")
			s.want(405, "PUT", d+"/c", "x")
			s.want(405, "PUT", d+"/new/", "x")
		}},
		{"put-no-parent", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.want(409, "PUT", d+"/no/f", "x")
			s.want(409, "PUT", d+"/f/g", "x")
		}},
		{"mkcol-slash", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/c/", "")
			s.want(405, "MKCOL", d+"/c/", "")
			s.want(405, "MKCOL", d+"/c", "")
		}},
		{"mkcol-no-parent", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.want(409, "MKCOL", d+"/no/c", "")
			s.want(409, "MKCOL", d+"/f/c", "")
			s.want(405, "MKCOL", d+"/f", "")
		}},
		{"mkcol-body", func(s *share, d string) {
			s.want(415, "MKCOL", d+"/c", "<x/>")
			s.want(415, "MKCOL", d+"/c", "nonsense", "Content-Type: text/plain")
			r := strings.NewReader("chunked")
			if got := s.send("MKCOL", d+"/c", struct{ *strings.Reader }{r}); got.code != 415 {
				s.t.Errorf("chunked: %d", got.code)
			}
			s.absent(d + "/c")
		}},
		{"delete-missing", func(s *share, d string) {
			s.want(404, "DELETE", d+"/none", "")
			s.want(404, "DELETE", d+"/none/none", "")
			s.put(d+"/f", "x")
			s.want(204, "DELETE", d+"/f", "")
			s.want(403, "DELETE", "/dav/", "")
		}},
		{"delete-depth", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/c", "")
			s.put(d+"/c/f", "x")
			s.want(400, "DELETE", d+"/c", "", "Depth: 0")
			s.want(400, "DELETE", d+"/c", "", "Depth: 1")
			s.want(204, "DELETE", d+"/c", "", "Depth: Infinity")
		}},
		{"move-overwrite", func(s *share, d string) {
			s.put(d+"/a", "a")
			s.put(d+"/b", "b")
			s.want(412, "MOVE", d+"/a", "", dest(d+"/b"), "Overwrite: F")
			s.want(204, "MOVE", d+"/a", "", dest(d+"/b")) // absent means T
			s.holds(d+"/b", "a")
			s.want(201, "MOVE", d+"/b", "", dest(d+"/c"), "Overwrite: F")
			s.want(400, "MOVE", d+"/c", "", dest(d+"/e"), "Overwrite: maybe")
		}},
		{"copy-depth", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/c", "")
			s.put(d+"/c/f", "x")
			s.want(201, "COPY", d+"/c", "", dest(d+"/zero"), "Depth: 0")
			s.absent(d + "/zero/f")
			s.want(400, "COPY", d+"/c", "", dest(d+"/one"), "Depth: 1")
			s.want(201, "COPY", d+"/c", "", dest(d+"/all"), "Depth: INFINITY")
			s.holds(d+"/all/f", "x")
			s.want(204, "COPY", d+"/c", "", dest(d+"/zero"))
			s.holds(d+"/zero/f", "x")
		}},
		{"dest-bad", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.want(400, "MOVE", d+"/f", "")
			s.want(400, "MOVE", d+"/f", "", "Destination: relative")
			s.want(400, "MOVE", d+"/f", "", "Destination: {base}"+d+"/%zz")
			s.want(400, "MOVE", d+"/f", "", "Destination: {base}/dav/../g")
			s.want(409, "MOVE", d+"/f", "", dest(d+"/no/f"))
			s.holds(d+"/f", "x")
		}},
		{"dest-host", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.want(502, "COPY", d+"/f", "", "Destination: http://elsewhere.example"+d+"/g")
			s.want(502, "COPY", d+"/f", "", "Destination: {base}/other/g")
			s.want(201, "COPY", d+"/f", "", "Destination: "+d+"/path")
			s.want(201, "COPY", d+"/f", "", "Destination: https://"+s.addr()+d+"/tls") // a proxy took TLS off
			s.want(201, "COPY", d+"/f", "", "Destination: "+s.srv.URL+d+"/sp%20ace")
			s.serves(d+"/sp%20ace", "x")
		}},
		{"head-collection", func(s *share, d string) {
			for _, p := range []string{"/dav", "/dav/", d, d + "/"} {
				if got := s.want(200, "HEAD", p, ""); got.Get("Content-Length") == "" || got.Get("ETag") == "" {
					s.t.Errorf("%s: %v", p, got.Header)
				}
				s.has(s.want(200, "GET", p, "").body, "<a href=")
			}
		}},
		{"propfind-depth", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.want(404, "PROPFIND", d+"/none", "", "Depth: 0")
			s.want(400, "PROPFIND", d, "", "Depth: 2")
			for _, depth := range []string{"infinity", "Infinity", "1"} {
				s.has(s.want(207, "PROPFIND", d, "", "Depth: "+depth).body, d+"/f")
			}
			s.lacks(s.want(207, "PROPFIND", d, "", "Depth: 0").body, d+"/f")
		}},
		{"propfind-infinity", func(s *share, d string) {
			small := newShare(s.t, func(o *Options) { o.MaxInfinite = 3 })
			for i := range 5 {
				small.put(fmt.Sprintf("/dav/f%d", i), "")
			}
			s.has(small.want(403, "PROPFIND", "/dav/", "", "Depth: infinity").body, "<D:propfind-finite-depth/>")
			s.has(small.want(403, "PROPFIND", "/dav/", "").body, "<D:propfind-finite-depth/>") // absent is infinity
			small.want(207, "PROPFIND", "/dav/", "", "Depth: 1")
		}},
		{"unknown", func(s *share, d string) {
			s.want(501, "FROBNICATE", d, "")
			got := s.want(405, "POST", d, "x")
			s.has(got.Get("Allow"), "PROPFIND")
			s.want(405, "PATCH", d, "x")
		}},
	})
}

// TestProbesName: a name comes back as it was given.
func TestProbesName(t *testing.T) {
	probes(t, "name", []probe{
		{"bytes", func(s *share, d string) {
			for c := 1; c < 256; c++ {
				if c == '/' {
					continue
				}
				name := "x" + string([]byte{byte(c)}) + "y"
				p := d + "/" + url.PathEscape(name)
				s.put(p, name)
				s.serves(p, name)
			}
			if n := strings.Count(s.propfind(d, "1", "<D:getetag/>").body, "<D:response>"); n != 255 {
				s.t.Errorf("%d entries", n)
			}
		}},
		{"escapes", func(s *share, d string) {
			for _, name := range []string{"100%", "%20", "a%2520b", "a+b", "a&b", "a;b=c", "ü ñ 日本", "a#b?c", "[x]", "'q'", `"d"`, "<tag>", "~", "...", " lead", "trail "} {
				p := d + "/" + url.PathEscape(name)
				s.put(p, name)
				s.serves(p, name)
				s.want(201, "MOVE", p, "", dest(p+"-moved"))
				s.serves(p+"-moved", name)
			}
		}},
		{"length", func(s *share, d string) {
			s.put(d+"/"+strings.Repeat("n", 255), "x")
			for _, m := range []string{"PUT", "MKCOL", "LOCK"} {
				if got := s.do(m, d+"/"+strings.Repeat("n", 256), lockBody("shared")); got.code < 400 || got.code > 499 {
					s.t.Errorf("%s: %d", m, got.code)
				}
			}
			s.want(400, "MOVE", d+"/"+strings.Repeat("n", 255), "", dest(d+"/"+strings.Repeat("m", 256)))
		}},
		{"nfc-nfd", func(s *share, d string) {
			nfc, nfd := "/%C3%BC", "/u%CC%88"
			s.put(d+nfd, "mac")
			s.serves(d+nfc, "mac")
			s.want(204, "PUT", d+nfc, "win")
			s.serves(d+nfd, "win")
			if n := strings.Count(s.propfind(d, "1", "<D:getetag/>").body, "<D:response>"); n != 2 {
				s.t.Errorf("%d entries", n)
			}
			s.want(204, "DELETE", d+nfc, "")
			s.want(404, "GET", d+nfd, "")
		}},
	})
}

// serves is holds without the look past WebDAV, for names that the test has escaped.
func (s *share) serves(path, want string) {
	s.t.Helper()
	if got := s.want(200, "GET", path, ""); got.body != want {
		s.t.Fatalf("GET %s: got %.40q, want %.40q", path, got.body, want)
	}
}
