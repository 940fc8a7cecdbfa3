package restapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tote/fs"
)

const ten = "0123456789"

// rangeCases hold for every family that serves files.
var rangeCases = []struct {
	header string
	status int
	body   string
	crange string
}{
	{"", 200, ten, ""},
	{"bytes=0-0", 206, "0", "bytes 0-0/10"},
	{"bytes=2-", 206, "23456789", "bytes 2-9/10"},
	{"bytes=2-4", 206, "234", "bytes 2-4/10"},
	{"bytes=9-9", 206, "9", "bytes 9-9/10"},
	{"bytes=5-100", 206, "56789", "bytes 5-9/10"},
	{"bytes=-3", 206, "789", "bytes 7-9/10"},
	{"bytes=-100", 206, ten, "bytes 0-9/10"},
	{"BYTES=1-1", 206, "1", "bytes 1-1/10"},
	{"bytes= 1-1", 206, "1", "bytes 1-1/10"},
	{"bytes=10-", 416, "", "bytes */10"},
	{"bytes=10-20", 416, "", "bytes */10"},
	{"bytes=99999999999999999999-", 416, "", "bytes */10"},
	{"bytes=-0", 416, "", "bytes */10"},
	{"bytes=0-1,3-4", 200, ten, ""},
	{"bytes=4-2", 200, ten, ""},
	{"bytes=a-b", 200, ten, ""},
	{"bytes=-", 200, ten, ""},
	{"bytes=", 200, ten, ""},
	{"bytes=+1-2", 200, ten, ""},
	{"items=0-1", 200, ten, ""},
}

func TestGetBinary_Ranges(t *testing.T) {
	for _, kind := range []string{"filestore", "memstore"} {
		r := newRigKind(t, kind)
		id := r.upload(`{"name":"ten"}`, "ten", ten)
		tag := r.do("HEAD", "/inventory/binaries/"+id, "").header.Get("ETag")
		for _, c := range rangeCases {
			a := r.want(c.status, r.do("GET", "/inventory/binaries/"+id, "", "Range: "+c.header))
			r.equal(c.header+" range", a.header.Get("Content-Range"), c.crange)
			if c.status == 416 {
				r.equal("error", a.json(t)["error"], "inventory/Invalid Range")
				continue
			}
			r.equal(c.header, a.body, c.body)
			r.equal("etag", a.header.Get("ETag"), tag)
			h := r.want(c.status, r.do("HEAD", "/inventory/binaries/"+id, "", "Range: "+c.header))
			if h.body != "" || h.header.Get("Content-Length") != fmt.Sprint(len(c.body)) {
				t.Errorf("HEAD %s: %v %q", c.header, h.header, h.body)
			}
		}
	}
}

func TestGetBinary_Headers(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"a\"b;c\\d\ne.txt"}`, "x", "hi")
	a := r.want(200, r.do("GET", "/inventory/binaries/"+id, "", "Accept: application/octet-stream"))
	r.equal("disposition", a.header.Get("Content-Disposition"), `attachment; filename="d_e.txt"; filename*=UTF-8''d%0Ae.txt`)
	for name, want := range map[string]string{"Accept-Ranges": "bytes", "Content-Type": "text/plain", "X-Content-Type-Options": "nosniff"} {
		r.equal(name, a.header.Get(name), want)
	}
	if tag := a.header.Get("ETag"); !strings.HasPrefix(tag, `"`) {
		t.Errorf("ETag is %s, which is not strong", tag)
	}
	if _, err := http.ParseTime(a.header.Get("Last-Modified")); err != nil {
		t.Error(err)
	}
}

