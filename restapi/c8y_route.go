package restapi

import (
	"net/http"
	"strconv"
	"strings"

	"tote/fs"
)

// Roles of section "roles" of the API, with the ones that tote itself knows. The core asks again, and more coarsely.
var (
	c8yReaders  = []string{fs.RoleAdmin, fs.RoleEditor, fs.RoleReader, "ROLE_INVENTORY_READ", "ROLE_BINARY_READ"}
	c8yWriters  = []string{fs.RoleAdmin, fs.RoleEditor, "ROLE_INVENTORY_ADMIN", "ROLE_BINARY_ADMIN"}
	c8yCreators = append([]string{"ROLE_INVENTORY_CREATE", "ROLE_BINARY_CREATE"}, c8yWriters...)
)

// serveC8y routes the inventory family. A trailing slash changes nothing and is never redirected: clients re-send bodies badly.
func (s *server) serveC8y(w http.ResponseWriter, r *http.Request, a *fs.Actor) {
	method := r.Method
	if v := strings.ToUpper(r.Header.Get("X-HTTP-METHOD")); method == http.MethodPost && (v == http.MethodPut || v == http.MethodDelete) {
		method = v
	}
	path := strings.Trim(r.URL.Path, "/")
	if path == "inventory/binaries" {
		s.serveBinaries(w, r, a, method)
		return
	}
	id, ok := strings.CutPrefix(path, "inventory/binaries/")
	if !ok || strings.Contains(id, "/") {
		s.failC8y(w, r, c8yNoRoute)
		return
	}
	ino, ok := binaryID(id)
	if !ok {
		s.failC8y(w, r, c8yNoObject)
		return
	}
	s.serveBinary(w, r, a, method, ino)
}

// binaryID reads the decimal id of a binary. It has one spelling only: no sign, no leading zero.
func binaryID(id string) (fs.Ino, bool) {
	n, err := strconv.ParseUint(id, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != id || n == 0 {
		return 0, false
	}
	return fs.Ino(n), true
}

func idText(ino fs.Ino) string { return strconv.FormatUint(uint64(ino), 10) }

func (s *server) serveBinaries(w http.ResponseWriter, r *http.Request, a *fs.Actor, method string) {
	switch method {
	case http.MethodGet, http.MethodHead:
		s.listBinaries(w, r, a)
	case http.MethodPost:
		s.postBinary(w, r, a)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		s.failC8y(w, r, c8yMethod)
	}
}

func (s *server) serveBinary(w http.ResponseWriter, r *http.Request, a *fs.Actor, method string, ino fs.Ino) {
	switch method {
	case http.MethodGet, http.MethodHead:
		s.getBinary(w, r, a, ino)
	case http.MethodPut:
		s.putBinary(w, r, a, ino)
	case http.MethodDelete:
		s.deleteBinary(w, r, a, ino)
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, DELETE")
		s.failC8y(w, r, c8yMethod)
	}
}

// readAs is the actor with the right to read, used after this package's finer rules (owner, c8y_Global, roles of single APIs) said yes.
func readAs(a *fs.Actor) *fs.Actor {
	b := *a
	b.Roles = []string{fs.RoleReader}
	return &b
}
