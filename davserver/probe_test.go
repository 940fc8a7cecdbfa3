package davserver

import (
	"net/http"
	"strings"
	"testing"
)

// A probe is one thing that a client relies on and servers get wrong, in a fresh collection of one share. The groups are safe, cond, etag, code,
// name, lock, prop, xfer and flow; each group is a test, and each probe a subtest called after it.
type probe struct {
	name string
	run  func(s *share, d string) // d is the URL path of the collection, without a slash at the end
}

// probes runs a group.
func probes(t *testing.T, group string, list []probe) {
	s := newShare(t)
	for _, p := range list {
		s.run(group+"-"+p.name, func(*testing.T) {
			d := "/dav/" + group + "-" + p.name
			s.want(http.StatusCreated, "MKCOL", d, "")
			p.run(s, d)
		})
	}
}

// dest is a Destination header.
func dest(path string) string { return "Destination: {base}" + path }

// etag is the entity tag of a resource, as HEAD tells it.
func (s *share) etag(path string) string {
	s.t.Helper()
	return s.want(200, "HEAD", path, "").Get("ETag")
}

// tokenOf is the lock token in an answer.
func tokenOf(a answer) string { return strings.Trim(a.Get("Lock-Token"), "<>") }

// lacks fails the test when a part is in s.
func (s *share) lacks(text string, parts ...string) {
	s.t.Helper()
	for _, p := range parts {
		if strings.Contains(text, p) {
			s.t.Errorf("%q is in\n%s", p, text)
		}
	}
}

// has fails the test when a part is missing from text.
func (s *share) has(text string, parts ...string) {
	s.t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			s.t.Errorf("%q is missing from\n%s", p, text)
		}
	}
}
