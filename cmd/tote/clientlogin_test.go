package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tote/fs"
	"tote/meta"
)

const (
	bsoGet  = "/api/binarystreamobjectservice/get"
	bsoAsk  = `{"params":{"query":{"filters":{"typesCriterion":["ALL"]}}}}`
	bsoPrep = `{"binaryStreamObject":{"type":"t","properties":{"objectKey":"k"}}}`
)

// withClients adds a tenant and clients to a running server.
func withClients(t *testing.T, s *serving) {
	t.Helper()
	ctx := t.Context()
	must(s.core.db.EnsureTenant(ctx, "acme", rootMode, 0, 0, meta.Durable))
	for _, c := range []meta.Client{
		{Tenant: "rdp", ID: "shop", Hash: must(hashPassword("shop secret")), Roles: []string{fs.RoleEditor}},
		{Tenant: "rdp", ID: "old", Hash: must(hashPassword("old secret")), Key: []byte("key of rdp"), Roles: []string{fs.RoleEditor}},
		{Tenant: "rdp", ID: "look", Hash: must(hashPassword("look secret")), Roles: []string{fs.RoleReader}},
		{Tenant: "acme", ID: "shop", Hash: must(hashPassword("acme secret")), Key: []byte("key of acme"), Roles: []string{fs.RoleEditor}},
	} {
		if err := s.core.db.AddClient(ctx, c, meta.Durable); err != nil {
			t.Fatal(err)
		}
	}
}

// service calls the service and gives status, code of a failure or "success", and the tenant that answered.
func (s *serving) service(t *testing.T, path, host, body string, headers ...string) (status int, says, tenant string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var e struct {
		Response struct {
			Status       string
			StatusDetail struct {
				Messages []struct{ MessageCode string }
			}
			BinaryStreamObjects []struct{ SystemInfo struct{ TenantID string } }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&e); err != nil {
		return res.StatusCode, "no JSON", ""
	}
	says = e.Response.Status
	if m := e.Response.StatusDetail.Messages; len(m) > 0 {
		says = m[0].MessageCode
	}
	if o := e.Response.BinaryStreamObjects; len(o) > 0 {
		tenant = o[0].SystemInfo.TenantID
	}
	return res.StatusCode, says, tenant
}

func TestClientLogin_IDAndSecret(t *testing.T) {
	s := startProgram(t, testConfig(t))
	withClients(t, s)
	const prep = "/api/binarystreamobjectservice/prepareUpload"
	id := func(id, secret string, more ...string) []string {
		return append([]string{"auth-client-id", id, "auth-client-secret", secret}, more...)
	}
	for _, tt := range []struct {
		name, path, host string
		headers          []string
		status           int
		says, tenant     string
	}{
		{"right", prep, "", id("shop", "shop secret"), 200, "success", "rdp"},
		{"wrong secret", prep, "", id("shop", "acme secret"), 401, "GE001", ""},
		{"no secret", prep, "", id("shop", ""), 401, "GE001", ""},
		{"nobody", prep, "", id("none", "shop secret"), 401, "GE001", ""},
		{"secret only", prep, "", []string{"auth-client-secret", "shop secret"}, 401, "GE001", ""},
		{"nothing", prep, "", nil, 401, "GE001", ""},
		{"tenant in the header", prep, "", id("shop", "acme secret", "x-rdp-tenantid", "acme"), 200, "success", "acme"},
		{"tenant in the path", "/acme" + prep, "", id("shop", "acme secret"), 200, "success", "acme"},
		{"tenant in the host", prep, "acme.example.net", id("shop", "acme secret"), 200, "success", "acme"},
		{"tenant in the host and port", prep, "ACME.example.net:99", id("shop", "acme secret"), 200, "success", "acme"},
		{"host of no tenant", prep, "www.example.net", id("shop", "shop secret"), 200, "success", "rdp"},
		{"header before host", prep, "acme.example.net", id("shop", "shop secret", "x-rdp-tenantId", "rdp"), 200, "success", "rdp"},
		{"path and header differ", "/acme" + prep, "", id("shop", "acme secret", "x-rdp-tenantId", "rdp"), 200, "PD001", ""},
		{"client of another tenant", "/acme" + prep, "", id("shop", "shop secret"), 401, "GE001", ""},
		{"client of another tenant by name", "/acme" + prep, "", id("rdp/shop", "shop secret"), 200, "PD001", ""},
		{"unknown tenant", "/none" + prep, "", id("shop", "shop secret"), 401, "GE001", ""},
		{"beside another authorization", prep, "", id("shop", "shop secret", "Authorization", "Bearer x"), 200, "success", "rdp"},
		{"role", prep, "", id("look", "look secret"), 200, "PD001", ""},
		{"a user", prep, "", id("admin", "correct horse"), 200, "success", "rdp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, says, tenant := s.service(t, tt.path, tt.host, bsoPrep, tt.headers...)
			if status != tt.status || says != tt.says || tenant != tt.tenant {
				t.Errorf("got %d %s %q, want %d %s %q", status, says, tenant, tt.status, tt.says, tt.tenant)
			}
		})
	}
	if status, _, _ := request(t, "GET", s.URL+"/inventory/binaries", "", "", id("shop", "shop secret")...); status != 401 {
		t.Errorf("another API takes a client: %d", status)
	}
	if status, _, _ := request(t, "PROPFIND", s.URL+"/dav/", "shop:shop secret", ""); status != 401 {
		t.Errorf("a client is a user: %d", status)
	}
	if err := s.core.db.DeleteClient(t.Context(), "rdp", "shop", meta.Durable); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := s.service(t, prep, "", bsoPrep, id("shop", "shop secret")...); status != 401 {
		t.Errorf("a client that was removed still logs in: %d", status)
	}
}

