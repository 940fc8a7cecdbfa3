package restapi

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

const acceptJSON = "Accept: application/json"

// shape is a multipart body as one client sends it, byte for byte.
type shape struct {
	client  string
	types   []string // Content-Type lines
	body    string
	name    string
	content string // content type of the stored file
	typ     string // type of the object
	chunked bool
}

func crlf(lines ...string) string { return strings.Join(lines, "\r\n") }

func formType(boundary string) []string { return []string{"multipart/form-data; boundary=" + boundary} }

const payload = "line one\r\n\x00\x01--x7-- not a delimiter\r\nlast"

var shapes = []shape{
	{client: "c8y/client", types: formType("----formdata-undici-042"), name: "plan.pdf", content: "application/pdf", typ: "c8y_Plan", body: crlf(
		"------formdata-undici-042", `Content-Disposition: form-data; name="file"; filename="bin"`, "Content-Type: application/pdf", "", payload,
		"------formdata-undici-042", `Content-Disposition: form-data; name="object"`, "", `{"name":"plan.pdf","type":"c8y_Plan"}`,
		"------formdata-undici-042--", "")},
	{client: "go-c8y file", types: formType("9f2b"), name: "notes.txt", content: "text/plain; charset=utf-8", typ: "text/plain", chunked: true, body: crlf(
		"--9f2b", `Content-Disposition: form-data; name="file"; filename="notes.txt"`, "Content-Type: text/plain; charset=utf-8", "", payload,
		"--9f2b", `Content-Disposition: form-data; name="object"`, "", `{"name":"notes.txt","type":"text/plain"}`, "--9f2b--", "")},
	{client: "go-c8y reader", types: formType("9f2b"), name: "data.bin", content: "text/csv", typ: "text/csv", chunked: true, body: crlf(
		"--9f2b", `Content-Disposition: form-data; name="file"`, "", payload,
		"--9f2b", `Content-Disposition: form-data; name="object"`, "", `{"name":"data.bin","type":"text/csv"}`, "--9f2b--", "")},
	{client: "go-c8y-cli", types: formType("9f2b"), name: "t.csv", content: "application/octet-stream", typ: "text/csv; charset=utf-8", chunked: true, body: crlf(
		"--9f2b", `Content-Disposition: form-data; name="file"; filename="t.csv"`, "Content-Type: application/octet-stream", "", payload,
		"--9f2b", `Content-Disposition: form-data; name="object"`, "", `{"name":"t.csv","type":"text/csv; charset=utf-8"}`, "--9f2b--", "")},
	{client: "c8y_api python", types: formType("d41d8cd9"), name: "py.bin", content: "application/x-py", typ: "py", body: crlf(
		"--d41d8cd9", `Content-Disposition: form-data; name="object"`, "", `{"name":"py.bin","type":"py","contentType":"text/plain"}`,
		"--d41d8cd9", `Content-Disposition: form-data; name="file"`, "Content-Type: application/x-py", "", payload, "--d41d8cd9--", "")},
	{client: "java sdk", types: formType("Boundary_1_2"), name: "a.txt", content: "text/plain", typ: "text/plain", body: crlf(
		"--Boundary_1_2", "Content-Type: application/json", `Content-Disposition: form-data; name="object"`, "", `{"name":"a.txt","type":"text/plain"}`,
		"--Boundary_1_2", "Content-Type: text/plain", `Content-Disposition: form-data; name="filesize"`, "", fmt.Sprint(len(payload)),
		"--Boundary_1_2", "Content-Type: text/plain", `Content-Disposition: form-data; name="file"`, "", payload, "--Boundary_1_2--", "")},
	{client: "thin-edge", types: []string{"multipart/form-data", "multipart/form-data; boundary=tedge"}, name: "log.txt", content: "text/plain", typ: "text/plain", body: crlf(
		"--tedge", `Content-Disposition: form-data; name="type"`, "", "x/ignored",
		"--tedge", `Content-Disposition: form-data; name="file"; filename="/var/log/log.txt"`, "Content-Type: text/plain", "", payload, "--tedge--", "")},
	{client: "boundary with its dashes", types: formType("--myBoundary"), name: "dash.txt", content: "text/plain", typ: "text/plain", body: crlf(
		"--myBoundary", `Content-Disposition: form-data; name="object"`, "", `{"name":"dash.txt"}`,
		"--myBoundary", `Content-Disposition: form-data; name="filesize"`, "", fmt.Sprint(len(payload)),
		"--myBoundary", `Content-Disposition: form-data; name="file"; filename="x"`, "Content-Type: text/plain", "", payload, "--myBoundary--", "")},
	{client: "boundary that begins with dashes", types: formType("--myBoundary"), name: "true.txt", content: "text/plain", typ: "text/plain", body: crlf(
		"----myBoundary", `Content-Disposition: form-data; name="file"; filename="true.txt"`, "Content-Type: text/plain", "", payload, "----myBoundary--", "")},
	{client: "part named after the file", types: formType("q"), name: "photo.jpg", content: "image/jpeg", typ: "image/jpeg", body: crlf(
		"--q", `Content-Disposition: form-data; name="photo.jpg"`, "Content-Type: image/jpeg", "", payload, "--q--", "")},
	{client: "file wins over others", types: formType("q"), name: "right", content: "text/right", typ: "text/right", body: crlf(
		"--q", `Content-Disposition: form-data; name="attachment"; filename="wrong"`, "Content-Type: text/wrong", "", "wrong bytes",
		"--q", `Content-Disposition: form-data; name="file"; filename="right"`, "Content-Type: text/right", "", payload,
		"--q", `Content-Disposition: form-data; name="file"; filename="late"`, "Content-Type: text/late", "", "late bytes", "--q--", "")},
	{client: "unquoted boundary", types: []string{"multipart/form-data; boundary=a/b=c"}, name: "u.txt", content: "application/octet-stream", typ: "application/octet-stream", body: crlf(
		"--a/b=c", `Content-Disposition: form-data; name="file"; filename="C:\dir\u.txt"`, "", payload, "--a/b=c--", "epilogue")},
	{client: "no name at all", types: formType("q"), name: "bin", content: "application/octet-stream", typ: "application/octet-stream", body: crlf(
		"preamble", "--q", `Content-Disposition: form-data; name="file"`, "", payload, "--q--", "")},
}

