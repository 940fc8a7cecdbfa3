package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"time"

	"tote/meta"
	"tote/restapi"
)

// sessionLife is how long a token stands for a password.
const sessionLife = 24 * time.Hour

// sessionStore keeps tokens. *meta.DB is one.
type sessionStore interface {
	PutToken(ctx context.Context, k meta.Token, d meta.Durability) error
	GetToken(ctx context.Context, hash []byte, now time.Time) (meta.Token, error)
	DeleteToken(ctx context.Context, hash []byte, d meta.Durability) error
}

// sessions let clients of the inventory and event APIs send a token instead of a password. A token is 130 random bits; the database holds its hash
// only, and drops it with the password it was got for.
type sessions struct {
	login *login
	store sessionStore
	now   func() time.Time
}

var _ restapi.Accounts = sessions{}

// Login checks a password, as slowly as every other login, and makes a token.
func (s sessions) Login(r *http.Request, tenant, user, password string) (restapi.Session, error) {
	ctx := context.WithoutCancel(r.Context())
	u, err := s.login.Verify(ctx, credentials{tenant: tenant, name: user, password: password}, clientAddr(r))
	switch {
	case errors.Is(err, errBadCredentials):
		return restapi.Session{}, restapi.ErrCredentials
	case errors.Is(err, errTooMany), errors.Is(err, errLoginBusy):
		return restapi.Session{}, restapi.ErrLoginBusy
	case err != nil:
		return restapi.Session{}, err
	}
	out := restapi.Session{Token: rand.Text(), Expires: s.now().Add(sessionLife)}
	k := meta.Token{Hash: tokenHash(out.Token), Tenant: u.Tenant, User: u.Name, Expires: out.Expires}
	return out, s.store.PutToken(ctx, k, meta.Durable)
}

// Logout ends the token of a request, if it has one.
func (s sessions) Logout(r *http.Request) error {
	token, err := tokenOf(r)
	if err != nil || token == "" {
		return nil
	}
	err = s.store.DeleteToken(context.WithoutCancel(r.Context()), tokenHash(token), meta.Durable)
	if errors.Is(err, syscall.ENOENT) {
		err = nil
	}
	return err
}

// verify gives the user whose token a request has; errNoCredentials when it has none.
func (s sessions) verify(ctx context.Context, r *http.Request) (meta.User, error) {
	token, err := tokenOf(r)
	if err != nil {
		return meta.User{}, err
	}
	if token == "" {
		return meta.User{}, errNoCredentials
	}
	k, err := s.store.GetToken(ctx, tokenHash(token), s.now())
	if err == nil {
		var u meta.User
		if u, err = s.login.users.GetUser(ctx, k.Tenant, k.User); err == nil {
			return u, nil
		}
	}
	if errors.Is(err, syscall.ENOENT) {
		err = errBadCredentials
	}
	return meta.User{}, err
}

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// tokenOf reads Authorization: Bearer, or the cookie of a browser, which has to prove with every change that its page could read the other cookie. ""
// means that there is none.
func tokenOf(r *http.Request) (string, error) {
	auth := r.Header.Get("Authorization")
	if scheme, token, ok := strings.Cut(auth, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token), nil
	}
	cookie, err := r.Cookie(restapi.AuthCookie)
	if auth != "" || err != nil || cookie.Value == "" {
		return "", nil
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return cookie.Value, nil
	}
	proof, err := r.Cookie(restapi.XSRFCookie)
	given := r.Header.Get(restapi.XSRFHeader)
	if err != nil || given == "" || subtle.ConstantTimeCompare([]byte(proof.Value), []byte(given)) != 1 {
		return "", errBadCredentials
	}
	return cookie.Value, nil
}
