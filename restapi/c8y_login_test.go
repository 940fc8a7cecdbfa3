package restapi

import (
	"net/http"
	"strings"
	"testing"
)

const formType1 = "Content-Type: application/x-www-form-urlencoded"

func TestCurrentTenant(t *testing.T) {
	r := newRig(t, func(o *Options) { o.PublicURL = "https://files.example.net:8443" })
	a := r.want(200, r.do("GET", "/tenant/currentTenant?withParent=true", "", "user: other/mira"))
	r.equal("type", a.header.Get("Content-Type"), "application/vnd.com.nsn.cumulocity.currentTenant+json;ver=0.9;charset=UTF-8")
	r.equal("tenant", a.json(t), map[string]any{
		"name": "other", "domainName": "files.example.net", "allowCreateTenants": false, "customProperties": map[string]any{},
		"applications": map[string]any{"references": []any{}}, "self": "https://files.example.net:8443/tenant/currentTenant",
	})
	r.equal("default tenant", r.getJSON("/tenant/currentTenant", "user: nobody")["name"], "rdp")
}

func TestCurrentUser(t *testing.T) {
	r := newRig(t)
	for _, method := range []string{"GET", "PUT"} {
		a := r.want(200, r.do(method, "/user/currentUser", `{"firstName":"x"}`, "user: inva"))
		r.equal("type", a.header.Get("Content-Type"), "application/vnd.com.nsn.cumulocity.currentUser+json;ver=0.9;charset=UTF-8")
		r.equal("user", a.json(t), map[string]any{
			"id": "inva", "userName": "inva", "firstName": "inva", "lastName": "", "email": "", "shouldResetPassword": false, "twoFactorAuthenticationEnabled": false,
			"devicePermissions": map[string]any{}, "self": r.url + "/user/currentUser",
			"effectiveRoles": []any{map[string]any{"id": "ROLE_INVENTORY_ADMIN", "name": "ROLE_INVENTORY_ADMIN", "self": r.url + "/user/roles/ROLE_INVENTORY_ADMIN"}},
		})
	}
	r.equal("no roles", r.getJSON("/user/currentUser", "user: nobody")["effectiveRoles"], []any{})
}

func TestLoginOptions(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/tenant/loginOptions", "/tenant/loginOptions/", "/tenant/loginOptions?management=false"} {
		for _, user := range []string{"user:", "user: nobody", "user: unknown"} {
			a := r.want(200, r.do("GET", path, "", user))
			m := a.json(t)
			options := m["loginOptions"].([]any)
			r.equal("first", options[0].(map[string]any)["type"], "BASIC")
			r.equal("second", options[1].(map[string]any)["type"], "OAUTH2_INTERNAL")
			r.equal("request", options[1].(map[string]any)["initRequest"], r.url+"/tenant/oauth?tenant_id=rdp")
			r.equal("self", m["self"], r.url+"/tenant/loginOptions")
		}
	}
}

func TestOAuth(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		path, body string
		status     int
		token      string
	}{
		{"/tenant/oauth/token?tenant_id=other", "grant_type=PASSWORD&username=mira&password=right&tfa_code=undefined", 200, "other/mira"},
		{"/tenant/oauth/token", "grant_type=password&username=mira&password=right", 200, "rdp/mira"},
		{"/tenant/oauth/token?tenant_id=rdp", "grant_type=PASSWORD&username=other/mira&password=right", 200, "other/mira"},
		{"/tenant/oauth/token?tenant_id=rdp", "grant_type=PASSWORD&username=mira&password=wrong", 401, ""},
		{"/tenant/oauth/token?tenant_id=rdp&username=mira&password=right&grant_type=PASSWORD", "", 422, ""}, // secrets don't belong into a URL
		{"/tenant/oauth/token?tenant_id=rdp", "username=mira&password=right", 422, ""},
		{"/tenant/oauth/token?tenant_id=rdp", "grant_type=client_credentials&username=mira&password=right", 422, ""},
		{"/tenant/oauth/token?tenant_id=rdp", "%zz", 400, ""},
		{"/tenant/oauth/token?tenant_id=rdp", "grant_type=PASSWORD&password=" + strings.Repeat("x", 20<<10), 400, ""},
	} {
		a := r.want(c.status, r.do("POST", c.path, c.body, "user:", formType1))
		if c.status == 200 {
			m := a.json(t)
			r.equal("token", m["access_token"], c.token)
			r.equal("cache", a.header.Get("Cache-Control"), "no-store")
			if n := m["expires_in"].(float64); n < 3500 || n > 3600 {
				t.Errorf("expires in %v", n)
			}
			continue
		}
		if c.status == 401 && !strings.Contains(a.body, "Bad credentials") || a.header.Get("WWW-Authenticate") == "" && c.status == 401 {
			t.Errorf("refused with %v %s", a.header, a.body)
		}
		for _, cookie := range []string{"/tenant/oauth?" + strings.TrimPrefix(c.path, "/tenant/oauth/token?")} {
			if a := r.do("POST", cookie, c.body, "user:", formType1); a.header["Set-Cookie"] != nil {
				t.Errorf("%s sets %v", cookie, a.header["Set-Cookie"])
			}
		}
	}
	a := r.want(200, r.do("POST", "/tenant/oauth?tenant_id=other", "grant_type=PASSWORD&username=mira&password=right", "user:", formType1))
	cookies := (&http.Response{Header: a.header}).Cookies()
	r.equal("cookie", cookies[0].Name+"="+cookies[0].Value, "authorization=other/mira")
	r.equal("secure", cookies[0].Secure, false)
	secure := newRig(t, func(o *Options) { o.PublicURL = "https://x.test" })
	a = secure.want(200, secure.do("POST", "/tenant/oauth?tenant_id=other", "grant_type=PASSWORD&username=mira&password=right", "user:", formType1))
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		r.equal("secure", c.Secure, true)
	}
	r.want(200, r.do("POST", "/user/logout", ""))
	r.want(401, r.do("POST", "/user/logout", "", "user:"))
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		r.want(401, r.do(method, "/tenant/oauth/token", "", "user:")) // open for POST only
	}
}

