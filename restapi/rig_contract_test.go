package restapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// maxRecorded is how long JSON may be that is held against the description.
const maxRecorded = 1 << 20

// recorder keeps an answer's status, and its body if that is JSON.
type recorder struct {
	http.ResponseWriter
	status int
	sent   int64
	json   bytes.Buffer
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) WriteHeader(code int) {
	w.status = code
	w.ResponseWriter.WriteHeader(code)
}

func (w *recorder) Write(p []byte) (int, error) {
	if strings.Contains(w.Header().Get("Content-Type"), "json") && w.json.Len() < maxRecorded {
		w.json.Write(p)
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// described holds every answer of a rig against the description.
func (r *rig) described(next http.Handler) http.Handler {
	c := theContract(r)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		e := exchanged{request: req.Clone(req.Context())}
		var in bytes.Buffer
		if req.ContentLength > 0 && req.ContentLength < maxRecorded && familyOf(req.URL.Path) != familyBlob {
			req.Body = teeBody{req.Body, &in}
		}
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, req)
		e.status, e.header, e.empty = rec.status, w.Header(), rec.sent == 0
		if json.Valid(rec.json.Bytes()) {
			e.received = rec.json.Bytes()
		}
		if int64(in.Len()) == req.ContentLength && json.Valid(in.Bytes()) {
			e.sent = in.Bytes()
		}
		if err := c.check(r.api.s, e); err != nil {
			r.Errorf("%s %s: %d: %v\nsent %.500s\ngot %v\n%.2000s", req.Method, req.URL.Path, e.status, err, e.sent, e.header, e.received)
		}
	})
}

// teeBody keeps what is read of a body.
type teeBody struct {
	io.ReadCloser
	to *bytes.Buffer
}

func (b teeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.to.Write(p[:n])
	return n, err
}

// ReadFrom keeps the way to sendfile open. What goes this way is a file.
func (w *recorder) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(w.ResponseWriter, r)
	w.sent += n
	return n, err
}