func TestClientLogin_GuessingIsSlowedDown(t *testing.T) {
	s := startProgram(t, testConfig(t))
	withClients(t, s)
	for name, headers := range map[string][]string{
		"secret":    {"auth-client-id", "shop", "auth-client-secret", "guess"},
		"signature": {"x-rdp-authtoken", "guess"},
	} {
		t.Run(name, func(t *testing.T) {
			for range freePerName + 2 {
				if status, _, _ := s.service(t, bsoGet, "", bsoAsk, headers...); status == http.StatusTooManyRequests {
					return
				}
			}
			t.Error("guessing is not slowed down")
		})
	}
	if status, says, _ := s.service(t, bsoGet, "", bsoAsk, "auth-client-id", "old", "auth-client-secret", "old secret"); status != 200 || says != "success" {
		t.Errorf("another client has to wait: %d %s", status, says)
	}
}

func TestClientLogin_Signature(t *testing.T) {
	s := startProgram(t, testConfig(t))
	withClients(t, s)
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("2006-01-02T15:04:05.000Z") }
	sign := func(key, query string) string {
		return base64.StdEncoding.EncodeToString(signQuery([]byte(key), query))
	}
	now := "timeStamp=" + at(0)
	encoded := "timeStamp=" + url.QueryEscape(at(0)) + "&x=a%20b"
	for _, tt := range []struct {
		name, path, query, token string
		status                   int
	}{
		{"right", bsoGet, now, sign("key of rdp", now), 200},
		{"raw, not decoded", bsoGet, encoded, sign("key of rdp", encoded), 200},
		{"tenant in the path", "/acme" + bsoGet, now, sign("key of acme", now), 200},
		{"key of another tenant", "/acme" + bsoGet, now, sign("key of rdp", now), 401},
		{"wrong key", bsoGet, now, sign("key", now), 401},
		{"other query", bsoGet, now + "&x", sign("key of rdp", now), 401},
		{"old", bsoGet, "timeStamp=" + at(-16*time.Minute), sign("key of rdp", "timeStamp="+at(-16*time.Minute)), 401},
		{"early", bsoGet, "timeStamp=" + at(16*time.Minute), sign("key of rdp", "timeStamp="+at(16*time.Minute)), 401},
		{"no time", bsoGet, "x=1", sign("key of rdp", "x=1"), 401},
		{"no query", bsoGet, "", sign("key of rdp", ""), 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.Program.Log.Debug(tt.name)
			status, says, _ := s.service(t, tt.path+"?"+tt.query, "", bsoAsk, "x-rdp-authtoken", tt.token)
			if status != tt.status || (status == 200) != (says == "success") {
				t.Errorf("got %d %s, want %d", status, says, tt.status)
			}
			_, _, _ = s.service(t, bsoGet+"?"+now, "", bsoAsk, "x-rdp-authtoken", sign("key of rdp", now)) // forgets the failures
		})
	}
}

