package integration

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBadFlags gives the program command lines that can't work. Each is told in one line what is wrong, gets its exit code, and nothing is
// created or changed.
func TestBadFlags(t *testing.T) {
	dir := tempDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	check(t, os.Mkdir(at("empty"), 0o700))
	check(t, os.Mkdir(at("full"), 0o700))
	check(t, os.WriteFile(at("full/precious"), []byte("precious"), 0o600))
	check(t, os.WriteFile(at("file"), nil, 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	taken := l.Addr().String()
	before := attributes(t, dir)
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"unknown flag", []string{"serve", "--bogus"}, 2, []string{"bogus"}},
		{"unknown command", []string{"nonsense"}, 2, []string{"nonsense"}},
		{"unknown subcommand", []string{"user", "nonsense"}, 2, []string{"nonsense"}},
		{"an argument too many", []string{"serve", "now"}, 2, nil},
		{"unknown store", []string{"serve", "--store", "gopher://hole"}, 2, []string{"gopher://hole"}},
		{"store with a password", []string{"serve", "--store", "ftp://me:hunter2@host/x"}, 2, []string{"ftp://me:"}},
		{"broken store URL", []string{"serve", "--store", "file://[oops"}, 2, []string{"--store"}},
		{"listen without port", []string{"serve", "--listen", "127.0.0.1"}, 2, []string{"127.0.0.1", "host:port"}},
		{"listen with a bad port", []string{"serve", "--listen", "127.0.0.1:http2"}, 2, []string{"http2"}},
		{"passwords in the clear", []string{"serve", "--listen", "0.0.0.0:0"}, 2, []string{"0.0.0.0", "tls"}},
		{"address in use", []string{"serve", "--listen", taken}, 5, []string{taken}},
		{"nothing to serve", []string{"serve", "--listen", "off"}, 2, []string{"--mount"}},
		{"certificate without key", []string{"serve", "--tls-cert", at("file")}, 2, []string{"--tls-key"}},
		{"bad log level", []string{"serve", "--log-level", "loud"}, 2, []string{"loud"}},
		{"bad public URL", []string{"serve", "--public-url", "example.net"}, 2, []string{"example.net"}},
		{"mount point missing", []string{"serve", "--mount", at("missing")}, 4, []string{at("missing")}},
		{"mount point not empty", []string{"serve", "--mount", at("full")}, 4, []string{at("full"), "not empty"}},
		{"mount point a file", []string{"serve", "--mount", at("file")}, 4, []string{at("file")}},
		{"mount below data", []string{"serve", "--mount", at("data/mnt")}, 2, []string{at("data/mnt")}},
		{"data a file", []string{"serve", "--data", at("file")}, 2, []string{at("file")}},
		{"data of somebody else", []string{"serve", "--data", at("full")}, 2, []string{at("full")}},
		{"status of nothing", []string{"status"}, 2, []string{at("data")}},
		{"gc of nothing", []string{"gc", "--data", at("empty")}, 2, []string{at("empty")}},
		{"fsck of nothing", []string{"fsck", "--data", at("missing")}, 2, []string{at("missing")}},
		{"user of nothing", []string{"user", "ls", "--data", at("empty")}, 2, []string{at("empty")}},
		{"umount of nothing", []string{"umount", at("empty")}, 4, []string{at("empty")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := c.args
			if !slices.Contains(args, "--data") && slices.Contains([]string{"serve", "status"}, args[0]) {
				args = append(args, "--data", at("data"))
			}
			if args[0] == "serve" && !slices.Contains(args, "--listen") {
				args = append(args, "--listen", "127.0.0.1:0")
			}
			out, code := runTote(t, nil, args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, out)
			}
			if n := strings.Count(out, "\n"); n != 1 || !strings.HasPrefix(out, "tote: ") {
				t.Errorf("want one line of tote's: %q", out)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q does not name %q", out, want)
				}
			}
			if strings.Contains(out, "hunter2") {
				t.Error("the password of a URL is shown")
			}
			sameTree(t, "afterwards", attributes(t, dir), before)
		})
	}
}

// TestDataInUse starts a second server on the same data, and one on the same mount point. Both are refused, naming who is there, and the first
// goes on.
func TestDataInUse(t *testing.T) {
	s := startServer(t)
	check(t, s.dav().Put("/f", []byte("still here")))
	before := s.picture(t)
	out, code := s.tote("serve", "--data", s.data, "--listen", "127.0.0.1:0")
	if pid := fmt.Sprint(s.cmd.Process.Pid); code != 3 || !strings.Contains(out, s.data) || !strings.Contains(out, pid) {
		t.Errorf("exit code %d, want 3 and the names of %s and process %s: %s", code, s.data, pid, out)
	}
	other := filepath.Join(tempDir(t), "data")
	out, code = s.tote("serve", "--data", other, "--listen", "127.0.0.1:0", "--mount", s.mnt)
	if code != 4 || !strings.Contains(out, s.mnt) {
		t.Errorf("exit code %d, want 4 and the name of %s: %s", code, s.mnt, out)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("a server that was refused made a data directory")
	}
	sameTree(t, "of the first server", s.picture(t), before)
}

