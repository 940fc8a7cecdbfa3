package restapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tote/fs"
)

// Roles of section "roles" of the API, with the ones that tote itself knows. The core asks again, and more coarsely.
var (
	c8yReaders  = []string{fs.RoleAdmin, fs.RoleEditor, fs.RoleReader, "ROLE_INVENTORY_READ", "ROLE_BINARY_READ"}
	c8yWriters  = []string{fs.RoleAdmin, fs.RoleEditor, "ROLE_INVENTORY_ADMIN", "ROLE_BINARY_ADMIN"}
	c8yCreators = append([]string{"ROLE_INVENTORY_CREATE", "ROLE_BINARY_CREATE"}, c8yWriters...)

	objectReaders  = []string{fs.RoleAdmin, fs.RoleEditor, fs.RoleReader, "ROLE_INVENTORY_READ", "ROLE_MANAGED_OBJECT_READ"}
	objectWriters  = []string{fs.RoleAdmin, fs.RoleEditor, "ROLE_INVENTORY_ADMIN", "ROLE_MANAGED_OBJECT_ADMIN"}
	objectCreators = append([]string{"ROLE_INVENTORY_CREATE"}, objectWriters...)

	eventReaders = []string{fs.RoleAdmin, fs.RoleEditor, fs.RoleReader, "ROLE_EVENT_READ"}
	eventWriters = []string{fs.RoleAdmin, fs.RoleEditor, "ROLE_EVENT_ADMIN"}

	// owners may decide whom an object belongs to.
	owners = []string{fs.RoleAdmin, "ROLE_INVENTORY_ADMIN"}
)

// exchange is one request of the inventory family and its answer. Its handler either answers or returns why it does not.
type exchange struct {
	s     *server
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context // of the request, not cancelled when its client leaves
	a     *fs.Actor       // nil for open endpoints
	base  string
	id    fs.Ino // {id}
	child fs.Ino // {child}
	kind  kin    // {kin}
	done  func() // lets go of the body, nil without one
}

// endpoint is one method of one path. In a path {id} and {child} stand for numbers and {kin} for a kind of children.
type endpoint struct {
	method string
	path   string
	open   bool // needs no login
	run    func(*exchange) error
}

// c8yEndpoints are all endpoints of the inventory family. HEAD is served wherever GET is.
func c8yEndpoints() []endpoint {
	return slices.Concat(inventoryEndpoints(), eventEndpoints(), accountEndpoints(), rootEndpoints())
}

func inventoryEndpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/inventory/binaries", run: (*exchange).listBinaries},
		{method: "POST", path: "/inventory/binaries", run: (*exchange).postBinary},
		{method: "GET", path: "/inventory/binaries/{id}", run: (*exchange).getBinary},
		{method: "PUT", path: "/inventory/binaries/{id}", run: (*exchange).putBinary},
		{method: "DELETE", path: "/inventory/binaries/{id}", run: (*exchange).deleteBinary},
		{method: "GET", path: "/inventory/managedObjects", run: (*exchange).listManaged},
		{method: "POST", path: "/inventory/managedObjects", run: (*exchange).postManaged},
		{method: "GET", path: "/inventory/managedObjects/{id}", run: (*exchange).getManaged},
		{method: "PUT", path: "/inventory/managedObjects/{id}", run: (*exchange).putManaged},
		{method: "DELETE", path: "/inventory/managedObjects/{id}", run: (*exchange).deleteManaged},
		{method: "GET", path: "/inventory/managedObjects/{id}/{kin}", run: (*exchange).listChildren},
		{method: "POST", path: "/inventory/managedObjects/{id}/{kin}", run: (*exchange).postChild},
		{method: "GET", path: "/inventory/managedObjects/{id}/{kin}/{child}", run: (*exchange).getChild},
		{method: "DELETE", path: "/inventory/managedObjects/{id}/{kin}/{child}", run: (*exchange).deleteChild},
	}
}

func eventEndpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/event/events", run: (*exchange).listEvents},
		{method: "POST", path: "/event/events", run: (*exchange).postEvent},
		{method: "DELETE", path: "/event/events", run: (*exchange).deleteEvents},
		{method: "GET", path: "/event/events/{id}", run: (*exchange).getEvent},
		{method: "PUT", path: "/event/events/{id}", run: (*exchange).putEvent},
		{method: "DELETE", path: "/event/events/{id}", run: (*exchange).deleteEvent},
		{method: "GET", path: "/event/events/{id}/binaries", run: (*exchange).getAttachment},
		{method: "POST", path: "/event/events/{id}/binaries", run: (*exchange).postAttachment},
		{method: "PUT", path: "/event/events/{id}/binaries", run: (*exchange).putAttachment},
		{method: "DELETE", path: "/event/events/{id}/binaries", run: (*exchange).deleteAttachment},
	}
}

func accountEndpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/tenant/currentTenant", run: (*exchange).currentTenant},
		{method: "GET", path: "/tenant/loginOptions", open: true, run: (*exchange).loginOptions},
		{method: "POST", path: "/tenant/oauth/token", open: true, run: (*exchange).oauthToken},
		{method: "POST", path: "/tenant/oauth", open: true, run: (*exchange).oauthCookie},
		{method: "GET", path: "/tenant/system/options/system/version", run: (*exchange).systemVersion},
		{method: "GET", path: "/user/currentUser", run: (*exchange).currentUser},
		{method: "PUT", path: "/user/currentUser", run: (*exchange).currentUser},
		{method: "POST", path: "/user/logout", run: (*exchange).logout},
	}
}

func rootEndpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/platform", run: (*exchange).platform},
		{method: "GET", path: "/inventory", run: (*exchange).inventoryRoot},
		{method: "GET", path: "/event", run: (*exchange).eventRoot},
	}
}

// serveC8y answers one request of the family. a is nil when it came without a login.
func (s *server) serveC8y(w http.ResponseWriter, r *http.Request, a *fs.Actor) {
	x := &exchange{s: s, w: w, r: r, ctx: r.Context(), a: a, base: s.base(r)}
	defer func() {
		if x.done != nil {
			x.done()
		}
	}()
	e, err := x.find(c8yMethodOf(r))
	switch {
	case err == nil && a == nil && !e.open, err != nil && a == nil:
		Unauthorized(w, r) // what there is not is told only to those who are known
		return
	case err == nil:
		err = e.run(x)
	}
	if err != nil {
		x.fail(err)
	}
}

// c8yMethodOf is the method that is meant: some clients can only POST.
func c8yMethodOf(r *http.Request) string {
	method := r.Method
	if v := strings.ToUpper(r.Header.Get("X-HTTP-METHOD")); method == http.MethodPost && (v == http.MethodPut || v == http.MethodDelete) {
		method = v
	}
	if method == http.MethodHead {
		return http.MethodGet
	}
	return method
}

// find looks the endpoint up. A trailing slash changes nothing and is never redirected: clients re-send bodies badly.
func (x *exchange) find(method string) (endpoint, error) {
	segs := strings.Split(strings.Trim(x.r.URL.Path, "/"), "/")
	var allow []string
	for _, e := range x.s.c8y {
		ok, err := x.match(e.path, segs)
		if err != nil {
			return endpoint{}, err
		}
		if !ok {
			continue
		}
		if e.method == method {
			return e, nil
		}
		allow = append(allow, e.method)
		if e.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	if allow == nil {
		return endpoint{}, c8yNoRoute
	}
	x.w.Header().Set("Allow", strings.Join(allow, ", "))
	return endpoint{}, c8yMethod
}

// match compares a path with a pattern and takes its numbers. A place for a number that has something else is an object that does not exist.
func (x *exchange) match(pattern string, segs []string) (bool, error) {
	want := strings.Split(pattern[1:], "/")
	if len(want) != len(segs) {
		return false, nil
	}
	for i, p := range want {
		if p == "{kin}" {
			k, ok := kinOf(segs[i])
			if !ok {
				return false, nil
			}
			x.kind = k
		} else if p[0] != '{' && p != segs[i] {
			return false, nil
		}
	}
	for i, p := range want {
		to := &x.id
		switch p {
		case "{child}":
			to = &x.child
		case "{id}":
		default:
			continue
		}
		id, ok := binaryID(segs[i])
		if !ok {
			return false, c8yNoObject
		}
		*to = id
	}
	return true, nil
}

// publicC8y tells whether a path is answered without a login.
func publicC8y(r *http.Request) bool {
	path := "/" + strings.Trim(r.URL.Path, "/")
	return slices.ContainsFunc(accountEndpoints(), func(e endpoint) bool {
		return e.open && e.path == path && e.method == c8yMethodOf(r)
	})
}

// binaryID reads the decimal id of an object. It has one spelling only: no sign, no leading zero.
func binaryID(id string) (fs.Ino, bool) {
	n, err := strconv.ParseUint(id, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != id || n == 0 {
		return 0, false
	}
	return fs.Ino(n), true
}

func idText(ino fs.Ino) string { return strconv.FormatUint(uint64(ino), 10) }

// readAs is the actor with the right to read, used after this package's finer rules (owner, c8y_Global, roles of single APIs) said yes.
func readAs(a *fs.Actor) *fs.Actor { return actAs(a, fs.RoleReader) }

// writeAs is the actor with the right to write, used like readAs.
func writeAs(a *fs.Actor) *fs.Actor { return actAs(a, fs.RoleEditor) }

func actAs(a *fs.Actor, role string) *fs.Actor {
	b := *a
	b.Roles = []string{role}
	return &b
}