// A token of a user is as good as his password.
func TestClientLogin_Token(t *testing.T) {
	s := startProgram(t, testConfig(t))
	token := s.token(t, "grant_type=PASSWORD&username=admin&password=correct+horse")
	for header, want := range map[string]int{"Bearer " + token: 200, "Bearer " + token + "x": 401, "Bearer": 401} {
		if status, _, _ := s.service(t, bsoGet, "", bsoAsk, "Authorization", header); status != want {
			t.Errorf("%s: %d, want %d", header, status, want)
		}
	}
}

// What is neither base64, nor one time stamp, nor near is refused before any key is tried.
func TestClientLogin_Recent(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	l := &clientLogin{now: func() time.Time { return now }}
	for query, want := range map[string]bool{
		"timeStamp=2026-01-02T03:04:05.678Z": true, "timeStamp=2026-01-02T03%3A04%3A05.678Z": true, "timeStamp=2026-01-02T03:19:05Z": true,
		"timeStamp=2026-01-02T02:49:05.678Z": true, "timeStamp=2026-01-02T02:49:05.677Z": false, "timeStamp=2026-01-02T03:19:05.679Z": false,
		"timeStamp=2026-01-02T04:04:05.678%2B01:00": true, "": false, "timeStamp=": false, "timeStamp=now": false, "%zz": false,
		"timeStamp=2026-01-02T03:04:05.678Z&timeStamp=2026-01-02T03:04:05.678Z": false, "timestamp=2026-01-02T03:04:05.678Z": false,
	} {
		if got := l.recent(query); got != want {
			t.Errorf("%s is %v", query, got)
		}
	}
}

