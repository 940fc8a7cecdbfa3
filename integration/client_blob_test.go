package integration

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClientAzblob runs the Go SDK.
func TestClientAzblob(t *testing.T) {
	program := buildClient(t, "azblob")
	r := startForClients(t)
	r.runs("azblob", program)
	wantGet(t, r.dav(), "/go/whole.txt", "whole")
	wantGet(t, r.mount(), "/go/whole.txt", "whole")
}

// TestClientStorageBlob runs the JavaScript SDK, and the requests of the browser UI.
func TestClientStorageBlob(t *testing.T) {
	node := needTool(t, "node")
	needModules(t, "storage-blob")
	r := startForClients(t)
	r.runs("storage-blob", node, "check.mjs")
	wantGet(t, r.dav(), "/js/whole @1.txt", "hello")
	wantGet(t, r.mount(), "/ui/a.png", "a.png")
}

// TestClientPython runs the Python SDK of the distribution.
func TestClientPython(t *testing.T) {
	const python = "/usr/bin/python3" // the one that packages of the distribution belong to
	if _, err := tryCommand(t.Context(), "", python, "-c", "import azure.storage.blob"); err != nil {
		skip(t, "python3-azure-storage is not installed")
	}
	r := startForClients(t)
	r.runs("python", python, "-B", "check.py")
	wantGet(t, r.mount(), "/py/whole.txt", "whole")
}

// TestClientRclone copies files there and back with a container URL. rclone asks for each file before it sends it, so the URL has to allow reading as
// well, which the service never grants together: the test signs one itself.
func TestClientRclone(t *testing.T) {
	rclone := needTool(t, "rclone")
	needTool(t, "sqlite3")
	r := startForClients(t)
	dir := tempDir(t)
	remote := ":azureblob,sas_url='" + r.everything() + "':rdp-media-assets/"
	run := func(args ...string) {
		t.Helper()
		args = append([]string{"--config", filepath.Join(dir, "none"), "--retries", "1", "--low-level-retries", "1"}, args...)
		if out, err := tryWith(t.Context(), nil, dir, rclone, args...); err != nil {
			t.Fatalf("rclone %s: %v\n%s", args, err, tail(out, 4000))
		}
	}
	for name, size := range map[string]int{"empty.bin": 0, "small.txt": 11, "several blocks.bin": 9<<20 + 5} {
		file, back := filepath.Join(dir, name), filepath.Join(dir, "back-"+name)
		data := randomBytes(size, 3)
		check(t, os.WriteFile(file, data, 0o600))
		run("copyto", file, remote+"rc/"+name)
		wantContent(t, r.mount(), "/rc/"+name, data)
		run("copyto", remote+"rc/"+name, back)
		got, err := os.ReadFile(back)
		check(t, err)
		if !bytes.Equal(got, data) {
			t.Errorf("%s came back as something else: %s", name, difference(got, data))
		}
		run("copyto", file, remote+"rc/"+name) // is there already
	}
}

// everything makes the URL of a container with all permissions there are, by the documented rule for signatures and the server's key.
func (r *clientRig) everything() string {
	r.t.Helper()
	o := r.service("/api/binarystreamobjectservice/uploadContinuous", `{"binaryStreamObject":{"type":"binarystreamobject"}}`)[0]
	text := strings.Replace(o.Properties["uploadContinuousURL"].(string), "/replacementObjectKey", "", 1)
	u, err := url.Parse(text)
	check(r.t, err)
	key, err := hex.DecodeString(strings.TrimSpace(command(r.t, "", "sqlite3", "-readonly", filepath.Join(r.data, "tote.db"), "SELECT hex(value) FROM settings WHERE name = 'url-signing-key'")))
	check(r.t, err)
	q := u.Query()
	q.Set("sp", "racwl")
	m := hmac.New(sha256.New, key)
	fmt.Fprint(m, strings.Join([]string{q.Get("sp"), q.Get("se"), q.Get("sr"), "/" + strings.TrimPrefix(u.Path, "/blobs/"), q.Get("sv"), q.Get("rscd"), q.Get("si")}, "\n"))
	q.Set("sig", base64.RawURLEncoding.EncodeToString(m.Sum(nil)))
	u.RawQuery = q.Encode()
	return u.String()
}
