package restapi

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tote/restapi/apidoc"
)

// contract is the description of the APIs, which answers are held against.
type contract struct {
	doc      map[string]any
	mu       sync.Mutex
	compiler *jsonschema.Compiler          // guarded by mu
	schemas  map[string]*jsonschema.Schema // by place; guarded by mu
}

// documented reads the description once for all tests; what it says does not change.
var documented = sync.OnceValues(func() (*contract, error) {
	data, err := apidoc.Document()
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	c := &contract{doc: doc.(map[string]any), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	c.compiler.AssertFormat()
	return c, c.compiler.AddResource("openapi.json", doc)
})

func theContract(t testing.TB) *contract {
	t.Helper()
	c, err := documented()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// node is a part of the description and where it is.
type node struct {
	at    string
	value map[string]any
}

// step goes down by names and follows references. It is false when there is nothing.
func (c *contract) step(n node, names ...string) (node, bool) {
	for _, name := range names {
		v, ok := n.value[name].(map[string]any)
		if !ok {
			return n, false
		}
		n = node{n.at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name), v}
		if ref, ok := v["$ref"].(string); ok {
			if n, ok = c.step(c.root(), strings.Split(strings.TrimPrefix(ref, "#/"), "/")...); !ok {
				return n, false
			}
		}
	}
	return n, true
}

func (c *contract) root() node { return node{value: c.doc} }

// operations are all that are described: methods in lower case by path.
func (c *contract) operations() map[string]map[string]node {
	out := map[string]map[string]node{}
	paths, _ := c.step(c.root(), "paths")
	for path := range paths.value {
		out[path] = map[string]node{}
		item, _ := c.step(paths, path)
		for _, method := range []string{"get", "head", "put", "post", "delete", "options", "patch", "trace"} {
			if op, ok := c.step(item, method); ok {
				out[path][method] = op
			}
		}
	}
	return out
}

// operation finds the description of a request, nil value for one of no route.
func (c *contract) operation(s *server, r *http.Request) node {
	path, method := routeOf(s, r)
	op, _ := c.step(c.root(), "paths", path, method)
	if path == "" || op.value["responses"] == nil {
		return node{}
	}
	return op
}

// routeOf is the path of the route that answers a request, and the method that is described. The handler's own tables decide.
func routeOf(s *server, r *http.Request) (path, method string) {
	method = strings.ToLower(r.Method)
	switch familyOf(r.URL.Path) {
	case familyBlob:
		if _, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/blobs/"), "/"); key != "" {
			return "/blobs/{container}/{key}", method
		}
	case familyBSO:
		if route, ok := parseBSO(r.URL.Path); ok {
			return bsoPath(route), method
		}
	case familyC8y:
		x := &exchange{s: s, r: r, w: httptest.NewRecorder()}
		e, err := x.find(c8yMethodOf(r))
		if err != nil {
			return "", method
		}
		if method == "post" {
			method = strings.ToLower(e.method)
		}
		if described, err := documented(); err == nil && method == "head" {
			if _, ok := described.step(described.root(), "paths", e.path, "head"); !ok {
				method = "get"
			}
		}
		return e.path, method
	}
	return "", method
}

// bsoPath is how the description spells a path of the service.
func bsoPath(route bsoRoute) string {
	form := "/api/"
	switch {
	case route.tenant != "":
		form = "/{tenant}/api/"
	case route.facade:
		form = "/data/"
	}
	for _, name := range []string{"prepareUpload", "uploadContinuous", "prepareDownload", "downloadContinuous"} {
		if strings.EqualFold(name, route.opName) {
			route.opName = name
		}
	}
	return form + bsoService + "/" + route.opName
}

// exchanged is a request with its answer.
type exchanged struct {
	request  *http.Request
	sent     []byte // JSON of the request, nil for not known
	status   int
	header   http.Header
	received []byte // JSON of the answer, nil for anything else
	empty    bool   // the answer had no body
}

// check compares an answer with the description.
func (c *contract) check(s *server, e exchanged) error {
	op := c.operation(s, e.request)
	if op.value == nil {
		if slices.Contains([]int{401, 403, 404, 405}, e.status) {
			return nil
		}
		return fmt.Errorf("a request of no route is answered with %d", e.status)
	}
	code := strconv.Itoa(e.status)
	res, ok := c.step(op, "responses", code)
	if !ok && e.status >= 500 {
		res, ok = c.step(op, "responses", "5XX")
	}
	if !ok {
		return fmt.Errorf("status %s of %s is not described", code, op.value["operationId"])
	}
	if err := c.checkHeaders(res, e.header); err != nil {
		return err
	}
	if err := c.checkBody(res, e); err != nil {
		return err
	}
	return c.checkRequest(op, e)
}

func (c *contract) checkHeaders(res node, h http.Header) error {
	all, _ := c.step(res, "headers")
	for name := range all.value {
		header, _ := c.step(all, name)
		have := h.Get(name)
		if have == "" {
			if header.value["required"] == true {
				return fmt.Errorf("the header %s is missing", name)
			}
			continue
		}
		if err := c.validate(header, have); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	return nil
}

func (c *contract) checkBody(res node, e exchanged) error {
	content, ok := c.step(res, "content")
	if _, anything := content.value["*/*"]; anything {
		return nil
	}
	if e.empty {
		if r := e.request; !ok || r.Method == http.MethodHead || familyOf(r.URL.Path) == familyC8y && e.status < 300 && !wantsBody(r) {
			return nil
		}
		return fmt.Errorf("there is no body")
	}
	if !ok {
		return fmt.Errorf("there is a body")
	}
	mime, _, _ := strings.Cut(e.header.Get("Content-Type"), ";")
	media, ok := c.step(content, mime)
	if !ok {
		return fmt.Errorf("media type %q is not described", mime)
	}
	if e.received == nil {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.received))
	if err != nil {
		return err
	}
	return c.validate(media, v)
}

