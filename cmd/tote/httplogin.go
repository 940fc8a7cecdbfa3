package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"tote/fs"
	"tote/meta"
	"tote/restapi"
)

// open tells whether a request is answered without a login.
func open(r *http.Request) bool {
	switch p := r.URL.Path; {
	case p == "/" || p == "/healthz" || p == "/readyz":
		return true
	case isDAV(p):
		return r.Method == http.MethodOptions // clients ask what the server can before they log in
	}
	return restapi.Public(r) || !restapi.Handles(r.URL.Path)
}

// withLogin puts the actor into the context of requests that are not open, or answers them.
func (s *site) withLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open(r) {
			next.ServeHTTP(w, r)
			return
		}
		u, err := s.verify(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		info := requestOf(r.Context())
		info.Tenant, info.User = u.Tenant, u.Name
		ctx := fs.WithActor(r.Context(), actorOf(r, u.User))
		if u.program {
			ctx = restapi.WithDelegate(ctx)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// verify finds out who asks: a program where programs may ask, else a user.
func (s *site) verify(r *http.Request) (identity, error) {
	// net/http cancels the context when the client closes its sending side, which it may do and still want the answer.
	ctx := context.WithoutCancel(r.Context())
	if restapi.ForPrograms(r.URL.Path) {
		if id, err := s.clients.Verify(ctx, r); !errors.Is(err, errNoCredentials) {
			return id, err
		}
	}
	if restapi.TakesTokens(r.URL.Path) || restapi.ForPrograms(r.URL.Path) {
		if u, err := s.sessions.verify(ctx, r); !errors.Is(err, errNoCredentials) {
			return identity{User: u}, err
		}
	}
	c, err := s.login.credentials(r)
	if err != nil {
		return identity{}, err
	}
	u, err := s.login.Verify(ctx, c, clientAddr(r))
	return identity{User: u}, err
}

// actorOf says to the core who asks.
func actorOf(r *http.Request, u meta.User) *fs.Actor {
	origin := "rest"
	if isDAV(r.URL.Path) {
		origin = "dav"
	}
	return &fs.Actor{Tenant: u.Tenant, User: u.Name, Roles: u.Roles, Origin: origin}
}

// refuse answers a request whose login failed, in the form its face's clients know.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errTooMany), errors.Is(err, errLoginBusy):
		s.log.WarnContext(r.Context(), "login refused", "reason", err, "from", clientAddr(r))
		turnAway(w, r, http.StatusTooManyRequests, "too many logins failed or wait, try again later")
	case errors.Is(err, errNoCredentials), errors.Is(err, errBadCredentials):
		if errors.Is(err, errBadCredentials) {
			s.log.InfoContext(r.Context(), "login failed", "from", clientAddr(r))
		}
		unauthorized(w, r)
	default:
		s.log.ErrorContext(r.Context(), "login impossible", "error", err)
		turnAway(w, r, http.StatusServiceUnavailable, "the login can't be checked now, try again later")
	}
}

// turnAway answers a request whose login was not checked.
func turnAway(w http.ResponseWriter, r *http.Request, status int, message string) {
	if !isDAV(r.URL.Path) {
		restapi.Refuse(w, r, status)
		return
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, message, status)
}

func unauthorized(w http.ResponseWriter, r *http.Request) {
	if !isDAV(r.URL.Path) {
		restapi.Unauthorized(w, r)
		return
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="tote", charset="UTF-8"`)
	w.Header().Set("DAV", "1, 2")
	msg := "log in with a user name and password"
	if strings.TrimSpace(r.Header.Get("Authorization")) != "" {
		msg = "invalid credentials"
	}
	http.Error(w, msg, http.StatusUnauthorized)
}
