package main

import (
	"context"
	"io"
	"log"
	"log/slog"
	"strings"
)

// newLogger writes to w. Records made while a request is served carry its id, whoever makes them.
func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, opts)
	if format == "json" {
		h = slog.NewJSONHandler(w, opts)
	}
	return slog.New(requestHandler{h})
}

// requestHandler adds the request's id to records.
type requestHandler struct{ slog.Handler }

// Handle adds the id when the context has one.
func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := requestOf(ctx).ID; id != "" {
		r.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the id in loggers made with With.
func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the id in loggers made with WithGroup.
func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}

// httpErrors takes what net/http logs by itself. Clients that hang up or speak no TLS are no news.
func httpErrors(l *slog.Logger) *log.Logger { return log.New(httpErrorWriter{l}, "", 0) }

type httpErrorWriter struct{ log *slog.Logger }

// Write logs one message of net/http.
func (w httpErrorWriter) Write(p []byte) (int, error) {
	msg := oneLine(string(p))
	level := slog.LevelWarn
	if strings.Contains(msg, "TLS handshake error") || strings.Contains(msg, "superfluous") {
		level = slog.LevelDebug
	}
	w.log.Log(context.Background(), level, "http server", "message", msg)
	return len(p), nil
}