func (s shape) headers() []string {
	h := []string{acceptJSON}
	for _, t := range s.types {
		h = append(h, "Content-Type: "+t)
	}
	return h
}

// upload posts a form and gives the id.
func (r *rig) upload(object, name, content string, headers ...string) string {
	r.Helper()
	body := crlf("--q", `Content-Disposition: form-data; name="object"`, "", object,
		"--q", `Content-Disposition: form-data; name="file"; filename="`+name+`"`, "Content-Type: text/plain", "", content, "--q--", "")
	a := r.want(201, r.do("POST", "/inventory/binaries", body, append(headers, acceptJSON, "Content-Type: multipart/form-data; boundary=q")...))
	return a.json(r)["id"].(string)
}

func TestUpload_ClientShapes(t *testing.T) {
	for _, kind := range []string{"filestore", "memstore"} {
		for _, sh := range shapes {
			t.Run(kind+"/"+sh.client, func(t *testing.T) {
				r := newRigKind(t, kind)
				body := strings.NewReader(sh.body)
				var a answer
				if sh.chunked {
					a = r.send("POST", "/inventory/binaries", struct{ *strings.Reader }{body}, append(sh.headers(), "Transfer-Encoding: chunked")...)
				} else {
					a = r.do("POST", "/inventory/binaries", sh.body, sh.headers()...)
				}
				m := r.want(201, a).json(t)
				id := m["id"].(string)
				if !regexp.MustCompile(`^\d+$`).MatchString(id) {
					t.Errorf("id is %q", id)
				}
				r.equal("self", m["self"], r.url+"/inventory/binaries/"+id)
				r.equal("location", a.header.Get("Location"), m["self"])
				r.equal("name", m["name"], sh.name)
				r.equal("type", m["type"], sh.typ)
				r.equal("content type", m["contentType"], sh.content)
				r.equal("length", m["length"], len(payload))
				r.equal("owner", m["owner"], "mira")
				r.equal("file", r.cat("/inventory/"+sh.name), payload)
				got := r.want(200, r.do("GET", "/inventory/binaries/"+id, ""))
				r.equal("bytes", got.body, payload)
				r.equal("served type", got.header.Get("Content-Type"), sh.content)
				if len(r.tree()) != 2 {
					t.Errorf("tree is %v", r.tree())
				}
			})
		}
	}
}

func newRigKind(t *testing.T, kind string) *rig {
	if kind == "memstore" {
		return newMemRig(t)
	}
	return newRig(t)
}

var timeText = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

