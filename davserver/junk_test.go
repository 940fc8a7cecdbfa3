package davserver

import (
	"strings"
	"testing"
)

// TestJunk: what desktops leave behind is kept, hidden or dropped, and never refused.
func TestJunk(t *testing.T) {
	names := []string{"._a.txt", ".DS_Store", "Thumbs.db", "thumbs.DB", "desktop.ini"}
	for _, c := range []struct {
		option       string
		served, seen bool
	}{{"keep", true, true}, {"hide", true, false}, {"drop", false, false}} {
		t.Run(c.option, func(t *testing.T) {
			j, err := ParseJunk(c.option)
			must(t, err)
			s := newShare(t, func(o *Options) { o.Junk = j })
			s.put("/dav/a.txt", "a")
			s.want(201, "MKCOL", "/dav/._dir", "")
			for _, n := range names {
				s.want(201, "PUT", "/dav/"+n, "junk")
				if got := s.do("GET", "/dav/"+n, "").code == 200; got != c.served {
					t.Errorf("%s is served: %t", n, got)
				}
				for what, list := range map[string]string{
					"PROPFIND": s.propfind("/dav/", "1", "<D:getetag/>").body, "infinity": s.propfind("/dav/", "infinity", "<D:getetag/>").body,
					"GET": s.want(200, "GET", "/dav/", "").body,
				} {
					if seen := strings.Contains(list, "/dav/"+n); seen != c.seen {
						t.Errorf("%s in %s: %t", n, what, seen)
					}
					contains(t, list, "/dav/a.txt", "/dav/._dir/")
				}
			}
			token := s.lock("/dav/._b")
			s.want(map[bool]int{true: 204, false: 201}[c.served], "PUT", "/dav/._b", "x", "If: (<"+token+">)")
			s.want(204, "UNLOCK", "/dav/._b", "", "Lock-Token: <"+token+">")
			if got := s.do("GET", "/dav/._b", "").code == 200; got != c.served {
				t.Errorf("a locked one is served: %t", got)
			}
			s.want(204, "DELETE", "/dav/._dir", "")
		})
	}
	if _, err := ParseJunk("burn"); err == nil {
		t.Error("burn is an option")
	}
}