func TestGetBinary_Conditions(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"ten"}`, "ten", ten)
	url := "/inventory/binaries/" + id
	tag := r.do("HEAD", url, "").header.Get("ETag")
	past, future := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		headers string
		status  int
	}{
		{"If-None-Match: " + tag, 304},
		{"If-None-Match: W/" + tag, 304},
		{`If-None-Match: "x", ` + tag, 304},
		{"If-None-Match: *", 304},
		{`If-None-Match: "x"`, 200},
		{"If-Match: " + tag, 200},
		{"If-Match: W/" + tag, 412},
		{`If-Match: "x"`, 412},
		{"If-Modified-Since: " + future, 304},
		{"If-Modified-Since: " + past, 200},
		{"If-Modified-Since: nonsense", 200},
		{"If-Unmodified-Since: " + past, 412},
		{"If-Unmodified-Since: " + future, 200},
		{"Range: bytes=0-1|If-Range: " + tag, 206},
		{`Range: bytes=0-1|If-Range: "x"`, 200},
		{"Range: bytes=0-1|If-Range: " + future, 206},
		{"Range: bytes=0-1|If-Range: " + past, 200},
		{`Range: bytes=99-|If-Range: "x"`, 200},
		{"If-None-Match: \"x\"|If-Modified-Since: " + future, 200},
	} {
		a := r.do("GET", url, "", strings.Split(c.headers, "|")...)
		r.equal(c.headers, a.status, c.status)
	}
}

func TestPutBinary_Raw(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"n.txt","type":"c8y_T","custom":7}`, "x", "one")
	before := r.do("HEAD", "/inventory/binaries/"+id, "").header.Get("ETag")
	a := r.want(201, r.do("PUT", "/inventory/binaries/"+id, `{"not":"parsed"`, acceptJSON, "Content-Type: application/json",
		`Content-Disposition: attachment; filename="other.bin"`))
	m := a.json(t)
	for name, want := range map[string]any{"id": id, "name": "n.txt", "type": "c8y_T", "custom": 7, "contentType": "application/json", "length": 15} {
		r.equal(name, m[name], want)
	}
	r.equal("replacements", m["_attachments"].(map[string]any)["n.txt"].(map[string]any)["revpos"], 2)
	r.equal("location", a.header.Get("Location"), r.url+"/inventory/binaries/"+id)
	r.equal("tree", r.cat("/inventory/n.txt"), `{"not":"parsed"`)
	if r.do("HEAD", "/inventory/binaries/"+id, "").header.Get("ETag") == before {
		t.Error("the ETag stayed")
	}
	empty := r.want(201, r.do("PUT", "/inventory/binaries/"+id, "x"))
	r.equal("body", empty.body, "")
	r.equal("default type", r.do("HEAD", "/inventory/binaries/"+id, "").header.Get("Content-Type"), "application/octet-stream")
}

func TestPutBinary_FormConditionsAndLimits(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxFile = 100 })
	id := r.upload(`{"name":"n.txt"}`, "x", "one")
	url := "/inventory/binaries/" + id
	body := crlf("--q", `Content-Disposition: form-data; name="file"`, "Content-Type: text/x", "", "two", "--q--", "")
	r.want(201, r.do("PUT", url, body, "Content-Type: multipart/form-data; boundary=q"))
	got := r.do("GET", url, "")
	r.equal("form", got.body+" "+got.header.Get("Content-Type"), "two text/x")
	tag := got.header.Get("ETag")
	r.want(412, r.do("PUT", url, "three", `If-Match: "x"`))
	r.want(412, r.do("PUT", url, "three", "If-None-Match: *"))
	r.want(413, r.do("PUT", url, strings.Repeat("x", 101)))
	r.want(413, r.send("PUT", url, struct{ *strings.Reader }{strings.NewReader(strings.Repeat("x", 101))}))
	r.want(400, r.do("PUT", url, body[:len(body)-6], "Content-Type: multipart/form-data; boundary=q"))
	r.equal("kept", r.do("GET", url, "").header.Get("ETag"), tag)
	r.want(201, r.do("PUT", url, "three", "If-Match: "+tag))
	r.equal("new", r.do("GET", url, "").body, "three")
	if n := len(r.tree()); n != 2 {
		t.Errorf("tree is %v", r.tree())
	}
}

