package restapi

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// raw sends bytes over a connection of its own, closes its sending side and gives the status of the answer, 0 for none.
func (r *rig) raw(text string) int {
	r.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write([]byte(text)); err != nil {
		r.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// head is a request up to its body.
func head(method, target string, headers ...string) string {
	h := append([]string{method + " " + target + " HTTP/1.1", "Host: x", "Authorization: Basic bWlyYTo="}, headers...)
	return strings.Join(h, "\r\n") + "\r\n"
}

// chunked is a body in chunks of up to n bytes, without the last one.
func chunked(body string, n int) string {
	var b strings.Builder
	for len(body) > 0 {
		k := min(n, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", k, body[:k])
		body = body[k:]
	}
	return b.String()
}

// cutCase is one way to upload.
type cutCase struct {
	name, method, target, contentType, body string
}

// cuts sends a body broken off at many places, with a length and in chunks; none may be taken as complete.
func (r *rig) cuts(c cutCase, unchanged func()) {
	r.Helper()
	full := len(c.body)
	for at := 0; at < full; at += max(1, full/23) {
		part := c.body[:at]
		h := head(c.method, c.target, "Content-Type: "+c.contentType, fmt.Sprintf("Content-Length: %d", full)) + "\r\n"
		if got := r.raw(h + part); got >= 200 && got < 300 {
			r.Errorf("%s: %d of %d bytes answered %d", c.name, at, full, got)
		}
		h = head(c.method, c.target, "Content-Type: "+c.contentType, "Transfer-Encoding: chunked") + "\r\n"
		for _, text := range []string{chunked(part, 64), chunked(part, 64) + "40\r\nshort", chunked(part, 64) + "0", chunked(part, 64) + "zz\r\n"} {
			if got := r.raw(h + text); got >= 200 && got < 300 {
				r.Errorf("%s: chunks cut after %d answered %d", c.name, at, got)
			}
		}
	}
	unchanged()
	h := head(c.method, c.target, "Content-Type: "+c.contentType, "Transfer-Encoding: chunked", "Connection: close") + "\r\n"
	if got := r.raw(h + chunked(c.body, 64) + "0\r\n\r\n"); got != 201 {
		r.Errorf("%s: the whole body answered %d", c.name, got)
	}
}

func TestCut_NewFile(t *testing.T) {
	form := crlf("--q", `Content-Disposition: form-data; name="file"; filename="f"`, "", strings.Repeat("data ", 200),
		"--q", `Content-Disposition: form-data; name="object"`, "", `{"name":"n"}`, "--q--", "")
	r := newRig(t)
	r.cuts(cutCase{"post", "POST", "/inventory/binaries", "multipart/form-data; boundary=q", form}, r.nothing)
	r = newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"new/dir/k.txt"}}`)
	r.cuts(cutCase{"blob", "PUT", target(u), "text/plain", strings.Repeat("data ", 200)}, r.nothing)
}

func TestCut_ExistingFile(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"n"}`, "n", "old bytes")
	unchanged := func(path string) func() {
		return func() { r.equal(path, r.cat(path), "old bytes") }
	}
	r.cuts(cutCase{"put", "PUT", "/inventory/binaries/" + id, "text/plain", strings.Repeat("data ", 200)}, unchanged("/inventory/n"))
	r.stored(`{"id":"i","properties":{"objectKey":"k.txt"}}`, "old bytes")
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	r.cuts(cutCase{"blob", "PUT", target(u), "text/plain", strings.Repeat("data ", 200)}, unchanged("/assets/k.txt"))
}

// An upload that says nothing about its length stores nothing, rather than an empty blob.
func TestCut_NoLength(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	for _, target := range []string{target(u), target(blockURL(u, "a")), target(u + "&comp=blocklist")} {
		for _, version := range []string{"1.0", "1.1"} {
			if got := r.raw("PUT " + target + " HTTP/" + version + "\r\nHost: x\r\nConnection: close\r\n\r\nbody"); got != 411 {
				t.Errorf("HTTP/%s %s answered %d", version, target[len(target)-10:], got)
			}
		}
	}
	r.nothing()
	r.want(201, r.do("PUT", u, "", "user:"))
	r.equal("an empty one on purpose", r.cat("/assets/k.txt"), "")
}

// A form whose bytes all arrive but whose frame ends early is as incomplete as one that was cut.
func TestCut_FrameEverywhere(t *testing.T) {
	r := newRig(t)
	form := crlf("--q", `Content-Disposition: form-data; name="object"`, "", `{"name":"n"}`,
		"--q", `Content-Disposition: form-data; name="file"; filename="f"`, "Content-Type: text/plain", "", "data\r\n--x", "--q--")
	for at := range len(form) {
		a := r.do("POST", "/inventory/binaries", form[:at], "Content-Type: multipart/form-data; boundary=q")
		if a.status != 400 && a.status != 422 {
			t.Errorf("%d of %d bytes answered %d", at, len(form), a.status)
		}
	}
	r.nothing()
	if a := r.do("POST", "/inventory/binaries", form, "Content-Type: multipart/form-data; boundary=q"); a.status != 201 {
		t.Errorf("the whole form answered %d %s", a.status, a.body)
	}
}

