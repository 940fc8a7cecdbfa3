package davserver

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"tote/fs"
)

func TestLiveProperties(t *testing.T) {
	s := newShare(t)
	s.want(201, "MKCOL", "/dav/d", "")
	s.want(201, "PUT", "/dav/d/a.txt", "hello", "X-OC-Mtime: 1700000000")
	got := s.propfind("/dav/d/a.txt", "0", "<D:resourcetype/><D:displayname/><D:getcontentlength/><D:getcontenttype/><D:getetag/>"+
		"<D:getlastmodified/><D:creationdate/><D:supportedlock/><D:lockdiscovery/><D:quota-used-bytes/>").body
	contains(t, got, "<D:href>/dav/d/a.txt</D:href>", "<D:resourcetype/>", "<D:displayname>a.txt</D:displayname>",
		"<D:getcontentlength>5</D:getcontentlength>", "<D:getcontenttype>text/plain; charset=utf-8</D:getcontenttype>",
		"<D:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</D:getlastmodified>", "<D:shared/>", "<D:lockdiscovery/>",
		"<D:prop><D:quota-used-bytes/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status>")
	if !regexp.MustCompile(`<D:creationdate>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ</D:creationdate>`).MatchString(got) {
		t.Errorf("no creationdate in\n%s", got)
	}
	got = s.propfind("/dav/d", "0", "<D:resourcetype/><D:getcontentlength/><D:getetag/><D:quota-available-bytes/><D:quota-used-bytes/>").body
	contains(t, got, "<D:href>/dav/d/</D:href>", "<D:resourcetype><D:collection/></D:resourcetype>", "<D:getcontentlength/></D:prop><D:status>HTTP/1.1 404")
	if !regexp.MustCompile(`<D:quota-available-bytes>[1-9]\d*</D:quota-available-bytes>`).MatchString(got) {
		t.Errorf("no quota in\n%s", got)
	}
	all := s.want(207, "PROPFIND", "/dav/", "", "Depth: 1").body
	if strings.Contains(all, "quota") || !strings.Contains(all, "<D:getetag>") {
		t.Errorf("allprop:\n%s", all)
	}
	minimal := s.propfind("/dav/d", "0", "<D:getcontentlength/><x xmlns='u:'/>", "Prefer: return=minimal").body
	if strings.Contains(minimal, "404") {
		t.Errorf("return=minimal:\n%s", minimal)
	}
}

func TestPropfindForms(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	s.proppatch("/dav/f", `<z:author xmlns:z="http://ns/">me</z:author>`)
	names := s.want(207, "PROPFIND", "/dav/f", `<a:propfind xmlns:a="DAV:"><a:propname/></a:propfind>`, "Depth: 0").body
	contains(t, names, "<D:getetag/>", "<D:lockdiscovery/>", `<P:author xmlns:P="http://ns/"/>`)
	if strings.Contains(names, "me<") {
		t.Error("propname gives values")
	}
	all := s.want(207, "PROPFIND", "/dav/f", `<propfind xmlns="DAV:"><allprop/><include><supportedlock/><x xmlns="u:"/></include></propfind>`,
		"Depth: 0").body
	contains(t, all, "<D:lockentry>", `<P:author xmlns:P="http://ns/">me</P:author>`, `<P:x xmlns:P="u:"/></D:prop><D:status>HTTP/1.1 404`)
	for _, body := range []string{
		`<D:propfind xmlns:D="DAV:"/>`,
		`<D:propfind xmlns:D="DAV:"><D:allprop/><D:propname/></D:propfind>`,
		`<D:propfind xmlns:D="DAV:"><D:prop/><D:include/></D:propfind>`,
		`<propfind><allprop/></propfind>`,
		`<D:propfind xmlns:D="DAV:"><D:prop>`,
		`<D:propfind xmlns:D="DAV:" xmlns:p=""><D:allprop/></D:propfind>`,
	} {
		if got := s.do("PROPFIND", "/dav/f", body, "Depth: 0"); got.code != 400 {
			t.Errorf("%s: got %d", body, got.code)
		}
	}
}