func TestClientLogin_Trust(t *testing.T) {
	for _, tt := range []struct {
		auth, addr, host, public string
		want                     bool
	}{
		{authRequired, "127.0.0.1:5", "127.0.0.1:7788", "", false},
		{"", "127.0.0.1:5", "127.0.0.1:7788", "", false},
		{authLoopback, "127.0.0.1:5", "127.0.0.1:7788", "", true},
		{authLoopback, "[::1]:5", "[::1]:7788", "", true},
		{authLoopback, "127.0.0.1:5", "localhost:7788", "", true},
		{authLoopback, "127.0.0.1:5", "acme.localhost", "", true},
		{authLoopback, "127.0.0.1:5", "files.example.net", "https://files.example.net", true},
		{authLoopback, "127.0.0.1:5", "evil.example.net", "https://files.example.net", false}, // a name that leads to this machine
		{authLoopback, "127.0.0.1:5", "", "", false},
		{authLoopback, "192.0.2.7:5", "localhost", "", false},
		{authOff, "192.0.2.7:5", "files.example.net", "", true},
	} {
		l := &clientLogin{auth: tt.auth, public: publicHost(tt.public)}
		r := &http.Request{RemoteAddr: tt.addr, Host: tt.host}
		if got := l.trusts(r); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func TestClientLogin_Off(t *testing.T) {
	cfg := testConfig(t)
	cfg.API.BSOAuth = authLoopback
	s := startProgram(t, cfg)
	withClients(t, s)
	const prep = "/api/binarystreamobjectservice/prepareUpload"
	for _, tt := range []struct {
		name, path, host, tenant string
		status                   int
	}{
		{"default tenant", prep, "", "rdp", 200},
		{"tenant in the path", "/acme" + prep, "", "acme", 200},
		{"tenant in the host", prep, "acme.localhost", "acme", 200},
		{"unknown tenant", "/none" + prep, "", "", 401},
		{"rebound name", prep, "evil.test", "", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, _, tenant := s.service(t, tt.path, tt.host, bsoPrep, "x-rdp-userId", "ana@shop.test")
			if status != tt.status || tenant != tt.tenant {
				t.Errorf("got %d %s, want %d %s", status, tenant, tt.status, tt.tenant)
			}
		})
	}
	if status, _, _ := request(t, "GET", s.URL+"/inventory/binaries", "", ""); status != 401 {
		t.Errorf("another API is open, too: %d", status)
	}
}

// A program speaks for the people that its headers name, a user for nobody else.
func TestClientLogin_Delegates(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	withClients(t, s)
	toteIn(t, "", "tenant", "set", "rdp", "--permissions", "on", "--data", cfg.Data).want(t, exitOK)
	toteIn(t, "mira's secret\n", "user", "add", "mira", "--data", cfg.Data).want(t, exitOK)
	const create = `{"binaryStreamObject":{"id":"a","properties":{"objectKey":"a","user":"ana"}}}`
	program := []string{"auth-client-id", "shop", "auth-client-secret", "shop secret", "x-rdp-userId"}
	if _, says, _ := s.service(t, strings.Replace(bsoGet, "get", "create", 1), "", create, append(program, "ana")...); says != "success" {
		t.Fatalf("create: %s", says)
	}
	for who, want := range map[string]string{"ana": "success", "ana_user": "success", "bob": "PD001"} {
		if _, says, _ := s.service(t, bsoGet, "", `{"params":{"query":{"id":"a"}}}`, append(program, who)...); says != want {
			t.Errorf("%s: %s, want %s", who, says, want)
		}
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("mira:mira's secret"))
	if _, says, _ := s.service(t, bsoGet, "", `{"params":{"query":{"id":"a"}}}`, "Authorization", basic, "x-rdp-userId", "ana"); says != "PD001" {
		t.Errorf("a user who names another: %s", says)
	}
}

func TestClientCommands(t *testing.T) {
	for _, online := range []bool{true, false} {
		t.Run(fmt.Sprint("server ", online), func(t *testing.T) {
			cfg := testConfig(t)
			s := startProgram(t, cfg)
			if !online {
				if err := s.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			made := testClientCommands(t, cfg.Data)
			if !online {
				return
			}
			if _, says, _ := s.service(t, bsoGet, "", bsoAsk, "auth-client-id", made.ID, "auth-client-secret", made.Secret); says != "success" {
				t.Errorf("the secret that was shown: %s", says)
			}
			query := "timeStamp=" + time.Now().UTC().Format(time.RFC3339Nano)
			token := base64.StdEncoding.EncodeToString(signQuery([]byte(made.Key), query))
			if _, says, _ := s.service(t, bsoGet+"?"+query, "", bsoAsk, "x-rdp-authtoken", token); says != "success" {
				t.Errorf("the key that was shown: %s", says)
			}
			if strings.Contains(s.Logs.String(), made.Secret) || strings.Contains(s.Logs.String(), made.Key) {
				t.Error("the log shows a secret")
			}
		})
	}
}

func testClientCommands(t *testing.T, data string) (made shownClient) {
	client := func(stdin string, code int, says string, args ...string) string {
		t.Helper()
		o := toteIn(t, stdin, append([]string{"client"}, append(args, "--data", data)...)...)
		o.want(t, code, says)
		return o.stdout
	}
	out := client("", exitOK, "", "add", "made", "--sign", "--json")
	if err := json.Unmarshal([]byte(out), &made); err != nil || len(made.Secret) < 26 || len(made.Key) < 52 {
		t.Fatalf("%v: %s", err, out)
	}
	if out := client("", exitOK, "", "add", "plain", "--role", "reader"); !strings.Contains(out, "auth-client-secret") || strings.Contains(out, "auth key") {
		t.Errorf("add printed %s", out)
	}
	client("a given secret\nand a key of old\n", exitOK, "", "add", "rdp/given", "--ask", "--sign")
	client("", exitUsage, "exists", "add", "made")
	client("short\n", exitUsage, "secret: a password has at least", "add", "x", "--ask")
	client("long enough\n", exitUsage, "auth key: a password", "add", "x", "--ask", "--sign")
	client("", exitUsage, `no role "king"`, "add", "x", "--role", "king")
	client("", exitUsage, `no tenant "acme"`, "add", "x", "--tenant", "acme")
	client("", exitUsage, "leave out --tenant", "add", "rdp/x", "--tenant", "rdp")
	client("", exitUsage, "user name", "add", "a:b")
	client("", exitUsage, "usage: tote client add ID", "add")
	client("", exitOK, "", "rm", "plain")
	client("", exitUsage, "no client rdp/plain", "rm", "plain")
	out = client("", exitOK, "", "ls", "--json")
	var list []clientInfo
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 2 || list[1].ID != "made" || !list[1].Signs {
		t.Errorf("%v: %s", err, out)
	}
	out += client("", exitOK, "", "ls", "rdp")
	for _, secret := range []string{made.Secret, made.Key, "a given secret", "argon2", "key of old"} {
		if strings.Contains(out, secret) {
			t.Errorf("ls shows %s", secret)
		}
	}
	for _, file := range must(filepath.Glob(filepath.Join(data, dbFile+"*"))) {
		if text := read(t, file); strings.Contains(text, made.Secret) || strings.Contains(text, "a given secret") {
			t.Errorf("%s holds a secret", file)
		}
	}
	return made
}

func TestTenantSet(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	set := func(code int, says string, args ...string) string {
		t.Helper()
		o := tote(t, append([]string{"tenant", "set", "--data", cfg.Data}, args...)...)
		o.want(t, code, says)
		return strings.Join(strings.Fields(o.stdout), " ")
	}
	for _, step := range []struct{ args, want string }{
		{"rdp", "permissions off delete-blobs on"},
		{"rdp --permissions on", "permissions on delete-blobs on"},
		{"rdp --delete-blobs off", "permissions on delete-blobs off"},
		{"rdp --permissions off --delete-blobs on", "permissions off delete-blobs on"},
	} {
		if got := set(exitOK, "", strings.Fields(step.args)...); got != step.want {
			t.Errorf("%s: %s, want %s", step.args, got, step.want)
		}
	}
	set(exitUsage, `no tenant "none"`, "none")
	set(exitUsage, "want on or off", "rdp", "--permissions", "yes")
	set(exitUsage, "usage: tote tenant set TENANT")
	set(exitOK, "", "rdp", "--delete-blobs", "off")
	if o, err := tenantOptions(t.Context(), s.core.db, "rdp"); err != nil || !o.KeepBlobs || o.Permissions {
		t.Errorf("options are %+v, %v", o, err)
	}
}

func TestAPIFlags(t *testing.T) {
	data := filepath.Join(t.TempDir(), "d")
	tote(t, "serve", "--data", data, "--bso-auth", "maybe").want(t, exitUsage, "want required, loopback or off")
	tote(t, "serve", "--data", data, "--max-file", "tiny").want(t, exitUsage, "--max-file")
	tote(t, "serve", "--data", data, "--max-file", "1KiB").want(t, exitUsage, "--max-file")
}
