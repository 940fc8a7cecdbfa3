package main

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"tote/davserver"
	"tote/restapi"
	"tote/restapi/apidoc"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	maxStreams    = 250  // of one HTTP/2 connection
	maxConns      = 4096 // of the listener; some 10 KiB each
	davPrefix     = "/dav"
)

// site is everything the listener serves.
type site struct {
	login     *login
	sessions  sessions
	clients   *clientLogin
	dav, rest http.Handler
	docs      http.Handler
	health    *health
	publicURL string
	log       *slog.Logger
}

// handler builds the chain: each step sees what the one before let through. XML bodies are checked before the login because every
// parser behind it trusts them to be small and flat.
func (s *site) handler() http.Handler {
	h := http.Handler(http.HandlerFunc(s.route))
	h = s.withLogin(h)
	h = s.withGuard(h)
	h = s.withSameOrigin(h)
	h = withRecover(s.log, h)
	h = withAccessLog(s.log, h)
	return withRequestID(h)
}

// route picks the face. http.ServeMux is not used because it redirects paths that it finds unclean: "//" and ".." are for the faces to
// judge.
func (s *site) route(w http.ResponseWriter, r *http.Request) {
	switch p := r.URL.Path; {
	case isDAV(p):
		s.dav.ServeHTTP(w, r)
	case restapi.Handles(p):
		s.rest.ServeHTTP(w, r)
	case apidoc.Handles(p): // for everybody: it has no secrets
		s.docs.ServeHTTP(w, r)
	case p == "/healthz":
		s.health.alive(w, r)
	case p == "/readyz":
		s.health.ready(w, r)
	case p == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		serveIndex(w, r)
	default:
		http.Error(w, "nothing is served here", http.StatusNotFound)
	}
}

func isDAV(path string) bool {
	return path == davPrefix || strings.HasPrefix(path, davPrefix+"/") || strings.HasPrefix(path, davserver.SyncPrefix+"/")
}

// withGuard checks the XML bodies of WebDAV requests.
func (s *site) withGuard(next http.Handler) http.Handler {
	guarded := davserver.Guard(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isDAV(r.URL.Path) {
			guarded.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withSameOrigin refuses changes that a page of another site makes a browser send: browsers add the Basic credentials they remember.
// A signed URL is its own credential and may be used from anywhere; a login may not, or a page could log its visitor in as somebody else.
func (s *site) withSameOrigin(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	if s.publicURL != "" {
		if err := p.AddTrustedOrigin(s.publicURL); err != nil {
			s.log.Warn("requests of the public URL's own pages may be refused", "error", err)
		}
	}
	checked := p.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if restapi.Signed(r) {
			next.ServeHTTP(w, r)
			return
		}
		checked.ServeHTTP(w, r)
	})
}

// newServer sets the limits that do not depend on the request; those of bodies are in body.go and response.go.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          httpErrors(log),
		ConnState:         limitConns(maxConns),
	}
}

// limitConns closes connections above max as they come. A limiting listener would hide the TCP connection, and with it sendfile.
func limitConns(limit int64) func(net.Conn, http.ConnState) {
	var open atomic.Int64
	return func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if open.Add(1) > limit {
				c.Close()
			}
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}
