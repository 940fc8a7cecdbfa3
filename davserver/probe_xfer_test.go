package davserver

import (
	"fmt"
	"strings"
	"testing"
)

// sabre is the body type of a partial update (sabre/dav).
const sabre = "Content-Type: application/x-sabredav-partialupdate"

// TestProbesXfer: bytes move whole, in parts, and checked.
func TestProbesXfer(t *testing.T) {
	probes(t, "xfer", []probe{
		{"range", func(s *share, d string) {
			s.put(d+"/f", "0123456789")
			for r, want := range map[string]string{"2-4": "234", "7-": "789", "-2": "89", "0-0": "0", "8-99": "89"} {
				if got := s.want(206, "GET", d+"/f", "", "Range: bytes="+r); got.body != want {
					s.t.Errorf("%s: %q", r, got.body)
				}
			}
		}},
		{"range-multi", func(s *share, d string) {
			s.put(d+"/f", "0123456789")
			got := s.want(206, "GET", d+"/f", "", "Range: bytes=0-1,5-6")
			s.has(got.Get("Content-Type"), "multipart/byteranges")
			s.has(got.body, "bytes 0-1/10", "bytes 5-6/10")
		}},
		{"range-unsatisfied", func(s *share, d string) {
			s.put(d+"/f", "0123456789")
			if got := s.want(416, "GET", d+"/f", "", "Range: bytes=10-"); got.Get("Content-Range") != "bytes */10" {
				s.t.Error(got.Header)
			}
		}},
		{"head", func(s *share, d string) {
			s.put(d+"/f", "0123456789")
			got := s.want(200, "HEAD", d+"/f", "")
			if got.Get("Content-Length") != "10" || got.Get("Accept-Ranges") != "bytes" || got.Get("Last-Modified") == "" {
				s.t.Error(got.Header)
			}
			s.want(404, "HEAD", d+"/none", "")
		}},
		{"put-validators", func(s *share, d string) {
			got := s.put(d+"/f", "x")
			if got.Get("ETag") == "" || got.Get("Last-Modified") == "" || got.Get("ETag") != s.etag(d+"/f") {
				s.t.Error(got.Header)
			}
		}},
		{"options-noauth", func(s *share, d string) {
			got := s.want(200, "OPTIONS", "/dav/", "", "X-Anonymous: 1")
			s.has(got.Get("DAV"), "1", "2", "3", "sabredav-partialupdate")
			s.has(got.Get("MS-Author-Via"), "DAV")
		}},
		{"options-allow", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.has(s.want(200, "OPTIONS", d+"/f", "").Get("Allow"), "PATCH", "PUT", "LOCK")
			s.has(s.want(200, "OPTIONS", d, "").Get("Allow"), "PROPFIND", "REPORT")
			s.lacks(s.want(200, "OPTIONS", d, "").Get("Allow"), "PUT", "MKCOL")
			s.has(s.want(200, "OPTIONS", d+"/f", "").Get("Accept-Patch"), "application/x-sabredav-partialupdate")
		}},
		{"nosniff", func(s *share, d string) {
			s.want(201, "PUT", d+"/f", "<script>alert(1)</script>", "Content-Type: text/html")
			got := s.want(200, "GET", d+"/f", "")
			s.has(got.Get("X-Content-Type-Options"), "nosniff")
			s.has(got.Get("Content-Security-Policy"), "sandbox")
		}},
		{"expected-length", func(s *share, d string) {
			if got := s.send("PUT", d+"/f", struct{ *strings.Reader }{strings.NewReader("12345")}, "X-Expected-Entity-Length: 9"); got.code != 400 {
				s.t.Errorf("short: %d", got.code)
			}
			s.absent(d + "/f")
			if got := s.send("PUT", d+"/f", struct{ *strings.Reader }{strings.NewReader("12345")}, "X-Expected-Entity-Length: 5"); got.code != 201 {
				s.t.Errorf("whole: %d", got.code)
			}
			s.holds(d+"/f", "12345")
		}},
		{"put-chunked", func(s *share, d string) {
			body := strings.Repeat("chunk", 100000)
			if got := s.send("PUT", d+"/f", struct{ *strings.Reader }{strings.NewReader(body)}); got.code != 201 {
				s.t.Error(got.code)
			}
			s.holds(d+"/f", body)
		}},
		{"put-range", func(s *share, d string) {
			s.put(d+"/f", "0123456789")
			tag := s.etag(d + "/f")
			got := s.want(204, "PUT", d+"/f", "abc", "Content-Range: bytes 3-5/10")
			if got.Get("ETag") == tag || got.Get("ETag") == "" {
				s.t.Errorf("ETag %q after %q", got.Get("ETag"), tag)
			}
			s.holds(d+"/f", "012abc6789")
			s.want(204, "PUT", d+"/f", "XY", "Content-Range: bytes 9-10/*")
			s.holds(d+"/f", "012abc678XY")
			s.want(400, "PUT", d+"/f", "toolong", "Content-Range: bytes 3-5/10")
			s.want(400, "PUT", d+"/f", "345", "Content-Range: bytes 3-5/99")
			s.want(201, "PUT", d+"/new", "abc", "Content-Range: bytes 0-2/3")
			s.holds(d+"/new", "abc")
		}},
		{"patch-sabre", func(s *share, d string) {
			s.put(d+"/f", "0123456789")
			for _, c := range []struct{ r, body, want string }{
				{"bytes=3-5", "abc", "012abc6789"},
				{"bytes=8-", "XYZ", "012abc67XYZ"},
				{"bytes=-2", "--", "012abc67X--"},
				{"append", "!", "012abc67X--!"},
				{"bytes=14-", "gap", "012abc67X--!\x00\x00gap"},
			} {
				got := s.want(204, "PATCH", d+"/f", c.body, sabre, "X-Update-Range: "+c.r)
				if got.Get("ETag") != s.etag(d+"/f") {
					s.t.Errorf("%s: ETag %q", c.r, got.Get("ETag"))
				}
				s.holds(d+"/f", c.want)
			}
		}},
		{"patch-refused", func(s *share, d string) {
			s.put(d+"/f", "0123456789")
			s.want(415, "PATCH", d+"/f", "x", "X-Update-Range: append", "Content-Type: text/plain")
			s.want(400, "PATCH", d+"/f", "x", sabre)
			s.want(400, "PATCH", d+"/f", "x", sabre, "X-Update-Range: bytes=5-3")
			s.want(400, "PATCH", d+"/f", "xyz", sabre, "X-Update-Range: bytes=0-1")
			s.want(400, "PATCH", d+"/f", "xyz", sabre, "X-Update-Range: words=0-1")
			s.want(416, "PATCH", d+"/f", "xyz", sabre, "X-Update-Range: bytes=-11")
			s.want(404, "PATCH", d+"/none", "x", sabre, "X-Update-Range: append")
			s.lock(d+"/f", "X-User: ann")
			s.want(423, "PATCH", d+"/f", "x", sabre, "X-Update-Range: append", "X-User: bob")
			s.holds(d+"/f", "0123456789")
		}},
		{"chunked-upload", func(s *share, d string) {
			up, to := "/remote.php/dav/uploads/ann/42", dest("/remote.php/dav/files/ann"+strings.TrimPrefix(d, "/dav")+"/big")
			ann := "X-User: ann"
			s.want(201, "MKCOL", up, "", to, ann)
			for i, part := range []string{"one", "two", "three"} {
				s.want(201, "PUT", fmt.Sprintf("%s/%05d", up, i+1), part, to, ann)
			}
			s.want(404, "MOVE", up+"/.file", "", to, "X-User: bob")
			s.want(400, "MOVE", up+"/.file", "", to, "OC-Total-Length: 99", ann)
			got := s.want(201, "MOVE", up+"/.file", "", to, "OC-Total-Length: 11", "X-OC-Mtime: 1000000000", ann)
			if got.Get("ETag") != s.etag(d+"/big") {
				s.t.Errorf("ETag %q", got.Get("ETag"))
			}
			s.holds(d+"/big", "onetwothree")
			s.want(404, "MOVE", up+"/.file", "", to, ann)
		}},
		{"chunked-abort", func(s *share, d string) {
			up := "/remote.php/dav/uploads/ann/43"
			s.want(409, "PUT", up+"/00001", "x", "X-User: ann")
			s.want(201, "MKCOL", up, "", "X-User: ann")
			s.want(201, "PUT", up+"/00001", "x", "X-User: ann")
			s.has(s.want(207, "PROPFIND", up, "", "Depth: 1", "X-User: ann").body, up+"/00001")
			s.want(204, "DELETE", up, "", "X-User: ann")
			s.want(404, "PROPFIND", up, "", "Depth: 1", "X-User: ann")
		}},
	})
}
