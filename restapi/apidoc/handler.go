package apidoc

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed page/index.html page/page.js ui/swagger-ui-bundle.js.gz ui/swagger-ui.css.gz
var embedded embed.FS

// Paths that are served.
const (
	pathDocument = "/openapi.json"
	pathPage     = "/docs"
)

// policy lets the page load what this server has, and nothing else. The icons of the style sheet are data.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// asset is a file that is served.
type asset struct {
	mime   string
	tag    string // of ETag, without quotes
	packed []byte // with gzip
}

// Handler serves the document and the page.
type Handler struct {
	assets func() (map[string]asset, error) // by path
}

// New makes a handler. What it serves is prepared when it is asked for the first time.
func New() *Handler { return &Handler{sync.OnceValues(load)} }

// Handles tells whether a path belongs to the documentation: /openapi.json, /docs and what is below it.
func Handles(path string) bool {
	return path == pathDocument || path == pathPage || strings.HasPrefix(path, pathPage+"/")
}

// files are the parts of the page, by path.
var files = map[string]struct{ name, mime string }{
	pathPage:                           {"page/index.html", "text/html; charset=utf-8"},
	pathPage + "/page.js":              {"page/page.js", "text/javascript; charset=utf-8"},
	pathPage + "/swagger-ui-bundle.js": {"ui/swagger-ui-bundle.js.gz", "text/javascript; charset=utf-8"},
	pathPage + "/swagger-ui.css":       {"ui/swagger-ui.css.gz", "text/css; charset=utf-8"},
}

// load prepares everything. It fails only if what was compiled in is wrong.
func load() (map[string]asset, error) {
	all := map[string]asset{}
	doc, err := Document()
	if err != nil {
		return nil, err
	}
	if doc, err = pack(doc); err != nil {
		return nil, err
	}
	all[pathDocument] = newAsset("application/json", doc)
	for path, file := range files {
		data, err := embedded.ReadFile(file.name)
		if err == nil && !strings.HasSuffix(file.name, ".gz") {
			data, err = pack(data)
		}
		if err != nil {
			return nil, err
		}
		all[path] = newAsset(file.mime, data)
	}
	return all, nil
}

func newAsset(mime string, packed []byte) asset {
	sum := sha256.Sum256(packed)
	return asset{mime: mime, packed: packed, tag: base64.RawURLEncoding.EncodeToString(sum[:12])}
}

func pack(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = z.Write(data)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// ServeHTTP answers GET and HEAD.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", policy)
	head.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "the documentation can only be read", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == pathPage+"/" { // links of the page are relative, so that it works below a prefix
		head.Set("Location", "../docs")
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	all, err := h.assets()
	if err != nil {
		http.Error(w, "internal error: "+err.Error(), http.StatusInternalServerError)
		return
	}
	a, ok := all[r.URL.Path]
	if !ok {
		http.Error(w, "nothing is served here", http.StatusNotFound)
		return
	}
	a.serve(w, r)
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", a.mime)
	head.Set("Cache-Control", "no-cache") // ask each time: another version of the server may have other files
	head.Set("Vary", "Accept-Encoding")
	if takesGzip(r) {
		head.Set("Content-Encoding", "gzip")
		head.Set("ETag", `"`+a.tag+`-gzip"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.packed))
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(a.packed))
	var data []byte
	if err == nil {
		data, err = io.ReadAll(z)
	}
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	head.Set("ETag", `"`+a.tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// takesGzip tells whether the client can unpack. A quality of 0 is a no.
func takesGzip(r *http.Request) bool {
	return slices.ContainsFunc(strings.Split(r.Header.Get("Accept-Encoding"), ","), func(item string) bool {
		name, quality, weighted := strings.Cut(strings.ReplaceAll(item, " ", ""), ";")
		return strings.EqualFold(name, "gzip") && (!weighted || strings.Trim(strings.TrimPrefix(quality, "q="), "0.") != "")
	})
}
