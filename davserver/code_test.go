package davserver

import (
	"strings"
	"testing"
)

func TestCodes(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	s.want(201, "MKCOL", "/dav/d", "")
	s.put("/dav/d/g", "y")
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		headers                  []string
	}{
		{"get missing", "GET", "/dav/none", "", 404, nil},
		{"head missing", "HEAD", "/dav/none", "", 404, nil},
		{"get below a file", "GET", "/dav/f/x", "", 409, nil},
		{"propfind missing", "PROPFIND", "/dav/none", "", 404, []string{"Depth: 0"}},
		{"proppatch missing", "PROPPATCH", "/dav/none", `<D:propertyupdate xmlns:D="DAV:"/>`, 404, nil},
		{"delete missing", "DELETE", "/dav/none", "", 404, nil},
		{"mkcol over a file", "MKCOL", "/dav/f", "", 405, nil},
		{"mkcol again", "MKCOL", "/dav/d/", "", 405, nil},
		{"mkcol root", "MKCOL", "/dav/", "", 405, nil},
		{"mkcol without parent", "MKCOL", "/dav/no/d", "", 409, nil},
		{"mkcol below a file", "MKCOL", "/dav/f/d", "", 409, nil},
		{"mkcol with a body", "MKCOL", "/dav/new", "afafaf", 415, nil},
		{"mkcol with XML", "MKCOL", "/dav/new", "<a/>", 415, nil},
		{"mkcol slash", "MKCOL", "/dav/slash/", "", 201, nil},
		{"depth in capitals", "PROPFIND", "/dav/", "", 207, []string{"Depth: Infinity"}},
		{"depth nonsense", "PROPFIND", "/dav/", "", 400, []string{"Depth: 2"}},
		{"post", "POST", "/dav/f", "x", 405, nil},
		{"report", "REPORT", "/dav/f", "<a/>", 405, nil},
		{"unknown method", "BREW", "/dav/f", "", 501, nil},
		{"file with a slash", "GET", "/dav/f/", "", 200, nil},
		{"share without its slash", "PROPFIND", "/dav", "", 207, []string{"Depth: 0"}},
		{"anonymous", "GET", "/dav/f", "", 403, []string{"X-Anonymous: yes"}},
		{"anonymous options", "OPTIONS", "/dav/f", "", 200, []string{"X-Anonymous: yes"}},
	} {
		s.run(c.name, func(t *testing.T) { s.want(c.code, c.method, c.path, c.body, c.headers...) })
	}
	s.absent("/dav/new")
}

func TestOptions(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	s.want(201, "MKCOL", "/dav/d", "")
	for path, allow := range map[string]string{"/dav/f": allowFile, "/dav/d": allowCollection, "/dav/": allowRoot, "/dav/none": allowAbsent} {
		got := s.want(200, "OPTIONS", path, "")
		if got.Get("Allow") != allow || got.Get("DAV") != "1, 2, 3, sabredav-partialupdate" || got.Get("MS-Author-Via") != "DAV" {
			t.Errorf("%s: %v", path, got.Header)
		}
		for m := range strings.SplitSeq(allow, ", ") { // what is allowed is served
			body := map[string]string{"LOCK": lockBody("shared"), "PROPPATCH": "<x/>"}[m]
			if c := s.do(m, path, body, "X-Dry: run", "If-Match: \"none\"").code; c == 405 || c == 501 {
				t.Errorf("%s %s: got %d", m, path, c)
			}
		}
		if got := s.want(200, "OPTIONS", path, "", "X-Anonymous: yes").Get("Allow"); got != allowAnything {
			t.Errorf("%s, anonymous: Allow %q", path, got)
		}
	}
}

// TestReader: somebody who may only read is refused everywhere else.
func TestReader(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	for _, m := range []string{"PUT", "DELETE", "MOVE", "MKCOL", "PROPPATCH", "LOCK"} {
		path, body := "/dav/f", ""
		switch m {
		case "PUT":
			body = "new"
		case "MKCOL":
			path = "/dav/new"
		case "PROPPATCH":
			body = `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="u:"/></D:prop></D:set></D:propertyupdate>`
		case "LOCK":
			body = lockBody("exclusive")
		}
		s.want(403, m, path, body, "Destination: /dav/to", "X-Reader: yes")
	}
	s.want(200, "GET", "/dav/f", "", "X-Reader: yes")
	s.holds("/dav/f", "x")
}

func TestPropfindInfinity(t *testing.T) {
	s := newShare(t, func(o *Options) { o.MaxInfinite = 6 })
	s.want(201, "MKCOL", "/dav/a", "")
	s.want(201, "MKCOL", "/dav/a/b", "")
	for _, f := range []string{"/dav/1", "/dav/a/2", "/dav/a/b/3", "/dav/a/b/4"} {
		s.put(f, "x")
	}
	got := s.want(207, "PROPFIND", "/dav/", "", "Depth: infinity").body
	if n := strings.Count(got, "<D:response>"); n != 7 {
		t.Errorf("%d responses:\n%s", n, got)
	}
	contains(t, got, "<D:href>/dav/a/b/</D:href>", "<D:href>/dav/a/b/3</D:href>")
	s.put("/dav/a/b/5", "x")
	got = s.want(403, "PROPFIND", "/dav/", "").body
	contains(t, got, "propfind-finite-depth")
	s.want(207, "PROPFIND", "/dav/a/b", "")
	s.want(207, "PROPFIND", "/dav/", "", "Depth: 1")
}
