package davserver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tote/fs"
)

// TestManyLocks: with more locks than are held at a time each entry still shows those that cover it, at any depth.
func TestManyLocks(t *testing.T) {
	s := newShare(t)
	a := fs.System("rdp", "dav")
	s.want(201, "MKCOL", "/dav/d", "")
	s.want(201, "MKCOL", "/dav/d/sub", "")
	s.put("/dav/d/sub/f", "x")
	lock := func(path string, infinite bool) string {
		l, err := s.fsys.AddLock(t.Context(), a, fs.Lock{Path: path, Infinite: infinite, Expires: time.Now().Add(time.Hour)}, nil)
		must(t, err)
		return l.Token
	}
	want := map[string]string{"/dav/d/sub/": lock("/d/sub", true)}
	want["/dav/d/sub/f"] = want["/dav/d/sub/"]
	for i := range 3 {
		s.put(fmt.Sprintf("/dav/d/f%d", i), "x")
		want[fmt.Sprintf("/dav/d/f%d", i)] = lock(fmt.Sprintf("/d/f%d", i), false)
	}
	for i := range maxHeldLocks { // names that could be locked need not exist
		lock(fmt.Sprintf("/d/none%d", i), false)
	}
	for _, depth := range []string{"1", "infinity"} {
		body := s.propfind("/dav/d", depth, "<D:lockdiscovery/>").body
		for href, token := range want {
			if href == "/dav/d/sub/f" && depth == "1" {
				continue
			}
			_, rest, found := strings.Cut(body, "<D:href>"+href+"</D:href>")
			one, _, _ := strings.Cut(rest, "</D:response>")
			if !found || !strings.Contains(one, token) || strings.Count(one, "<D:activelock>") != 1 {
				t.Errorf("depth %s, %s: %.500s, want %s", depth, href, one, token)
			}
		}
		if n := strings.Count(body, "<D:activelock>"); depth == "infinity" && n != len(want) {
			t.Errorf("%d locks are shown, want %d", n, len(want))
		}
	}
}

// TestSharedLocksAreBounded: every answer about a resource lists its locks, so that there can't be any number.
func TestSharedLocksAreBounded(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "x")
	for i := range 101 {
		want := 200
		if i == 100 {
			want = 423
		}
		s.want(want, "LOCK", "/dav/f", lockBody("shared"))
	}
}