func TestUpload_Answer(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"plan.pdf","c8y_Global":{},"custom":[1,{"a":null}],"owner":"eve","id":"9","length":7,"_x":1,"self":"http://evil","gone":null}`, "p", "hello")
	a := r.want(200, r.do("GET", "/inventory/binaries?ids="+id, ""))
	m := a.json(t)["managedObjects"].([]any)[0].(map[string]any)
	for name, want := range map[string]any{
		"id": id, "name": "plan.pdf", "owner": "mira", "length": 5, "c8y_IsBinary": "", "c8y_Global": map[string]any{},
		"custom": []any{1, map[string]any{"a": nil}}, "self": r.url + "/inventory/binaries/" + id, "gone": nil, "_x": nil,
		"_attachments": map[string]any{"plan.pdf": map[string]any{"stub": true, "length": 5, "digest": "md5-XUFAKrxLKna5cZ2REBfFkg==", "revpos": 1, "content_type": "text/plain"}},
	} {
		r.equal(name, m[name], want)
	}
	for _, name := range []string{"creationTime", "lastUpdated"} {
		if !timeText.MatchString(m[name].(string)) {
			t.Errorf("%s is %v", name, m[name])
		}
	}
	full := r.want(201, r.do("PUT", "/inventory/binaries/"+id, "other", acceptJSON)).json(t)
	r.equal("relation", full["childAdditions"], map[string]any{"self": r.url + "/inventory/managedObjects/" + id + "/childAdditions", "references": []any{}})
}

func TestUpload_OwnerOnlyForAdmins(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"owner":"eve"}`, "p", "x", "user: inva")
	a := r.want(200, r.do("GET", "/inventory/binaries?ids="+id, ""))
	r.equal("owner", a.json(t)["managedObjects"].([]any)[0].(map[string]any)["owner"], "eve")
}

func TestUpload_AcceptRule(t *testing.T) {
	r := newRig(t)
	const body = "--q\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--q--\r\n"
	const ct = "Content-Type: multipart/form-data; boundary=q"
	vnd := "application/vnd.com.nsn.cumulocity.managedObject+json;ver=0.9;charset=UTF-8"
	for _, c := range []struct {
		accept string
		typ    string
		empty  bool
	}{
		{"", "", true},
		{"Accept:", "", true},
		{"Accept: */*", vnd, false},
		{"Accept: application/json", "application/json", false},
		{"Accept: application/vnd.com.nsn.cumulocity.managedobject+json", vnd, false},
		{"Accept: text/html", vnd, false},
	} {
		h := []string{ct}
		if c.accept != "" {
			h = append(h, c.accept)
		}
		a := r.want(201, r.do("POST", "/inventory/binaries/", body, h...))
		r.equal(c.accept+" type", a.header.Get("Content-Type"), c.typ)
		r.equal(c.accept+" empty", a.body == "", c.empty)
		if a.header.Get("Location") == "" {
			t.Error("no Location")
		}
	}
}

func TestUpload_SameNameBecomesAlias(t *testing.T) {
	r := newRig(t)
	a, b, c := r.upload(`{"name":"n.txt"}`, "x", "one"), r.upload(`{"name":"n.txt"}`, "x", "two"), r.upload(`{}`, "n.txt", "three")
	if a == b || b == c {
		t.Fatal("ids repeat")
	}
	for id, want := range map[string]string{a: "one", b: "two", c: "three"} {
		got := r.want(200, r.do("GET", "/inventory/binaries/"+id, ""))
		r.equal("bytes", got.body, want)
		r.equal("disposition", got.header.Get("Content-Disposition"), `attachment; filename="n.txt"`)
	}
	r.equal("files", len(r.tree()), 4)
	r.equal("first", r.cat("/inventory/n.txt"), "one")
}

func TestUpload_FileBeforeObjectWithTakenName(t *testing.T) {
	r := newRig(t)
	r.upload(`{"name":"n.txt"}`, "x", "one")
	body := crlf("--q", `Content-Disposition: form-data; name="file"; filename="bin"`, "", "two",
		"--q", `Content-Disposition: form-data; name="object"`, "", `{"name":"n.txt"}`, "--q--", "")
	m := r.want(201, r.do("POST", "/inventory/binaries", body, acceptJSON, "Content-Type: multipart/form-data; boundary=q")).json(t)
	r.equal("name", m["name"], "n.txt")
	r.equal("first", r.cat("/inventory/n.txt"), "one")
	for _, p := range r.tree() {
		if p == "/inventory/bin" {
			t.Error("the file kept its guessed name")
		}
	}
}

