package davserver

import (
	"bufio"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"tote/fs"
)

func TestRanges(t *testing.T) {
	s := newShare(t)
	put := s.put("/dav/f", "0123456789")
	etag, modified := put.Get("ETag"), put.Get("Last-Modified")
	for _, c := range []struct {
		headers     []string
		code        int
		body, cover string
	}{
		{[]string{"Range: bytes=2-4"}, 206, "234", "bytes 2-4/10"},
		{[]string{"Range: bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{[]string{"Range: bytes=-2"}, 206, "89", "bytes 8-9/10"},
		{[]string{"Range: bytes=8-100"}, 206, "89", "bytes 8-9/10"},
		{[]string{"Range: bytes=0-0"}, 206, "0", "bytes 0-0/10"},
		{[]string{"Range: bytes=10-"}, 416, "", "bytes */10"},
		{[]string{"Range: lines=1-2"}, 416, "", ""},
		{[]string{"Range: bytes=2-4", "If-Range: " + etag}, 206, "234", "bytes 2-4/10"},
		{[]string{"Range: bytes=2-4", `If-Range: "old"`}, 200, "0123456789", ""},
		{[]string{"Range: bytes=2-4", "If-Range: " + modified}, 206, "234", "bytes 2-4/10"},
		{[]string{"If-None-Match: " + etag}, 304, "", ""},
		{[]string{"If-None-Match: *"}, 304, "", ""},
		{[]string{`If-None-Match: "old"`}, 200, "0123456789", ""},
		{[]string{"If-Modified-Since: " + modified}, 304, "", ""},
		{[]string{"If-Match: " + etag}, 200, "0123456789", ""},
		{[]string{`If-Match: "old"`}, 412, "", ""},
		{[]string{"If: ([" + etag + "])"}, 200, "0123456789", ""},
		{[]string{`If: (["old"])`}, 412, "", ""},
	} {
		got := s.do("GET", "/dav/f", "", c.headers...)
		if got.code != c.code || (got.code < 300 && got.body != c.body) || c.cover != "" && got.Get("Content-Range") != c.cover {
			t.Errorf("%v: got %d %q %q", c.headers, got.code, got.body, got.Get("Content-Range"))
		}
	}
	got := s.want(206, "GET", "/dav/f", "", "Range: bytes=0-1,5-6,-1")
	_, params, err := mime.ParseMediaType(got.Get("Content-Type"))
	must(t, err)
	var parts []string
	for m := multipart.NewReader(strings.NewReader(got.body), params["boundary"]); ; {
		p, err := m.NextPart()
		if err == io.EOF {
			break
		}
		must(t, err)
		b, err := io.ReadAll(p)
		must(t, err)
		parts = append(parts, string(b))
	}
	if fmt.Sprint(parts) != "[01 56 9]" {
		t.Errorf("parts %q", parts)
	}
	empty := s.put("/dav/empty", "")
	if got := s.want(200, "GET", "/dav/empty", ""); got.body != "" || got.Get("ETag") != empty.Get("ETag") {
		t.Errorf("empty file: %v", got)
	}
}

// TestLargeGet: a file longer than every buffer on the way, whole and from an odd offset.
func TestLargeGet(t *testing.T) {
	s := newShare(t)
	var b strings.Builder
	for i := range 1 << 20 {
		fmt.Fprintf(&b, "%08d\n", i)
	}
	body := b.String()
	s.put("/dav/big", body)
	s.holds("/dav/big", body)
	if got := s.want(206, "GET", "/dav/big", "", "Range: bytes=1000003-9000002").body; got != body[1000003:9000003] {
		t.Error("the range differs")
	}
	head := s.want(200, "HEAD", "/dav/big", "")
	if head.Get("Content-Length") != fmt.Sprint(len(body)) || head.Get("Accept-Ranges") != "bytes" {
		t.Errorf("HEAD: %v", head.Header)
	}
}

// TestSafeContent: a stored page cannot act in the share's name.
func TestSafeContent(t *testing.T) {
	s := newShare(t)
	s.put("/dav/evil.html", "<script>alert(1)</script>")
	s.want(201, "PUT", "/dav/typed", "x", "Content-Type: image/png")
	for path, kind := range map[string]string{"/dav/evil.html": "text/html; charset=utf-8", "/dav/typed": "image/png", "/dav/": "text/html; charset=utf-8"} {
		got := s.want(200, "GET", path, "")
		if got.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(got.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v", path, got.Header)
		}
		if got.Get("Content-Type") != kind {
			t.Errorf("%s: got %s, want %s", path, got.Get("Content-Type"), kind)
		}
	}
	for header, want := range map[string]string{
		"application/octet-stream":          "text/css; charset=utf-8",
		"application/x-www-form-urlencoded": "text/css; charset=utf-8",
		"nonsense":                          "text/css; charset=utf-8",
		"":                                  "text/css; charset=utf-8",
		"text/x-own; charset=utf-16":        "text/x-own; charset=utf-16",
	} {
		s.do("DELETE", "/dav/a.css", "")
		s.want(201, "PUT", "/dav/a.css", "x", "Content-Type: "+header)
		if got := s.want(200, "HEAD", "/dav/a.css", "").Get("Content-Type"); got != want {
			t.Errorf("PUT as %q is served as %q, want %q", header, got, want)
		}
	}
}

func TestListing(t *testing.T) {
	s := newShare(t)
	s.want(201, "MKCOL", "/dav/d", "")
	s.put("/dav/d/%3Cimg%20src=x%3E", "x")
	got := s.want(200, "GET", "/dav/d", "")
	contains(t, got.body, `<a href="/dav/d/%3Cimg%20src=x%3E">&lt;img src=x&gt;</a>`, `<a href="/dav/">../</a>`)
	if strings.Contains(got.body, "<script") || strings.Contains(got.body, "<img") {
		t.Error("the page holds what it should not")
	}
	head := s.want(200, "HEAD", "/dav/d/", "")
	if head.body != "" || head.Get("Content-Length") != fmt.Sprint(len(got.body)) {
		t.Errorf("HEAD says %s bytes, GET has %d", head.Get("Content-Length"), len(got.body))
	}
	s.want(412, "GET", "/dav/d", "", `If-Match: "old"`)
}

// TestExpectContinue: who waits for permission is refused before the body, and is let in otherwise.
func TestExpectContinue(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "old")
	for _, c := range []struct {
		path, header, first string
	}{
		{"/dav/no/f", "X: y", "409"},
		{"/dav/f", "If-None-Match: *", "412"},
		{"/dav/f", "Content-Range: bytes 0-1/9", "400"},
		{"/dav/", "X: y", "405"},
		{"/dav/f", "X-Reader: yes", "403"},
		{"/dav/f", "X: y", "100"},
	} {
		conn, err := net.Dial("tcp", s.addr())
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n%s\r\n\r\n", c.path, c.header)
		must(t, err)
		rd := bufio.NewReader(conn)
		line, err := rd.ReadString('\n')
		must(t, err)
		if !strings.HasPrefix(line, "HTTP/1.1 "+c.first) {
			t.Errorf("%s %s: got %q, want %s", c.path, c.header, line, c.first)
		}
		if c.first == "100" {
			_, err = rd.ReadString('\n')
			must(t, err)
			_, err = io.WriteString(conn, "new")
			must(t, err)
			resp, err := http.ReadResponse(rd, nil)
			must(t, err)
			resp.Body.Close()
			s.holds("/dav/f", "new")
		} else {
			s.holds("/dav/f", "old")
		}
		conn.Close()
	}
}

// TestSpecialNodes: what the mount can make and WebDAV has no word for.
func TestSpecialNodes(t *testing.T) {
	s := newShare(t)
	ctx := t.Context()
	s.want(201, "MKCOL", "/dav/d", "")
	s.put("/dav/d/f", "through a link")
	_, err := s.fsys.Mknod(ctx, s.admin, fs.RootIno, "fifo", syscall.S_IFIFO|0o644, 0)
	must(t, err)
	for name, target := range map[string]string{
		"tofile": "d/f", "todir": "d", "dangling": "nowhere", "absolute": "/etc/passwd", "out": "../../../../etc/passwd", "loop": "loop", "self": ".",
	} {
		_, err := s.fsys.Symlink(ctx, s.admin, fs.RootIno, name, target)
		must(t, err)
	}
	list := s.propfind("/dav/", "1", "<D:resourcetype/>").body
	contains(t, list, "/dav/tofile<", "/dav/todir/<")
	for _, n := range []string{"fifo", "dangling", "absolute", "out", "loop"} {
		if strings.Contains(list, "/dav/"+n) {
			t.Errorf("%s is listed", n)
		}
		for _, m := range []string{"GET", "PROPFIND", "HEAD"} {
			if got := s.do(m, "/dav/"+n, "", "Depth: 0"); got.code != 404 {
				t.Errorf("%s %s: got %d", m, n, got.code)
			}
		}
	}
	if got := s.want(200, "GET", "/dav/todir/f", "").body; got != "through a link" {
		t.Errorf("got %q", got)
	}
	if got := s.want(200, "GET", "/dav/tofile", "").body; got != "through a link" {
		t.Errorf("got %q", got)
	}
	all := s.want(207, "PROPFIND", "/dav/", "", "Depth: infinity").body
	if !strings.Contains(all, "/dav/d/f<") || strings.Contains(all, "/dav/self/d") {
		t.Errorf("Depth infinity goes in circles:\n%s", all)
	}
}