func TestDeleteBinary(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"n.txt"}`, "x", "one")
	a := r.want(204, r.do("DELETE", "/inventory/binaries/"+id, "", acceptJSON))
	r.equal("body", a.body, "")
	for _, m := range []string{"GET", "PUT", "DELETE"} {
		r.want(404, r.do(m, "/inventory/binaries/"+id, ""))
	}
	r.nothing()
}

func TestBinary_EveryFileIsOne(t *testing.T) {
	r := newRig(t)
	info := r.put("/photos/2026/cat.png", "meow")
	id := idText(info.Ino())
	a := r.want(200, r.do("GET", "/inventory/binaries/"+id, ""))
	r.equal("bytes", a.body, "meow")
	r.equal("type", a.header.Get("Content-Type"), "image/png")
	r.equal("etag", a.header.Get("ETag"), info.ETag())
	m := r.do("GET", "/inventory/binaries", "").json(t)["managedObjects"].([]any)[0].(map[string]any)
	r.equal("name", m["name"], "cat.png")
	r.want(201, r.do("PUT", "/inventory/binaries/"+id, "purr", "Content-Type: text/cat"))
	r.equal("tree", r.cat("/photos/2026/cat.png"), "purr")
	if _, err := r.fs.Move(r.Context(), sys(), "/photos/2026/cat.png", "/kitten.png", false, nil); err != nil {
		t.Fatal(err)
	}
	m = r.do("GET", "/inventory/binaries?ids="+id, "").json(t)["managedObjects"].([]any)[0].(map[string]any)
	r.equal("name after a move", m["name"], "kitten.png")
	r.want(204, r.do("DELETE", "/inventory/binaries/"+id, ""))
	if _, err := r.fs.Stat(r.Context(), sys(), "/kitten.png"); fs.Errno(err) == 0 {
		t.Error("the file is still there")
	}
}

func TestBinary_MethodOverrideAndRoutes(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"n.txt"}`, "x", "one")
	url := "/inventory/binaries/" + id
	r.want(201, r.do("POST", url, "two", "X-HTTP-METHOD: PUT"))
	r.equal("bytes", r.do("GET", url+"/", "").body, "two")
	r.want(204, r.do("POST", url, "", "X-HTTP-METHOD: delete"))
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"POST", url, 405, "general/Method Not Allowed", "GET, HEAD, PUT, DELETE"},
		{"PATCH", "/inventory/binaries", 405, "general/Method Not Allowed", "GET, HEAD, POST"},
		{"POST", "/inventory/binaries?x", 415, "general/Unsupported Media Type", ""},
		{"GET", "/inventory/nothing", 404, "general/Not Found", ""},
		{"GET", "/measurement/measurements", 404, "general/Not Found", ""},
		{"GET", "/identity/externalIds/c8y_Serial/x", 404, "general/Not Found", ""},
		{"GET", "/inventory/managedObjects/x", 404, "inventory/Not Found", ""},
		{"GET", "/inventory/managedObjects/5/childUncles", 404, "general/Not Found", ""},
		{"GET", "/event/events/abc", 404, "event/Not Found", ""},
		{"GET", "/event/events/abc/binaries", 404, "event/Not Found", ""},
		{"GET", "/event/events/4711", 404, "event/Not Found", ""},
		{"GET", "/event/events/4711/binaries", 404, "event/Not Found", ""},
		{"PATCH", "/event/events/4711/binaries", 405, "general/Method Not Allowed", "GET, HEAD, POST, PUT, DELETE"},
		{"PUT", "/event/events", 405, "general/Method Not Allowed", "GET, HEAD, POST, DELETE"},
		{"DELETE", "/platform", 405, "general/Method Not Allowed", "GET, HEAD"},
		{"GET", "/inventory/binaries/1/2", 404, "general/Not Found", ""},
		{"GET", "/inventory/binaries/abc", 404, "inventory/Not Found", ""},
		{"GET", "/inventory/binaries/01", 404, "inventory/Not Found", ""},
		{"GET", "/inventory/binaries/-1", 404, "inventory/Not Found", ""},
		{"GET", "/inventory/binaries/0", 404, "inventory/Not Found", ""},
		{"GET", "/inventory/binaries/1", 404, "inventory/Not Found", ""}, // the root directory
		{"GET", "/inventory/binaries/99999999999999999999", 404, "inventory/Not Found", ""},
		{"GET", "/inventory/binaries/%2e%2e", 404, "inventory/Not Found", ""},
		{"GET", "/inventory/binaries/..%2fx", 404, "general/Not Found", ""},
	} {
		a := r.want(c.status, r.do(c.method, c.path, ""))
		r.equal(c.method+c.path, a.json(t)["error"], c.code)
		r.equal("allow", a.header.Get("Allow"), c.allow)
	}
}

