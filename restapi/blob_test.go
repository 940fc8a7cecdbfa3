package restapi

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// blobError asserts an XML failure.
func (r *rig) blobError(status int, code string, a answer) {
	r.Helper()
	r.want(status, a)
	r.equal("code", a.header.Get("x-ms-error-code"), code)
	r.equal("type", a.header.Get("Content-Type"), "application/xml")
	head := `<?xml version="1.0" encoding="utf-8"?><Error><Code>` + code + `</Code><Message>`
	if a.body != "" && (!strings.HasPrefix(a.body, head) || !strings.Contains(a.body, "\nRequestId:"+a.header.Get("x-ms-request-id")+"\nTime:")) {
		r.Errorf("body is %s", a.body)
	}
}

func sum64(s string) string {
	sum := md5.Sum([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestBlob_RoundTrip(t *testing.T) {
	for _, kind := range []string{"filestore", "memstore"} {
		r := newRigKind(t, kind)
		u, send, id := r.uploadURL(lamp)
		a := r.want(201, r.do("PUT", u, ten, append(send, "user:", "Content-Type: image/png", "Content-MD5: "+sum64(ten), "x-ms-client-request-id: c-1", "x-ms-version: 2020-01-01")...))
		for name, want := range map[string]string{"Content-Length": "0", "Content-MD5": sum64(ten), "x-ms-request-server-encrypted": "false", "x-ms-client-request-id": "c-1",
			"x-ms-version": "2020-01-01", "Access-Control-Allow-Origin": "*"} {
			r.equal(name, a.header.Get(name), want)
		}
		tag := a.header.Get("ETag")
		_, p := r.one(`{"id":"` + id + `"}`)
		for name, want := range map[string]any{"contentSize": 10, "originalFileName": "lamp.png", "fullObjectPath": "catalog/2026/lamp@_@9b6c1f0e.png", "user": "ana@shop.test",
			"role": "vendor", "ownershipData": "ShopA", "ignoreAssetProcessing": true, "pixels": 640, "type": nil, "x_rdp_tenantid": nil} {
			r.equal(name, p[name], want)
		}
		r.equal("tree", r.cat("/catalog/2026/lamp.png"), ten)
		d := r.downloadURL(lamp)
		a = r.want(200, r.do("GET", d, "", "user:"))
		for name, want := range map[string]string{"Content-Type": "image/png", "Content-Length": "10", "ETag": tag, "Content-Disposition": "attachment; filename=lamp.png", "Content-MD5": sum64(ten),
			"x-ms-blob-type": "BlockBlob", "x-ms-lease-state": "available", "x-ms-lease-status": "unlocked", "Accept-Ranges": "bytes", "x-ms-meta-role": "vendor", "x-ms-version": "2021-12-02"} {
			r.equal(name, a.header.Get(name), want)
		}
		for _, c := range rangeCases {
			for _, name := range []string{"Range: ", "Range: bytes=1-2|x-ms-range: "} {
				if c.header == "" && strings.Contains(name, "|") {
					continue
				}
				a := r.do("GET", d, "", append(strings.Split(name+c.header, "|"), "user:")...)
				if c.status == 416 {
					r.blobError(416, "InvalidRange", a)
				} else {
					r.equal(name+c.header, fmt.Sprint(a.status, a.body, a.header.Get("Content-Range")), fmt.Sprint(c.status, c.body, c.crange))
				}
				if c.status == 206 && (a.header.Get("Content-MD5") != "" || a.header.Get("x-ms-blob-content-md5") != sum64(ten)) {
					t.Errorf("digests of a part: %v", a.header)
				}
			}
		}
		h := r.want(200, r.do("HEAD", d, "", "user:"))
		r.equal("HEAD", h.header.Get("Content-Length")+h.body, "10")
		r.want(304, r.do("GET", d, "", "user:", "If-None-Match: "+tag))
		r.blobError(412, "ConditionNotMet", r.do("GET", d, "", "user:", `If-Match: "x"`))
	}
}

func TestBlob_PutHeaders(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt","camelCase":"c","mediaAssetId":"m"}}`)
	r.want(201, r.do("PUT", u, "one", "user:", "Content-Type: application/json", "x-ms-blob-content-type: text/x", "x-ms-blob-cache-control: no-cache", "x-ms-blob-content-language: de",
		"x-ms-blob-content-encoding:", "x-ms-blob-content-md5:", "x-ms-meta-CamelCase: changed", "x-ms-meta-mediaassetid: m2", "x-ms-meta-NewOne: n", "x-ms-meta-user: evil",
		"x-ms-meta-objectkey: other", "x-ms-meta-contentsize: 7", "x-ms-meta-x_rdp_userid: evil"))
	_, p := r.one(`{"id":"i"}`)
	for name, want := range map[string]any{"camelCase": "changed", "mediaAssetId": "m2", "newone": "n", "user": "mira", "objectKey": "k.txt", "contentSize": 3, "x_rdp_userid": nil} {
		r.equal(name, p[name], want)
	}
	a := r.do("GET", r.downloadURL(`{"id":"i"}`), "", "user:")
	for name, want := range map[string]string{"Content-Type": "text/x", "Cache-Control": "no-cache", "Content-Language": "de", "Content-Encoding": "", "x-ms-meta-newone": "n",
		"Content-Disposition": `attachment; filename="k.txt"`} {
		r.equal(name, a.header.Get(name), want)
	}
	r.want(201, r.do("PUT", u, "two", "user:", "x-ms-meta-only: this"))
	_, p = r.one(`{"id":"i"}`)
	r.equal("overwritten metadata", words(p["only"], p["newone"], p["camelCase"]), "this <nil> c")
	a = r.do("GET", r.downloadURL(`{"id":"i"}`), "", "user:")
	r.equal("headers", a.header.Get("Content-Type")+a.header.Get("Cache-Control")+a.header.Get("x-ms-meta-newone"), "application/octet-stream")
}

func TestBlob_NonASCII(t *testing.T) {
	r := newRig(t)
	u, send, _ := r.uploadURL(`{"id":"ü","properties":{"objectKey":"dir/ünï漢.txt","originalFileName":"ünï漢.txt","note":"größe","pct":"100%25"}}`, `x-rdp-userRoles: ["a"]`)
	for _, h := range send {
		if !plainHeader(h) {
			t.Errorf("header %q", h)
		}
	}
	r.want(201, r.do("PUT", u, "x", append(send, "user:")...))
	o, p := r.one(`{"id":"ü"}`)
	r.equal("values", words(o["id"], p["note"], p["originalFileName"], p["pct"], p["role"]), "ü größe ünï漢.txt 100%25 a")
	r.equal("tree", r.cat("/dir/ünï漢.txt"), "x")
	a := r.do("GET", r.downloadURL(`{"id":"ü"}`), "", "user:")
	r.equal("disposition", a.header.Get("Content-Disposition"), `attachment; filename="_n__.txt"; filename*=UTF-8''%C3%BCn%C3%AF%E6%BC%A2.txt`)
}

func TestBlob_PutRefused(t *testing.T) {
	for _, existing := range []bool{false, true} {
		r := newRig(t, func(o *Options) { o.MaxFile = 100 })
		u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"new/dir/k.txt"}}`)
		if existing {
			r.want(201, r.do("PUT", u, "old", "user:"))
		}
		before := r.tree()
		check := func(status int, code string, body string, headers ...string) {
			t.Helper()
			r.blobError(status, code, r.do("PUT", u, body, append(headers, "user:")...))
		}
		check(400, "Md5Mismatch", "x", "Content-MD5: "+sum64("y"))
		check(400, "Md5Mismatch", "x", "x-ms-blob-content-md5: "+sum64("y"))
		check(400, "InvalidHeaderValue", "x", "Content-MD5: nonsense")
		check(400, "InvalidHeaderValue", "x", "x-ms-blob-type: PageBlob")
		check(400, "MetadataTooLarge", "x", "x-ms-meta-a: "+strings.Repeat("x", 8192))
		check(400, "EmptyMetadataKey", "x", "x-ms-meta-: x")
		check(413, "RequestBodyTooLarge", strings.Repeat("x", 101))
		check(412, "ConditionNotMet", "x", `If-Match: "x"`)
		r.blobError(413, "RequestBodyTooLarge", r.send("PUT", u, struct{ *strings.Reader }{strings.NewReader(strings.Repeat("x", 101))}, "user:"))
		for comp, want := range map[string]string{"block": "InvalidBlockId", "blocklist": "InvalidXmlDocument", "metadata": "InvalidQueryParameterValue", "x": "InvalidQueryParameterValue"} {
			a := r.do("PUT", u+"&comp="+comp, "x", "user:")
			r.equal(comp, a.header.Get("x-ms-error-code"), want)
		}
		r.equal("tree", r.tree(), before)
		if !existing {
			r.nothing()
			r.want(201, r.do("PUT", u, "first", "user:", "If-None-Match: *"))
		} else {
			r.equal("old", r.cat("/new/dir/k.txt"), "old")
		}
		r.blobError(409, "BlobAlreadyExists", r.do("PUT", u, "second", "user:", "If-None-Match: *"))
	}
}

// T7: expired, tampered, used for another method, key or container.
func TestBlob_T7Signatures(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"a","properties":{"objectKey":"a.txt"}}`, "aaa")
	r.stored(`{"id":"b","properties":{"objectKey":"b.txt"}}`, "bbb")
	up, _, _ := r.uploadURL(`{"id":"a","properties":{"objectKey":"a.txt"}}`)
	down := r.downloadURL(`{"id":"a"}`)
	denied := func(code, method, u string) {
		t.Helper()
		r.blobError(403, code, r.do(method, u, "evil", "user:"))
	}
	for _, m := range []string{"PUT", "DELETE"} {
		denied("AuthorizationPermissionMismatch", m, down)
	}
	for _, m := range []string{"GET", "HEAD", "DELETE"} {
		denied("AuthorizationPermissionMismatch", m, up)
	}
	r.blobError(405, "UnsupportedHttpVerb", r.do("POST", down, "", "user:"))
	for _, full := range []string{up, down} {
		u, err := url.Parse(full)
		if err != nil {
			t.Fatal(err)
		}
		method := "GET"
		if full == up {
			method = "PUT"
		}
		for name, values := range u.Query() {
			for _, change := range []string{"", values[0] + "x", "x" + values[0], strings.ToUpper(values[0]) + " ", values[0][1:], "r"} {
				if change == values[0] {
					continue
				}
				q := u.Query()
				q.Set(name, change)
				v := *u
				v.RawQuery = q.Encode()
				denied("AuthenticationFailed", method, v.String())
				q.Del(name)
				v.RawQuery = q.Encode()
				denied("AuthenticationFailed", method, v.String())
			}
		}
		for _, path := range []string{"/blobs/rdp-media-assets/b.txt", "/blobs/other-media-assets/a.txt", "/blobs/rdp-media-assets/a.txt/", "/blobs/rdp-media-assets//a.txt",
			"/blobs/rdp-media-assets/", "/blobs/rdp-media-assets", "/blobs/a.txt", "/blobs/rdp-media-assets/x/../a.txt", "/blobs/rdp-media-assets/%2e%2e/a.txt", "/blobs/rdp-media-assets/..%5ca.txt"} {
			denied("AuthenticationFailed", method, r.url+path+"?"+u.RawQuery)
		}
		denied("AuthenticationFailed", method, r.url+u.Path)
	}
	r.equal("bytes", r.cat("/assets/a.txt"), "aaa")

	u, _ := url.Parse(down)
	q := u.Query()
	q.Set("timeout", "30")
	same := r.url + "/blobs/rdp-media-assets/%61.txt?" + q.Encode() // as libraries re-encode and re-order it
	r.want(200, r.do("GET", same, "", "user:"))
	r.skip.Store(int64(time.Hour + 50*time.Second))
	r.want(200, r.do("GET", down, "", "user:"))
	r.skip.Store(int64(time.Hour + 62*time.Second))
	denied("AuthenticationFailed", "GET", down)
	denied("AuthenticationFailed", "PUT", up)
	r.skip.Store(0)
	r.ok("delete", `{"binaryStreamObject":{"id":"a"}}`)
	r.blobError(404, "BlobNotFound", r.do("GET", down, "", "user:"))
	r.blobError(404, "BlobNotFound", r.do("HEAD", down, "", "user:"))
}

func TestBlob_KeyOfAnotherServerFails(t *testing.T) {
	a, b := newRig(t), newRig(t, func(o *Options) { o.SigningKey = nil })
	u, _, _ := a.uploadURL(`{"id":"i"}`)
	v, _ := url.Parse(u)
	b.blobError(403, "AuthenticationFailed", b.do("PUT", b.url+v.RequestURI(), "x", "user:"))
	b.nothing()
}

// The identity of an upload is that of the request that asked for the URL.
func TestBlob_RightsComeFromTheURL(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"a","properties":{"objectKey":"a.txt"}}`, "aaa")
	u, _, _ := r.uploadURL(`{"id":"a","properties":{"objectKey":"a.txt"}}`, "user: invc")
	r.blobError(403, "AuthorizationFailure", r.do("PUT", u, "x", "user: root"))
	r.equal("bytes", r.cat("/assets/a.txt"), "aaa")
	u, _, _ = r.uploadURL(`{"id":"mine","properties":{"objectKey":"mine.txt"}}`, "user: invc")
	r.want(201, r.do("PUT", u, "x", "user:"))
	r.want(201, r.do("PUT", u, "y", "user:"))
	_, p := r.one(`{"id":"mine"}`)
	r.equal("user", p["user"], "invc")
}

func TestBlob_CORS(t *testing.T) {
	r := newRig(t)
	a := r.want(200, r.do("OPTIONS", "/blobs/c/k", "", "user:", "Origin: https://ui.test", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-ms-blob-type,x-ms-meta-a"))
	for name, want := range map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "PUT,GET,HEAD,OPTIONS",
		"Access-Control-Allow-Headers": "x-ms-blob-type,x-ms-meta-a", "Access-Control-Max-Age": "86400"} {
		r.equal(name, a.header.Get(name), want)
	}
	a = r.do("GET", "/blobs/c/k", "", "user:", "Origin: https://ui.test")
	if a.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "ETag") {
		t.Errorf("headers are %v", a.header)
	}
}

// Many first uploads of one key end with one file that holds the bytes of one of them; who lost the race is told to try again.
func TestBlob_ConcurrentFirstUploads(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			body := strings.Repeat(fmt.Sprintf("%02d", i), 5000)
			for {
				res, err := http.DefaultClient.Do(mustRequest(t, "PUT", u, body))
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
				if res.StatusCode == 201 {
					return
				}
				if res.StatusCode != 503 {
					t.Errorf("status is %d", res.StatusCode)
					return
				}
			}
		})
	}
	wg.Wait()
	r.equal("tree", r.tree(), []string{"/assets/", "/assets/k.txt"})
	got := r.cat("/assets/k.txt")
	if len(got) != 10000 || strings.Trim(got, got[:2]) != "" && strings.ReplaceAll(got, got[:2], "") != "" {
		t.Errorf("the bytes are mixed: %.40q", got)
	}
	o, _ := r.one(`{"id":"k.txt"}`)
	r.equal("id", o["id"], "i")
}

func mustRequest(t *testing.T, method, u, body string) *http.Request {
	req, err := http.NewRequestWithContext(t.Context(), method, u, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// What the reference server does beside the plain cases.
func TestBlob_Details(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"i","properties":{"objectKey":"k.txt"}}`, ten)
	r.stored(`{"id":"e","properties":{"objectKey":"empty"}}`, "")
	u := r.downloadURL(`{"id":"i"}`)
	a := r.want(200, r.do("HEAD", u, "", "user:", "x-ms-range: bytes=2-4"))
	r.equal("HEAD knows no range", words(a.header.Get("Content-Length"), a.header.Get("Content-Range"), a.header.Get("Content-MD5") == sum64(ten)), "10  true")
	r.equal("created", words(a.header.Get("x-ms-creation-time") != "", a.header.Get("x-ms-server-encrypted")), "true false")
	a = r.want(206, r.do("GET", u, "", "user:", "x-ms-range: bytes=2-4", "x-ms-range-get-content-md5: true"))
	r.equal("digest of the range", words(a.body, a.header.Get("Content-MD5"), a.header.Get("x-ms-blob-content-md5")), words(ten[2:5], sum64(ten[2:5]), sum64(ten)))
	a = r.want(304, r.do("GET", u, "", "user:", "If-None-Match: "+a.header.Get("ETag")))
	r.equal("304", a.header.Get("x-ms-error-code"), "ConditionNotMet")
	r.blobError(400, "UnsatisfiableCondition", r.do("GET", u, "", "user:", "If-None-Match: *"))
	r.blobError(400, "InvalidQueryParameterValue", r.do("GET", u+"&comp=blocklist", "", "user:"))
	a = r.do("GET", r.downloadURL(`{"id":"e"}`), "", "user:", "x-ms-range: bytes=0-3")
	r.blobError(416, "InvalidRange", a)
	r.equal("416", words(a.header.Get("Content-Range"), a.header.Get("Content-MD5"), a.header.Get("Content-Disposition")), "bytes */0  ")
	r.want(200, r.do("GET", r.downloadURL(`{"id":"e"}`), "", "user:", "Range: nonsense"))
	p, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	r.blobError(412, "ConditionNotMet", r.do("PUT", p, "x", "user:", "If-Unmodified-Since: Wed, 01 Jan 2003 00:00:00 GMT"))
	r.blobError(412, "ConditionNotMet", r.do("PUT", p, "x", "user:", "If-Modified-Since: Wed, 01 Jan 2098 00:00:00 GMT"))
	r.want(201, r.do("PUT", p, "x", "user:", "If-Modified-Since: Wed, 01 Jan 2003 00:00:00 GMT"))
}

