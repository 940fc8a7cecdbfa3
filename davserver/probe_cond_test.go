package davserver

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// conditional are the requests that a false condition has to stop, whatever they would do to d/f.
var conditional = []struct{ method, body, header string }{
	{"PUT", "new", ""},
	{"DELETE", "", ""},
	{"MOVE", "", "Destination: {base}{d}/to"},
	{"COPY", "", "Destination: {base}{d}/to"},
	{"PROPPATCH", `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="u:">v</x></D:prop></D:set></D:propertyupdate>`, ""},
	{"LOCK", `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`, ""},
	{"PATCH", "xx", "X-Update-Range: bytes=0-1"},
}

// stops sends all of conditional with a header and wants each refused, then that nothing has changed.
func (s *share) stops(d string, headers ...string) {
	s.t.Helper()
	tag := s.etag(d + "/f")
	for _, c := range conditional {
		h := append([]string{strings.ReplaceAll(c.header, "{d}", d), "Content-Type: application/x-sabredav-partialupdate"}, headers...)
		s.want(412, c.method, d+"/f", c.body, h...)
	}
	if s.etag(d+"/f") != tag {
		s.t.Error("something was changed")
	}
	s.absent(d + "/to")
	s.lacks(s.propfind(d+"/f", "0", `<D:lockdiscovery/><x xmlns="u:"/>`).body, "activelock", ">v<")
}

// TestProbesCond: no change happens when its condition does not hold.
func TestProbesCond(t *testing.T) {
	past := "Thu, 01 Jan 1998 00:00:00 GMT"
	future := time.Now().Add(48 * time.Hour).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	probes(t, "cond", []probe{
		{"if-match-false", func(s *share, d string) {
			s.put(d+"/f", "old")
			s.stops(d, `If-Match: "nonsense"`)
		}},
		{"if-match-true", func(s *share, d string) {
			tag := s.put(d+"/f", "old").Get("ETag")
			tag = s.want(204, "PUT", d+"/f", "new", "If-Match: "+tag).Get("ETag")
			s.want(204, "PUT", d+"/f", "newer", `If-Match: "other", `+tag)
			s.want(204, "PUT", d+"/f", "newest", "If-Match: *")
		}},
		{"if-match-weak", func(s *share, d string) {
			tag := s.put(d+"/f", "old").Get("ETag")
			s.want(412, "PUT", d+"/f", "new", "If-Match: W/"+tag)
		}},
		{"if-match-absent", func(s *share, d string) {
			s.want(412, "PUT", d+"/f", "new", "If-Match: *")
			s.want(412, "MKCOL", d+"/c", "", "If-Match: *")
			s.absent(d + "/f")
			s.absent(d + "/c")
		}},
		{"if-none-match-star", func(s *share, d string) {
			s.want(201, "PUT", d+"/f", "first", "If-None-Match: *")
			s.stops(d, "If-None-Match: *")
			s.holds(d+"/f", "first")
		}},
		{"if-none-match-tag", func(s *share, d string) {
			tag := s.put(d+"/f", "old").Get("ETag")
			s.stops(d, `If-None-Match: "x", `+tag)
			s.want(204, "PUT", d+"/f", "new", `If-None-Match: "x"`)
		}},
		{"if-unmodified-since", func(s *share, d string) {
			s.put(d+"/f", "old")
			s.stops(d, "If-Unmodified-Since: "+past)
			s.want(204, "PUT", d+"/f", "new", "If-Unmodified-Since: "+future)
		}},
		{"if-modified-since", func(s *share, d string) {
			modified := s.put(d+"/f", "old").Get("Last-Modified")
			s.want(304, "GET", d+"/f", "", "If-Modified-Since: "+modified)
			s.want(200, "GET", d+"/f", "", "If-Modified-Since: "+past)
			s.want(204, "PUT", d+"/f", "new", "If-Modified-Since: "+future) // only for GET and HEAD
		}},
		{"if-range", func(s *share, d string) {
			put := s.put(d+"/f", "0123456789")
			for v, want := range map[string]int{put.Get("ETag"): 206, put.Get("Last-Modified"): 206, `"old"`: 200, past: 200, "W/" + put.Get("ETag"): 200} {
				s.want(want, "GET", d+"/f", "", "Range: bytes=2-4", "If-Range: "+v)
			}
		}},
		{"if-etag", func(s *share, d string) {
			tag := s.put(d+"/f", "old").Get("ETag")
			s.stops(d, `If: (["nonsense"])`)
			s.stops(d, `If: (Not [`+tag+`])`)
			s.want(204, "PUT", d+"/f", "new", `If: (["nonsense"]) ([`+tag+`])`)
		}},
		{"if-not", func(s *share, d string) {
			s.put(d+"/f", "old")
			s.want(204, "PUT", d+"/f", "new", "If: (Not <DAV:no-lock>)")
			s.stops(d, "If: (<DAV:no-lock>)")
			token := s.lock(d + "/f")
			s.want(412, "PUT", d+"/f", "newer", "If: (Not <"+token+">)")
			s.want(204, "PUT", d+"/f", "newer", "If: (<"+token+">) (Not <DAV:no-lock>)")
		}},
		{"if-token-and-etag", func(s *share, d string) {
			s.put(d+"/f", "old")
			token := s.lock(d + "/f")
			s.want(412, "PUT", d+"/f", "new", "If: (<"+token+`> ["nonsense"])`)
			s.holds(d+"/f", "old")
			s.want(204, "PUT", d+"/f", "new", "If: (<"+token+"> ["+s.etag(d+"/f")+"])")
		}},
		{"if-tagged", func(s *share, d string) {
			s.put(d+"/f", "old")
			tag := s.put(d+"/other", "x").Get("ETag")
			s.stops(d, `If: <{base}`+d+`/other> (["nonsense"])`)
			s.stops(d, `If: <`+d+`/none> ([`+tag+`])`)
			s.stops(d, `If: <http://elsewhere.example`+d+`/other> ([`+tag+`])`)
			s.want(204, "PUT", d+"/f", "new", `If: <{base}`+d+`/other> ([`+tag+`])`)
			s.want(201, "COPY", d+"/f", "", dest(d+"/to"), `If: <`+d+`/other> ([`+tag+`])`)
		}},
		{"if-syntax", func(s *share, d string) {
			s.put(d+"/f", "old")
			for _, v := range []string{"(", "()", "<x>", "( <a>", "(Not)", `("x")`, "nonsense", "([])"} {
				s.want(400, "PUT", d+"/f", "new", "If: "+v)
			}
			s.holds(d+"/f", "old")
		}},
	})
}

