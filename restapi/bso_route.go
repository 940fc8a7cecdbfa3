package restapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"tote/fs"
)

const bsoService = "binarystreamobjectservice"

// call is one HTTP request to the service; its body may hold several request objects.
type call struct {
	s      *server
	ctx    context.Context
	actor  *fs.Actor
	id     string // request id in answers and logs
	user   string // acting user as the client names it, for createdBy and headers
	header http.Header
	base   string
	now    time.Time
}

// operation does one request object.
type operation struct {
	run     func(*call, *bsoRequest) (bsoResult, error)
	reading bool // fails with the code for reading
}

// operations by their names in lower case.
var operations = map[string]operation{
	"prepareupload":      {run: (*call).prepareUpload},
	"uploadcontinuous":   {run: (*call).uploadContinuous},
	"preparedownload":    {run: (*call).prepareDownload, reading: true},
	"downloadcontinuous": {run: (*call).downloadContinuous, reading: true},
	"create":             {run: (*call).create},
	"update":             {run: (*call).update},
	"get":                {run: (*call).get, reading: true},
	"delete":             {run: (*call).delete},
}

// bsoRoute is what a path says.
type bsoRoute struct {
	tenant string // first segment of /{tenant}/api, "" for the other forms
	facade bool   // /data
	op     operation
	opName string
}

// parseBSO reads the three forms of a path. Names of service and operation are matched without regard to case.
func parseBSO(path string) (bsoRoute, bool) {
	seg := strings.Split(strings.Trim(path, "/"), "/")
	var r bsoRoute
	switch {
	case len(seg) == 3 && (seg[0] == "api" || seg[0] == "data"):
		r.facade = seg[0] == "data"
	case len(seg) == 4 && seg[1] == "api":
		r.tenant = seg[0]
		seg = seg[1:]
	default:
		return r, false
	}
	if !strings.EqualFold(seg[1], bsoService) {
		return r, false
	}
	var ok bool
	r.opName = strings.ToLower(seg[2])
	r.op, ok = operations[r.opName]
	return r, ok
}

// serveBSO answers one HTTP request.
func (s *server) serveBSO(w http.ResponseWriter, r *http.Request, a *fs.Actor) {
	id := newRequestID()
	route, ok := parseBSO(r.URL.Path)
	if !ok {
		s.failBSO(w, r, id, route, bsoNoRoute)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.failBSO(w, r, id, route, bsoMethod)
		return
	}
	if err := checkTenant(route.tenant, r.Header.Get("x-rdp-tenantId"), a.Tenant); err != nil {
		s.failBSO(w, r, id, route, err)
		return
	}
	data, done, err := s.readJSON(w, r)
	defer done()
	if err != nil {
		s.failBSO(w, r, id, route, err)
		return
	}
	reqs, array, err := parseRequests(data)
	if err != nil {
		s.failBSO(w, r, id, route, err)
		return
	}
	c := &call{s: s, ctx: r.Context(), actor: a, id: id, user: a.User, header: r.Header, base: s.base(r), now: s.opts.Now()}
	if u := r.Header.Get("x-rdp-userId"); u != "" && len(u) <= maxKey {
		c.user = u
	}
	if !route.op.reading { // several steps that belong together
		c.ctx = context.WithoutCancel(c.ctx)
	}
	c.answer(w, r, route, reqs, array)
}

// checkTenant compares what path and header name with the tenant of the login. A caller sees no tenant but his own.
func checkTenant(inPath, inHeader, own string) error {
	if inPath != "" && inHeader != "" && inPath != inHeader {
		return bsoDenied("path and header name different tenants")
	}
	for _, t := range []string{inPath, inHeader} {
		if t != "" && t != own {
			return bsoDenied("tenant")
		}
	}
	return nil
}

// answer does all request objects and merges what they give: the first success is the envelope, objects of the others are added to it.
// Failures are dropped, unless nothing else is there.
func (c *call) answer(w http.ResponseWriter, r *http.Request, route bsoRoute, reqs []*bsoRequest, array bool) {
	var out, failed *envelope
	var failure *bsoProblem
	for _, req := range reqs {
		res, err := c.do(route, req)
		if err != nil {
			p := bsoProblemOf(err, route.op.reading)
			c.s.logBSO(r, c.id, p, err)
			if failure == nil {
				failure, failed = p, problemEnvelope(c.id, p)
				req.echo(failed)
			}
			continue
		}
		if out == nil {
			out = c.succeed(res)
			req.echo(out)
		} else if res.objects != nil && out.Response.Objects != nil {
			*out.Response.Objects = append(*out.Response.Objects, *res.objects...)
		}
	}
	switch {
	case out != nil:
		if array {
			out.Response.Total = len(reqs)
		}
		writeEnvelope(w, http.StatusOK, out)
	case route.facade:
		writeEnvelope(w, http.StatusOK, uiFailure(failure))
	default:
		writeEnvelope(w, failure.status, failed)
	}
}

// do does one request object.
func (c *call) do(route bsoRoute, req *bsoRequest) (bsoResult, error) {
	if req.err != nil {
		return bsoResult{}, req.err
	}
	if route.facade && route.opName == "preparedownload" {
		req.keyFromID()
	}
	return route.op.run(c, req)
}
