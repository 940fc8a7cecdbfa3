package restapi

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"tote/fs"
)

// Options configure the handler. Zero values take the defaults named here.
type Options struct {
	PublicURL      string           // base of links and signed URLs; "" takes it from each request
	TrustForwarded bool             // believe X-Forwarded-Proto, -Host and -Prefix: a proxy of ours sets them
	Tenant         string           // tenant of actors that name none, "rdp"
	SigningKey     []byte           // of signed URLs; empty makes one that dies with the process
	Logger         *slog.Logger     // slog.Default()
	Now            func() time.Time // the core's clock
	MaxFile        int64            // bytes of one file, 5 GiB
	MaxAttachment  int64            // bytes of the attachment of one event, 50 MiB
	MaxJSON        int64            // bytes of one JSON document, 1 MiB
	Direct         Direct           // hands out URLs of the object store; nil: all bytes pass this server
	URLLife        time.Duration    // how long a signed URL works, 1 hour
	Skew           time.Duration    // how long after its expiry it still works, 1 minute

	TenantOptions func(ctx context.Context, tenant string) (TenantOptions, error) // nil: all tenants have the zero value
}

func (o Options) withDefaults(fsys *fs.FS) Options {
	if o.Tenant == "" {
		o.Tenant = "rdp"
	}
	if len(o.SigningKey) == 0 {
		o.SigningKey = make([]byte, 32)
		rand.Read(o.SigningKey) // never fails
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = fsys.Now
	}
	if o.MaxFile == 0 {
		o.MaxFile = 5 << 30
	}
	if o.MaxAttachment == 0 {
		o.MaxAttachment = 50 << 20
	}
	if o.MaxJSON == 0 {
		o.MaxJSON = 1 << 20
	}
	if o.URLLife == 0 {
		o.URLLife = time.Hour
	}
	if o.Skew == 0 {
		o.Skew = time.Minute
	}
	return o
}

// server answers the requests of all families.
type server struct {
	fs     *fs.FS
	docs   Documents
	stores Stores
	opts   Options
	log    *slog.Logger
	locks  stripes
	places places
	pieces pieces
	heavy  heavy
	c8y    []endpoint
}

// Handler answers the requests of all families.
type Handler struct{ s *server }

// New makes the handler for all routes that Handles names. Requests for routes that are not Public carry their actor in the context
// (fs.WithActor); without one they are answered with Unauthorized. The paths must arrive as the client sent them, undecoded and unredirected.
func New(fsys *fs.FS, stores Stores, o Options) *Handler {
	o = o.withDefaults(fsys)
	return &Handler{&server{fs: fsys, docs: stores.Documents, stores: stores, opts: o, log: o.Logger, heavy: newHeavy(), c8y: c8yEndpoints()}}
}

// Tidy drops uploads in pieces that nobody goes on with. It is called every now and then; start says that the server has not begun to serve, which
// is when what a crash left can be told from what is under way.
func (h *Handler) Tidy(ctx context.Context, start bool) error { return h.s.tidyPartials(ctx, start) }

// ServeHTTP takes the means to cancel from the client. net/http cancels the context when the client closes its sending side, which it may do once
// its request is out, and still wants the answer. That a client has really gone is seen when bytes are moved.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := h.s
	r = r.WithContext(context.WithoutCancel(r.Context()))
	f := familyOf(r.URL.Path)
	if f == familyBlob {
		s.serveBlob(w, r)
		return
	}
	a, ok := fs.ActorFrom(r.Context())
	if !ok && f == familyC8y {
		s.serveC8y(w, r, nil)
		return
	}
	if !ok {
		Unauthorized(w, r)
		return
	}
	if a.Tenant == "" {
		b := *a
		b.Tenant = s.opts.Tenant
		a = &b
	}
	if f == familyBSO {
		s.serveBSO(w, r, a)
		return
	}
	s.serveC8y(w, r, a)
}

// family is a set of routes that share media types and error bodies.
type family int

const (
	familyNone family = iota
	familyC8y
	familyBSO
	familyBlob
)

// familyOf looks at the first segments of a path only; whether the rest makes sense is found out by the family.
func familyOf(path string) family {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "inventory", "event", "tenant", "user", "platform", "identity", "measurement", "alarm", "audit", "deviceControl":
		return familyC8y
	case "blobs":
		return familyBlob
	case "api", "data":
		return familyBSO
	case "", "dav":
		return familyNone
	}
	if second, _, _ := strings.Cut(rest, "/"); second == "api" {
		return familyBSO
	}
	return familyNone
}

// Handles tells whether the handler answers for a path: /inventory, /event, /tenant, /user, /platform, /identity, /api, /{tenant}/api, /data
// and /blobs.
func Handles(path string) bool { return familyOf(path) != familyNone }

// Public tells whether a request needs no login: the signature of a blob URL is its credential, and a login can't ask for one.
func Public(r *http.Request) bool {
	return Signed(r) || familyOf(r.URL.Path) == familyC8y && publicC8y(r)
}

// Signed tells whether a request brings its credential in its URL.
func Signed(r *http.Request) bool { return familyOf(r.URL.Path) == familyBlob }

// TakesTokens tells whether the clients of a path may send a token that a login gave them.
func TakesTokens(path string) bool { return familyOf(path) == familyC8y }

// ForPrograms tells whether a path belongs to the service whose clients are programs with an id and a secret rather than people.
func ForPrograms(path string) bool { return familyOf(path) == familyBSO }

// Unauthorized answers a request that has no valid credentials, in the form the clients of its route expect: 401 with a JSON error and a
// challenge for the inventory family, 401 with the envelope and code GE001 for binary stream objects.
func Unauthorized(w http.ResponseWriter, r *http.Request) {
	if familyOf(r.URL.Path) == familyBSO {
		unauthorizedBSO(w)
		return
	}
	unauthorizedC8y(w, r)
}

// Refuse answers a request whose login was not checked, in the form the clients of its route expect: 429 when too many logins failed or wait, 503
// when something is broken.
func Refuse(w http.ResponseWriter, r *http.Request, status int) {
	p := c8yManyLogins
	if status == http.StatusServiceUnavailable {
		p = &c8yProblem{status, "general/internalError", "the login can't be checked now, try again later"}
	}
	w.Header().Set("Retry-After", "1")
	if familyOf(r.URL.Path) == familyBSO {
		writeEnvelope(w, status, problemEnvelope(newRequestID(), &bsoProblem{status, bsoUnauthorized.code, p.message, nil}))
		return
	}
	writeC8yProblem(w, r, (&server{}).base(r), p)
}