func TestBinary_OtherTenant(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"n.txt"}`, "x", "one")
	for _, m := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		r.want(404, r.do(m, "/inventory/binaries/"+id, "", "user: other/root"))
	}
	r.equal("list", len(r.do("GET", "/inventory/binaries", "", "user: other/root").json(t)["managedObjects"].([]any)), 0)
	r.equal("bytes", r.cat("/inventory/n.txt"), "one")
}

func TestBinary_Roles(t *testing.T) {
	r := newRig(t)
	readers, writers := "mira root reader invr binr", "mira root inva bina"
	creators := writers + " invc binc owner"
	in := func(list, user string) bool { return strings.Contains(" "+list+" ", " "+user+" ") }
	status := func(ok bool, code int) int {
		if ok {
			return code
		}
		return 403
	}
	form := crlf("--q", `Content-Disposition: form-data; name="file"; filename="f"`, "", "x", "--q--", "")
	for user := range users {
		as := "user: " + user
		other := "/inventory/binaries/" + r.upload(`{"name":"o"}`, "o", "x")
		global := "/inventory/binaries/" + r.upload(`{"name":"g","c8y_Global":{}}`, "g", "x")
		own := "/inventory/binaries/" + r.upload(`{"owner":"`+user+`"}`, "own", "x", "user: inva")
		got := []int{
			r.do("GET", other, "", as).status, r.do("GET", global, "", as).status, r.do("GET", own, "", as).status,
			r.do("POST", "/inventory/binaries", form, as, "Content-Type: multipart/form-data; boundary=q").status,
			r.do("PUT", other, "y", as).status, r.do("PUT", global, "y", as).status, r.do("PUT", own, "y", as, acceptJSON).status,
			r.do("DELETE", global, "", as).status, r.do("DELETE", other, "", as).status, r.do("DELETE", own, "", as).status,
		}
		want := []int{
			status(in(readers, user), 200), 200, 200, status(in(creators, user), 201),
			status(in(writers, user), 201), status(in(writers, user), 201), 201,
			status(in(writers, user), 204), status(in(writers, user), 204), 204,
		}
		r.equal(user, got, want)
	}
}

func TestBinary_GoldenErrors(t *testing.T) {
	r := newRig(t, func(o *Options) { o.PublicURL = "https://files.example.net/base/" })
	const info = `,"info":"https://files.example.net/base/docs#errors"`
	for _, c := range []struct {
		a      answer
		status int
		body   string
	}{
		{r.do("GET", "/inventory/binaries/4711", ""), 404, `{"error":"inventory/Not Found"` + info + `,"message":"there is nothing with this id"}`},
		{r.do("POST", "/inventory/binaries", "", "user: reader"), 403, `{"error":"security/Forbidden"` + info + `,"message":"this user has no role that allows it"}`},
		{r.do("GET", "/inventory/binaries?pageSize=x", ""), 422, `{"error":"inventory/Unprocessable Entity"` + info + `,"message":"pageSize must be a positive number"}`},
	} {
		r.want(c.status, c.a)
		r.equal("body", c.a.body, c.body)
		r.equal("type", c.a.header.Get("Content-Type"), "application/vnd.com.nsn.cumulocity.error+json;ver=0.9;charset=UTF-8")
	}
}

func TestUnauthorized(t *testing.T) {
	r := newRig(t)
	for _, user := range []string{"user:", "user: unknown"} {
		for _, p := range []string{"/inventory/binaries", "/inventory/binaries/1", "/inventory/x"} {
			a := r.want(401, r.do("GET", p, "", user))
			r.equal("challenge", a.header.Get("WWW-Authenticate"), `Basic realm="Cumulocity"`)
			m := a.json(t)
			r.equal("error", m["error"], "security/Unauthorized")
			if !strings.Contains(m["message"].(string), "Invalid credentials") {
				t.Errorf("message is %v", m["message"])
			}
		}
	}
	a := r.want(401, r.do("GET", "/inventory/binaries", "", "user:", "UseXBasic: true"))
	r.equal("challenge", a.header.Get("WWW-Authenticate"), `XBASIC realm="Cumulocity"`)
	a = r.want(401, r.do("POST", "/api/binarystreamobjectservice/get", "{}", "user:"))
	m := a.json(t)["response"].(map[string]any)["statusDetail"].(map[string]any)["messages"].([]any)[0].(map[string]any)
	r.equal("code", m["messageCode"], "GE001")
}
