package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/hashicorp/golang-lru/v2/expirable"

	"tote/meta"
	"tote/restapi"
)

// Outcomes of a login.
var (
	errNoCredentials  = errors.New("no credentials")
	errBadCredentials = errors.New("invalid credentials")
	errTooMany        = errors.New("too many failed logins")
	errLoginBusy      = errors.New("too many logins at once")
)

const (
	verifiedMax  = 10_000
	verifiedTTL  = 5 * time.Minute
	hashSlots    = 4 // upper bound of parallel hash computations, 12 MiB each
	hashPatience = 10 * time.Second
)

// userStore is what a login reads. *meta.DB is one.
type userStore interface {
	GetUser(ctx context.Context, tenant, name string) (meta.User, error)
}

// credentials are what a request brought.
type credentials struct {
	tenant, name, password string
	guess                  bool // the request is about this tenant; whether the user belongs to it is not said
}

// login verifies credentials. WebDAV clients send them with every request, so those that were right are remembered for a while under
// a keyed hash that covers the stored hash as well: a changed password, or a removed user, ends it at once. Wrong ones are never
// remembered, cost the same time whether or not the user exists, and slow down the address they come from.
type login struct {
	users    userStore
	tenant   string // of names without one
	key      [32]byte
	verified *expirable.LRU[[32]byte, struct{}]
	failures *backoff
	slots    chan struct{}
	dummy    string // hash that nobody's password has, for unknown users

	hostTenant func(*http.Request) string // the tenant that a request names by its host, "" for none; may be nil
}

func newLogin(users userStore, tenant string) (*login, error) {
	dummy, err := hashPassword(rand.Text())
	if err != nil {
		return nil, err
	}
	l := &login{
		users:    users,
		tenant:   tenant,
		verified: expirable.NewLRU[[32]byte, struct{}](verifiedMax, nil, verifiedTTL),
		failures: newBackoff(time.Now),
		slots:    make(chan struct{}, min(runtime.NumCPU(), hashSlots)),
		dummy:    dummy,
	}
	rand.Read(l.key[:])
	return l, nil
}

// Verify returns the user whose credentials c are, errBadCredentials, errTooMany or errLoginBusy, or what the database said. addr is
// where they come from.
func (l *login) Verify(ctx context.Context, c credentials, addr string) (meta.User, error) {
	u, err := l.users.GetUser(ctx, c.tenant, c.name)
	if c.guess && errors.Is(err, syscall.ENOENT) { // a user of the default tenant: the face will say that it is the wrong one
		c.tenant = l.tenant
		u, err = l.users.GetUser(ctx, c.tenant, c.name)
	}
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return meta.User{}, err
	}
	if err := l.check(ctx, c, c.tenant+"/"+c.name, addr, u.Hash); err != nil {
		return meta.User{}, err
	}
	return u, nil
}

// check compares the password of c with a hash; hash "" means that nobody is known by this name, and takes as long. who is the name under which
// failures are counted.
func (l *login) check(ctx context.Context, c credentials, who, addr, hash string) error {
	seen := l.fingerprint(c, hash)
	if _, ok := l.verified.Get(seen); ok && hash != "" {
		return nil
	}
	ok, err := l.matches(ctx, c.password, who, addr, hash)
	if err != nil {
		return err
	}
	if !ok {
		l.failures.Failed(addr, who)
		return errBadCredentials
	}
	l.failures.Passed(addr, who)
	l.verified.Add(seen, struct{}{})
	return nil
}

// matches compares a password with a hash, in one of few slots because that takes memory and a core. Whether the name has to wait is asked before
// and after the queue for a slot: many guesses may stand in it at once.
func (l *login) matches(ctx context.Context, password, who, addr, hash string) (bool, error) {
	if l.failures.Blocked(addr, who) {
		return false, errTooMany
	}
	ctx, cancel := context.WithTimeout(ctx, hashPatience)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return false, errLoginBusy
	}
	if l.failures.Blocked(addr, who) {
		return false, errTooMany
	}
	known := hash != ""
	if !known {
		hash = l.dummy
	}
	password = password[:min(len(password), maxPassword+1)] // a longer one can't match, and costs what others cost
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	return ok && known, err
}

// fingerprint is the key under which right credentials are remembered. Every part is preceded by its length: no two credentials share one.
func (l *login) fingerprint(c credentials, hash string) [32]byte {
	m := hmac.New(sha256.New, l.key[:])
	for _, part := range []string{c.tenant, c.name, c.password, hash} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		m.Write(n[:])
		m.Write([]byte(part))
	}
	var sum [32]byte
	m.Sum(sum[:0])
	return sum
}

// credentials reads the first of: Authorization: Basic, and the auth-client-id and auth-client-secret headers of the binary stream
// object service. The name may be "tenant/user", split at the first slash; without one the request's own tenant is meant.
func (l *login) credentials(r *http.Request) (credentials, error) {
	name, password, ok := r.BasicAuth()
	if !ok && r.Header.Get("Authorization") != "" {
		return credentials{}, errBadCredentials // a scheme we don't speak
	}
	if !ok {
		name, password = r.Header.Get("auth-client-id"), r.Header.Get("auth-client-secret")
		ok = name != "" || password != ""
	}
	if !ok {
		return credentials{}, errNoCredentials
	}
	if tenant, user, found := strings.Cut(name, "/"); found {
		return credentials{tenant: tenant, name: user, password: password}, nil
	}
	tenant := l.tenantOf(r)
	return credentials{tenant: tenant, name: name, password: password, guess: tenant != l.tenant}, nil
}

// tenantOf is the tenant that a request names: by the host it calls, and for binary stream objects in its path or in a header before. Others mean
// the default, and so does WebDAV.
func (l *login) tenantOf(r *http.Request) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if strings.HasPrefix(rest, "api/") || rest == "api" {
		return first
	}
	service := first == "api" || first == "data"
	if !service && !restapi.TakesTokens(r.URL.Path) {
		return l.tenant
	}
	if t := r.Header.Get("x-rdp-tenantId"); service && t != "" {
		return t
	}
	if l.hostTenant != nil {
		return cmp.Or(l.hostTenant(r), l.tenant)
	}
	return l.tenant
}
