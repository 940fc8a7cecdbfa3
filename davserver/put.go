package davserver

import (
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tote/fs"
)

// put stores the body as the new version of a file. Nothing of the old one is touched before the whole body is here and every condition
// has been checked again inside the commit, so a body that is cut off leaves no trace.
func (q *request) put() error {
	o, err := q.putOptions()
	if err != nil {
		return err
	}
	cur, err := q.putCheck()
	if err != nil {
		return err
	}
	if q.drops() {
		return q.drop()
	}
	if v := q.r.Header.Get("Content-Range"); v != "" {
		return q.putRange(v, cur, o)
	}
	return q.putWhole(o)
}

// putRange is a PUT of a part of the file, as Apache takes it. Whoever ignored Content-Range would replace a whole file by a fragment; a range that is
// all of a new file is a plain PUT.
func (q *request) putRange(v string, cur *fs.Info, o fs.CommitOptions) error {
	at, err := contentRange(v)
	switch {
	case err != nil:
		return err
	case cur != nil:
		return q.overlay(at)
	case at.off != 0 || at.total >= 0 && at.total != at.length || o.ExpectSize >= 0 && o.ExpectSize != at.length:
		return badRange("Content-Range")
	}
	o.ExpectSize = at.length
	return q.putWhole(o)
}

// putWhole takes the body as the file's content.
func (q *request) putWhole(o fs.CommitOptions) error { return q.store(&bodyReader{r: q.r.Body}, o) }

// store makes what comes from a reader the file's content, and answers.
func (q *request) store(from io.Reader, o fs.CommitOptions) error {
	w, err := q.h.fsys.NewWriter(q.ctx, q.actor, fs.Target{Path: q.path})
	if err != nil {
		return q.missingParent(err)
	}
	defer w.Abort()
	sums, err := digests(q.r.Header)
	if err != nil {
		return err
	}
	if _, err := w.ReadFrom(through(from, sums)); err != nil {
		if body, ok := from.(*bodyReader); ok {
			return body.blame(err)
		}
		return err
	}
	if o.Digests, err = verify(sums); err != nil {
		return err
	}
	info, created, err := w.Commit(q.ctx, o)
	if err != nil {
		return q.missingParent(err)
	}
	q.validators(&info)
	if o.Mtime != 0 {
		q.w.Header().Set("X-OC-Mtime", "accepted")
	}
	q.created(created)
	return nil
}

// created answers 201 for a new resource and 204 for a replaced one.
func (q *request) created(isNew bool) {
	if isNew {
		q.w.WriteHeader(http.StatusCreated)
		return
	}
	q.w.WriteHeader(http.StatusNoContent)
}

// putOptions reads the headers.
func (q *request) putOptions() (fs.CommitOptions, error) {
	o := fs.CommitOptions{Cond: q.conds.cond(), ExpectSize: q.r.ContentLength, ContentType: q.contentType()}
	head := q.r.Header
	if v := head.Get("X-Expected-Entity-Length"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 || o.ExpectSize >= 0 && o.ExpectSize != n {
			return o, refuse(http.StatusBadRequest, "X-Expected-Entity-Length does not fit the body")
		}
		o.ExpectSize = n
	}
	mtime, err := ocMtime(head.Get("X-OC-Mtime"))
	o.Mtime = mtime
	return o, err
}

// ocMtime reads the Unix seconds, perhaps with a fraction, that sync clients send; absent is 0.
func ocMtime(v string) (int64, error) {
	if v == "" {
		return 0, nil
	}
	whole, frac, _ := strings.Cut(v, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || sec <= 0 || sec > maxUnix {
		return 0, refuse(http.StatusBadRequest, "X-OC-Mtime is not a time in seconds since 1970")
	}
	ns, err := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	if err != nil || ns < 0 {
		return 0, refuse(http.StatusBadRequest, "X-OC-Mtime is not a time in seconds since 1970")
	}
	return sec*int64(time.Second) + ns, nil
}

// maxUnix is the last second that fits int64 nanoseconds.
const maxUnix = int64(1<<63-1)/int64(time.Second) - 1

// contentType is the type that the client gave, unless it is one that tools send for want of a better one.
func (q *request) contentType() string {
	v := q.r.Header.Get("Content-Type")
	t, _, err := mime.ParseMediaType(v)
	if err != nil || len(v) > 255 || !strings.Contains(t, "/") {
		return ""
	}
	switch t {
	case "application/octet-stream", "application/x-www-form-urlencoded", "binary/octet-stream":
		return ""
	}
	return v
}

// putCheck refuses before the body is read: with Expect: 100-continue the client never sends it.
func (q *request) putCheck() (*fs.Info, error) {
	cur, err := q.current()
	if err != nil {
		return nil, q.missingParent(err)
	}
	if q.path == "/" || strings.HasSuffix(q.r.URL.Path, "/") || cur != nil && cur.IsDir() {
		return nil, refuse(http.StatusMethodNotAllowed, "a collection cannot be PUT: make it with MKCOL")
	}
	if err := q.precheck(cur); err != nil {
		return nil, err
	}
	if q.locked() {
		return nil, fs.ErrLocked
	}
	return cur, nil
}

// missingParent turns "not found" into 409, which is what RFC 4918 wants when the collection above a new resource is missing.
func (q *request) missingParent(err error) error {
	if code(err) == http.StatusNotFound {
		return refuse(http.StatusConflict, "the collection above does not exist: make it with MKCOL")
	}
	return err
}

// bodyReader remembers an error of the client's side, so that a cut-off upload is not taken for a failing disk.
type bodyReader struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// blame picks the answer for a failed ReadFrom.
func (b *bodyReader) blame(err error) error {
	if b.err != nil {
		return refuse(http.StatusBadRequest, "the body ended early or is broken: nothing was changed")
	}
	return err
}
