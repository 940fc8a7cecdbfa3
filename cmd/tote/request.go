package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
)

// requestInfo is what the middleware knows of a request. It is made once and passed down by the context; only the request's own
// goroutine writes to it.
type requestInfo struct {
	ID     string
	Addr   string // IP address of the client
	Tenant string // "" before login
	User   string
}

type requestKey struct{}

// requestOf finds the record of a request, or an empty one outside of any.
func requestOf(ctx context.Context) *requestInfo {
	if info, ok := ctx.Value(requestKey{}).(*requestInfo); ok {
		return info
	}
	return &requestInfo{}
}

// withRequestID gives each request an id of our own making, for the log and for people who report a failure.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := &requestInfo{ID: newID(), Addr: clientAddr(r)}
		w.Header().Set("X-Request-Id", info.ID)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, info)))
	})
}

func newID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// clientAddr is the peer's IP address. Forwarding headers are not believed: anyone can send them.
func clientAddr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
