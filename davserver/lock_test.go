package davserver

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestLockAnswer(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	got := s.want(200, "LOCK", "/dav/f", lockBody("exclusive"), "Depth: 0", "Timeout: Second-300")
	token := strings.Trim(got.Get("Lock-Token"), "<>")
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f-]{36}$`).MatchString(token) {
		t.Errorf("token %q", token)
	}
	contains(t, got.body, "<D:exclusive/>", "<D:depth>0</D:depth>", "<D:timeout>Second-300</D:timeout>", token,
		"<D:lockroot><D:href>/dav/f</D:href></D:lockroot>", "http://example.org/me")

	found := s.propfind("/dav/f", "0", "<D:lockdiscovery/><D:supportedlock/>").body
	contains(t, found, token, "<D:shared/>", "<D:exclusive/>")
	all := s.want(207, "PROPFIND", "/dav/", "", "Depth: 1").body
	contains(t, all, token)
}

// TestLockGuards: every change needs the token, and each goes through with it.
func TestLockGuards(t *testing.T) {
	s := newShare(t)
	patch := `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="u:">v</x></D:prop></D:set></D:propertyupdate>`
	for _, c := range []struct {
		method, body, header string
		ok                   int
	}{
		{"PUT", "new", "", 204},
		{"PROPPATCH", patch, "", 207},
		{"LOCK", lockBody("exclusive"), "", 423}, // a second exclusive lock never
		{"MOVE", "", "Destination: {base}/dav/to", 201},
		{"DELETE", "", "", 204},
	} {
		s.run(c.method, func(t *testing.T) {
			s.put("/dav/f", "old")
			token := s.lock("/dav/f", "X-User: ann")
			got := s.want(423, c.method, "/dav/f", c.body, c.header, "X-User: bob")
			contains(t, got.body, "<D:href>/dav/f</D:href>")
			s.want(423, c.method, "/dav/f", c.body, c.header, "If: (<urn:uuid:wrong>)", "X-User: bob")
			s.want(423, c.method, "/dav/f", c.body, c.header, "If: (<urn:uuid:wrong>) (Not <DAV:no-lock>)", "X-User: bob")
			s.holds("/dav/f", "old")
			s.want(c.ok, c.method, "/dav/f", c.body, c.header, "If: (<"+token+">)", "X-User: ann")
			s.do("UNLOCK", "/dav/f", "", "Lock-Token: <"+token+">", "X-User: ann")
			s.do("DELETE", "/dav/to", "")
			s.do("DELETE", "/dav/f", "")
		})
	}
}

// TestLockBypass: a token of one lock opens no other.
func TestLockBypass(t *testing.T) {
	s := newShare(t)
	s.put("/dav/mine", "x")
	s.put("/dav/yours", "old")
	mine := s.lock("/dav/mine", "X-User: ann")
	s.lock("/dav/yours", "X-User: bob")
	s.want(423, "PUT", "/dav/yours", "new", "If: </dav/mine> (<"+mine+">)", "X-User: ann")
	s.want(423, "PUT", "/dav/yours", "new", "If: (<"+mine+">)", "X-User: ann")
	s.want(423, "PROPPATCH", "/dav/yours", `<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><x/></D:prop></D:remove></D:propertyupdate>`,
		"If: </dav/mine> (<"+mine+">)", "X-User: ann")
	s.holds("/dav/yours", "old")
}

func TestLockCollections(t *testing.T) {
	s := newShare(t)
	s.want(201, "MKCOL", "/dav/d", "")
	s.put("/dav/d/f", "x")

	zero := s.lock("/dav/d", "Depth: 0")
	s.want(423, "PUT", "/dav/d/new", "n")
	s.want(423, "MKCOL", "/dav/d/sub", "")
	s.want(423, "DELETE", "/dav/d/f", "")
	s.want(423, "LOCK", "/dav/d/unmapped", lockBody("exclusive"))
	s.want(204, "PUT", "/dav/d/f", "content is free")
	s.want(201, "PUT", "/dav/d/new", "n", "If: </dav/d> (<"+zero+">)")
	s.want(201, "MKCOL", "/dav/d/sub", "", "If: </dav/d> (<"+zero+">)")
	s.want(204, "UNLOCK", "/dav/d", "", "Lock-Token: <"+zero+">")

	deep := s.lock("/dav/d") // no Depth means infinity
	s.want(423, "PUT", "/dav/d/f", "n")
	s.want(423, "PUT", "/dav/d/sub/g", "n")
	s.want(423, "LOCK", "/dav/d/sub", lockBody("shared"))
	s.want(204, "PUT", "/dav/d/f", "n", "If: (<"+deep+">)")
	s.want(201, "PUT", "/dav/d/sub/g", "n", "If: </dav/d> (<"+deep+">)")
	s.want(204, "UNLOCK", "/dav/d/sub/g", "", "Lock-Token: <"+deep+">") // any resource it covers will do

	s.lock("/dav/d/sub/g")
	got := s.want(423, "DELETE", "/dav/d", "") // a lock below
	contains(t, got.body, "/dav/d/sub/g")
	s.want(423, "LOCK", "/dav/d", lockBody("exclusive"))
	s.want(423, "MOVE", "/dav/d", "", "Destination: /dav/e")
	s.holds("/dav/d/sub/g", "n")
}

func TestLockShared(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	a := strings.Trim(s.want(200, "LOCK", "/dav/f", lockBody("shared"), "X-User: ann").Get("Lock-Token"), "<>")
	b := s.want(200, "LOCK", "/dav/f", lockBody("shared"), "X-User: bob")
	contains(t, b.body, a)
	s.want(423, "LOCK", "/dav/f", lockBody("exclusive"), "X-User: cid")
	s.want(423, "PUT", "/dav/f", "y", "X-User: cid")
	s.want(204, "PUT", "/dav/f", "y", "If: (<"+a+">)", "X-User: ann")
}

// TestLockUnmapped: a lock on a name with nothing there makes an empty file, or nothing at all when it fails.
func TestLockUnmapped(t *testing.T) {
	s := newShare(t)
	s.want(201, "LOCK", "/dav/new", lockBody("exclusive"))
	s.holds("/dav/new", "")
	s.want(409, "LOCK", "/dav/no/new", lockBody("exclusive"))
	s.want(201, "MKCOL", "/dav/no", "")
	s.want(201, "PUT", "/dav/no/new", "the failed lock left nothing behind")
}

func TestLockTimeout(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	for header, want := range map[string]string{
		"":                                  "Second-600",
		"Second-60":                         "Second-60",
		"Second-86400":                      "Second-3600",
		"Infinite":                          "Second-3600",
		"Infinite, Second-4100000000":       "Second-3600",
		"Second-4100000000":                 "Second-3600",
		"Second-99999999999999999999999999": "Second-600",
		"Second-0":                          "Second-600",
		"soon":                              "Second-600",
		"Extend, Second-120":                "Second-120",
	} {
		got := s.want(200, "LOCK", "/dav/f", lockBody("exclusive"), "Timeout: "+header)
		contains(t, got.body, "<D:timeout>"+want+"</D:timeout>")
		s.want(204, "UNLOCK", "/dav/f", "", "Lock-Token: "+got.Get("Lock-Token"))
	}
	got := s.want(200, "LOCK", "/dav/f", lockBody("exclusive"), "Timeout: Second-1")
	token := strings.Trim(got.Get("Lock-Token"), "<>")
	refreshed := s.want(200, "LOCK", "/dav/f", "", "If: (<"+token+">)", "Timeout: Second-200")
	contains(t, refreshed.body, "Second-200", token)
	if refreshed.Get("Lock-Token") != "" {
		t.Error("a refresh hands out a token")
	}
	s.want(412, "LOCK", "/dav/f", "", "If: (<urn:uuid:other>)")
	s.want(400, "LOCK", "/dav/f", "")
	s.want(412, "LOCK", "/dav/", "", "If: (<"+token+">)") // covers the file, not the root
}

func TestLockExpires(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	s.want(200, "LOCK", "/dav/f", lockBody("exclusive"), "Timeout: Second-1")
	deadline := time.After(10 * time.Second)
	for s.do("PUT", "/dav/f", "y").code == 423 {
		select {
		case <-deadline:
			t.Fatal("the lock did not end")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestUnlock(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	s.put("/dav/g", "x")
	token := s.lock("/dav/f", "X-User: ann")
	s.want(400, "UNLOCK", "/dav/f", "")
	s.want(400, "UNLOCK", "/dav/f", "", "Lock-Token: <"+token)
	s.want(409, "UNLOCK", "/dav/g", "", "Lock-Token: <"+token+">", "X-User: ann")
	s.want(409, "UNLOCK", "/dav/f", "", "Lock-Token: <urn:uuid:none>", "X-User: ann")
	s.want(403, "LOCK", "/dav/f", "", "If: (<"+token+">)", "X-User: bob")
	s.want(403, "UNLOCK", "/dav/f", "", "Lock-Token: <"+token+">", "X-User: bob")
	s.want(204, "UNLOCK", "/dav/f", "", "Lock-Token: "+token, "X-User: ann") // without brackets
	s.want(409, "UNLOCK", "/dav/f", "", "Lock-Token: <"+token+">", "X-User: ann")
}

// TestLockGone: locks go with what they are on.
func TestLockGone(t *testing.T) {
	s := newShare(t)
	for _, method := range []string{"DELETE", "MOVE"} {
		s.put("/dav/f", "x")
		token := s.lock("/dav/f")
		s.do(method, "/dav/f", "", "Destination: /dav/g", "If: (<"+token+">)")
		s.absent("/dav/f")
		s.want(201, "PUT", "/dav/f", "new")
		if method == "MOVE" {
			s.want(204, "PUT", "/dav/g", "new")
		}
		s.want(204, "DELETE", "/dav/f", "")
	}
	s.put("/dav/f", "x")
	token := s.lock("/dav/f")
	s.want(201, "COPY", "/dav/f", "", "Destination: /dav/copy")
	s.want(204, "PUT", "/dav/copy", "not locked")
	s.want(423, "COPY", "/dav/copy", "", "Destination: /dav/f")
	s.want(423, "MOVE", "/dav/copy", "", "Destination: /dav/f")
	s.want(204, "MOVE", "/dav/copy", "", "Destination: /dav/f", "If: </dav/f> (<"+token+">)")
}

// TestLockRestart: locks are in the database.
func TestLockRestart(t *testing.T) {
	dir := t.TempDir()
	var token string
	t.Run("before", func(t *testing.T) {
		s := &share{t: t, dir: dir}
		s.serve(New(openCore(t, dir), Options{}))
		s.put("/dav/f", "x")
		token = s.lock("/dav/f")
	})
	t.Run("after", func(t *testing.T) {
		s := &share{t: t, dir: dir}
		s.serve(New(openCore(t, dir), Options{}))
		s.want(423, "PUT", "/dav/f", "y")
		s.want(204, "PUT", "/dav/f", "y", "If: (<"+token+">)")
	})
}

func TestLockBodies(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	for name, body := range map[string]string{
		"wrong root": `<D:lock xmlns:D="DAV:"/>`,
		"no scope":   `<D:lockinfo xmlns:D="DAV:"><D:locktype><D:write/></D:locktype></D:lockinfo>`,
		"two scopes": `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:shared/><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`,
		"no type":    `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:shared/></D:lockscope></D:lockinfo>`,
		"long owner": strings.Replace(lockBody("shared"), "http://example.org/me", strings.Repeat("x", 9000), 1),
	} {
		if got := s.do("LOCK", "/dav/f", body); got.code != 400 {
			t.Errorf("%s: got %d", name, got.code)
		}
	}
	s.want(400, "LOCK", "/dav/f", lockBody("shared"), "Depth: 1")
	s.want(204, "PUT", "/dav/f", "y")
}
