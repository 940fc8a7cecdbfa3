package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// request sends one request and returns status, header and body. user is "name:password", "" for none.
func request(t *testing.T, method, url, user, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if name, password, ok := strings.Cut(user, ":"); ok {
		req.SetBasicAuth(name, password)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res.StatusCode, res.Header, string(b)
}

const admin = "admin:correct horse" // of testConfig

// Which routes want a login, and how each face says so.
func TestRoutes(t *testing.T) {
	s := startProgram(t, testConfig(t))
	for _, tt := range []struct {
		method, path, user string
		status             int
		header             string // "Name: part of the value"
		body               string // part of it
	}{
		{"GET", "/", "", 200, "Content-Security-Policy: default-src 'none'", "inventory/binaries"},
		{"GET", "/docs", "", 200, "Content-Security-Policy: default-src 'none'", "tote REST APIs"},
		{"GET", "/docs/page.js", "", 200, "Content-Type: text/javascript", "openapi.json"},
		{"GET", "/openapi.json", "", 200, "Content-Type: application/json", `"openapi": "3.1.0"`},
		{"POST", "/openapi.json", "", 405, "Allow: GET, HEAD", ""},
		{"GET", "/healthz", "", 200, "", "ok"},
		{"GET", "/readyz", "", 200, "", "database ok"},
		{"GET", "/nowhere", "", 404, "", "nothing is served here"},
		{"POST", "/", "", 404, "", ""},
		{"GET", "/metrics/../dav/x", "", 404, "", ""}, // never cleaned behind the login's back
		{"OPTIONS", "/dav/", "", 200, "Dav: 1, 2", ""},
		{"PROPFIND", "/dav/", "", 401, `Www-Authenticate: Basic realm="tote"`, "log in"},
		{"GET", "/dav/x", "", 401, "Dav: 1, 2", ""},
		{"GET", "/dav/x", "admin:wrong", 401, `Www-Authenticate: Basic realm="tote"`, "invalid credentials"},
		{"GET", "/dav/x", admin, 404, "", ""},
		{"GET", "/dav/x", "rdp/" + admin, 404, "", ""},
		{"GET", "/dav/x", "acme/" + admin, 401, "", ""},
		{"GET", "/inventory/binaries", "", 401, "Www-Authenticate: Basic", ""},
		{"GET", "/inventory/binaries", "admin:wrong", 401, "Www-Authenticate: Basic", "nvalid credentials"},
		{"GET", "/inventory/binaries", admin, 200, "", "managedObjects"},
		{"POST", "/api/binarystreamobjectservice/get", "", 401, "", "GE001"},
		{"POST", "/rdp/api/binarystreamobjectservice/get", "", 401, "", "GE001"},
		{"POST", "/data/binarystreamobjectservice/get", "", 401, "", "GE001"},
		{"GET", "/blobs/assets/x", "", 403, "", ""}, // no signature
	} {
		t.Run(tt.method+" "+tt.path+" "+tt.user, func(t *testing.T) {
			status, header, body := request(t, tt.method, s.URL+tt.path, tt.user, "")
			if status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, body)
			}
			if name, value, ok := strings.Cut(tt.header, ": "); ok && !strings.Contains(header.Get(name), value) {
				t.Errorf("%s: %q, want %q", name, header.Get(name), value)
			}
			if !strings.Contains(body, tt.body) {
				t.Errorf("body %q, want %q", body, tt.body)
			}
			if header.Get("X-Request-Id") == "" {
				t.Error("no request id")
			}
		})
	}
}

func TestClientIDAndSecretLogIn(t *testing.T) {
	s := startProgram(t, testConfig(t))
	url, ask := s.URL+"/api/binarystreamobjectservice/get", `{"params":{"query":{"filters":{"typesCriterion":["binarystreamobject"]}}}}`
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
		says    string
	}{
		{"right", []string{"auth-client-id", "admin", "auth-client-secret", "correct horse"}, 200, "success"},
		{"wrong secret", []string{"auth-client-id", "admin", "auth-client-secret", "x"}, 401, "GE001"},
		{"no secret", []string{"auth-client-id", "admin"}, 401, "GE001"},
		{"other tenant", []string{"auth-client-id", "admin", "auth-client-secret", "correct horse", "x-rdp-tenantId", "acme"}, 200, "PD001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, _, body := request(t, "POST", url, "", ask, append(tt.headers, "Content-Type", "application/json")...)
			if status != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("status %d, want %d and %s: %s", status, tt.status, tt.says, body)
			}
		})
	}
}

// Guessing is slowed down, and told in the form of the face.
func TestTooManyLoginsAreSlowedDown(t *testing.T) {
	for path, form := range map[string]string{
		"/dav/": "text/plain", "/inventory/binaries": "application/vnd.com.nsn.cumulocity.error+json", "/api/binarystreamobjectservice/get": "application/json",
	} {
		t.Run(path, func(t *testing.T) {
			s := startProgram(t, testConfig(t))
			for i := range freePerName + 2 {
				status, header, _ := request(t, "GET", s.URL+path, "admin:guess", "")
				if status == http.StatusTooManyRequests {
					if i <= freePerName || header.Get("Retry-After") == "" || !strings.HasPrefix(header.Get("Content-Type"), form) {
						t.Errorf("slowed down after %d guesses: %v", i, header)
					}
					return
				}
			}
			t.Error("guessing is not slowed down")
		})
	}
}