// TestWrongPassword wants 401 with a challenge from every door, and no other difference between a wrong password and an unknown user.
func TestWrongPassword(t *testing.T) {
	s := startServer(t)
	check(t, s.dav().Put("/f", []byte("secret")))
	before := s.picture(t)
	requests := [][2]string{
		{"GET", "/dav/f"}, {"PUT", "/dav/new"}, {"DELETE", "/dav/f"}, {"PROPFIND", "/dav/"},
		{"GET", "/inventory/binaries"}, {"POST", "/inventory/binaries"}, {"DELETE", "/inventory/binaries/2"},
		{"POST", "/api/binarystreamobjectservice/get"}, {"POST", "/rdp/api/binarystreamobjectservice/create"},
	}
	for _, login := range [][2]string{{"", ""}, {adminUser, "wrong"}, {"nobody", adminPassword}} {
		for _, r := range requests {
			req, err := http.NewRequest(r[0], s.base+r[1], nil)
			check(t, err)
			if login[0] != "" {
				req.SetBasicAuth(login[0]+fmt.Sprint(len(r[1])), login[1]) // another name each time: guessing is slowed down
			}
			resp, err := s.client.Do(req)
			check(t, err)
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s %s as %q: %s", r[0], r[1], login[0], resp.Status)
			}
			if !strings.Contains(r[1], "api/") && resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s: no challenge", r[0], r[1])
			}
		}
	}
	for range 3 {
		_, _, err := s.do("GET", "/dav/f", nil, []int{401}, "Authorization", "Basic YWRtaW46d3Jvbmc=")
		check(t, err)
	}
	sameTree(t, "after wrong passwords", s.picture(t), before)
}

// badRequest is a request that must not change anything.
type badRequest struct {
	name   string
	method string
	url    string
	body   string
	header []string
	want   []int
}