// checkRequest wants the description to allow what the server takes.
func (c *contract) checkRequest(op node, e exchanged) error {
	media, ok := c.step(op, "requestBody")
	if ok {
		media, ok = c.step(media, "content", "application/json")
	}
	if !ok || e.sent == nil || e.status >= 300 || bytes.Contains(e.received, []byte(`"status":"error"`)) || bytes.Contains(e.received, []byte("RSUI0001")) {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.sent))
	if err != nil {
		return nil // a body that is not read
	}
	if list, ok := v.([]any); ok && len(list) > 1 {
		return nil // some may have failed
	}
	if err := c.validate(media, v); err != nil {
		return fmt.Errorf("the request was fine, but its description says: %w", err)
	}
	return nil
}

// validate holds a value against the schema of a part.
func (c *contract) validate(n node, v any) error {
	if _, ok := n.value["schema"]; !ok {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := "openapi.json#" + n.at + "/schema"
	schema := c.schemas[at]
	if schema == nil {
		var err error
		if schema, err = c.compiler.Compile(at); err != nil {
			return err
		}
		c.schemas[at] = schema
	}
	return schema.Validate(v)
}

// TestRoutesAreDescribed compares the routes with the description, in both directions: paths, methods, and who needs a login.
func TestRoutesAreDescribed(t *testing.T) {
	c := theContract(t)
	want := map[string]bool{} // operation: open
	for _, e := range c8yEndpoints() {
		want[strings.ToLower(e.method)+" "+e.path] = e.open
	}
	for name := range operations {
		for _, route := range []bsoRoute{{opName: name}, {opName: name, tenant: "rdp"}, {opName: name, facade: true}} {
			want["post "+bsoPath(route)] = false
		}
	}
	for _, method := range blobMethods(t) {
		want[method+" /blobs/{container}/{key}"] = method == "options"
	}
	ids := map[string]string{}
	for path, methods := range c.operations() {
		for method, op := range methods {
			name := method + " " + path
			open, ok := want[name]
			if _, get := methods["get"]; !ok && !(method == "head" && get) {
				t.Errorf("%s is described, and there is no such route", name)
			}
			delete(want, name)
			security, given := op.value["security"].([]any)
			if given && len(security) == 0 != open || !given && open {
				t.Errorf("%s: whether it needs a login is not described as it is", name)
			}
			id, _ := op.value["operationId"].(string)
			if ids[id] != "" || id == "" {
				t.Errorf("%s and %s have the operationId %q", name, ids[id], id)
			}
			ids[id] = name
		}
	}
	for name := range want {
		t.Errorf("the route %s is not described", name)
	}
}

// blobMethods are those that signed URLs know: all others are answered with 405.
func blobMethods(t *testing.T) []string {
	r := newMemRig(t)
	var known []string
	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE"} {
		url := r.signed(grant{perms: permDownload, scope: scopeBlob, container: "rdp-media-assets", key: "x"})
		if r.do(method, url, "").status != http.StatusMethodNotAllowed {
			known = append(known, strings.ToLower(method))
		}
	}
	return known
}

// signed makes a signed URL for mira.
func (r *rig) signed(g grant) string {
	return r.api.s.signedURL(r.url, g, claims{Tenant: "rdp", User: "mira", Roles: users["mira"]})
}

// TestParametersAreDescribed looks for every parameter and header that the source reads by its name.
func TestParametersAreDescribed(t *testing.T) {
	doc, err := apidoc.Document()
	if err != nil {
		t.Fatal(err)
	}
	known := bytes.ToLower(doc)
	found := 0
	for file, source := range sources(t) {
		for _, m := range regexp.MustCompile(`\.Get\("([A-Za-z-]+)"\)`).FindAllStringSubmatch(source, -1) {
			switch name := m[1]; name {
			case "Content-Length", "Content-Type", "x-ms-request-id": // of every message; set by ourselves
			default:
				if found++; !bytes.Contains(known, []byte(strings.ToLower(name))) {
					t.Errorf("%s reads %s, which is not described", file, name)
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d parameters were found in the source", found)
	}
}

// sources are the files of this package that are no tests.
func sources(t *testing.T) map[string]string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[file] = string(data)
	}
	return out
}

// TestErrorsAreDescribed looks for the code of every problem in the tables of errors.
func TestErrorsAreDescribed(t *testing.T) {
	info, _ := theContract(t).step(theContract(t).root(), "info")
	tables, _ := info.value["description"].(string)
	found := 0
	for file, source := range sources(t) {
		for _, m := range regexp.MustCompile(`\{http\.Status\w+, "([^"]+)"`).FindAllStringSubmatch(source, -1) {
			if found++; !strings.Contains(tables, m[1]) {
				t.Errorf("%s: %s is in no table of the description", file, m[1])
			}
		}
	}
	if found < 60 {
		t.Errorf("only %d problems were found in the source", found)
	}
}
