package main

import (
	_ "embed"
	"net/http"
)

//go:embed index.html
var indexPage []byte

// serveIndex shows which doors there are. The page has no script and loads nothing.
func serveIndex(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	w.Write(indexPage)
}
