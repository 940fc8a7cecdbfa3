package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"tote/meta"
)

// token logs in and returns what the clients of the API send from then on.
func (s *serving) token(t *testing.T, form string) string {
	t.Helper()
	status, _, body := request(t, "POST", s.URL+"/tenant/oauth/token?tenant_id=rdp", "", form, "Content-Type", "application/x-www-form-urlencoded")
	var m struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &m); status != 200 || err != nil || m.Token == "" {
		t.Fatalf("login: %d %s", status, body)
	}
	return m.Token
}

const adminForm = "grant_type=PASSWORD&username=admin&password=correct+horse&tfa_code=undefined"

func TestTokens(t *testing.T) {
	s := startProgram(t, testConfig(t))
	token := s.token(t, adminForm)
	get := func(path, auth string) int {
		t.Helper()
		status, _, _ := request(t, "GET", s.URL+path, "", "", "Authorization", auth)
		return status
	}
	for auth, want := range map[string]int{
		"Bearer " + token: 200, "bearer  " + token: 200, "Bearer": 401, "Bearer ": 401, "Bearer x": 401, "Bearer " + token + "x": 401, "Basic " + token: 401, "Bearer " + strings.ToLower(token): 401,
	} {
		if got := get("/tenant/currentTenant", auth); got != want {
			t.Errorf("%q: %d, want %d", auth, got, want)
		}
	}
	if got := get("/dav/", "Bearer "+token); got != 401 {
		t.Errorf("WebDAV takes a token: %d", got)
	}
	if got := get("/api/binarystreamobjectservice/get", "Bearer "+token); got != 405 { // known, but GET is no way to ask there
		t.Errorf("binary stream objects: %d, want 405", got)
	}
	if strings.Contains(s.Logs.String(), token) {
		t.Error("the token is in the log")
	}
	other := s.token(t, adminForm)
	if status, _, _ := request(t, "POST", s.URL+"/user/logout", "", "", "Authorization", "Bearer "+token); status != 200 {
		t.Errorf("logout: %d", status)
	}
	if a, b := get("/user/currentUser", "Bearer "+token), get("/user/currentUser", "Bearer "+other); a != 401 || b != 200 {
		t.Errorf("after the logout: %d, another token %d", a, b)
	}
	toteIn(t, "another good one\n", "user", "passwd", "admin", "--data", s.Config.Data).want(t, exitOK)
	if got := get("/user/currentUser", "Bearer "+other); got != 401 {
		t.Errorf("after a new password: %d", got)
	}
}

func TestTokensOutliveARestartAndExpire(t *testing.T) {
	cfg := testConfig(t)
	s := startProgram(t, cfg)
	token := s.token(t, adminForm)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = startProgram(t, cfg)
	if status, _, _ := request(t, "GET", s.URL+"/user/currentUser", "", "", "Authorization", "Bearer "+token); status != 200 {
		t.Errorf("after a restart: %d", status)
	}
	later := s.sessions()
	later.now = func() time.Time { return time.Now().Add(sessionLife) }
	r := must(http.NewRequest("GET", s.URL, nil))
	r.Header.Set("Authorization", "Bearer "+token)
	if _, err := later.verify(t.Context(), r); err != errBadCredentials {
		t.Errorf("a day later: %v", err)
	}
	if err := s.core.db.DeleteUser(t.Context(), "rdp", "admin", meta.Durable); err != nil {
		t.Fatal(err)
	}
	if _, err := s.sessions().verify(t.Context(), r); err != errBadCredentials {
		t.Errorf("without its user: %v", err)
	}
}

// Guessing passwords for tokens is as slow as guessing them anywhere else, and counts together with it.
func TestTokenGuessesAreSlowedDown(t *testing.T) {
	s := startProgram(t, testConfig(t))
	for i := range freePerName + 2 {
		status, header, body := request(t, "POST", s.URL+"/tenant/oauth/token?tenant_id=rdp", "", "grant_type=PASSWORD&username=admin&password=guess", "Content-Type", "application/x-www-form-urlencoded")
		if status == http.StatusTooManyRequests {
			if i <= freePerName || header.Get("Retry-After") == "" {
				t.Errorf("slowed down after %d guesses, Retry-After %q", i, header.Get("Retry-After"))
			}
			if status, _, _ := request(t, "GET", s.URL+"/dav/", admin, ""); status != http.StatusTooManyRequests {
				t.Errorf("WebDAV does not know of it: %d", status)
			}
			return
		}
		if status != 401 || !strings.Contains(body, "Bad credentials") {
			t.Fatalf("a wrong password: %d %s", status, body)
		}
	}
	t.Error("guessing is not slowed down")
}

