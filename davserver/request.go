package davserver

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"tote/fs"
)

// request is one request on its way through a method: the actor with its lock tokens, the path within the tenant and the conditions.
type request struct {
	h     *handler
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context
	actor *fs.Actor // a copy of this request's own; nil only for OPTIONS
	path  string
	conds conditions
}

// stay is r with a context that the client cannot cancel. net/http cancels it when the client closes its sending side, which it may do once its
// request is out, and still wants the answer. That a client has really gone is seen when bytes are moved.
func stay(r *http.Request) *http.Request { return r.WithContext(context.WithoutCancel(r.Context())) }

// newRequest checks what all methods have in common, in the order syntax, login, path. The request is usable for fail even when it
// returns an error.
func (h *handler) newRequest(w http.ResponseWriter, r *http.Request) (*request, error) {
	q := &request{h: h, w: w, r: r, ctx: r.Context()}
	var err error
	if q.path, err = h.clean(r.URL); err != nil {
		return q, err
	}
	if q.conds, err = h.parseConditions(r, q.path); err != nil {
		return q, err
	}
	return q, q.identify()
}

// identify takes the actor out of the context and gives it the request's lock tokens.
func (q *request) identify() error {
	a, ok := fs.ActorFrom(q.ctx)
	if !ok {
		if q.r.Method == http.MethodOptions {
			return nil
		}
		return refuse(http.StatusForbidden, "log in first")
	}
	own := *a
	own.Origin = "dav"
	own.Tokens = append(own.Tokens[:len(own.Tokens):len(own.Tokens)], q.conds.tokens()...)
	q.actor = &own
	return nil
}

// clean turns the URL of a resource into its path within the tenant. net/url has decoded it once and it is never decoded again, so
// "%252e" is a file name. An encoded slash could only be there to smuggle a separator past somebody.
func (h *handler) clean(u *url.URL) (string, error) {
	rest, ok := strings.CutPrefix(u.Path, h.opts.Prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return "", refuse(http.StatusNotFound, "no such share")
	}
	if raw := u.EscapedPath(); strings.Contains(raw, "%2f") || strings.Contains(raw, "%2F") {
		return "", refuse(http.StatusBadRequest, "a name cannot hold a slash")
	}
	p, err := fs.CleanPath(rest)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "the path is not valid: a name in it is '.' or '..', holds a NUL or is longer than 255 bytes")
	}
	return p, nil
}

// href is the URL path of a resource, percent-encoded; a collection's ends in a slash.
func (h *handler) href(path string, dir bool) string {
	return string(h.appendHref(nil, path, dir))
}

// appendHref is href for the loops of PROPFIND.
func (h *handler) appendHref(b []byte, path string, dir bool) []byte {
	b = appendEscapedPath(b, h.opts.Prefix)
	if path != "/" {
		b = appendEscapedPath(b, path)
	}
	if dir || path == "/" {
		b = append(b, '/')
	}
	return b
}

// foreign is the path of a URL that names another server or another share; no resource has it.
const foreign = ""

// resolve finds the path that an absolute URL or an absolute path in a header means. Other hosts are foreign; the scheme is not
// compared because a proxy may have taken TLS off.
func (h *handler) resolve(r *http.Request, raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Path == "" || u.Path[0] != '/' || u.Opaque != "" {
		return "", refuse(http.StatusBadRequest, "the URL in the header is not valid")
	}
	if u.Host != "" && !sameHost(u, r.Host) {
		return foreign, nil
	}
	p, err := h.clean(u)
	if code(err) == http.StatusNotFound {
		return foreign, nil
	}
	return p, err
}

// sameHost compares host and port, leaving out the port that the scheme implies.
func sameHost(u *url.URL, host string) bool {
	port := map[string]string{"http": ":80", "https": ":443"}[strings.ToLower(u.Scheme)]
	a := strings.TrimSuffix(strings.ToLower(u.Host), port)
	b := strings.TrimSuffix(strings.ToLower(host), port)
	if a == b {
		return true
	}
	ha, pa, erra := net.SplitHostPort(a)
	hb, pb, errb := net.SplitHostPort(b)
	return erra == nil && errb == nil && ha == hb && pa == pb
}

// destination is the target of COPY and MOVE.
func (q *request) destination() (string, error) {
	raw := q.r.Header.Get("Destination")
	if raw == "" {
		return "", refuse(http.StatusBadRequest, "the Destination header is missing")
	}
	p, err := q.h.resolve(q.r, raw)
	if err == nil && p == foreign {
		return "", refuse(http.StatusBadGateway, "the Destination is on another server")
	}
	return p, err
}

// depth of a request (RFC 4918 section 10.2).
type depth int

const (
	depthZero depth = iota
	depthOne
	depthInfinity
	depthInvalid
)

// depth reads the Depth header in any case; absent means infinity for every method.
func (q *request) depth() depth {
	switch strings.ToLower(strings.TrimSpace(q.r.Header.Get("Depth"))) {
	case "0":
		return depthZero
	case "1":
		return depthOne
	case "", "infinity":
		return depthInfinity
	}
	return depthInvalid
}

// badDepth is the answer to a Depth that the method does not know.
func badDepth() error {
	return refuse(http.StatusBadRequest, "this Depth is not valid here")
}