func target(u string) string {
	v, err := url.Parse(u)
	if err != nil {
		return ""
	}
	return v.RequestURI()
}

func TestExpectContinue(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"n"}`, "n", "old")
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(c, head("PUT", "/inventory/binaries/"+id, "Content-Length: 3", "Expect: 100-continue")+"\r\n")
	in := bufio.NewReader(c)
	line, err := in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("%q %v", line, err)
	}
	in.ReadString('\n')
	fmt.Fprint(c, "new")
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 201 {
		t.Fatalf("%v %v", res, err)
	}
	r.equal("bytes", r.cat("/inventory/n"), "new")
}

// Paths that lead elsewhere are refused wherever a path reaches the handler, however they are spelled.
func TestTraversal_Paths(t *testing.T) {
	r := newRig(t)
	r.put("/secret.txt", "secret")
	id := idText(r.put("/n", "x").Ino())
	for _, p := range []string{"/inventory/binaries/../../secret.txt", "/inventory/binaries/%2e%2e%2f%2e%2e%2fsecret.txt", "/inventory/binaries/" + id + "/..", "/inventory/binaries/" + id + "%00",
		"/inventory/binaries/" + id + "%2f..%2f1", "/inventory//binaries", "/inventory/binaries/./" + id, "/../api/binarystreamobjectservice/get", "/%2e%2e/api/binarystreamobjectservice/get",
		"/rdp%2f..%2fother/api/binarystreamobjectservice/get", "/data/../api/binarystreamobjectservice/get", "/blobs/../secret.txt", "/blobs/rdp-media-assets/../../secret.txt",
		"/blobs/rdp-media-assets/%2e%2e/%2e%2e/secret.txt", "/blobs/%2e%2e/secret.txt", "/blobs/x%00/y"} {
		for _, m := range []string{"GET", "PUT", "POST", "DELETE"} {
			got := r.raw(head(m, p, "Content-Length: 2", "Connection: close") + "\r\n{}")
			if got == 200 && strings.Contains(p, "/api/") { // an envelope that says no
				continue
			}
			if got < 400 || got >= 500 {
				t.Errorf("%s %s answered %d", m, p, got)
			}
		}
	}
	r.equal("tree", r.tree(), []string{"/n", "/secret.txt"})
}

// A client may close its sending side once its request is out. net/http takes that for a client that left and cancels the context.
func TestHalfClosedClient(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"n"}`, "n", "old")
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	h := login(r.handler)
	form := crlf("--q", `Content-Disposition: form-data; name="file"; filename="f"`, "", "data", "--q--", "")
	for _, c := range []struct {
		method, target, kind, body string
		want                       int
	}{
		{"POST", "/inventory/binaries", "multipart/form-data; boundary=q", form, 201},
		{"PUT", "/inventory/binaries/" + id, "text/plain", "new", 201},
		{"PUT", target(u), "text/plain", "blob", 201},
		{"GET", "/inventory/binaries", "", "", 200},
		{"GET", "/inventory/binaries/" + id, "", "", 200},
		{"POST", "/api/binarystreamobjectservice/get", "application/json", `{"params":{"ids":["i"]}}`, 200},
		{"DELETE", "/inventory/binaries/" + id, "", "", 204},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req := httptest.NewRequestWithContext(ctx, c.method, c.target, strings.NewReader(c.body))
		req.Header.Set("Content-Type", c.kind)
		req.SetBasicAuth("mira", "")
		if c.kind == "text/plain" {
			req.Header.Set("x-ms-blob-type", "BlockBlob")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != c.want || strings.Contains(w.Body.String(), "E000") {
			t.Errorf("%s %s: %d %s", c.method, c.target, w.Code, w.Body)
		}
	}
	r.equal("bytes", r.cat("/inventory/f"), "data")
	r.equal("bytes", r.cat("/assets/k.txt"), "blob")
	r.equal("log", r.logs.String(), "")
}

// A client that leaves in the middle of a download is no news.
func TestDownloadThatNobodyWants(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"n"}`, "n", strings.Repeat("data", 1<<20))
	req := httptest.NewRequestWithContext(t.Context(), "GET", "/inventory/binaries/"+id, nil)
	req.SetBasicAuth("mira", "")
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("ended with %v", v)
			}
		}()
		login(r.handler).ServeHTTP(leaver{httptest.NewRecorder()}, req)
	}()
	if strings.Contains(r.logs.String(), "level=ERROR") {
		t.Errorf("log: %s", &r.logs)
	}
}

// leaver is a connection whose client has gone.
type leaver struct{ *httptest.ResponseRecorder }

func (leaver) Write([]byte) (int, error) { return 0, &net.OpError{Op: "write", Err: syscall.EPIPE} }