func TestHugeXMLIsRefusedBeforeLogin(t *testing.T) {
	s := startProgram(t, testConfig(t))
	deep := strings.Repeat("<a>", 100_000)
	if status, _, _ := request(t, "PROPFIND", s.URL+"/dav/", "", deep); status != http.StatusBadRequest {
		t.Errorf("deep XML: %d", status)
	}
	if status, _, _ := request(t, "LOCK", s.URL+"/dav/", "", "<a>"+strings.Repeat("x", 2<<20)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("large XML: %d", status)
	}
}

func TestForeignPagesCanNotWrite(t *testing.T) {
	s := startProgram(t, testConfig(t))
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"no browser", nil, 201},
		{"own page", []string{"Sec-Fetch-Site", "same-origin"}, 204},
		{"foreign page", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"foreign origin", []string{"Origin", "https://evil.example"}, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if status, _, body := request(t, "PUT", s.URL+"/dav/f", admin, "x", tt.headers...); status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, body)
			}
		})
	}
}

func TestHeaderLimit(t *testing.T) {
	s := startProgram(t, testConfig(t))
	status, _, _ := request(t, "GET", s.URL+"/healthz", "", "", "X-Long", strings.Repeat("x", maxHeader+8<<10))
	if status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", status)
	}
	srv := newServer(nil, discard())
	if srv.ReadHeaderTimeout != 10*time.Second || srv.IdleTimeout != 2*time.Minute || srv.ReadTimeout != 0 || srv.WriteTimeout != 0 {
		t.Errorf("timeouts: %+v", srv)
	}
}

// An upload that is cut off leaves nothing, and a large one comes back equal through all of the middleware.
func TestUploadAndDownload(t *testing.T) {
	s := startProgram(t, testConfig(t))
	data := make([]byte, 3<<20+5)
	rand.Read(data)
	if status, _, body := request(t, "PUT", s.URL+"/dav/big.bin", admin, string(data)); status != 201 {
		t.Fatalf("PUT: %d %s", status, body)
	}
	if _, _, body := request(t, "GET", s.URL+"/dav/big.bin", admin, ""); body != string(data) {
		t.Error("GET differs")
	}
	if _, header, body := request(t, "GET", s.URL+"/dav/big.bin", admin, "", "Range", "bytes=1000000-"); !bytes.Equal([]byte(body), data[1_000_000:]) {
		t.Errorf("range differs, %s", header.Get("Content-Range"))
	}
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	req := must(http.NewRequest("PUT", s.URL+"/dav/cut.bin", nil))
	req.SetBasicAuth("admin", "correct horse")
	fmt.Fprintf(c, "PUT /dav/cut.bin HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 1000\r\n\r\nshort", req.Header.Get("Authorization"))
	c.Close()
	waitFor(t, "end of the cut request", func() bool { return strings.Contains(s.Logs.String(), "path=/dav/cut.bin") })
	if status, _, _ := request(t, "GET", s.URL+"/dav/cut.bin", admin, ""); status != 404 {
		t.Errorf("cut upload: %d", status)
	}
}

// writeCertificate makes a certificate for 127.0.0.1 with a serial number.
func writeCertificate(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "tote test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der := must(x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k))
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(k))},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	cfg := testConfig(t)
	cfg.TLSCert, cfg.TLSKey = writeCertificate(t, t.TempDir(), 1)
	s := startProgram(t, cfg)
	if !strings.HasPrefix(s.URL, "https://") {
		t.Fatalf("URL %s", s.URL)
	}
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			client := http.Client{Transport: &http.Transport{
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: protocol == "HTTP/2.0",
			}}
			defer client.CloseIdleConnections()
			req := must(http.NewRequest("PUT", s.URL+"/dav/f", strings.NewReader(strings.Repeat("x", 1<<20))))
			req.SetBasicAuth("admin", "correct horse")
			res := must(client.Do(req))
			res.Body.Close()
			if res.StatusCode/100 != 2 || res.Proto != protocol {
				t.Errorf("status %d over %s", res.StatusCode, res.Proto)
			}
			req = must(http.NewRequest("GET", s.URL+"/dav/f", nil))
			req.SetBasicAuth("admin", "correct horse")
			res = must(client.Do(req))
			defer res.Body.Close()
			if n, err := io.Copy(io.Discard, res.Body); n != 1<<20 || err != nil {
				t.Errorf("got %d bytes, %v", n, err)
			}
		})
	}
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}
	if c, err := tls.Dial("tcp", s.Addr(), old); err == nil {
		c.Close()
		t.Error("TLS 1.1 is accepted")
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, 1)
	c := &certificates{cert: cert, key: key}
	serial := func() int64 {
		t.Helper()
		c.looked = time.Time{} // a look is due
		return must(x509.ParseCertificate(must(c.get(nil)).Certificate[0])).SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Fatalf("serial %d", n)
	}
	writeCertificate(t, dir, 2)
	if err := os.Chtimes(cert, time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("the renewed certificate is not used: serial %d", n)
	}
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("serial %d after a broken renewal", n)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 2 {
		t.Errorf("serial %d without a file", n)
	}
}