// TestBadRequests sends what no well-behaved client sends. Each gets an answer from the 400s, and nothing has changed, on disk either.
func TestBadRequests(t *testing.T) {
	s := startServer(t)
	check(t, s.dav().Mkdir("/d"))
	check(t, s.dav().Put("/d/f", []byte("keep me")))
	s.stop() // so that nothing is left to be written later
	s.start()
	before, disk := s.picture(t), s.disk(t)
	for _, r := range slices.Concat(traversals(s), brokenForms(), oversized(), longNames(s)) {
		t.Run(r.name, func(t *testing.T) {
			var body []byte
			if r.body != "" {
				body = []byte(r.body)
			}
			_, _, err := s.do(r.method, r.url, body, r.want, r.header...)
			var refused *statusError
			if errors.As(err, &refused) && len(r.want) == 0 && refused.status >= 400 && refused.status < 500 {
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("bso", func(t *testing.T) { s.badObjects(t) })
	s.unchanged(t, before)
	sameTree(t, "on disk", s.disk(t), disk)
	s.checkMemory()
}

// disk describes the database and the objects.
func (s *server) disk(t testing.TB) map[string]string {
	t.Helper()
	all := tree(t, s.data)
	delete(all, "tote.db-shm") // holds read marks, too
	return all
}

func traversals(s *server) (all []badRequest) {
	paths := []string{"/dav/../etc/passwd", "/dav/%2e%2e/x", "/dav/d/..%2f..%2fx", "/dav/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/dav/d/%2e%2e/d/f",
		"/dav/d/./f", "/dav/d%00/f", "/dav/./../../x", "/dav/d/.."}
	for _, p := range paths {
		for _, m := range []string{"GET", "PUT", "DELETE", "MKCOL", "PROPFIND", "PROPPATCH", "LOCK"} {
			all = append(all, badRequest{name: m + " " + p, method: m, url: p})
		}
	}
	for _, to := range []string{"/dav/../x", "/dav/%2e%2e/x", "/x", "/inventory/binaries", "http://elsewhere.example/dav/x", "", "/dav/d/..%2fx"} {
		dst := to
		if strings.HasPrefix(to, "/") {
			dst = s.base + to
		}
		for _, m := range []string{"MOVE", "COPY"} {
			r := badRequest{name: m + " to " + to, method: m, url: "/dav/d/f", header: []string{"Destination", dst}}
			if strings.HasPrefix(to, "http") || !strings.HasPrefix(to, "/dav") {
				r.want = []int{400, 403, 409, 502}
			}
			all = append(all, r)
		}
	}
	for _, id := range []string{"..", "%2e%2e", "abc", "1e3", "-1", "0", "99999999999999999999", "1/../2", "2%00", "%32"} {
		for _, m := range []string{"GET", "PUT", "DELETE"} {
			if id == "%32" && m != "GET" {
				continue
			}
			r := badRequest{name: m + " binary " + id, method: m, url: "/inventory/binaries/" + id, want: []int{404, 400, 405}}
			if id != "%32" {
				all = append(all, r)
			}
		}
	}
	for _, p := range []string{"/blobs/rdp-media-assets/../x", "/blobs/rdp-media-assets/%2e%2e/%2e%2e/etc/passwd?sig=x", "/blobs/", "/blobs/x", "/../api/binarystreamobjectservice/get"} {
		all = append(all, badRequest{name: "PUT " + p, method: "PUT", url: p, body: "x"})
	}
	return all
}

// form makes a multipart body of raw parts.
func form(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--b\r\n" + p + "\r\n")
	}
	return b.String() + "--b--\r\n"
}

func part(head, body string) string {
	return "Content-Disposition: form-data; " + head + "\r\n\r\n" + body
}

func brokenForms() []badRequest {
	const kind = "multipart/form-data; boundary=b"
	file := part(`name="file"; filename="x"`, "bytes")
	post := func(name, kind, body string, want ...int) badRequest {
		return badRequest{name, "POST", "/inventory/binaries", body, []string{"Content-Type", kind}, want}
	}
	all := []badRequest{
		post("not a form", "application/json", `{}`, 415),
		post("no type", "", "x", 415, 400),
		post("no boundary", "multipart/form-data", form(file), 400),
		post("another boundary", "multipart/form-data; boundary=other", form(file), 400),
		post("no end", kind, "--b\r\n"+file, 400),
		post("no end of the part's header", kind, "--b\r\nContent-Disposition: form-data; name=\"file\"", 400),
		post("empty", kind, "--b--\r\n", 400, 422),
		post("no file", kind, form(part(`name="object"`, "{}")), 422),
		post("object is a list", kind, form(part(`name="object"`, "[]"), file), 422),
		post("object is no JSON", kind, form(part(`name="object"`, "{"), file), 422, 400),
		post("object after the file is no JSON", kind, form(file, part(`name="object"`, "nonsense")), 422, 400),
		post("wrong size", kind, form(part(`name="filesize"`, "4"), file), 422),
		post("size is no number", kind, form(part(`name="filesize"`, "many"), file), 422),
		post("huge object", kind, form(part(`name="object"`, `{"a":"`+strings.Repeat("x", 2<<20)+`"}`), file), 413),
		post("huge object after the file", kind, form(file, part(`name="object"`, `{"a":"`+strings.Repeat("x", 2<<20)+`"}`)), 413),
		post("binary junk", kind, string(randomBytes(10_000, 1)), 400),
	}
	for _, name := range []string{"..", ".", "a/..", `a\\..`, "/", `a\u0000b`, strings.Repeat("n", 256)} {
		all = append(all, post(fmt.Sprintf("name %.20q", name), kind, form(part(`name="object"`, `{"name":"`+name+`"}`), file), 422, 400))
		all = append(all, post(fmt.Sprintf("late name %.20q", name), kind, form(file, part(`name="object"`, `{"name":"`+name+`"}`)), 422, 400))
	}
	return all
}

func oversized() (all []badRequest) {
	bodies := map[string]string{
		"2 MiB":     `<?xml version="1.0"?><propfind xmlns="DAV:"><prop><a>` + strings.Repeat("x", 2<<20) + `</a></prop></propfind>`,
		"deep":      strings.Repeat("<a>", 50_000),
		"entities":  `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">]><propfind xmlns="DAV:"><prop>&b;</prop></propfind>`,
		"not XML":   "this is no XML",
		"cut short": `<?xml version="1.0"?><propfind xmlns="DAV:"><prop>`,
	}
	for name, body := range bodies {
		for _, m := range []string{"PROPFIND", "PROPPATCH", "LOCK"} {
			all = append(all, badRequest{m + " " + name, m, "/dav/d/f", body, []string{"Content-Type", "application/xml", "Depth", "0"}, nil})
		}
	}
	for _, op := range []string{"get", "create", "update", "delete", "prepareUpload", "prepareDownload"} {
		url := "/api/binarystreamobjectservice/" + op
		all = append(all,
			badRequest{op + " 2 MiB", "POST", url, `{"a":"` + strings.Repeat("x", 2<<20) + `"}`, nil, []int{413}},
			badRequest{op + " deep", "POST", url, strings.Repeat(`[`, 200_000), nil, []int{400}},
			badRequest{op + " deep and closed", "POST", url, strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000), nil, []int{400}},
			badRequest{op + " no JSON", "POST", url, `{"binaryStreamObject":`, nil, []int{400}},
			badRequest{op + " not UTF-8", "POST", url, "{\"a\":\"\xff\xfe\"}", nil, []int{400}},
			badRequest{op + " GET", "GET", url, "", nil, []int{405}})
	}
	return append(all, badRequest{"header of 100 KiB", "GET", "/dav/d/f", "", []string{"X-Long", strings.Repeat("x", 100<<10)}, []int{431}})
}

func longNames(s *server) (all []badRequest) {
	long := strings.Repeat("n", 256)
	for _, p := range []string{"/dav/" + long, "/dav/" + long + "/x", "/dav/d/" + long, "/dav" + strings.Repeat("/"+long[:250], 20)} {
		for _, m := range []string{"PUT", "MKCOL", "LOCK"} {
			r := badRequest{fmt.Sprintf("%s %d bytes", m, len(p)), m, p, "", nil, nil}
			if m == "PUT" {
				r.body = "x"
			}
			all = append(all, r)
		}
		all = append(all, badRequest{fmt.Sprintf("MOVE to %d bytes", len(p)), "MOVE", "/dav/d/f", "", []string{"Destination", s.base + p}, nil})
	}
	return all
}

// badObjects asks the binary stream object service for ids, keys and paths that can't be. It answers with 200 and an error inside. Keys and names
// are longer there than in the tree, which shows such a file under a name that was cut.
func (s *server) badObjects(t *testing.T) {
	for _, p := range []map[string]any{
		{"objectKey": "../x"}, {"objectKey": "/abs"}, {"objectKey": "a//b"}, {"objectKey": `a\b`}, {"objectKey": "a\x00b"}, {"objectKey": "a/../b"},
		{"objectKey": strings.Repeat("k", 1025)}, {"objectKey": strings.Repeat("k/", 600) + "k"}, {"objectKey": ""},
		{"objectKey": "k", "fullObjectPath": "../../etc/passwd"}, {"objectKey": "k", "fullObjectPath": "a/../../b"},
		{"objectKey": "k", "fullObjectPath": "a\x00/b"}, {"objectKey": "k", "originalFileName": ".."}, {"objectKey": "k", "originalFileName": "a\x00b"},
	} {
		for _, op := range []string{"prepareUpload", "create"} {
			r, err := s.bso(op, "", p)
			var refused *statusError
			if !errors.As(err, &refused) || refused.status >= 500 {
				t.Errorf("%s %.60q: %v, %.200v", op, p, err, r)
			}
		}
	}
	for _, id := range []string{"../x", "a\x00b", strings.Repeat("i", 1025), "a/../b"} {
		for _, op := range []string{"prepareUpload", "create", "update", "delete", "prepareDownload"} {
			if _, err := s.bso(op, id, nil); !isErrno(err, 22) && !isErrno(err, 2) {
				t.Errorf("%s of id %.20q: %v", op, id, err)
			}
		}
	}
}

// TestLongNamesOnMount wants ENAMETOOLONG from every call that takes a name.
func TestLongNamesOnMount(t *testing.T) {
	s := startServer(t)
	m, long := s.mount(), "/"+strings.Repeat("n", 256)
	check(t, m.Put("/f", []byte("x")))
	before := s.picture(t)
	for name, err := range map[string]error{
		"create": m.Put(long, nil), "mkdir": m.Mkdir(long), "symlink": m.Symlink("f", long), "link": m.Link("/f", long), "rename": m.Move("/f", long, true),
		"unlink": os.Remove(m.at(long)), "truncate": m.Truncate(long, 0),
	} {
		if !isErrno(err, 36) {
			t.Errorf("%s: %v, want ENAMETOOLONG", name, err)
		}
	}
	sameTree(t, "afterwards", s.picture(t), before)
}

// TestSecretsAreClosed wants nothing in the data directory that others may read, and no password in the log.
func TestSecretsAreClosed(t *testing.T) {
	s := startServer(t, withArgs("--log-level", "debug"))
	check(t, s.dav().Put("/f", []byte("x")))
	url, _, err := s.uploadURL("", map[string]any{"objectKey": "k"})
	check(t, err)
	_, _, err = s.do("PUT", url, []byte("x"), []int{201})
	check(t, err)
	err = filepath.WalkDir(s.data, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if fi, err := d.Info(); err == nil && fi.Mode().Perm()&0o077 != 0 && path == s.data {
			t.Errorf("%s is %v", path, fi.Mode())
		}
		return nil
	})
	check(t, err)
	b, err := os.ReadFile(s.log)
	check(t, err)
	_, sig, _ := strings.Cut(url, "sig=")
	sig, _, _ = strings.Cut(sig, "&")
	for _, secret := range []string{adminPassword, sig} {
		if secret == "" || bytes.Contains(b, []byte(secret)) {
			t.Errorf("the log holds %.10s…", secret)
		}
	}
}