func TestCookies(t *testing.T) {
	s := startProgram(t, testConfig(t))
	status, header, body := request(t, "POST", s.URL+"/tenant/oauth?tenant_id=rdp", "", adminForm, "Content-Type", "application/x-www-form-urlencoded")
	if status != 200 || body != "" {
		t.Fatalf("login: %d %s", status, body)
	}
	cookies := (&http.Response{Header: header}).Cookies()
	if len(cookies) != 2 || cookies[0].Name != "authorization" || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[1].Name != "XSRF-TOKEN" || cookies[1].HttpOnly {
		t.Fatalf("cookies: %v", header["Set-Cookie"])
	}
	both := cookies[0].Name + "=" + cookies[0].Value + "; " + cookies[1].Name + "=" + cookies[1].Value
	for _, tt := range []struct {
		method, cookie, proof, auth string
		status                      int
	}{
		{"GET", both, "", "", 200}, {"GET", cookies[0].Name + "=x", "", "", 401}, {"GET", both, "", "Basic eDp5", 401},
		{"POST", both, cookies[1].Value, "", 201}, {"POST", both, "", "", 401}, {"POST", both, "x", "", 401},
		{"POST", cookies[0].Name + "=" + cookies[0].Value, "", "", 401}, {"POST", cookies[0].Name + "=" + cookies[0].Value + "; XSRF-TOKEN=", "", "", 401},
		{"HEAD", both, "", "", 200},
	} {
		h := []string{"Cookie", tt.cookie, "Content-Type", "application/json"}
		if tt.proof != "" {
			h = append(h, "X-XSRF-TOKEN", tt.proof)
		}
		if tt.auth != "" {
			h = append(h, "Authorization", tt.auth)
		}
		if got, _, _ := request(t, tt.method, s.URL+"/inventory/managedObjects", "", "{}", h...); got != tt.status {
			t.Errorf("%+v: %d", tt, got)
		}
	}
	status, header, _ = request(t, "POST", s.URL+"/user/logout", "", "", "Cookie", both, "X-XSRF-TOKEN", cookies[1].Value)
	if gone := (&http.Response{Header: header}).Cookies(); status != 200 || len(gone) != 2 || gone[0].MaxAge >= 0 {
		t.Errorf("logout: %d %v", status, header["Set-Cookie"])
	}
	if status, _, _ := request(t, "GET", s.URL+"/inventory/managedObjects", "", "", "Cookie", both); status != 401 {
		t.Errorf("after the logout: %d", status)
	}
	// A page of another site can't log its visitor in.
	status, header, _ = request(t, "POST", s.URL+"/tenant/oauth?tenant_id=rdp", "", adminForm, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site")
	if status != 403 || header["Set-Cookie"] != nil {
		t.Errorf("a foreign page: %d %v", status, header["Set-Cookie"])
	}
}

// A host whose first label is a tenant means that tenant, for users who name none.
func TestTenantOfTheHost(t *testing.T) {
	s := startProgram(t, testConfig(t))
	tote(t, "tenant", "add", "acme", "--data", s.Config.Data).want(t, exitOK)
	toteIn(t, "a good password\n", "user", "add", "ann", "--tenant", "acme", "--data", s.Config.Data).want(t, exitOK)
	for _, tt := range []struct {
		host, user, tenant string
		status             int
	}{
		{"acme.example.net", "ann:a good password", "acme", 200}, {"files.example.net", "ann:a good password", "", 401}, {"acme", "ann:a good password", "", 401},
		{"acme.example.net:80", "admin:correct horse", "rdp", 200}, {"files.example.net", "acme/ann:a good password", "acme", 200}, {"acme.example.net", "rdp/ann:a good password", "", 401},
	} {
		req := must(http.NewRequest("GET", s.URL+"/tenant/currentTenant", nil))
		req.Host = tt.host
		name, password, _ := strings.Cut(tt.user, ":")
		req.SetBasicAuth(name, password)
		res := must(http.DefaultClient.Do(req))
		var m struct{ Name, DomainName string }
		_ = json.NewDecoder(res.Body).Decode(&m)
		res.Body.Close()
		host, _, _ := strings.Cut(tt.host, ":")
		if res.StatusCode != tt.status || m.Name != tt.tenant || tt.status == 200 && m.DomainName != host {
			t.Errorf("%+v: %d %+v", tt, res.StatusCode, m)
		}
	}
}
