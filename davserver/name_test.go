package davserver

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// raw sends a request whose target is not touched by a client library, and returns its status.
func (s *share) raw(method, target string, headers ...string) int {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr())
	must(s.t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\nConnection: close\r\n%s\r\n", method, target, s.addr(),
		strings.Join(append(headers, ""), "\r\n"))
	must(s.t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(s.t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// traversals are paths that must never be taken for something else.
var traversals = []string{
	"/dav/../etc/passwd", "/dav/..", "/dav/.", "/dav/a/../b", "/dav/a/..", "/dav/./a",
	"/dav/%2e%2e/etc/passwd", "/dav/%2E%2E", "/dav/.%2e/x", "/dav/%2e/x", "/dav/a/%2e%2e/%2e%2e/b",
	"/dav/..%2fetc", "/dav/a%2fb", "/dav/a%2Fb", "/dav/%2f", "/dav/a%2f..%2fb",
	"/dav/%00", "/dav/a%00b", "/dav/a%00.txt",
	"/dav/" + strings.Repeat("x", 256), "/dav/a/" + strings.Repeat("%C3%A4", 128), "/dav/" + strings.Repeat("a/", 2100) + "b",
}

func TestTraversal(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "keep")
	for _, p := range traversals {
		for _, m := range []string{"GET", "HEAD", "PUT", "DELETE", "MKCOL", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "OPTIONS"} {
			if got := s.raw(m, p); got != 400 {
				t.Errorf("%s %.60s: got %d, want 400", m, p, got)
			}
		}
		for _, m := range []string{"MOVE", "COPY"} {
			for _, prefix := range []string{"", s.srv.URL} {
				if got := s.raw(m, "/dav/f", "Destination: "+prefix+p); got != 400 {
					t.Errorf("%s Destination %.60s: got %d, want 400", m, p, got)
				}
			}
		}
		if got := s.raw("PUT", "/dav/f", "If: <"+p+"> (<urn:x:y>)"); got != 400 {
			t.Errorf("If %.60s: got %d, want 400", p, got)
		}
	}
	if got := s.raw("GET", "/davx/f"); got != 404 {
		t.Errorf("outside of the share: got %d", got)
	}
	s.holds("/dav/f", "keep")
	if got := s.want(207, "PROPFIND", "/dav/", "", "Depth: 1").body; strings.Count(got, "<D:response>") != 2 {
		t.Errorf("something was made:\n%s", got)
	}
}

// TestDestinations: what is not this server is 502, what is no URL 400.
func TestDestinations(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "keep")
	host := s.addr()
	for dst, want := range map[string]int{
		"":                               400,
		"g":                              400,
		"../g":                           400,
		"/dav/%zz":                       400,
		"http://" + host:                 400,
		"mailto:a@b":                     400,
		"//" + host + "/dav/one":         201,
		"http://" + host + "/dav/two":    201,
		"https://" + host + "/dav/three": 201, // a proxy may have taken TLS off
		"HTTP://" + host + "/dav/four":   201,
		"/dav/five":                      201,
		"/dav/six/":                      201,
		"http://example.org/dav/g":       502,
		"http://evil" + host + "/dav/g":  502,
		"//evil/dav/g":                   502,
		"/other/g":                       502,
		"/davother/g":                    502,
	} {
		if got := s.raw("COPY", "/dav/f", "Destination: "+dst); got != want {
			t.Errorf("%q: got %d, want %d", dst, got, want)
		}
	}
	s.holds("/dav/six", "keep")
	s.absent("/dav/g")
}

// TestNames: any byte but '/' and NUL goes into a name and comes back.
func TestNames(t *testing.T) {
	s := newShare(t)
	names := []string{
		"ü", "日本語", "a b", " lead", "trail ", "a+b", "a%b", "a%20b", "a%2e%2e", "a&b<c>\"d'e", "a?b", "a#b", "a;b=c", "a:b", "a\\b",
		"..\\x", "...", "-", "~", "*", "a\tb", "a\nb", "a\x01b", "a\x7fb", "\xff\xfe", "\xc0\xae\xc0\xae", strings.Repeat("x", 255),
		"._apple", ".DS_Store", "CON", "a|b", "🙂", "a\u202eb", "CaSe", "case",
	}
	for b := 1; b < 256; b++ {
		if b != '/' {
			names = append(names, fmt.Sprintf("byte-%c-%d", 'x', b)+string([]byte{byte(b)}))
		}
	}
	h := New(s.fsys, Options{}).(*handler)
	for _, n := range names {
		href := h.href("/"+n, false)
		s.want(201, "PUT", href, n)
		s.holds2(href, "/"+n, n)
	}
	list := s.propfind("/dav/", "1", "<D:displayname/>").body
	page := s.want(200, "GET", "/dav/", "").body
	for _, n := range names {
		contains(t, list, "<D:href>"+h.href("/"+n, false)+"</D:href>")
		contains(t, page, `<a href="`+h.href("/"+n, false)+`">`)
	}
	if strings.Contains(page, "<c>") {
		t.Error("a name was not escaped")
	}
}

// holds2 is holds for a path that is not its own URL.
func (s *share) holds2(href, path, want string) {
	s.t.Helper()
	if got := s.want(200, "GET", href, "").body; got != want {
		s.t.Errorf("GET %s: got %q, want %q", href, got, want)
	}
	if _, err := s.fsys.Stat(s.t.Context(), s.admin, path); err != nil {
		s.t.Error(err)
	}
}

// TestNormalForms: a Mac asks in NFD for what others named in NFC, and the other way round.
func TestNormalForms(t *testing.T) {
	s := newShare(t)
	s.put("/dav/M%C3%BCller", "nfc")
	if got := s.want(200, "GET", "/dav/Mu%CC%88ller", "").body; got != "nfc" {
		t.Errorf("got %q", got)
	}
	s.put("/dav/Mu%CC%88ller", "new")
	if got := s.want(200, "GET", "/dav/M%C3%BCller", "").body; got != "new" {
		t.Errorf("got %q", got)
	}
	if got := s.propfind("/dav/", "1", "<D:displayname/>").body; strings.Count(got, "<D:response>") != 2 {
		t.Errorf("two files for one name:\n%s", got)
	}
}
