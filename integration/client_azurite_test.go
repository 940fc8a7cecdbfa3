package integration

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// blobServer is a server of signed URLs: tote, or the reference.
type blobServer struct {
	name string
	url  func(key string, write bool) string
	tag  string // of the blob that conditions are about
}

// The reference's well-known account.
const (
	refAccount = "devstoreaccount1"
	refKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
	container  = "rdp-media-assets"
)

// startReference starts azurite, which keeps everything in memory, and makes the container.
func startReference(t testing.TB) string {
	t.Helper()
	node := needTool(t, "node")
	needModules(t, "azurite")
	addr := freeAddr(t)
	host, port, _ := strings.Cut(addr, ":")
	program, err := filepath.Abs("clients/azurite/node_modules/azurite/dist/src/blob/main.js")
	check(t, err)
	cmd := exec.Command(node, program, "--blobHost", host, "--blobPort", port,
		"--inMemoryPersistence", "--disableTelemetry", "--silent")
	cmd.Dir = tempDir(t)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(t, start(cmd))
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	base := "http://" + addr
	q := refSignature("racwdl\nb\nsco\n\n%s\n\n\n2017-07-29\n", refAccount+"\n", url.Values{"sp": {"racwdl"}, "ss": {"b"}, "srt": {"sco"}})
	eventually(t, startLimit, func() error {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/"+refAccount+"/"+container+"?restype=container&"+q, nil)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusCreated {
			t.Fatalf("the reference makes no container: %s %s", res.Status, &out)
		}
		return nil
	})
	return base
}

// refSignature signs for the reference; format has the expiry in it.
func refSignature(format, before string, q url.Values) string {
	key, _ := base64.StdEncoding.DecodeString(refKey)
	end := time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05Z")
	m := hmac.New(sha256.New, key)
	fmt.Fprint(m, before+fmt.Sprintf(format, end))
	q.Set("sv", "2017-07-29")
	q.Set("se", end)
	q.Set("sig", base64.StdEncoding.EncodeToString(m.Sum(nil)))
	return q.Encode()
}

func reference(base string) *blobServer {
	return &blobServer{name: "azurite", url: func(key string, write bool) string {
		sp := map[bool]string{true: "acw", false: "rl"}[write]
		q := refSignature("\n%s\n/blob/"+refAccount+"/"+container+"/"+key+"\n\n\n\n2017-07-29\n\n\n\n\n", sp+"\n", url.Values{"sp": {sp}, "sr": {"b"}})
		return base + "/" + refAccount + "/" + container + "/" + key + "?" + q
	}}
}

func (r *clientRig) blobs() *blobServer {
	up := r.service("/api/binarystreamobjectservice/uploadContinuous", `{"binaryStreamObject":{"type":"binarystreamobject"}}`)[0]
	down := r.service("/api/binarystreamobjectservice/downloadContinuous", `{"binaryStreamObject":{"type":"binarystreamobject"}}`)[0]
	return &blobServer{name: "tote", url: func(key string, write bool) string {
		text := down.Properties["downloadContinuousURL"]
		if write {
			text = up.Properties["uploadContinuousURL"]
		}
		return strings.Replace(text.(string), "replacementObjectKey", key, 1)
	}}
}

// blobCase is one request. Headers are "Name: value", and TAG stands for the ETag of the first blob.
type blobCase struct {
	name, method, key, query, body string
	headers                        []string
	write                          bool
	differs                        string // why tote answers another way; "" when it must not
}

// headersOfBlobs are compared where the reference sends them.
var headersOfBlobs = []string{"Content-Length", "Content-Range", "Content-Type", "Content-Md5", "Content-Disposition", "Content-Language", "Content-Encoding", "Cache-Control",
	"Accept-Ranges", "X-Ms-Blob-Type", "X-Ms-Blob-Content-Md5", "X-Ms-Lease-State", "X-Ms-Lease-Status", "X-Ms-Meta-A", "X-Ms-Error-Code", "X-Ms-Client-Request-Id"}

// presentHeaders have values that differ from server to server; they have to be there.
var presentHeaders = []string{"Etag", "Last-Modified", "X-Ms-Request-Id", "X-Ms-Version", "Date", "X-Ms-Creation-Time", "X-Ms-Server-Encrypted", "X-Ms-Request-Server-Encrypted"}