func TestSystemVersion(t *testing.T) {
	r := newRig(t)
	r.equal("option", r.getJSON("/tenant/system/options/system/version", acceptJSON), map[string]any{"category": "system", "key": "version", "value": "1020.0.0"})
	r.want(404, r.do("GET", "/tenant/system/options/system/other", ""))
}

// A client that knows only /platform finds everything, the way the Java SDK does.
func TestRoots(t *testing.T) {
	r := newRig(t)
	p := r.getJSON("/platform")
	for _, name := range []string{"inventory", "event", "user", "tenant", "identity", "measurement", "alarm", "audit", "deviceControl"} {
		if self, _ := p[name].(map[string]any)["self"].(string); !strings.HasPrefix(self, r.url+"/") {
			t.Errorf("%s is %v", name, p[name])
		}
	}
	inv := p["inventory"].(map[string]any)
	r.equal("inventory", r.getJSON("/inventory"), inv)
	r.equal("event", r.getJSON("/event"), p["event"])
	objects := inv["managedObjects"].(map[string]any)["self"].(string)
	r.want(200, r.do("GET", strings.Replace(objects, "managedObjects", "binaries", 1), ""))
	id := r.managed(`{"type":"x y"}`)
	r.equal("template", ids(r.getJSON(strings.Replace(inv["managedObjectsForType"].(string), "{type}", "x%20y", 1)), "managedObjects"), id)
	r.want(200, r.do("GET", p["event"].(map[string]any)["events"].(map[string]any)["self"].(string), ""))
	for path, typ := range map[string]string{"/platform": "platformApi", "/inventory": "inventoryApi", "/event": "eventApi"} {
		r.equal(path, r.do("GET", path, "").header.Get("Content-Type"), "application/vnd.com.nsn.cumulocity."+typ+"+json;ver=0.9;charset=UTF-8")
	}
}

// Without a login there is 401 on every path but the login's own, whatever exists.
func TestEveryPathWantsALogin(t *testing.T) {
	r := newRig(t)
	file := r.upload(`{"c8y_Global":{}}`, "f", "x")
	open := map[string]bool{"GET /tenant/loginOptions": true, "POST /tenant/oauth/token": true, "POST /tenant/oauth": true}
	paths := map[string]bool{"/inventory/nothing": true, "/event/x/y": true, "/measurement": true, "/tenant": true, "/identity/externalIds/c8y_Serial/x": true, "/inventory/binaries/x": true}
	for _, e := range c8yEndpoints() {
		paths[strings.NewReplacer("{id}", file, "{child}", "5", "{kin}", "childAssets").Replace(e.path)] = true
	}
	for path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			if open[method+" "+path] || method == "HEAD" && open["GET "+path] {
				continue
			}
			for _, headers := range [][]string{{"user:"}, {"user:", "UseXBasic: true"}, {"user: unknown"}, {"user:", "X-HTTP-METHOD: PUT"}} {
				a := r.want(401, r.do(method, path, "", headers...))
				want := `Basic realm="Cumulocity"`
				if len(headers) > 1 && strings.HasPrefix(headers[1], "UseX") {
					want = `XBASIC realm="Cumulocity"`
				}
				r.equal(method+path, a.header.Get("WWW-Authenticate"), want)
				if method != "HEAD" && (a.json(t)["error"] != "security/Unauthorized" || !strings.Contains(a.body, "Invalid credentials")) {
					t.Errorf("%s %s: %s", method, path, a.body)
				}
			}
		}
	}
}

// Headers of other installations change nothing.
func TestIgnoredHeaders(t *testing.T) {
	r := newRig(t)
	a := r.want(201, r.do("POST", "/inventory/managedObjects", `{}`, "X-Cumulocity-Application-Key: k", "X-Cumulocity-Request-Origin: o", "X-Cumulocity-Processing-Mode: QUIESCENT",
		"tfatoken: 1", "TFAToken: 2", "X-APPLICATION: x", "MIME-Version: 1.0", "X-XSRF-TOKEN: y"))
	if a.header.Get("Location") == "" {
		t.Error("no Location")
	}
}