// Keys that no tree can hold as they are: one below another, longer than a name, over the whole allowed length.
func TestBlob_OddKeys(t *testing.T) {
	for _, kind := range []string{"filestore", "memstore"} {
		r := newRigKind(t, kind)
		for _, key := range []string{"x/y", "x/y/z", "x", "x/y/z/w", strings.Repeat("k", 1024), "d/" + strings.Repeat("ü", 300) + ".png", strings.Repeat("k/", 100) + "kk", "%2e%2e", "a+b c&d=e?f#g", "CON", ".hidden", "..."} {
			r.stored(`{"properties":{"objectKey":`+quote(key)+`}}`, key)
		}
		for _, key := range []string{"x/y", "x/y/z", "x", "x/y/z/w", strings.Repeat("k", 1024), "d/" + strings.Repeat("ü", 300) + ".png", strings.Repeat("k/", 100) + "kk", "%2e%2e", "a+b c&d=e?f#g", "CON", ".hidden", "..."} {
			r.equal(key, r.want(200, r.do("GET", r.downloadURL(`{"properties":{"objectKey":`+quote(key)+`}}`), "", "user:")).body, key)
			_, p := r.one(`{"id":` + quote(key) + `}`)
			r.equal("key", p["objectKey"], key)
		}
		name := strings.Repeat("n", 300) + ".png"
		r.stored(`{"id":"`+strings.Repeat("i", 1024)+`","properties":{"objectKey":"k","originalFileName":"`+name+`"}}`, "x")
		_, p := r.one(`{"id":"` + strings.Repeat("i", 1024) + `"}`)
		r.equal("name", p["originalFileName"], name)
		r.equal("in the tree", r.cat("/assets/"+strings.Repeat("n", 251)+".png"), "x")
	}
}

// Libraries hand metadata names to programs as they stand in the answer.
func TestBlob_MetadataNames(t *testing.T) {
	r := newRig(t)
	u, send, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt","originalFileName":"n.txt","camelCase":"c","mediaAssetId":"m"}}`)
	r.want(201, r.do("PUT", u, "x", append(send, "user:", "x-ms-meta-Plain: p")...))
	v := r.downloadURL(`{"id":"i"}`)
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, head("GET", target(v), "Connection: close")+"\r\n")
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"x-ms-meta-camelCase: c", "x-ms-meta-mediaAssetId: m", "x-ms-meta-plain: p", "x-ms-meta-originalfilename: n.txt", "x-ms-meta-x_rdp_tenantid: rdp"} {
		if !strings.Contains(string(answer), "\r\n"+line+"\r\n") {
			t.Errorf("no %s in\n%s", line, answer)
		}
	}
}
