package restapi

import (
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// currentTenant answers GET /tenant/currentTenant.
func (x *exchange) currentTenant() error {
	host := hostName(x.base)
	writeC8y(x.w, x.r, http.StatusOK, "currentTenant", map[string]any{
		"name": x.a.Tenant, "domainName": host, "allowCreateTenants": false, "customProperties": map[string]any{},
		"applications": map[string]any{"references": []any{}}, "self": x.base + "/tenant/currentTenant",
	})
	return nil
}

// hostName is the host of a base URL, without its port.
func hostName(base string) string {
	_, host, _ := strings.Cut(base, "://")
	host, _, _ = strings.Cut(host, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// currentUser answers GET and PUT of /user/currentUser. Users are changed with the tote command; a PUT changes nothing.
func (x *exchange) currentUser() error {
	roles := []any{}
	for _, r := range x.a.Roles {
		roles = append(roles, map[string]any{"id": r, "name": r, "self": x.base + "/user/roles/" + r})
	}
	writeC8y(x.w, x.r, http.StatusOK, "currentUser", map[string]any{
		"id": x.a.User, "userName": x.a.User, "firstName": x.a.User, "lastName": "", "email": "", "shouldResetPassword": false,
		"twoFactorAuthenticationEnabled": false, "devicePermissions": map[string]any{}, "effectiveRoles": roles,
		"self": x.base + "/user/currentUser",
	})
	return nil
}

// loginOptions answers GET /tenant/loginOptions, which clients ask before they log in.
func (x *exchange) loginOptions() error {
	self := x.base + "/tenant/loginOptions"
	option := func(id, kind string) map[string]any {
		return map[string]any{"id": id, "type": kind, "userManagementSource": "INTERNAL", "visibleOnLoginPage": true, "self": self + "/" + id}
	}
	oauth := option("oauth", "OAUTH2_INTERNAL")
	oauth["grantType"] = "PASSWORD"
	oauth["initRequest"] = x.base + "/tenant/oauth?tenant_id=" + x.s.opts.Tenant
	writeC8y(x.w, x.r, http.StatusOK, "loginOptionCollection", map[string]any{
		"self": self, "loginOptions": []any{option("basic", "BASIC"), oauth},
	})
	return nil
}

// oauthToken answers POST /tenant/oauth/token: a password for a token.
func (x *exchange) oauthToken() error {
	session, err := x.login()
	if err != nil {
		return x.loginFailed(err)
	}
	x.w.Header().Set("Cache-Control", "no-store")
	writeJSON(x.w, http.StatusOK, map[string]any{"access_token": session.Token, "token_type": "Bearer", "expires_in": secondsUntil(x.s, session.Expires)})
	return nil
}

// oauthCookie answers POST /tenant/oauth: a password for cookies. A change that comes with the cookie has to repeat the other one in a header.
func (x *exchange) oauthCookie() error {
	session, err := x.login()
	if err != nil {
		return x.loginFailed(err)
	}
	secure := strings.HasPrefix(x.base, "https:")
	cookie := func(name, value string, hidden bool) {
		http.SetCookie(x.w, &http.Cookie{
			Name: name, Value: value, Path: "/", Expires: session.Expires, HttpOnly: hidden, Secure: secure, SameSite: http.SameSiteStrictMode,
		})
	}
	cookie(AuthCookie, session.Token, true)
	cookie(XSRFCookie, rand.Text(), false)
	x.w.Header().Set("Cache-Control", "no-store")
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// Cookies of a login, and the header that repeats the second one.
const (
	AuthCookie = "authorization"
	XSRFCookie = "XSRF-TOKEN"
	XSRFHeader = "X-XSRF-TOKEN"
)

func secondsUntil(s *server, t time.Time) int64 { return int64(max(0, t.Sub(s.opts.Now()).Seconds())) }

// maxLogin bounds the form of a login.
const maxLogin = 16 << 10

// login reads the form of a login and checks what it says.
func (x *exchange) login() (Session, error) {
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxLogin)
	if err := x.r.ParseForm(); err != nil {
		return Session{}, c8yBadRequest
	}
	f := x.r.PostForm
	if g := f.Get("grant_type"); !strings.EqualFold(g, "PASSWORD") {
		return Session{}, c8yInvalid("grant_type must be PASSWORD")
	}
	tenant, user := x.r.URL.Query().Get("tenant_id"), f.Get("username")
	if t, name, ok := strings.Cut(user, "/"); ok {
		tenant, user = t, name
	}
	if tenant == "" {
		tenant = x.s.opts.Tenant
	}
	return x.s.stores.Accounts.Login(x.r, tenant, user, f.Get("password"))
}

// loginFailed answers a login that failed as the API does.
func (x *exchange) loginFailed(err error) error {
	switch {
	case errors.Is(err, ErrCredentials):
		unauthorizedC8y(x.w, x.r)
		return nil
	case errors.Is(err, ErrLoginBusy):
		return c8yManyLogins
	}
	return err
}

// logout answers POST /user/logout: the token of the request ends.
func (x *exchange) logout() error {
	if err := x.s.stores.Accounts.Logout(x.r); err != nil {
		return err
	}
	for _, name := range []string{AuthCookie, XSRFCookie} {
		if _, err := x.r.Cookie(name); err == nil {
			http.SetCookie(x.w, &http.Cookie{Name: name, Path: "/", MaxAge: -1})
		}
	}
	x.w.Header().Set("Content-Length", "0")
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// systemVersion answers the option that clients take for the version of the platform.
func (x *exchange) systemVersion() error {
	writeC8y(x.w, x.r, http.StatusOK, "option", map[string]any{"category": "system", "key": "version", "value": "1020.0.0"})
	return nil
}

// writeJSON sends a plain JSON body.
func writeJSON(w http.ResponseWriter, status int, v any) {
	data := encodeJSON(v)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	w.Write(data)
}
