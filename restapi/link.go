package restapi

import (
	"net/http"
	"strings"
)

// base is the absolute URL that links start with, without a slash at its end. Clients parse ids out of links, so it has to be one they can
// reach: the configured URL, else what the client used.
func (s *server) base(r *http.Request) string {
	if s.opts.PublicURL != "" {
		return strings.TrimRight(s.opts.PublicURL, "/")
	}
	scheme, host, prefix := "http", r.Host, ""
	if r.TLS != nil {
		scheme = "https"
	}
	if s.opts.TrustForwarded {
		if p := forwarded(r, "X-Forwarded-Proto"); p == "http" || p == "https" {
			scheme = p
		}
		if h := forwarded(r, "X-Forwarded-Host"); h != "" {
			host = h
		}
		prefix = strings.TrimRight(forwarded(r, "X-Forwarded-Prefix"), "/")
	}
	if !plainURLText(host) {
		host = "localhost"
	}
	if !plainURLText(prefix) || !strings.HasPrefix(prefix, "/") {
		prefix = ""
	}
	return scheme + "://" + host + prefix
}

// forwarded is the value the outermost proxy set.
func forwarded(r *http.Request, name string) string {
	v, _, _ := strings.Cut(r.Header.Get(name), ",")
	return strings.TrimSpace(v)
}

// plainURLText refuses what would end a URL inside JSON, a header or a shell line.
func plainURLText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"'<>\\^`{|},", c) >= 0 {
			return false
		}
	}
	return true
}
