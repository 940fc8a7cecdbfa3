package davserver

import (
	"cmp"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"tote/fs"
)

// Options of New. The zero value is ready to use.
type Options struct {
	Prefix      string        // URL path of the share without a slash at the end, "/dav" by default; "/" for none
	Logger      *slog.Logger  // gets the cause of every 5xx answer that is not the client's doing, once
	MaxInfinite int           // entries a PROPFIND with Depth infinity may answer, 5,000 by default; negative refuses them all
	LockTimeout time.Duration // of a LOCK that names none, 10 minutes by default
	LockMax     time.Duration // longest lock, 1 hour by default
	Junk        Junk          // what becomes of the files that desktops leave behind
}

// withDefaults fills in what the caller left out.
func (o Options) withDefaults() Options {
	o.Prefix = strings.TrimRight(cmp.Or(o.Prefix, "/dav"), "/")
	o.Logger = cmp.Or(o.Logger, slog.Default())
	o.MaxInfinite = cmp.Or(o.MaxInfinite, 5000)
	o.LockTimeout = cmp.Or(o.LockTimeout, 10*time.Minute)
	o.LockMax = cmp.Or(o.LockMax, time.Hour)
	return o
}

// handler serves one share. It has no state of its own: everything is in the core.
type handler struct {
	fsys *fs.FS
	opts Options
}

// New serves fsys under opts.Prefix. The actor of a request is expected in its context (fs.WithActor); OPTIONS needs none.
func New(fsys *fs.FS, opts Options) http.Handler {
	return &handler{fsys: fsys, opts: opts.withDefaults()}
}

// ServeHTTP makes sure that XML bodies were checked, whether or not Guard stands before the login.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = stay(r)
	if !hasXMLBody(r.Method) || guarded(r.Context()) != nil {
		h.serve(w, r)
		return
	}
	Guard(http.HandlerFunc(h.serve)).ServeHTTP(w, r)
}

// serve picks the form of the URL.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, SyncPrefix+"/"); ok {
		h.serveSync(w, r, rest)
		return
	}
	h.answer(w, r)
}

// answer serves one request; every error of every method ends in fail.
func (h *handler) answer(w http.ResponseWriter, r *http.Request) {
	q, err := h.newRequest(w, r)
	if err == nil {
		err = q.dispatch()
	}
	if err != nil {
		q.fail(err)
	}
}

// dispatch is the table of doc.go.
func (q *request) dispatch() error {
	switch q.r.Method {
	case http.MethodOptions:
		return q.options()
	case http.MethodGet, http.MethodHead:
		return q.get()
	case http.MethodPut:
		return q.put()
	case http.MethodDelete:
		return q.remove()
	case "COPY", "MOVE":
		return q.copyMove()
	case "PROPFIND":
		return q.propfind()
	case "PROPPATCH":
		return q.proppatch()
	case "MKCOL":
		return q.mkcol()
	case "LOCK":
		return q.lock()
	case "UNLOCK":
		return q.unlock()
	case http.MethodPatch:
		return q.patchFile()
	case "REPORT":
		return q.report()
	case http.MethodPost, "SEARCH", "ACL":
		return refuse(http.StatusMethodNotAllowed, "this method is not served here")
	}
	return refuse(http.StatusNotImplemented, "unknown method")
}