// TestDeadProperties: any XML under any name comes back, on files and collections, after COPY and MOVE too.
func TestDeadProperties(t *testing.T) {
	s := newShare(t)
	for _, path := range []string{"/dav/f", "/dav/d"} {
		if path == "/dav/f" {
			s.put(path, "x")
		} else {
			s.want(201, "MKCOL", path, "")
		}
		props := `<z:text xmlns:z="http://ns/">a &lt;b&gt; &amp; ü 🙂</z:text>` +
			`<z:tree xmlns:z="http://ns/"><z:a k="v" z:k="w"/><b xmlns="http://other/"><c/></b><d/>tail</z:tree>` +
			`<none xmlns="">no namespace</none><same xmlns="c8y">not REST's</same><z:empty xmlns:z="http://ns/"/>`
		if got := s.proppatch(path, props); got.code != 207 || strings.Contains(got.body, "HTTP/1.1 4") {
			t.Fatalf("%d\n%s", got.code, got.body)
		}
		for _, p := range []string{path, path + "-copy", path + "-moved"} {
			switch {
			case strings.HasSuffix(p, "copy"):
				s.want(201, "COPY", path, "", "Destination: "+p)
			case strings.HasSuffix(p, "moved"):
				s.want(201, "MOVE", path, "", "Destination: "+p)
			}
			got := s.propfind(p, "0", `<z:text xmlns:z="http://ns/"/><z:tree xmlns:z="http://ns/"/><none xmlns=""/><same xmlns="c8y"/><z:empty xmlns:z="http://ns/"/>`)
			contains(t, got.body, "a &lt;b&gt; &amp; ü 🙂", ">no namespace</none>", ">not REST")
			if strings.Contains(got.body, "404") {
				t.Errorf("%s: something is missing:\n%s", p, got.body)
			}
			checkTree(t, got.body)
		}
	}
}

// checkTree looks at the structure of z:tree with a parser that knows namespaces.
func checkTree(t *testing.T, body string) {
	t.Helper()
	var seen []string
	d := xml.NewDecoder(strings.NewReader(body))
	for {
		tok, err := d.Token()
		if err != nil {
			break
		}
		if e, ok := tok.(xml.StartElement); ok {
			seen = append(seen, e.Name.Space+"|"+e.Name.Local)
			for _, a := range e.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					seen = append(seen, "@"+a.Name.Space+"|"+a.Name.Local+"="+a.Value)
				}
			}
		}
	}
	contains(t, strings.Join(seen, " "), "http://ns/|tree http://ns/|a", "@|k=v", "@http://ns/|k=w", "http://other/|b http://other/|c |d")
}

// TestProppatchAtomic: one refusal, and nothing is set.
func TestProppatchAtomic(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	for _, c := range []struct {
		bad    string
		status int
	}{
		{"<D:getetag>x</D:getetag>", 403},
		{"<D:resourcetype/>", 403},
		{"<D:lockdiscovery/>", 403},
		{"<D:getlastmodified>tomorrow</D:getlastmodified>", 409},
		{"<D:lastmodified>-5</D:lastmodified>", 409},
		{`<big xmlns="u:">` + strings.Repeat("x", maxProp+1) + "</big>", 507},
	} {
		got := s.proppatch("/dav/f", `<good xmlns="u:">1</good>`+c.bad)
		contains(t, got.body, fmt.Sprintf("HTTP/1.1 %d ", c.status), "HTTP/1.1 424 ")
		contains(t, s.propfind("/dav/f", "0", `<good xmlns="u:"/>`).body, "HTTP/1.1 404 ")
	}
	update := `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="u:">1</x></D:prop></D:set>` +
		`<D:remove><D:prop><x xmlns="u:"/><never xmlns="u:"/></D:prop></D:remove></D:propertyupdate>`
	contains(t, s.want(207, "PROPPATCH", "/dav/f", update).body, "HTTP/1.1 200 OK") // in document order
	contains(t, s.propfind("/dav/f", "0", `<x xmlns="u:"/>`).body, "HTTP/1.1 404 ")
	for _, body := range []string{"", "<a/>", `<D:propertyupdate xmlns:D="DAV:"/>`, `<D:propertyupdate xmlns:D="DAV:"><D:set/></D:propertyupdate>`} {
		if got := s.do("PROPPATCH", "/dav/f", body); got.code != 400 {
			t.Errorf("%q: got %d", body, got.code)
		}
	}
}

