package davserver

import (
	"net/http"

	"golang.org/x/net/webdav"

	"tote/fs"
)

// mkcol makes a collection. The conditions and the body are judged here, the rest is x/net/webdav's.
func (q *request) mkcol() error {
	if q.r.ContentLength != 0 {
		return refuse(http.StatusUnsupportedMediaType, "MKCOL takes no body")
	}
	mtime, err := ocMtime(q.r.Header.Get("X-OC-Mtime"))
	if err != nil {
		return err
	}
	cur, err := q.current()
	if err != nil {
		return q.missingParent(err)
	}
	if err := q.precheck(cur); err != nil {
		return err
	}
	if cur == nil && q.locked() {
		return fs.ErrLocked
	}
	return q.library(func() { q.stamp(q.path, mtime) })
}

// library hands the request to x/net/webdav's Handler over this request's view of the core. The If header was evaluated here and is taken
// away: the library would mistake a token on another resource for permission. The errors it flattens are put right afterwards; done is called between
// success and the answer.
func (q *request) library(done func()) error {
	r := q.r.Clone(q.ctx)
	r.Header.Del("If")
	r.Body, r.ContentLength = q.r.Body, q.r.ContentLength
	c := &corrector{ResponseWriter: q.w, done: done}
	h := webdav.Handler{Prefix: q.h.opts.Prefix, FileSystem: &fileSystem{q: q, c: c}, LockSystem: &lockSystem{q: q, c: c}}
	h.ServeHTTP(c, r)
	return c.verdict(q.r.Method)
}

// corrector remembers the last error of the core and holds back the status that the library makes of it.
type corrector struct {
	http.ResponseWriter
	done   func() // nil: nothing is left to do
	err    error  // last one that the core returned
	status int    // of an answer held back
}

// keep remembers err and returns it in the form the library understands: a bare errno, since it does not look through wrapping.
func (c *corrector) keep(err error) error {
	if err == nil {
		return nil
	}
	c.err = err
	return fs.Errno(err)
}

// WriteHeader lets successes through.
func (c *corrector) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		c.status = status
		return
	}
	if c.done != nil {
		c.done()
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write drops the library's words for a failure.
func (c *corrector) Write(p []byte) (int, error) {
	if c.status != 0 {
		return len(p), nil
	}
	return c.ResponseWriter.Write(p)
}

// verdict is the error to answer with, nil when the library has answered. In MKCOL an existing resource is 405 and a missing parent 409.
func (c *corrector) verdict(method string) error {
	if c.status == 0 {
		return nil
	}
	if c.err == nil {
		return refuse(c.status, webdav.StatusText(c.status))
	}
	if method == "MKCOL" {
		switch code(c.err) {
		case http.StatusPreconditionFailed:
			return refuse(http.StatusMethodNotAllowed, "something is there already")
		case http.StatusNotFound, http.StatusConflict:
			return refuse(http.StatusConflict, "the collection above does not exist: make it with MKCOL")
		}
	}
	return c.err
}