func TestUpload_Refused(t *testing.T) {
	part := func(head, content string) string {
		return crlf("--q", "Content-Disposition: form-data; "+head, "", content)
	}
	file := part(`name="file"; filename="f"`, "data")
	end := "\r\n--q--\r\n"
	for _, c := range []struct {
		name   string
		status int
		body   string
		header string
	}{
		{"not multipart", 415, "x", "Content-Type: application/json"},
		{"no content type", 415, "x", "X: y"},
		{"no boundary", 400, file + end, "Content-Type: multipart/form-data"},
		{"other boundary", 400, file + end, "Content-Type: multipart/form-data; boundary=zz"},
		{"empty body", 400, "", ""},
		{"no closing delimiter", 400, file, ""},
		{"delimiter without its end", 400, file + "\r\n--q", ""},
		{"closing delimiter cut", 400, file + "\r\n--q-", ""},
		{"next part without content", 400, file + "\r\n--q\r\n", ""},
		{"broken part header", 400, "--q\r\nno colon here\r\n\r\nx" + end, ""},
		{"no file", 422, part(`name="object"`, "{}") + end, ""},
		{"object after a good file is an array", 422, file + "\r\n" + part(`name="object"`, "[]") + end, ""},
		{"object is no JSON", 422, part(`name="object"`, `{"a":`) + "\r\n" + file + end, ""},
		{"object is null", 422, part(`name="object"`, "null") + "\r\n" + file + end, ""},
		{"object too deep", 422, part(`name="object"`, `{"a":`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+"}") + "\r\n" + file + end, ""},
		{"object too large", 413, part(`name="object"`, `{"a":"`+strings.Repeat("x", 1<<20)+`"}`) + "\r\n" + file + end, ""},
		{"filesize wrong", 422, file + "\r\n" + part(`name="filesize"`, "5") + end, ""},
		{"filesize no number", 422, part(`name="filesize"`, "four") + "\r\n" + file + end, ""},
		{"name too long", 422, part(`name="object"`, `{"name":"`+strings.Repeat("n", 256)+`"}`) + "\r\n" + file + end, ""},
		{"name too long after the file", 422, file + "\r\n" + part(`name="object"`, `{"name":"`+strings.Repeat("n", 256)+`"}`) + end, ""},
		{"name is dots", 422, part(`name="object"`, `{"name":".."}`) + "\r\n" + file + end, ""},
		{"name leads to dots", 422, part(`name="object"`, `{"name":"a/.."}`) + "\r\n" + file + end, ""},
		{"name ends in a slash", 422, part(`name="object"`, `{"name":"a/"}`) + "\r\n" + file + end, ""},
		{"name with NUL", 422, part(`name="object"`, `{"name":"a\u0000b"}`) + "\r\n" + file + end, ""},
		{"file name is dots", 422, part(`name="file"; filename="..\.."`, "data") + end, ""},
		{"too many parts", 413, strings.Repeat(part(`name="x"`, "y")+"\r\n", 70) + file + end, ""},
		{"too large", 413, part(`name="file"`, strings.Repeat("x", 3000)) + end, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.MaxFile = 2000 })
			h := c.header
			if h == "" {
				h = "Content-Type: multipart/form-data; boundary=q"
			}
			a := r.want(c.status, r.do("POST", "/inventory/binaries", c.body, acceptJSON, h))
			if a.json(t)["error"] == "" || a.json(t)["message"] == "" {
				t.Errorf("body is %s", a.body)
			}
			r.nothing()
		})
	}
}

func TestUpload_NamesAreReduced(t *testing.T) {
	r := newRig(t)
	for name, want := range map[string]string{
		"../../etc/passwd": "passwd", "/abs/x1": "x1", `C:\\dir\\x2`: "x2", "a/b/../x3": "x3", "ünï 漢字.txt": "ünï 漢字.txt", "x;y": "x;y",
	} {
		id := r.upload(`{"name":"`+name+`"}`, "f", name)
		r.equal(name, r.cat("/inventory/"+want), name)
		r.want(200, r.do("GET", "/inventory/binaries/"+id, ""))
	}
	for _, p := range r.tree() {
		if !strings.HasPrefix(p, "/inventory/") {
			t.Errorf("%s is outside", p)
		}
	}
}

func TestUpload_EmptyFile(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"empty"}`, "e", "")
	a := r.want(200, r.do("GET", "/inventory/binaries/"+id, "", "Range: bytes=0-"))
	r.equal("length", a.header.Get("Content-Length"), "0")
}