// TestModificationTime: every way a client has to keep a file's time.
func TestModificationTime(t *testing.T) {
	s := newShare(t)
	want := "<D:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</D:getlastmodified>"
	for _, prop := range []string{
		"<D:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</D:getlastmodified>",
		"<D:lastmodified>1700000000</D:lastmodified>",
		`<Z:Win32LastModifiedTime xmlns:Z="urn:schemas-microsoft-com:">Tue, 14 Nov 2023 22:13:20 GMT</Z:Win32LastModifiedTime>`,
	} {
		s.put("/dav/f", "x")
		got := s.proppatch("/dav/f", prop+`<Z:Win32FileAttributes xmlns:Z="urn:schemas-microsoft-com:">00000020</Z:Win32FileAttributes>`)
		if got.code != 207 || strings.Contains(got.body, "HTTP/1.1 4") {
			t.Fatalf("%s: %d\n%s", prop, got.code, got.body)
		}
		contains(t, s.propfind("/dav/f", "0", "<D:getlastmodified/>").body, want)
	}
	contains(t, s.propfind("/dav/f", "0", `<Z:Win32LastModifiedTime xmlns:Z="urn:schemas-microsoft-com:"/><Z:Win32FileAttributes xmlns:Z="urn:schemas-microsoft-com:"/>`).body,
		">Tue, 14 Nov 2023 22:13:20 GMT<", ">00000020<")
	got := s.want(204, "PUT", "/dav/f", "y", "X-OC-Mtime: 1700000000.5")
	if got.Get("X-OC-Mtime") != "accepted" {
		t.Error("X-OC-Mtime was not accepted")
	}
	info, err := s.fsys.Stat(t.Context(), s.admin, "/f")
	must(t, err)
	if !info.ModTime().Equal(time.Unix(1700000000, 5e8)) {
		t.Errorf("mtime %v", info.ModTime())
	}
}

// TestOwnProperties: the core's properties have a namespace of their own, in both directions.
func TestOwnProperties(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	s.proppatch("/dav/f", `<t:mediaAssetId xmlns:t="urn:tote:properties">a "b" &amp; c</t:mediaAssetId>`)
	info, err := s.fsys.Stat(t.Context(), s.admin, "/f")
	must(t, err)
	props, err := s.fsys.Props(t.Context(), s.admin, info.Ino())
	must(t, err)
	want := fs.Property{Name: fs.PropMediaAssetID, Value: fs.JSONString(`a "b" & c`)}
	if len(props) != 1 || props[0] != want {
		t.Errorf("got %v, want %v", props, want)
	}
	contains(t, s.propfind("/dav/f", "0", `<t:mediaAssetId xmlns:t="urn:tote:properties"/>`).body, `a "b" &amp; c</P:mediaAssetId>`)
}

func TestSpaces(t *testing.T) {
	for _, ns := range []string{"", "c8y", "DAV:", "http://x/", toteNS, membersNS, deadPrefix, deadPrefix + "c8y", deadPrefix + deadPrefix} {
		space := spaceOf(ns)
		if back, ok := nsOf(space); !ok || back != ns {
			t.Errorf("%q became %q and came back as %q", ns, space, back)
		}
		if !ownSpace(ns) && (space == "" || space == "c8y") {
			t.Errorf("%q reaches the core's own space", ns)
		}
	}
}

// TestPropfindPages: more entries than a page and a piece, each exactly once.
func TestPropfindPages(t *testing.T) {
	s := newShare(t)
	const n = 2*listSize + 7
	for i := range n {
		_, err := s.fsys.MkdirPath(t.Context(), s.admin, fmt.Sprintf("/d%d", i), nil)
		must(t, err)
	}
	got := s.want(207, "PROPFIND", "/dav/", "", "Depth: 1").body
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`<D:href>([^<]*)</D:href>`).FindAllStringSubmatch(got, -1) {
		seen[m[1]]++
	}
	if len(seen) != n+1 || seen["/dav/"] != 1 || seen["/dav/d0/"] != 1 {
		t.Errorf("%d of %d entries", len(seen), n+1)
	}
	contains(t, s.propfind("/dav/", "1", `<x xmlns="u:"/>`).body, "<D:href>/dav/d1/</D:href>")
	must(t, s.fsys.PatchProps(t.Context(), s.admin, fs.RootIno, []fs.Property{{Space: "u:", Name: "x", Value: "found"}}, nil))
	named := s.propfind("/dav/", "1", `<x xmlns="u:"/><y xmlns="v:"/>`).body
	if strings.Count(named, ">found<") != 1 || strings.Count(named, "HTTP/1.1 404") != n+1 {
		t.Error("named dead properties differ")
	}
	var v struct{}
	if err := xml.Unmarshal([]byte(got), &v); err != nil {
		t.Error(err)
	}
}
