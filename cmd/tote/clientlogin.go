package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"tote/fs"
	"tote/meta"
)

// Headers of the binary stream object service.
const (
	clientIDHeader     = "auth-client-id"
	clientSecretHeader = "auth-client-secret"
	tokenHeader        = "x-rdp-authtoken"
	userHeader         = "x-rdp-userId"
)

// tokenAge is how far the time in a signed request may be from now.
const tokenAge = 15 * time.Minute

// clientStore is what the login of programs reads. *meta.DB is one.
type clientStore interface {
	GetClient(ctx context.Context, tenant, id string) (meta.Client, error)
	SigningClients(ctx context.Context, tenant string) ([]meta.Client, error)
	TenantByName(ctx context.Context, name string) (meta.Tenant, error)
}

// clientLogin verifies programs that act for people over the binary stream object service: by id and secret, by a signature over the query
// string, or not at all where that was allowed.
type clientLogin struct {
	login  *login
	store  clientStore
	auth   string // value of --bso-auth
	public string // host of --public-url, "" for none
	now    func() time.Time
}

func newClientLogin(l *login, store clientStore, cfg *Config) *clientLogin {
	c := &clientLogin{login: l, store: store, auth: cfg.API.BSOAuth, public: publicHost(cfg.PublicURL), now: time.Now}
	l.hostTenant = c.hostTenant
	return c
}

// identity is who a request comes from. A program acts for others, whom its headers name.
type identity struct {
	meta.User
	program bool
}

// Verify gives the program that a request comes from; errNoCredentials when it names none, so that users may be asked for.
func (l *clientLogin) Verify(ctx context.Context, r *http.Request) (identity, error) {
	if l.trusts(r) {
		return l.trusted(ctx, r)
	}
	if r.Header.Get(clientIDHeader) != "" {
		return l.bySecret(ctx, r)
	}
	if r.Header.Get(tokenHeader) != "" {
		return l.bySignature(ctx, r)
	}
	return identity{}, errNoCredentials
}

// bySecret compares id and secret. An unknown id may be the name of a user.
func (l *clientLogin) bySecret(ctx context.Context, r *http.Request) (identity, error) {
	c := credentials{tenant: l.login.tenantOf(r), name: r.Header.Get(clientIDHeader), password: r.Header.Get(clientSecretHeader)}
	if tenant, id, ok := strings.Cut(c.name, "/"); ok {
		c.tenant, c.name = tenant, id
	}
	client, err := l.store.GetClient(ctx, c.tenant, c.name)
	if errors.Is(err, syscall.ENOENT) {
		return identity{}, errNoCredentials
	}
	if err == nil {
		err = l.login.check(ctx, c, "client "+c.tenant+"/"+c.name, clientAddr(r), client.Hash)
	}
	return clientIdentity(client), err
}

// bySignature verifies a signature over the query string, which holds the time of the request. Any key of the tenant may have made it.
func (l *clientLogin) bySignature(ctx context.Context, r *http.Request) (identity, error) {
	tenant := l.login.tenantOf(r)
	name, addr := "signature "+tenant, clientAddr(r)
	if l.login.failures.Blocked(addr, name) {
		return identity{}, errTooMany
	}
	clients, err := l.store.SigningClients(ctx, tenant)
	if err != nil {
		return identity{}, err
	}
	token, err := base64.StdEncoding.DecodeString(r.Header.Get(tokenHeader))
	if err == nil && l.recent(r.URL.RawQuery) {
		for _, c := range clients {
			if hmac.Equal(token, signQuery(c.Key, r.URL.RawQuery)) {
				l.login.failures.Passed(addr, name)
				return clientIdentity(c), nil
			}
		}
	}
	l.login.failures.Failed(addr, name)
	return identity{}, errBadCredentials
}

func signQuery(key []byte, query string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(query))
	return m.Sum(nil)
}

// recent tells whether a query names its time, once, and that is not long ago.
func (l *clientLogin) recent(query string) bool {
	q, err := url.ParseQuery(query)
	if err != nil || len(q["timeStamp"]) != 1 {
		return false
	}
	t, err := time.Parse(time.RFC3339Nano, q.Get("timeStamp"))
	return err == nil && l.now().Sub(t).Abs() <= tokenAge
}

// trusts tells whether a request needs no credentials. Where only this machine is trusted the request has to call the server by a name of this
// machine: a page of some site whose name leads here would call it by that name.
func (l *clientLogin) trusts(r *http.Request) bool {
	switch l.auth {
	case authOff:
		return true
	case authLoopback:
		ip, host := net.ParseIP(clientAddr(r)), hostOf(r)
		return ip != nil && ip.IsLoopback() && (localName(host) || host != "" && host == l.public)
	}
	return false
}

// hostOf is the host that the client called, without a port.
func hostOf(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func localName(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// trusted is who the headers say it is.
func (l *clientLogin) trusted(ctx context.Context, r *http.Request) (identity, error) {
	name := l.login.tenantOf(r)
	_, err := l.store.TenantByName(ctx, name)
	if errors.Is(err, syscall.ENOENT) {
		err = errBadCredentials
	}
	if err != nil {
		return identity{}, err
	}
	user := r.Header.Get(userHeader)
	if user == "" {
		user = "anonymous"
	}
	return identity{meta.User{Tenant: name, Name: user, Roles: []string{fs.RoleEditor}}, true}, nil
}

// hostTenant is the tenant whose name is the first label of the host that the client called, "" for none.
func (l *clientLogin) hostTenant(r *http.Request) string {
	host := hostOf(r)
	label, _, dotted := strings.Cut(host, ".")
	if !dotted || net.ParseIP(host) != nil {
		return ""
	}
	if _, err := l.store.TenantByName(context.WithoutCancel(r.Context()), label); err != nil {
		return ""
	}
	return label
}

func clientIdentity(c meta.Client) identity {
	return identity{meta.User{Tenant: c.Tenant, Name: c.ID, Roles: c.Roles}, true}
}
