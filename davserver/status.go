package davserver

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"syscall"

	"golang.org/x/net/webdav"

	"tote/fs"
)

// statuses is the one table from what the core returns to what a WebDAV client is told.
var statuses = map[syscall.Errno]int{
	syscall.ENOENT:       http.StatusNotFound,
	syscall.EEXIST:       http.StatusPreconditionFailed, // Overwrite: F
	syscall.ENOTDIR:      http.StatusConflict,           // a file stands where a collection is needed
	syscall.EISDIR:       http.StatusMethodNotAllowed,
	syscall.ENOTEMPTY:    http.StatusConflict,
	syscall.EACCES:       http.StatusForbidden,
	syscall.EPERM:        http.StatusForbidden,
	syscall.EINVAL:       http.StatusBadRequest,
	syscall.ENAMETOOLONG: http.StatusBadRequest,
	syscall.ENOSPC:       http.StatusInsufficientStorage,
	syscall.EDQUOT:       http.StatusInsufficientStorage,
	syscall.EFBIG:        http.StatusRequestEntityTooLarge,
	syscall.EROFS:        http.StatusForbidden,
	syscall.ELOOP:        http.StatusNotFound, // a symlink that leads nowhere is absent
	syscall.EXDEV:        http.StatusBadGateway,
	syscall.EBUSY:        http.StatusLocked,
	syscall.ESTALE:       http.StatusConflict,
	syscall.ENODATA:      http.StatusNotFound,
	syscall.EMLINK:       http.StatusForbidden,
	syscall.ENOTSUP:      http.StatusMethodNotAllowed,
	syscall.ERANGE:       http.StatusRequestEntityTooLarge,
	syscall.E2BIG:        http.StatusRequestEntityTooLarge,
	syscall.EBADF:        http.StatusInternalServerError,
	syscall.ENXIO:        http.StatusNotFound, // a FIFO or device of the mount is absent here
	syscall.EIO:          http.StatusInternalServerError,
	syscall.ETIMEDOUT:    http.StatusGatewayTimeout,
	syscall.EAGAIN:       http.StatusServiceUnavailable,
	syscall.ECANCELED:    http.StatusServiceUnavailable,
	syscall.EOVERFLOW:    http.StatusRequestEntityTooLarge,
	syscall.EMFILE:       http.StatusServiceUnavailable,
	syscall.ENOSYS:       http.StatusNotImplemented,
}

// refusal is an answer decided in this package: a status, a sentence for people and, where RFC 4918 section 16 names one, the element
// that says which rule was broken.
type refusal struct {
	code int
	text string
	xml  string
}

// Error is the sentence.
func (e *refusal) Error() string { return e.text }

// refuse makes a refusal with a sentence for people.
func refuse(code int, text string) error { return &refusal{code: code, text: text} }

// refuseXML makes a refusal whose body is <D:error> around element.
func refuseXML(code int, text, element string) error {
	return &refusal{code: code, text: text, xml: element}
}

// code is the status for err, whatever the method.
func code(err error) int {
	var own *refusal
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &own):
		return own.code
	case errors.Is(err, fs.ErrLocked):
		return http.StatusLocked
	case errors.Is(err, fs.ErrPrecondition):
		return http.StatusPreconditionFailed
	case errors.Is(err, fs.ErrShortBody):
		return http.StatusBadRequest
	}
	if c, ok := statuses[fs.Errno(err)]; ok {
		return c
	}
	return http.StatusInternalServerError
}

// fail answers with err. It must not be called once the method has begun to answer.
func (q *request) fail(err error) {
	if errors.Is(err, fs.ErrPrecondition) && q.conds.claimsLock() && q.locked() {
		err = fs.ErrLocked // a token that is wrong because the lock is somebody else's: the lock is the news
	}
	if errors.Is(err, fs.ErrLocked) {
		err = q.lockedError(err)
	}
	c := code(err)
	if c == http.StatusMethodNotAllowed {
		q.w.Header().Set("Allow", q.allow())
	}
	var own *refusal
	if !errors.As(err, &own) {
		own = &refusal{code: c, text: webdav.StatusText(c)}
		if ours(c) {
			q.logFailure(c, err)
		}
	}
	writeError(q.w, own)
}

// ours tells whether a status says that the server is at fault, and not what the client asked for.
func ours(status int) bool {
	switch status {
	case http.StatusNotImplemented, http.StatusBadGateway, http.StatusInsufficientStorage:
		return false
	}
	return status >= http.StatusInternalServerError
}

// logFailure writes down the cause that the client is not told.
func (q *request) logFailure(status int, err error) {
	q.h.opts.Logger.LogAttrs(q.ctx, slog.LevelError, "webdav request failed",
		slog.String("method", q.r.Method), slog.String("path", q.path), slog.Int("status", status), slog.Any("error", err))
}

// writeError sends a refusal; it also serves Guard, which has no request yet.
func writeError(w http.ResponseWriter, e *refusal) {
	head := w.Header()
	for _, k := range []string{"Content-Length", "ETag", "Last-Modified", "Content-Disposition"} {
		head.Del(k)
	}
	body, kind := e.text+"\n", "text/plain; charset=utf-8"
	if e.xml != "" {
		body, kind = xmlHeader+`<D:error xmlns:D="DAV:">`+e.xml+"</D:error>\n", xmlType
	}
	head.Set("Content-Type", kind)
	head.Set("Content-Length", strconv.Itoa(len(body)))
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.code)
	_, _ = w.Write([]byte(body)) // a client that left does not need it
}
