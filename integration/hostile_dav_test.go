package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tote/meta"
)

// TestDAVHostile: a great many files and locks cost neither memory nor, where they are not asked about, time. TestSoakDAVHostile does it with a million
// files and 100,000 locks.
func TestDAVHostile(t *testing.T) {
	davHostile(t, 6_000, 1_500)
}

// TestSoakDAVHostile is TestDAVHostile at full size.
func TestSoakDAVHostile(t *testing.T) {
	needSoak(t)
	davHostile(t, 1_000_000, 100_000)
}

func davHostile(t *testing.T, files, locks int) {
	t.Helper()
	s := startServer(t, func(s *server) {
		fill(t, s.data, func(ctx context.Context, db *meta.DB) {
			start := time.Now()
			fillHostile(t, ctx, db, files, locks)
			t.Logf("%d files and %d locks made in %v", files, locks, time.Since(start).Round(time.Millisecond))
		})
	})
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"start", func(t *testing.T) { _, _, err := s.do("GET", "/dav/many/f0", nil, []int{200}); check(t, err) }},
		{"infinity", func(t *testing.T) { davInfinity(t, s) }},
		{"list", func(t *testing.T) { davListMany(t, s, files) }},
		{"locks", func(t *testing.T) { davManyLocks(t, s, locks) }},
		{"bodies", func(t *testing.T) { davBodies(t, s) }},
	} {
		t.Run(step.name, step.do)
		t.Logf("%s: memory so far at most %d MiB", step.name, s.memoryPeak()>>20)
	}
	s.checkMemory()
}

// fillHostile makes one directory with many files, the first of which are locked, with owners as large as they may be.
func fillHostile(t testing.TB, ctx context.Context, db *meta.DB, files, locks int) {
	t.Helper()
	dir := makeNode(t, ctx, db, meta.RootIno, "many", syscall.S_IFDIR|0o755)
	for i := range files {
		makeNode(t, ctx, db, dir, "f"+strconv.Itoa(i), syscall.S_IFREG|0o644)
	}
	owner := "<D:href>" + strings.Repeat("x", 8000) + "</D:href>"
	tenant, err := db.TenantByName(ctx, "rdp")
	check(t, err)
	for i := range locks {
		check(t, db.AddLock(ctx, meta.Lock{
			Token: fmt.Sprintf("urn:uuid:%032d", i), Tenant: tenant.ID, Path: "/many/f" + strconv.Itoa(i), Owner: owner, User: "other",
			Expires: time.Now().Add(time.Hour),
		}, meta.Precondition{}, nil, meta.Relaxed))
	}
}

// davInfinity: a listing of everything is refused before it has cost anything.
func davInfinity(t *testing.T, s *server) {
	start := time.Now()
	out, _, err := s.do("PROPFIND", "/dav/", nil, []int{403}, "Depth", "infinity")
	check(t, err)
	if !strings.Contains(string(out), "propfind-finite-depth") {
		t.Errorf("refused with %s", out)
	}
	t.Logf("refused in %v", time.Since(start).Round(time.Millisecond))
}

// davListMany lists the directory with all properties and locks, and throws the answer away as it comes.
func davListMany(t *testing.T, s *server, files int) {
	start := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), "PROPFIND", s.base+"/dav/many", nil)
	check(t, err)
	req.SetBasicAuth(adminUser, adminPassword)
	req.Header.Set("Depth", "1")
	resp, err := http.DefaultTransport.RoundTrip(req) // without a limit of time: a million entries take a minute
	check(t, err)
	defer resp.Body.Close()
	c := counter{what: "</D:response>"}
	n, err := io.Copy(&c, resp.Body)
	check(t, err)
	if resp.StatusCode != http.StatusMultiStatus || c.n != files+1 {
		t.Errorf("%s with %d entries, want %d", resp.Status, c.n, files+1)
	}
	t.Logf("%d MiB listed in %v", n>>20, time.Since(start).Round(time.Millisecond))
}

// counter counts a string in what is written to it.
type counter struct {
	what string
	n    int
	rest string
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	text := c.rest + string(p)
	c.n += strings.Count(text, c.what)
	c.rest = text[max(strings.LastIndex(text, c.what)+len(c.what), len(text)-len(c.what)+1, 0):]
	return len(p), nil
}

// davManyLocks asks about, changes and locks single files among all the locked ones.
func davManyLocks(t *testing.T, s *server, locks int) {
	const limit = 500 * time.Millisecond // of the best; a walk over all locks would take longer
	const lockBody = `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`
	const discovery = `<D:propfind xmlns:D="DAV:"><D:prop><D:lockdiscovery/></D:prop></D:propfind>`
	last := strconv.Itoa(locks - 1)
	for _, one := range []struct {
		name, method, path, body, status string
	}{
		{"LOCK", "LOCK", "/dav/many/new%d", lockBody, "201"},
		{"LOCK of a locked file", "LOCK", "/dav/many/f" + last, lockBody, "423"},
		{"LOCK of all", "LOCK", "/dav/", lockBody, "423"},
		{"lockdiscovery", "PROPFIND", "/dav/many/f" + last, discovery, "207"},
		{"lockdiscovery of the directory", "PROPFIND", "/dav/many", discovery, "207"},
		{"PUT", "PUT", "/dav/many/put%d", "x", "201"},
		{"PUT of a locked file", "PUT", "/dav/many/f" + last, "x", "423"},
		{"MOVE of all", "MOVE", "/dav/many", "", "423"},
		{"DELETE of all", "DELETE", "/dav/many", "", "423"},
	} {
		t.Run(one.name, func(t *testing.T) {
			want, err := strconv.Atoi(one.status)
			check(t, err)
			took := best(t, 5, func(i int) {
				path := strings.ReplaceAll(one.path, "%d", strconv.Itoa(i))
				_, _, err := s.do(one.method, path, []byte(one.body), []int{want}, "Depth", depthOf(one.method), "Destination", "/dav/moved")
				check(t, err)
			})
			if took > limit && len(raceFlags) == 0 {
				t.Errorf("took %v, limit %v", took, limit)
			}
		})
	}
}

// depthOf is the Depth of a request about one resource.
func depthOf(method string) string {
	if method == "PROPFIND" {
		return "0"
	}
	return "infinity"
}

// davBodies sends what no client should, without logging in.
func davBodies(t *testing.T, s *server) {
	deep := strings.Repeat("<a>", 100_000)
	for name, body := range map[string]struct {
		r    io.Reader
		want int
	}{
		"64 MiB":      {io.LimitReader(spaces{}, 64<<20), 413},
		"deep":        {strings.NewReader(deep + strings.ReplaceAll(deep, "<", "</")), 400},
		"bomb":        {strings.NewReader(`<!DOCTYPE a [<!ENTITY b "` + strings.Repeat("x", 10_000) + `">]><a>` + strings.Repeat("&b;", 10_000) + `</a>`), 400},
		"many names":  {strings.NewReader(`<a xmlns="` + strings.Repeat("n", 500_000) + `">` + strings.Repeat("<b/>", 5_000) + `</a>`), 400},
		"no password": {strings.NewReader(`<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`), 401},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "PROPFIND", s.base+"/dav/", body.r)
		check(t, err)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil { // the server closes the connection while the body is still coming, and the answer may be lost with it
			t.Logf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != body.want {
			t.Errorf("%s: %s, want %d", name, resp.Status, body.want)
		}
	}
}

// spaces is an endless blank.
type spaces struct{}

// Read implements io.Reader.
func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
