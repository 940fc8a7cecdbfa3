package davserver

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestProbesLock: a lock keeps others out, lets its owner in, and goes when it should.
func TestProbesLock(t *testing.T) {
	ann, bob := "X-User: ann", "X-User: bob"
	probes(t, "lock", []probe{
		{"token-form", func(s *share, d string) {
			s.put(d+"/f", "x")
			a, b := s.lock(d+"/f"), s.lock(d+"/g")
			for _, token := range []string{a, b} {
				if !regexp.MustCompile(`^urn:uuid:[0-9a-f-]{36}$`).MatchString(token) {
					s.t.Errorf("token %q", token)
				}
			}
			if a == b {
				s.t.Error("the same token twice")
			}
		}},
		{"exclusive", func(s *share, d string) {
			s.put(d+"/f", "x")
			token := s.lock(d+"/f", ann)
			s.want(423, "LOCK", d+"/f", lockBody("exclusive"), bob)
			s.want(423, "LOCK", d+"/f", lockBody("shared"), bob)
			s.want(423, "PUT", d+"/f", "y", bob)
			s.want(423, "PUT", d+"/f", "y", bob, "If: (<"+token+">)") // the token alone is not the right
			s.want(423, "PUT", d+"/f", "y", ann)
			s.want(204, "PUT", d+"/f", "y", ann, "If: (<"+token+">)")
			s.want(200, "GET", d+"/f", "", bob)
		}},
		{"shared", func(s *share, d string) {
			s.put(d+"/f", "x")
			a := tokenOf(s.want(200, "LOCK", d+"/f", lockBody("shared"), ann))
			b := tokenOf(s.want(200, "LOCK", d+"/f", lockBody("shared"), bob))
			s.want(423, "LOCK", d+"/f", lockBody("exclusive"), bob)
			s.want(423, "PUT", d+"/f", "y", "X-User: cid")
			s.want(204, "PUT", d+"/f", "y", ann, "If: (<"+a+">)")
			s.want(204, "UNLOCK", d+"/f", "", ann, "Lock-Token: <"+a+">")
			s.want(423, "PUT", d+"/f", "y", ann)
			s.want(204, "PUT", d+"/f", "z", bob, "If: (<"+b+">)")
		}},
		{"discovery", func(s *share, d string) {
			s.put(d+"/f", "x")
			token := s.lock(d + "/f")
			got := s.propfind(d+"/f", "0", "<D:lockdiscovery/><D:supportedlock/>").body
			s.has(got, token, "<D:lockroot><D:href>"+d+"/f</D:href></D:lockroot>", "http://example.org/me", "<D:timeout>Second-",
				"<D:depth>infinity</D:depth>", "<D:shared/>", "<D:exclusive/>", "<D:write/>")
		}},
		{"423-body", func(s *share, d string) {
			s.lock(d, ann)
			got := s.want(423, "PUT", d+"/f", "x", bob)
			s.has(got.body, "<D:lock-token-submitted>", "<D:href>"+d+"</D:href>")
			s.has(s.want(423, "LOCK", d+"/f", lockBody("exclusive"), bob).body, "<D:no-conflicting-lock>", "<D:href>"+d+"</D:href>")
		}},
		{"bypass-tagged", func(s *share, d string) {
			s.put(d+"/mine", "x")
			s.put(d+"/yours", "old")
			mine := s.lock(d+"/mine", ann)
			s.lock(d+"/yours", bob)
			s.want(423, "PUT", d+"/yours", "new", ann, "If: <"+d+"/mine> (<"+mine+">)")
			s.want(423, "DELETE", d+"/yours", "", ann, "If: <"+d+"/mine> (<"+mine+">)")
			s.want(423, "MOVE", d+"/mine", "", ann, dest(d+"/yours"), "If: <"+d+"/mine> (<"+mine+">)")
			s.holds(d+"/yours", "old")
		}},
		{"bypass-not", func(s *share, d string) {
			s.put(d+"/f", "old")
			s.lock(d+"/f", bob)
			for _, v := range []string{"(Not <urn:uuid:x>)", "(Not <DAV:no-lock>)", "(<urn:uuid:x>) (Not <DAV:no-lock>)", "([" + s.etag(d+"/f") + "])"} {
				s.want(423, "PUT", d+"/f", "new", ann, "If: "+v)
			}
		}},
		{"move-source", func(s *share, d string) {
			s.put(d+"/f", "x")
			token := s.lock(d+"/f", ann)
			s.want(423, "MOVE", d+"/f", "", dest(d+"/g"), bob)
			s.want(201, "MOVE", d+"/f", "", dest(d+"/g"), ann, "If: (<"+token+">)")
			s.lacks(s.propfind(d+"/g", "0", "<D:lockdiscovery/>").body, "activelock") // locks do not move
		}},
		{"move-target", func(s *share, d string) {
			s.put(d+"/f", "new")
			s.put(d+"/g", "old")
			token := s.lock(d+"/g", ann)
			s.want(423, "MOVE", d+"/f", "", dest(d+"/g"), bob)
			s.want(423, "COPY", d+"/f", "", dest(d+"/g"), bob)
			s.want(204, "COPY", d+"/f", "", dest(d+"/g"), ann, "If: <"+d+"/g> (<"+token+">)")
			s.has(s.propfind(d+"/g", "0", "<D:lockdiscovery/>").body, token) // RFC 4918 section 7.7: a lock on the target stays
		}},
		{"move-both", func(s *share, d string) {
			s.put(d+"/f", "new")
			s.put(d+"/g", "old")
			a, b := s.lock(d+"/f", ann), s.lock(d+"/g", ann)
			s.want(423, "MOVE", d+"/f", "", dest(d+"/g"), ann, "If: (<"+a+">)")
			s.want(204, "MOVE", d+"/f", "", dest(d+"/g"), ann, "If: <"+d+"/f> (<"+a+">) <"+d+"/g> (<"+b+">)")
			s.holds(d+"/g", "new")
		}},
		{"gone-delete", func(s *share, d string) {
			s.put(d+"/f", "x")
			token := s.lock(d+"/f", ann)
			s.want(204, "DELETE", d+"/f", "", ann, "If: (<"+token+">)")
			s.want(201, "PUT", d+"/f", "y", bob)
		}},
		{"gone-tree", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/c", "")
			s.put(d+"/c/f", "x")
			token := s.lock(d+"/c/f", ann)
			s.want(423, "DELETE", d+"/c", "", bob)
			s.want(204, "DELETE", d+"/c", "", ann, "If: <"+d+"/c/f> (<"+token+">)")
			s.want(201, "MKCOL", d+"/c", "", bob)
			s.want(201, "PUT", d+"/c/f", "y", bob)
		}},
		{"depth-zero", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/c", "")
			s.put(d+"/c/f", "x")
			token := s.lock(d+"/c", ann, "Depth: 0")
			s.want(423, "PUT", d+"/c/new", "x", bob)
			s.want(423, "MKCOL", d+"/c/sub", "", bob)
			s.want(423, "DELETE", d+"/c/f", "", bob)
			s.want(423, "MOVE", d+"/c/f", "", bob, dest(d+"/out"))
			s.want(423, "PROPPATCH", d+"/c", setX, bob)
			s.want(204, "PUT", d+"/c/f", "y", bob)
			s.want(201, "PUT", d+"/c/new", "x", ann, "If: <"+d+"/c> (<"+token+">)")
		}},
		{"depth-infinity", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/c", "")
			s.want(201, "MKCOL", d+"/c/sub", "")
			token := s.lock(d+"/c", ann)
			s.want(423, "PUT", d+"/c/sub/f", "x", bob)
			s.want(423, "LOCK", d+"/c/sub", lockBody("shared"), bob)
			s.want(201, "PUT", d+"/c/sub/f", "x", ann, "If: <"+d+"/c> (<"+token+">)")
			s.has(s.propfind(d+"/c/sub/f", "0", "<D:lockdiscovery/>").body, token)
		}},
		{"lock-above", func(s *share, d string) {
			s.want(201, "MKCOL", d+"/c", "")
			s.lock(d+"/c/f", bob)
			s.want(423, "LOCK", d+"/c", lockBody("exclusive"), ann)
			s.want(200, "LOCK", d+"/c", lockBody("exclusive"), ann, "Depth: 0")
		}},
		{"unmapped", func(s *share, d string) {
			token := tokenOf(s.want(201, "LOCK", d+"/new", lockBody("exclusive"), ann))
			s.holds(d+"/new", "")
			s.want(423, "PUT", d+"/new", "x", bob)
			s.want(204, "PUT", d+"/new", "x", ann, "If: (<"+token+">)")
			s.want(204, "UNLOCK", d+"/new", "", ann, "Lock-Token: <"+token+">")
			s.holds(d+"/new", "x")
		}},
		{"no-parent", func(s *share, d string) {
			s.want(409, "LOCK", d+"/no/new", lockBody("exclusive"))
			s.want(201, "MKCOL", d+"/no", "")
			s.want(201, "PUT", d+"/no/new", "x")
		}},
		{"refresh", func(s *share, d string) {
			s.put(d+"/f", "x")
			token := s.lock(d+"/f", ann, "Timeout: Second-100")
			got := s.want(200, "LOCK", d+"/f", "", ann, "If: (<"+token+">)", "Timeout: Second-300")
			s.has(got.body, token, "Second-300")
			if got.Get("Lock-Token") != "" {
				s.t.Error("a refresh gave a token")
			}
			s.want(412, "LOCK", d+"/f", "", ann, "If: (<urn:uuid:x>)")
			s.want(400, "LOCK", d+"/f", "", ann)
		}},
		{"timeout-bounded", func(s *share, d string) {
			s.put(d+"/f", "x")
			for v, want := range map[string]string{
				"": "Second-600", "Timeout: Second-60": "Second-60", "Timeout: Infinite": "Second-3600",
				"Timeout: Infinite, Second-4100000000": "Second-3600", "Timeout: Second-4100000000": "Second-3600",
				"Timeout: Second-99999999999999999999": "Second-600", "Timeout: nonsense": "Second-600",
			} {
				got := s.want(200, "LOCK", d+"/f", lockBody("exclusive"), v)
				s.has(got.body, "<D:timeout>"+want+"</D:timeout>")
				s.want(204, "UNLOCK", d+"/f", "", "Lock-Token: <"+tokenOf(got)+">")
			}
		}},
		{"expires", func(s *share, d string) {
			s.put(d+"/f", "x")
			l := s.lock(d+"/f", ann, "Timeout: Second-1")
			_, err := s.fsys.RefreshLock(s.t.Context(), s.admin, l, -time.Second)
			must(s.t, err)
			s.want(204, "PUT", d+"/f", "y", bob)
			s.lacks(s.propfind(d+"/f", "0", "<D:lockdiscovery/>").body, l)
		}},
		{"unlock-url", func(s *share, d string) {
			s.put(d+"/f", "x")
			s.put(d+"/g", "x")
			token := s.lock(d + "/f")
			s.has(s.want(409, "UNLOCK", d+"/g", "", "Lock-Token: <"+token+">").body, "lock-token-matches-request-uri")
			s.want(423, "PUT", d+"/f", "y", ann)
			s.want(204, "UNLOCK", d+"/f", "", "Lock-Token: <"+token+">")
			s.want(409, "UNLOCK", d+"/f", "", "Lock-Token: <"+token+">")
		}},
		{"unlock-bare", func(s *share, d string) {
			s.put(d+"/f", "x")
			token := s.lock(d + "/f")
			s.want(400, "UNLOCK", d+"/f", "")
			s.want(204, "UNLOCK", d+"/f", "", "Lock-Token: "+token)
		}},
		{"owner", func(s *share, d string) {
			s.put(d+"/f", "x")
			body := strings.Replace(lockBody("exclusive"), "<D:href>http://example.org/me</D:href>", `<u:me xmlns:u="urn:u">A &amp; B</u:me>`, 1)
			token := tokenOf(s.want(200, "LOCK", d+"/f", body, ann))
			s.has(s.propfind(d+"/f", "0", "<D:lockdiscovery/>").body, "urn:u", "A &amp; B")
			s.want(403, "UNLOCK", d+"/f", "", bob, "Lock-Token: <"+token+">")
			s.want(403, "LOCK", d+"/f", "", bob, "If: (<"+token+">)")
			s.want(204, "UNLOCK", d+"/f", "", "Lock-Token: <"+token+">") // an administrator breaks it
		}},
	})
}

// setX sets a dead property.
const setX = `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="u:">v</x></D:prop></D:set></D:propertyupdate>`
