package restapi

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"tote/fs"
)

// serveBlob answers a request on a signed URL.
func (s *server) serveBlob(w http.ResponseWriter, r *http.Request) {
	blobHeaders(w.Header(), r)
	if r.Method == http.MethodOptions {
		preflight(w, r)
		return
	}
	container, key, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/blobs/"), "/")
	if !ok || container == "" || key == "" {
		s.failBlob(w, r, blobNotSigned)
		return
	}
	g, c, err := s.verify(r.URL.Query(), container, key)
	if err == nil && !validKey(key) {
		err = blobName
	}
	if err == nil {
		err = allowed(r, g.perms)
	}
	if err != nil {
		s.failBlob(w, r, err)
		return
	}
	if r.Method == http.MethodPut {
		s.servePut(w, r, g, c)
		return
	}
	s.getBlob(w, r, g, c)
}

// allowed compares the method with the permissions of the signature.
func allowed(r *http.Request, perms string) error {
	need := ""
	switch r.Method {
	case http.MethodPut:
		need = "cw"
		if r.URL.Query().Get("comp") == "block" {
			need = "acw"
		}
	case http.MethodGet, http.MethodHead:
		need = "r"
	case http.MethodDelete:
	default:
		return blobMethod
	}
	if !strings.ContainsAny(perms, need) {
		return blobWrongVerb
	}
	return nil
}

// blobHeaders are on every answer. Any page may read them: the browser UI that uses these URLs lives on another site.
func blobHeaders(h http.Header, r *http.Request) {
	h.Set("x-ms-request-id", newRequestID())
	h.Set("x-ms-version", headerText(headerOr(r.Header.Get("x-ms-version"), "2021-12-02")))
	if id := r.Header.Get("x-ms-client-request-id"); id != "" && len(id) <= 1024 {
		h.Set("x-ms-client-request-id", headerText(id))
	}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "*, ETag, Last-Modified, Content-Length, Content-Range, Content-Disposition, Content-MD5, "+
		"x-ms-request-id, x-ms-client-request-id, x-ms-version, x-ms-error-code, x-ms-blob-type, x-ms-request-server-encrypted")
}

// preflight answers the question of a browser whether a page of another site may send the request.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "PUT,GET,HEAD,OPTIONS")
	if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
		h.Set("Access-Control-Allow-Headers", headerText(names))
	}
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// created answers a PUT that made a blob. sum is the digest of the request's body.
func (p *blobPut) created(w http.ResponseWriter, info fs.Info, sum []byte) {
	h := w.Header()
	h.Set("ETag", info.ETag())
	h.Set("Last-Modified", info.ModTime().UTC().Format(http.TimeFormat))
	h.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum))
	h.Set("x-ms-request-server-encrypted", strconv.FormatBool(false))
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
}
