package main

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// withAccessLog logs each request once it is over: who, what, how it went. Neither query strings, which may carry signatures, nor any
// header is logged.
func withAccessLog(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, method, path := time.Now(), r.Method, r.URL.Path
		res := newResponse(w)
		res.encrypted = r.TLS != nil
		withProgress(w, r, bodyPatience, bodyStep)
		defer func() {
			info := requestOf(r.Context())
			log.LogAttrs(r.Context(), accessLevel(path, res.status), "request",
				slog.String("method", method), slog.String("path", path), slog.Int("status", res.status),
				slog.Int64("sent", res.sent), slog.Duration("took", time.Since(start).Round(time.Microsecond)),
				slog.String("user", info.User), slog.String("from", info.Addr))
		}()
		next.ServeHTTP(res, r)
		res.started() // net/http answers 200 for a handler that said nothing; a panic leaves 0
	})
}

// accessLevel keeps probes out of the log, and marks failures of ours. What a client asks for and nobody serves (501), or of another server (502),
// is not one; a full disk or a used-up quota (507) may be.
func accessLevel(path string, status int) slog.Level {
	switch {
	case path == "/healthz" || path == "/readyz":
		return slog.LevelDebug
	case status == http.StatusNotImplemented || status == http.StatusBadGateway:
		return slog.LevelInfo
	case status == http.StatusInsufficientStorage:
		return slog.LevelWarn
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// withRecover turns a panic into 500 and keeps the server alive. A handler that panics to abort its answer gets its wish.
func withRecover(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			log.ErrorContext(r.Context(), "panic", "value", v, "stack", string(debug.Stack()))
			if res, ok := w.(*response); ok && res.status != 0 {
				panic(http.ErrAbortHandler) // too late for a status: the client must not take half an answer for a whole one
			}
			http.Error(w, "internal error, see the server's log for request "+requestOf(r.Context()).ID, http.StatusInternalServerError)
		}()
		next.ServeHTTP(w, r)
	})
}