func sum64(s string) string {
	sum := md5.Sum([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func blockQuery(id string) string {
	return "comp=block&blockid=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(id)))
}

func blockXML(ids ...string) string {
	var b strings.Builder
	for _, id := range ids {
		tag, name, _ := strings.Cut(id, " ")
		fmt.Fprintf(&b, "<%s>%s</%s>", tag, base64.StdEncoding.EncodeToString([]byte(name)), tag)
	}
	return `<?xml version="1.0" encoding="utf-8"?><BlockList>` + b.String() + "</BlockList>"
}

const whole = "0123456789"

var blobCases = []blobCase{
	{name: "put", method: "PUT", key: "k", body: whole, write: true, headers: []string{"Content-Type: image/png", "x-ms-meta-a: b", "x-ms-blob-content-disposition: attachment; filename=x",
		"x-ms-blob-cache-control: no-cache", "x-ms-blob-content-language: de", "Content-MD5: " + sum64(whole), "x-ms-client-request-id: c1"}},
	{name: "get", method: "GET", key: "k"},
	{name: "head", method: "HEAD", key: "k"},
	{name: "range", method: "GET", key: "k", headers: []string{"Range: bytes=2-4"}},
	{name: "x-ms-range counts", method: "GET", key: "k", headers: []string{"Range: bytes=0-0", "x-ms-range: bytes=2-4"}},
	{name: "open range", method: "GET", key: "k", headers: []string{"x-ms-range: bytes=8-"}},
	{name: "range over the end", method: "GET", key: "k", headers: []string{"x-ms-range: bytes=8-100"}},
	{name: "range behind the end", method: "GET", key: "k", headers: []string{"x-ms-range: bytes=100-200"}},
	{name: "range from the end", method: "GET", key: "k", headers: []string{"x-ms-range: bytes=10-"}, differs: "the reference sends 206 with bytes 10-9"},
	{name: "range backwards", method: "GET", key: "k", headers: []string{"x-ms-range: bytes=5-2"}},
	{name: "range that is none", method: "GET", key: "k", headers: []string{"x-ms-range: junk"}},
	{name: "range with its digest", method: "GET", key: "k", headers: []string{"x-ms-range: bytes=2-4", "x-ms-range-get-content-md5: true"}},
	{name: "range of HEAD", method: "HEAD", key: "k", headers: []string{"x-ms-range: bytes=2-4"}},
	{name: "not modified", method: "GET", key: "k", headers: []string{"If-None-Match: TAG"}},
	{name: "not modified since", method: "GET", key: "k", headers: []string{"If-Modified-Since: Wed, 01 Jan 2098 00:00:00 GMT"}},
	{name: "get if none", method: "GET", key: "k", headers: []string{"If-None-Match: *"}},
	{name: "get if match", method: "GET", key: "k", headers: []string{`If-Match: "x"`}},
	{name: "get if unmodified", method: "GET", key: "k", headers: []string{"If-Unmodified-Since: Wed, 01 Jan 2003 00:00:00 GMT"}},
	{name: "get missing", method: "GET", key: "none"},
	{name: "head missing", method: "HEAD", key: "none"},
	{name: "get with the URL of an upload", method: "GET", key: "k", write: true},
	{name: "put with the URL of a download", method: "PUT", key: "k", body: "x", headers: []string{"x-ms-blob-type: BlockBlob"}},
	{name: "delete", method: "DELETE", key: "k", write: true},
	{name: "put without a type", method: "PUT", key: "k2", body: "x", write: true, headers: []string{"x-ms-blob-type:"}, differs: "tote takes it for a block blob"},
	{name: "put another type", method: "PUT", key: "k2", body: "x", write: true, headers: []string{"x-ms-blob-type: Page"}},
	{name: "put with a wrong digest", method: "PUT", key: "k2", body: "x", write: true, headers: []string{"Content-MD5: " + sum64("y")}, differs: "the code: the service itself says Md5Mismatch"},
	{name: "put if none", method: "PUT", key: "k3", body: "x", write: true, headers: []string{"If-None-Match: *"}},
	{name: "put if none, again", method: "PUT", key: "k3", body: "x", write: true, headers: []string{"If-None-Match: *"}},
	{name: "put if match", method: "PUT", key: "k3", body: "x", write: true, headers: []string{`If-Match: "x"`}},
	{name: "put if modified", method: "PUT", key: "k3", body: "x", write: true, headers: []string{"If-Modified-Since: Wed, 01 Jan 2098 00:00:00 GMT"}},
	{name: "put if unmodified", method: "PUT", key: "k3", body: "x", write: true, headers: []string{"If-Unmodified-Since: Wed, 01 Jan 2003 00:00:00 GMT"}},
	{name: "put something else", method: "PUT", key: "k3", query: "comp=junk", body: "x", write: true},
	{name: "put nothing", method: "PUT", key: "empty", write: true},
	{name: "get nothing", method: "GET", key: "empty"},
	{name: "range of nothing", method: "GET", key: "empty", headers: []string{"x-ms-range: bytes=0-3"}},
	{name: "metadata without a value", method: "PUT", key: "m", body: "x", write: true, headers: []string{"x-ms-meta-a:"}},
	{name: "block b", method: "PUT", key: "b", query: blockQuery("b1"), body: "bbb", write: true},
	{name: "block a", method: "PUT", key: "b", query: blockQuery("a1"), body: "aaa", write: true, headers: []string{"Content-MD5: " + sum64("aaa")}},
	{name: "block without an id", method: "PUT", key: "b", query: "comp=block", body: "x", write: true},
	{name: "block with a wrong id", method: "PUT", key: "b", query: "comp=block&blockid=!", body: "x", write: true, differs: "the code: the service itself says InvalidBlockId"},
	{name: "blocks are no blob", method: "GET", key: "b"},
	{name: "list of unknown blocks", method: "PUT", key: "b", query: "comp=blocklist", body: blockXML("Latest a1", "Latest zz"), write: true},
	{name: "list that is no XML", method: "PUT", key: "b", query: "comp=blocklist", body: "<a", write: true},
	{name: "list", method: "PUT", key: "b", query: "comp=blocklist", body: blockXML("Latest a1", "Latest b1"), write: true,
		headers: []string{"x-ms-blob-content-type: text/x", "x-ms-meta-a: y", "x-ms-blob-content-md5: " + sum64("aaabbb")}},
	{name: "get what was listed", method: "GET", key: "b"},
	{name: "list of committed blocks", method: "PUT", key: "b", query: "comp=blocklist", body: blockXML("Latest b1", "Latest a1"), write: true},
	{name: "list of blocks that wait no more", method: "PUT", key: "b", query: "comp=blocklist", body: blockXML("Uncommitted a1"), write: true},
	{name: "list if none", method: "PUT", key: "b", query: "comp=blocklist", body: blockXML("Latest b1"), write: true, headers: []string{"If-None-Match: *"}},
	{name: "list if match", method: "PUT", key: "b", query: "comp=blocklist", body: blockXML("Latest b1"), write: true, headers: []string{`If-Match: "x"`}},
	{name: "empty list", method: "PUT", key: "b", query: "comp=blocklist", body: blockXML(), write: true},
	{name: "get the empty one", method: "GET", key: "b"},
}

// blobAnswer is what is compared.
type blobAnswer struct {
	status int
	header http.Header
	body   string
}

func (s *blobServer) ask(t testing.TB, c blobCase) blobAnswer {
	t.Helper()
	u := s.url(c.key, c.write)
	if c.query != "" {
		u += "&" + c.query
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, u, strings.NewReader(c.body))
	check(t, err)
	req.Header.Set("x-ms-version", "2021-12-02")
	if c.write && c.query == "" {
		req.Header.Set("x-ms-blob-type", "BlockBlob")
	}
	for _, h := range c.headers {
		name, value, _ := strings.Cut(h, ":")
		value = strings.TrimSpace(value)
		if req.Header.Set(name, strings.Replace(value, "TAG", s.tag, 1)); name == "x-ms-blob-type" && value == "" {
			req.Header.Del(name)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	check(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	check(t, err)
	if s.tag == "" {
		s.tag = res.Header.Get("Etag")
	}
	return blobAnswer{res.StatusCode, res.Header, string(body)}
}

// TestClientAzurite sends the same requests to the reference server and to tote, and compares status and headers wherever the reference says
// something. Where tote means to differ the case says why, and must differ.
func TestClientAzurite(t *testing.T) {
	ref := reference(startReference(t))
	own := startForClients(t).blobs()
	for _, c := range blobCases {
		t.Run(c.name, func(t *testing.T) {
			diff := compareBlobs(ref.ask(t, c), own.ask(t, c))
			if c.differs == "" && diff != "" {
				t.Error(diff)
			}
			if c.differs != "" && diff == "" {
				t.Errorf("no difference any more: %s", c.differs)
			}
		})
	}
}

// compareBlobs tells what tote does another way.
func compareBlobs(ref, own blobAnswer) string {
	if ref.status != own.status {
		return fmt.Sprintf("status is %d %s, want %d %s", own.status, own.header.Get("X-Ms-Error-Code"), ref.status, ref.header.Get("X-Ms-Error-Code"))
	}
	var diff []string
	for _, name := range headersOfBlobs {
		want, got := ref.header.Get(name), own.header.Get(name)
		if ref.status >= 300 && strings.HasPrefix(name, "Content-") && name != "Content-Range" {
			continue // of an error body
		}
		if want != "" && got != want {
			diff = append(diff, fmt.Sprintf("%s is %q, want %q", name, got, want))
		}
	}
	for _, name := range presentHeaders {
		if ref.header.Get(name) != "" && own.header.Get(name) == "" && ref.status < 300 {
			diff = append(diff, "no "+name)
		}
	}
	if ref.status < 300 && ref.body != own.body {
		diff = append(diff, fmt.Sprintf("body is %q, want %q", own.body, ref.body))
	}
	return strings.Join(diff, "; ")
}