// TestProbesEtag: one strong tag for one state, on every way to it.
func TestProbesEtag(t *testing.T) {
	strong := regexp.MustCompile(`^"[^"]+"$`)
	probes(t, "etag", []probe{
		{"strong", func(s *share, d string) {
			if tag := s.put(d+"/f", "x").Get("ETag"); !strong.MatchString(tag) {
				s.t.Errorf("PUT %q", tag)
			}
			if tag := s.etag(d); !strong.MatchString(tag) {
				s.t.Errorf("collection %q", tag)
			}
		}},
		{"same-everywhere", func(s *share, d string) {
			tag := s.put(d+"/f", "x").Get("ETag")
			if get := s.want(200, "GET", d+"/f", "", "Accept-Encoding: gzip").Get("ETag"); get != tag {
				s.t.Errorf("PUT %s, GET %s", tag, get)
			}
			s.has(s.propfind(d+"/f", "0", "<D:getetag/>").body, ">"+tag+"<")
			s.has(s.propfind(d, "0", "<D:getetag/>").body, ">"+s.etag(d)+"<")
		}},
		{"changes", func(s *share, d string) {
			seen := map[string]bool{}
			for range 20 { // of the same length, within one second, with the same time
				tag := s.want(0, "PUT", d+"/f", "abc", "X-OC-Mtime: 1000000000").Get("ETag")
				if seen[tag] {
					s.t.Fatalf("%s comes back", tag)
				}
				seen[tag] = true
			}
		}},
		{"stable-over-move", func(s *share, d string) {
			tag := s.put(d+"/f", "x").Get("ETag")
			s.want(201, "MOVE", d+"/f", "", dest(d+"/g"))
			s.want(201, "MKCOL", d+"/c", "")
			if got := s.etag(d + "/g"); got != tag {
				s.t.Errorf("before %s, after %s", tag, got)
			}
			tag = s.etag(d + "/c")
			s.want(201, "MOVE", d+"/c", "", dest(d+"/e"))
			if got := s.etag(d + "/e"); got != tag {
				s.t.Errorf("collection before %s, after %s", tag, got)
			}
		}},
		{"collection", func(s *share, d string) {
			tag := s.etag(d)
			s.put(d+"/f", "x")
			with := s.etag(d)
			s.want(204, "DELETE", d+"/f", "")
			if without := s.etag(d); tag == with || with == without || without == tag {
				s.t.Errorf("empty %s, with a file %s, without %s", tag, with, without)
			}
			s.want(412, "MOVE", d, "", dest(d+"2"), `If-Match: "nonsense"`)
		}},
	})
}
