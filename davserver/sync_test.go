package davserver

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// syncReport asks for what has changed in /dav/s since a token and applies it to have, which maps hrefs to entity tags.
func (s *share) syncReport(token string, have map[string]string) string {
	s.t.Helper()
	got := s.want(207, "REPORT", "/dav/s", `<D:sync-collection xmlns:D="DAV:"><D:sync-token>`+token+
		`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`)
	for _, m := range regexp.MustCompile(`<D:response><D:href>([^<]*)</D:href>(.*?)</D:response>`).FindAllStringSubmatch(got.body, -1) {
		href := strings.TrimSuffix(m[1], "/")
		if strings.HasPrefix(m[2], "<D:status>HTTP/1.1 404") {
			delete(have, href)
			continue
		}
		have[href] = m[2]
	}
	return regexp.MustCompile(`<D:sync-token>([^<]+)`).FindStringSubmatch(got.body)[1]
}

// TestSyncReplay: whoever follows the reports has at any time what a full listing shows, whatever was done in between.
func TestSyncReplay(t *testing.T) {
	s := newShare(t)
	s.want(201, "MKCOL", "/dav/s", "")
	s.want(201, "MKCOL", "/dav/out", "")
	rnd := rand.New(rand.NewPCG(1, 2))
	have := map[string]string{}
	token := s.syncReport("", have)
	any := func() string { return fmt.Sprintf("/dav/s/%c", 'a'+rnd.IntN(8)) }
	for round := range 40 {
		for range rnd.IntN(6) {
			switch p := any(); rnd.IntN(8) {
			case 0, 1:
				s.do("PUT", p, fmt.Sprint(round))
			case 2:
				s.do("DELETE", p, "")
			case 3:
				s.do("MOVE", p, "", "Destination: "+any())
			case 4:
				s.do("MOVE", p, "", "Destination: /dav/out/x")
			case 5:
				s.do("COPY", p, "", "Destination: "+any())
			case 6:
				s.do("MKCOL", p, "")
			case 7:
				s.proppatch(p, `<x xmlns="u:">v</x>`)
			}
		}
		token = s.syncReport(token, have)
		all := map[string]string{}
		s.syncReport("", all)
		if !maps.Equal(have, all) {
			t.Fatalf("round %d: followed\n%v\nlisted\n%v", round, have, all)
		}
	}
}

// TestSyncRefused: tokens of other collections and times, depths and levels that are not served, too many results.
func TestSyncRefused(t *testing.T) {
	s := newShare(t)
	s.want(201, "MKCOL", "/dav/s", "")
	s.want(201, "MKCOL", "/dav/o", "")
	for i := range 5 {
		s.put(fmt.Sprintf("/dav/s/%d", i), "x")
	}
	token := s.syncReport("", map[string]string{})
	body := func(token, level, more string) string {
		return `<D:sync-collection xmlns:D="DAV:"><D:sync-token>` + token + `</D:sync-token><D:sync-level>` + level + `</D:sync-level>` + more +
			`<D:prop/></D:sync-collection>`
	}
	for _, c := range []struct {
		path, body, depth string
		code              int
		rule              string
	}{
		{"/dav/o", body(token, "1", ""), "0", 403, "valid-sync-token"},
		{"/dav/s", body("urn:tote:sync:1-99999999", "1", ""), "0", 403, "valid-sync-token"},
		{"/dav/s", body(token[:strings.LastIndex(token, "-")+1]+"99999999", "1", ""), "0", 403, "valid-sync-token"},
		{"/dav/s", body(token, "infinite", ""), "0", 403, "sync-traversal-supported"},
		{"/dav/s", body(token, "1", ""), "1", 400, ""},
		{"/dav/s", body("", "1", "<D:limit><D:nresults>3</D:nresults></D:limit>"), "0", 507, "number-of-matches-within-limits"},
		{"/dav/s", body("", "1", "<D:limit><D:nresults>5</D:nresults></D:limit>"), "0", 207, ""},
		{"/dav/s/1", body("", "1", ""), "0", 405, ""},
		{"/dav/s", `<x/>`, "0", 403, "supported-report"},
		{"/dav/none", body("", "1", ""), "0", 404, ""},
	} {
		got := s.do("REPORT", c.path, c.body, "Depth: "+c.depth)
		if got.code != c.code || !strings.Contains(got.body, c.rule) {
			t.Errorf("%s %s: %d %s", c.path, c.body, got.code, got.body)
		}
	}
}
