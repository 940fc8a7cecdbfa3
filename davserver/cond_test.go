package davserver

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestConditions: every method that changes something obeys every precondition, and changes nothing when one fails.
func TestConditions(t *testing.T) {
	s := newShare(t)
	past, future := httpTime(time.Now().Add(-time.Hour)), httpTime(time.Now().Add(time.Hour))
	for _, m := range []struct {
		method, body string
		headers      []string
		ok           int
	}{
		{"PUT", "new", nil, 204},
		{"DELETE", "", nil, 204},
		{"MOVE", "", []string{"Destination: {base}/dav/to"}, 201},
		{"COPY", "", []string{"Destination: {base}/dav/to"}, 201},
		{"PROPPATCH", `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="u:"/></D:prop></D:set></D:propertyupdate>`, nil, 207},
		{"LOCK", lockBody("exclusive"), nil, 200},
	} {
		for _, c := range []struct {
			header string
			ok     bool
		}{
			{"If-Match: {etag}", true},
			{`If-Match: "other", {etag}`, true},
			{"If-Match: *", true},
			{`If-Match: "other"`, false},
			{"If-Match: W/{etag}", false},
			{"If-None-Match: *", false},
			{"If-None-Match: {etag}", false},
			{"If-None-Match: W/{etag}", false},
			{`If-None-Match: "other, with comma"`, true},
			{"If-Unmodified-Since: " + future, true},
			{"If-Unmodified-Since: " + past, false},
			{"If-Unmodified-Since: nonsense", true},
			{"If: ([{etag}])", true},
			{`If: (["other"])`, false},
			{`If: (["other"]) ([{etag}])`, true},
			{`If: (Not ["other"])`, true},
			{"If: (Not [{etag}])", false},
			{"If: (Not <DAV:no-lock>)", true},
			{"If: (<DAV:no-lock>)", false},
			{"If: ([{etag}] <DAV:no-lock>)", false},
			{"If: </dav/f> ([{etag}])", true},
			{"If: <{base}/dav/f> ([{etag}])", true},
			{"If: </dav/missing> ([{etag}])", false},
			{"If: </dav/missing> (Not [{etag}])", true},
			{"If: <http://elsewhere/dav/f> ([{etag}])", false},
			{`If: </dav/other> (["x"]) </dav/f> ([{etag}])`, true},
		} {
			s.run(m.method+" "+c.header, func(t *testing.T) {
				s.do("DELETE", "/dav/to", "")
				s.do("DELETE", "/dav/f", "")
				etag := s.put("/dav/f", "old").Get("ETag")
				headers := append(slices.Clone(m.headers), strings.ReplaceAll(c.header, "{etag}", etag))
				want := m.ok
				if !c.ok {
					want = http.StatusPreconditionFailed
				}
				got := s.do(m.method, "/dav/f", m.body, headers...)
				if got.code != want {
					t.Fatalf("got %d, want %d: %s", got.code, want, got.body)
				}
				if !c.ok {
					s.holds("/dav/f", "old")
					s.absent("/dav/to")
				}
				if tok := got.Get("Lock-Token"); tok != "" {
					s.want(204, "UNLOCK", "/dav/f", "", "Lock-Token: "+tok)
				}
			})
		}
	}
}

func TestConditionsOnAbsent(t *testing.T) {
	s := newShare(t)
	for _, c := range []struct {
		method, header string
		code           int
	}{
		{"PUT", "If-Match: *", 412},
		{"PUT", `If-Match: "x"`, 412},
		{"PUT", "If-None-Match: *", 201},
		{"MKCOL", "If-Match: *", 412},
		{"MKCOL", "If-None-Match: *", 201},
		{"MKCOL", "If: (<DAV:no-lock>)", 412},
		{"LOCK", "If-Match: *", 412},
	} {
		s.run(c.method+" "+c.header, func(t *testing.T) {
			body := ""
			switch c.method {
			case "PUT":
				body = "x"
			case "LOCK":
				body = lockBody("shared")
			}
			s.want(c.code, c.method, "/dav/n", body, c.header)
			s.do("DELETE", "/dav/n", "")
		})
	}
}

// TestIfSyntax: what does not follow the grammar is 400 and changes nothing.
func TestIfSyntax(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "old")
	for _, v := range []string{"()", "(", "(<x>", "<x>)", "x", "(x)", "([\"a\"", "(Not)", "(<>)", "([])", "</dav/f>", "<%zz> (<a:b>)",
		strings.Repeat("(<a:b>)", maxIfLists+1)} {
		if got := s.do("PUT", "/dav/f", "new", "If: "+v); got.code != 400 && got.code != 412 {
			t.Errorf("If: %s: got %d", v, got.code)
		}
		s.holds("/dav/f", "old")
	}
}

func TestEtags(t *testing.T) {
	for _, c := range []struct {
		header []string
		want   []string
	}{
		{nil, nil},
		{[]string{""}, []string{}},
		{[]string{"*"}, []string{"*"}},
		{[]string{`"a"`, `W/"b"`}, []string{`"a"`, `W/"b"`}},
		{[]string{` "a,b" ,, "c"`}, []string{`"a,b"`, `"c"`}},
		{[]string{`unquoted, "x`}, []string{"unquoted", `"x`}},
	} {
		h := http.Header{}
		for _, v := range c.header {
			h.Add("If-Match", v)
		}
		if got := etags(h, "If-Match"); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.header, got, c.want)
		}
	}
}

// TestEtag: one strong tag on all answers, new with every content, kept by MOVE.
func TestEtag(t *testing.T) {
	s := newShare(t)
	one := s.put("/dav/f", "one")
	tag := one.Get("ETag")
	if !strings.HasPrefix(tag, `"`) || one.Get("Last-Modified") == "" {
		t.Fatalf("PUT answers ETag %q, Last-Modified %q", tag, one.Get("Last-Modified"))
	}
	for _, m := range []string{"GET", "HEAD"} {
		if got := s.want(200, m, "/dav/f", "").Get("ETag"); got != tag {
			t.Errorf("%s: got %s, want %s", m, got, tag)
		}
	}
	contains(t, s.propfind("/dav/f", "0", "<D:getetag/>").body, "<D:getetag>"+tag+"</D:getetag>")
	contains(t, s.propfind("/dav/", "1", "<D:getetag/>").body, "<D:getetag>"+tag+"</D:getetag>")

	mtime := "X-OC-Mtime: 1700000000"
	a := s.want(204, "PUT", "/dav/f", "aaa", mtime)
	b := s.want(204, "PUT", "/dav/f", "bbb", mtime)
	if a.Get("ETag") == b.Get("ETag") || a.Get("Last-Modified") != b.Get("Last-Modified") {
		t.Error("two contents with one mtime and length have one ETag")
	}
	s.want(201, "MOVE", "/dav/f", "", "Destination: /dav/g")
	if got := s.want(200, "HEAD", "/dav/g", "").Get("ETag"); got != b.Get("ETag") {
		t.Error("MOVE changed the ETag")
	}
	dir := s.want(200, "HEAD", "/dav/", "").Get("ETag")
	s.put("/dav/h", "")
	if got := s.want(200, "HEAD", "/dav/", "").Get("ETag"); got == dir || dir == "" {
		t.Errorf("the collection's ETag stayed %q", got)
	}
}
