package davserver

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// ms are the properties that Windows sets after a copy.
const ms = `xmlns:Z="urn:schemas-microsoft-com:"`

// oc is the namespace of ownCloud's properties.
const oc = `xmlns:o="http://owncloud.org/ns"`

// TestProbesProp: properties stay what they were set to, live ones are true, and answers have the form that clients read.
func TestProbesProp(t *testing.T) {
	probes(t, "prop", []probe{
		{"dead-file", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.has(s.proppatch(d+"/f", `<z:a xmlns:z="http://ns/">v</z:a>`).body, "200 OK")
			s.put(d+"/f", "y")
			s.has(s.propfind(d+"/f", "0", `<z:a xmlns:z="http://ns/"/>`).body, ">v<")
		}},
		{"dead-collection", func(s *share, d string) {
			s.has(s.proppatch(d, `<z:a xmlns:z="http://ns/">v</z:a>`).body, "200 OK")
			s.has(s.propfind(d, "0", `<z:a xmlns:z="http://ns/"/>`).body, ">v<")
		}},
		{"dead-structured", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.proppatch(d+"/f", `<z:a xmlns:z="http://ns/" xml:lang="de"><z:b k="v">one</z:b> two <c xmlns="u:"/></z:a>`)
			s.has(s.propfind(d+"/f", "0", `<z:a xmlns:z="http://ns/"/>`).body, `="v"`, "one", " two ", `"u:"`)
		}},
		{"dead-copied", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.proppatch(d+"/f", `<z:a xmlns:z="http://ns/">v</z:a>`)
			s.want(201, "COPY", d+"/f", "", dest(d+"/copy"))
			s.want(201, "MOVE", d+"/f", "", dest(d+"/moved"))
			s.has(s.propfind(d+"/copy", "0", `<z:a xmlns:z="http://ns/"/>`).body, ">v<")
			s.has(s.propfind(d+"/moved", "0", `<z:a xmlns:z="http://ns/"/>`).body, ">v<")
			s.put(d+"/f", "another file")
			s.lacks(s.propfind(d+"/f", "0", `<z:a xmlns:z="http://ns/"/>`).body, ">v<")
		}},
		{"dead-removed", func(s *share, d string) {
			s.proppatch(d, `<a xmlns="u:">v</a>`)
			s.want(207, "PROPPATCH", d, `<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><a xmlns="u:"/><b xmlns="u:"/></D:prop></D:remove></D:propertyupdate>`)
			s.lacks(s.propfind(d, "0", `<a xmlns="u:"/>`).body, ">v<")
		}},
		{"atomic", func(s *share, d string) {
			got := s.proppatch(d, `<a xmlns="u:">v</a><D:getetag>"x"</D:getetag>`)
			s.has(got.body, "403 Forbidden", "424 Failed Dependency", "cannot-modify-protected-property")
			s.lacks(s.propfind(d, "0", `<a xmlns="u:"/>`).body, ">v<")
		}},
		{"creationdate", func(s *share, d string) {
			s.put(d+"/f", "x")
			for _, p := range []string{d, d + "/f"} {
				got := s.propfind(p, "0", "<D:creationdate/>").body
				if !regexp.MustCompile(`<D:creationdate>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ<`).MatchString(got) {
					s.t.Error(got)
				}
			}
		}},
		{"displayname", func(s *share, d string) {
			s.put(d+"/f%26g", "x")
			s.has(s.propfind(d+"/f%26g", "0", "<D:displayname/>").body, "<D:displayname>f&amp;g</D:displayname>")
			s.has(s.proppatch(d+"/f%26g", "<D:displayname>Shown &amp; told</D:displayname>").body, "200 OK")
			s.has(s.propfind(d, "1", "<D:displayname/>").body, "<D:displayname>Shown &amp; told</D:displayname>")
			s.has(s.want(207, "PROPFIND", d, "", "Depth: 1").body, "<D:displayname>Shown &amp; told</D:displayname>")
			s.want(207, "PROPPATCH", d+"/f%26g", `<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><D:displayname/></D:prop></D:remove></D:propertyupdate>`)
			s.has(s.propfind(d+"/f%26g", "0", "<D:displayname/>").body, "<D:displayname>f&amp;g</D:displayname>")
		}},
		{"contenttype", func(s *share, d string) {
			s.want(201, "PUT", d+"/f.bin", "x", "Content-Type: text/x-own; charset=latin1")
			s.has(s.propfind(d+"/f.bin", "0", "<D:getcontenttype/>").body, "<D:getcontenttype>text/x-own; charset=latin1<")
			if got := s.want(200, "GET", d+"/f.bin", "").Get("Content-Type"); got != "text/x-own; charset=latin1" {
				s.t.Error(got)
			}
			s.want(201, "COPY", d+"/f.bin", "", dest(d+"/g.bin"))
			s.has(s.propfind(d+"/g.bin", "0", "<D:getcontenttype/>").body, "text/x-own")
		}},
		{"quota", func(s *share, d string) {
			got := s.propfind(d, "0", "<D:quota-available-bytes/><D:quota-used-bytes/>").body
			if !regexp.MustCompile(`<D:quota-available-bytes>[1-9]\d*<`).MatchString(got) || !regexp.MustCompile(`<D:quota-used-bytes>\d+<`).MatchString(got) {
				s.t.Error(got)
			}
			s.lacks(s.want(207, "PROPFIND", d, "", "Depth: 0").body, "<D:quota")
		}},
		{"href-form", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.want(201, "MKCOL", d+"/c%20%C3%BC", "")
			got := s.propfind(d+"/", "1", "<D:resourcetype/>").body
			s.has(got, "<D:href>"+d+"/</D:href>", "<D:href>"+d+"/f</D:href>", "<D:href>"+d+"/c%20%C3%BC/</D:href>")
		}},
		{"noslash", func(s *share, d string) {
			s.put(d+"/f", "x")
			got := s.want(207, "PROPFIND", d, "", "Depth: 1")
			s.has(got.body, "<D:href>"+d+"/</D:href>", d+"/f")
			s.want(207, "PROPFIND", "/dav", "", "Depth: 0")
		}},
		{"prefix", func(s *share, d string) {
			got := s.want(207, "PROPFIND", d, "", "Depth: 0")
			s.has(got.body, `<D:multistatus xmlns:D="DAV:">`)
			s.lacks(got.body, ` xmlns="DAV:"`)
			s.has(got.Get("Content-Type"), "application/xml; charset=utf-8")
		}},
		{"propname", func(s *share, d string) {
			s.proppatch(d, `<a xmlns="u:">value</a>`)
			got := s.want(207, "PROPFIND", d, `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`, "Depth: 0").body
			s.has(got, "<D:getetag/>", `"u:"/>`)
			s.lacks(got, "value")
		}},
		{"include", func(s *share, d string) {
			got := s.want(207, "PROPFIND", d, `<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><D:supportedlock/><D:quota-used-bytes/></D:include></D:propfind>`, "Depth: 0").body
			s.has(got, "<D:lockentry>", "<D:quota-used-bytes>", "<D:getetag>")
		}},
		{"oc-mtime", func(s *share, d string) {
			const mod = "<D:getlastmodified>Sun, 09 Sep 2001 01:46:40 GMT<"
			get := func(p string) string { return s.propfind(p, "0", "<D:getlastmodified/>").body }
			accepted := func(a answer) {
				if a.Get("X-OC-Mtime") != "accepted" {
					s.t.Errorf("X-OC-Mtime: %q", a.Get("X-OC-Mtime"))
				}
			}
			accepted(s.want(201, "PUT", d+"/f", "x", "X-OC-Mtime: 1000000000"))
			s.has(get(d+"/f"), mod)
			accepted(s.want(201, "MKCOL", d+"/c", "", "X-OC-Mtime: 1000000000"))
			s.has(get(d+"/c"), mod)
			s.put(d+"/g", "x")
			accepted(s.want(201, "COPY", d+"/g", "", dest(d+"/h"), "X-OC-Mtime: 1000000000"))
			s.has(get(d+"/h"), mod)
			accepted(s.want(201, "MOVE", d+"/g", "", dest(d+"/i"), "X-OC-Mtime: 1000000000"))
			s.has(get(d+"/i"), mod)
			s.want(400, "PUT", d+"/f", "y", "X-OC-Mtime: soon")
			s.holds(d+"/f", "x")
		}},
		{"lastmodified-http", func(s *share, d string) {
			s.put(d+"/f", "x")
			for _, p := range []string{d, d + "/f"} {
				s.has(s.proppatch(p, "<D:getlastmodified>Sun, 09 Sep 2001 01:46:40 GMT</D:getlastmodified>").body, "200 OK")
				s.has(s.propfind(p, "0", "<D:getlastmodified/>").body, "Sun, 09 Sep 2001 01:46:40 GMT")
			}
			s.has(s.proppatch(d, "<D:getlastmodified>soon</D:getlastmodified>").body, "409 Conflict")
		}},
		{"lastmodified-unix", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.has(s.proppatch(d+"/f", "<D:lastmodified>1000000000</D:lastmodified>").body, "200 OK")
			s.has(s.propfind(d+"/f", "0", "<D:getlastmodified/>").body, "Sun, 09 Sep 2001 01:46:40 GMT")
		}},
		{"win32", func(s *share, d string) {
			s.put(d+"/f", "x")
			got := s.proppatch(d+"/f", `<Z:Win32CreationTime `+ms+`>Mon, 08 Jan 2001 10:00:00 GMT</Z:Win32CreationTime><Z:Win32LastAccessTime `+ms+
				`>Tue, 09 Jan 2001 10:00:00 GMT</Z:Win32LastAccessTime><Z:Win32LastModifiedTime `+ms+`>Sun, 09 Sep 2001 01:46:40 GMT</Z:Win32LastModifiedTime>`+
				`<Z:Win32FileAttributes `+ms+`>00000022</Z:Win32FileAttributes>`)
			s.has(got.body, "200 OK")
			s.lacks(got.body, "403", "409", "424")
			found := s.propfind(d+"/f", "0", `<Z:Win32CreationTime `+ms+`/><Z:Win32LastAccessTime `+ms+`/><Z:Win32LastModifiedTime `+ms+`/><Z:Win32FileAttributes `+ms+`/>`).body
			s.has(found, "08 Jan 2001 10:00:00 GMT", "09 Jan 2001 10:00:00 GMT", "09 Sep 2001 01:46:40 GMT", "00000022")
			s.lacks(found, "404")
		}},
		{"win32-mtime-live", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.proppatch(d+"/f", `<Z:Win32LastModifiedTime `+ms+`>Sun, 09 Sep 2001 01:46:40 GMT</Z:Win32LastModifiedTime>`)
			s.has(s.propfind(d+"/f", "0", "<D:getlastmodified/>").body, "Sun, 09 Sep 2001 01:46:40 GMT")
			s.proppatch(d+"/f", `<Z:Win32CreationTime `+ms+`>Mon, 08 Jan 2001 10:00:00 GMT</Z:Win32CreationTime>`)
			s.has(s.propfind(d+"/f", "0", "<D:creationdate/>").body, "<D:creationdate>2001-01-08T10:00:00Z<")
		}},
		{"big-xml", func(s *share, d string) {
			s.want(413, "PROPFIND", d, `<D:propfind xmlns:D="DAV:"><D:prop>`+strings.Repeat("<D:a/>", 200000)+`</D:prop></D:propfind>`)
			s.want(400, "PROPFIND", d, strings.Repeat("<a>", 10000)+strings.Repeat("</a>", 10000))
		}},
		{"xml-bomb", func(s *share, d string) {
			s.want(400, "PROPFIND", d, `<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`)
			s.want(400, "PROPPATCH", d, `<!DOCTYPE a SYSTEM "file:///etc/passwd"><D:propertyupdate xmlns:D="DAV:"/>`)
		}},
		{"gzip", func(s *share, d string) {
			for i := range 50 {
				s.want(201, "MKCOL", d+"/"+strings.Repeat("c", i+1), "")
			}
			plain := s.want(207, "PROPFIND", d, "", "Depth: 1", "Accept-Encoding: identity")
			packed := s.want(207, "PROPFIND", d, "", "Depth: 1", "Accept-Encoding: deflate, gzip;q=0.5")
			if packed.Get("Content-Encoding") != "gzip" || !strings.Contains(packed.Get("Vary"), "Accept-Encoding") || len(packed.body)*5 > len(plain.body) {
				s.t.Fatalf("%d of %d bytes, %v", len(packed.body), len(plain.body), packed.Header)
			}
			z, err := gzip.NewReader(strings.NewReader(packed.body))
			must(s.t, err)
			b, err := io.ReadAll(z)
			must(s.t, err)
			if string(b) != plain.body {
				s.t.Error("the packed answer differs")
			}
			if got := s.want(207, "PROPFIND", d, "", "Depth: 1", "Accept-Encoding: gzip;q=0"); got.Get("Content-Encoding") != "" {
				s.t.Error("gzip was refused and came")
			}
		}},
		{"minimal", func(s *share, d string) {
			got := s.propfind(d, "0", `<D:getcontentlength/><D:getetag/><x xmlns="u:"/>`, "Prefer: return=minimal")
			s.lacks(got.body, "404")
			s.has(got.body, "<D:getetag>")
			if got.Get("Preference-Applied") != "return=minimal" {
				s.t.Error("Preference-Applied is missing")
			}
			none := s.propfind(d, "0", `<x xmlns="u:"/>`, "Prefer: return=minimal").body
			s.has(none, "<D:propstat><D:prop/><D:status>HTTP/1.1 200 OK</D:status></D:propstat>")
			patched := s.proppatch(d, `<a xmlns="u:">v</a>`, "Prefer: handling=strict, return=minimal")
			if patched.code != http.StatusNoContent && patched.code != http.StatusOK || patched.body != "" {
				s.t.Errorf("PROPPATCH: %d %q", patched.code, patched.body)
			}
			s.has(s.proppatch(d, `<D:getetag>v</D:getetag>`, "Prefer: return=minimal").body, "403 Forbidden")
		}},
		{"oc-checksum", func(s *share, d string) {
			const sha, md = "SHA1:2aae6c35c94fcfb415dbe95f408b9ce91ee846ed", "MD5:5eb63bbbe01eeed093cb22bb8f5acdc3"
			s.want(201, "PUT", d+"/f", "hello world", "OC-Checksum: "+sha)
			s.want(400, "PUT", d+"/f", "hello worle", "OC-Checksum: "+sha)
			s.want(400, "PUT", d+"/new", "x", "OC-Checksum: ADLER32:12345678")
			s.absent(d + "/new")
			s.holds(d+"/f", "hello world")
			got := s.propfind(d+"/f", "0", "<o:checksums "+oc+"/>").body
			s.has(got, sha, md)
			if h := s.want(200, "GET", d+"/f", "").Get("OC-Checksum"); h != sha {
				s.t.Errorf("OC-Checksum: %q", h)
			}
			s.want(204, "PUT", d+"/f", "hello world", "OC-Checksum: "+md)
			s.has(s.propfind(d, "1", "<o:checksums "+oc+"/>").body, md)
			s.want(201, "COPY", d+"/f", "", dest(d+"/g"))
			s.has(s.propfind(d+"/g", "0", "<o:checksums "+oc+"/>").body, md)
			s.put(d+"/f", "other")
			s.lacks(s.propfind(d+"/f", "0", "<o:checksums "+oc+"/>").body, md, sha)
			s.want(201, "PUT", d+"/unknown", "x", "OC-Checksum: FANCY:1")
		}},
		{"digest", func(s *share, d string) {
			const sha = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="
			for _, h := range []string{
				"Content-MD5: XrY7u+Ae7tCTyyK7j1rNww==", "Digest: SHA-256=" + sha, "Digest: md5=XrY7u+Ae7tCTyyK7j1rNww==,unixsum=30637",
				"Content-Digest: sha-256=:" + sha + ":", "Repr-Digest: sha-256=:" + sha + ":, other=:AAAA:",
			} {
				s.put(d+"/f", "old")
				s.want(400, "PUT", d+"/f", "hello worle", h)
				s.holds(d+"/f", "old")
				s.want(204, "PUT", d+"/f", "hello world", h)
			}
			if got := s.want(200, "GET", d+"/f", "").Get("Repr-Digest"); got != "sha-256=:"+sha+":" {
				s.t.Errorf("Repr-Digest: %q", got)
			}
			s.want(400, "PUT", d+"/f", "x", "Content-MD5: nonsense")
		}},
		{"sync-collection", func(s *share, d string) {
			s.put(d+"/f", "x")
			report := func(token string) answer {
				return s.want(207, "REPORT", d, `<D:sync-collection xmlns:D="DAV:"><D:sync-token>`+token+
					`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`, "Depth: 0")
			}
			next := func(a answer) string {
				m := regexp.MustCompile(`<D:sync-token>([^<]+)</D:sync-token>`).FindStringSubmatch(a.body)
				if m == nil {
					s.t.Fatalf("no token in\n%s", a.body)
				}
				return m[1]
			}
			first := report("")
			s.has(first.body, "<D:href>"+d+"/f</D:href>", "<D:getetag>")
			s.has(s.propfind(d, "0", "<D:sync-token/><D:supported-report-set/>").body, "<D:sync-token>", "<D:sync-collection/>")
			same := report(next(first))
			s.lacks(same.body, "<D:response>")
			s.put(d+"/g", "y")
			s.want(204, "DELETE", d+"/f", "")
			second := report(next(first))
			s.has(second.body, "<D:href>"+d+"/g</D:href>", "<D:response><D:href>"+d+"/f</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>")
			s.has(s.do("REPORT", d, `<D:sync-collection xmlns:D="DAV:"><D:sync-token>nonsense</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`).body, "<D:valid-sync-token/>")
		}},
	})
}
