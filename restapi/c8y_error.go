package restapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"tote/fs"
)

// c8yProblem is an answer of the inventory family that is not a success: the documented pair of error and message.
type c8yProblem struct {
	status  int
	code    string
	message string
}

func (p *c8yProblem) Error() string { return p.message }

// Problems that do not come from the core. Codes that begin with inventory begin with event in the answers of the event API.
var (
	c8yBadRequest   = &c8yProblem{http.StatusBadRequest, "general/Bad Request", "the body could not be read as what its content type says"}
	c8yCut          = &c8yProblem{http.StatusBadRequest, "general/Bad Request", "the body ended early; nothing was stored"}
	c8yUnauthorized = &c8yProblem{http.StatusUnauthorized, "security/Unauthorized", "Invalid credentials! : Bad credentials"}
	c8yForbidden    = &c8yProblem{http.StatusForbidden, "security/Forbidden", "this user has no role that allows it"}
	c8yNoRoute      = &c8yProblem{http.StatusNotFound, "general/Not Found", "there is no such resource"}
	c8yNoObject     = &c8yProblem{http.StatusNotFound, "inventory/Not Found", "there is nothing with this id"}
	c8yNoAttachment = &c8yProblem{http.StatusNotFound, "Not Found", "the event has no complete attachment"}
	c8yMethod       = &c8yProblem{http.StatusMethodNotAllowed, "general/Method Not Allowed", "this resource does not know the method"}
	c8yDuplicate    = &c8yProblem{http.StatusConflict, "Duplicate", "the event has an attachment already; PUT replaces it"}
	c8yWriting      = &c8yProblem{http.StatusConflict, "event/conflict", "somebody else is uploading to this event right now"}
	c8yHasChildren  = &c8yProblem{http.StatusConflict, "inventory/conflict", "the object has children; cascade=true deletes them too"}
	c8yPrecondition = &c8yProblem{http.StatusPreconditionFailed, "general/Precondition Failed", "a condition of the request does not hold"}
	c8yTooLarge     = &c8yProblem{http.StatusRequestEntityTooLarge, "general/Payload Too Large", "the body is larger than this server takes"}
	c8yMediaType    = &c8yProblem{http.StatusUnsupportedMediaType, "general/Unsupported Media Type", "the body must be multipart/form-data"}
	c8yRange        = &c8yProblem{http.StatusRequestedRangeNotSatisfiable, "inventory/Invalid Range", "the range lies beyond the end of the file"}
	c8yManyLogins   = &c8yProblem{http.StatusTooManyRequests, "security/Too Many Requests", "too many logins failed or wait, try again later"}
)

// c8yInvalid is something that was understood but can't be done.
func c8yInvalid(message string) *c8yProblem {
	return &c8yProblem{http.StatusUnprocessableEntity, "inventory/Unprocessable Entity", message}
}

// c8yErrnos answers every errno of the core.
var c8yErrnos = map[syscall.Errno]*c8yProblem{
	syscall.ENOENT:       c8yNoObject,
	syscall.ESTALE:       c8yNoObject,
	syscall.EISDIR:       c8yNoObject,
	syscall.ENODATA:      c8yNoObject,
	syscall.EACCES:       c8yForbidden,
	syscall.EPERM:        c8yForbidden,
	syscall.EEXIST:       {http.StatusConflict, "inventory/conflict", "something with this name exists already"},
	syscall.ENOTEMPTY:    {http.StatusConflict, "inventory/conflict", "something is still below it"},
	syscall.EBUSY:        {http.StatusLocked, "inventory/locked", "the file is locked by another user"},
	syscall.ENOTDIR:      {http.StatusConflict, "inventory/conflict", "a file is where a directory should be"},
	syscall.EXDEV:        {http.StatusConflict, "inventory/conflict", "the file belongs to another tree"},
	syscall.EMLINK:       {http.StatusConflict, "inventory/conflict", "the file has too many names"},
	syscall.EINVAL:       c8yInvalid("a name or a value is not valid"),
	syscall.ENAMETOOLONG: c8yInvalid("the name is longer than 255 bytes"),
	syscall.ELOOP:        c8yInvalid("the path has too many symbolic links"),
	syscall.ERANGE:       c8yInvalid("a value is out of range"),
	syscall.EOVERFLOW:    c8yInvalid("a value is out of range"),
	syscall.ENXIO:        c8yInvalid("a position is out of range"),
	syscall.E2BIG:        c8yTooLarge,
	syscall.EFBIG:        c8yTooLarge,
	syscall.ENOSPC:       {http.StatusInsufficientStorage, "general/Insufficient Storage", "there is no space left"},
	syscall.EDQUOT:       {http.StatusInsufficientStorage, "general/Insufficient Storage", "the quota is used up"},
	syscall.EROFS:        {http.StatusForbidden, "security/Forbidden", "this server is read-only"},
	syscall.EAGAIN:       {http.StatusServiceUnavailable, "general/internalError", "the server is busy, try again"},
	syscall.EMFILE:       {http.StatusServiceUnavailable, "general/internalError", "the server is busy, try again"},
	syscall.ETIMEDOUT:    {http.StatusServiceUnavailable, "general/internalError", "the storage did not answer in time, try again"},
	syscall.ECANCELED:    {http.StatusServiceUnavailable, "general/internalError", "the request was given up"},
	syscall.ENOTSUP:      {http.StatusNotImplemented, "general/internalError", "the storage can't do that"},
	syscall.ENOSYS:       {http.StatusNotImplemented, "general/internalError", "the storage can't do that"},
	syscall.EBADF:        {http.StatusInternalServerError, "general/internalError", "internal error"},
	syscall.EIO:          {http.StatusInternalServerError, "general/internalError", "internal error"},
}

// c8yProblemOf finds the answer to any error.
func c8yProblemOf(err error) *c8yProblem {
	var p *c8yProblem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, errTooLarge):
		return c8yTooLarge
	case errors.Is(err, errCut):
		return c8yCut
	case errors.Is(err, errSyntax):
		return c8yBadRequest
	case errors.Is(err, fs.ErrPrecondition):
		return c8yPrecondition
	}
	for _, e := range []error{errNoFile, errObject, errFileSize} {
		if errors.Is(err, e) {
			return c8yInvalid(e.Error())
		}
	}
	if p, ok := c8yErrnos[fs.Errno(err)]; ok {
		return p
	}
	return c8yErrnos[syscall.EIO]
}

// fail answers with an error body and logs what the client may not see.
func (x *exchange) fail(err error) {
	p := c8yProblemOf(err)
	if p.status >= 500 {
		x.s.log.Log(x.ctx, failureLevel(err), "inventory request failed", "method", x.r.Method, "path", x.r.URL.Path, "status", p.status, "err", err)
	}
	switch p.status {
	case http.StatusServiceUnavailable:
		x.w.Header().Set("Retry-After", "2")
	case http.StatusTooManyRequests:
		x.w.Header().Set("Retry-After", "1")
	}
	x.w.Header().Del("Location")
	writeC8yProblem(x.w, x.r, x.base, p)
}

// writeC8yProblem sends an error body, under the name of the API that the request was sent to.
func writeC8yProblem(w http.ResponseWriter, r *http.Request, base string, p *c8yProblem) {
	code := p.code
	if rest, ok := strings.CutPrefix(code, "inventory/"); ok && strings.HasPrefix(strings.TrimLeft(r.URL.Path, "/"), "event") {
		code = "event/" + rest
	}
	data, _ := json.Marshal(map[string]string{"error": code, "message": p.message, "info": base + "/docs#errors"})
	h := w.Header()
	h.Set("Content-Type", c8yType("error"))
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.status)
	w.Write(data)
}

// unauthorizedC8y challenges for Basic credentials. A browser client asks for another scheme name, or the browser would show its own dialog.
func unauthorizedC8y(w http.ResponseWriter, r *http.Request) {
	scheme := "Basic"
	if strings.EqualFold(r.Header.Get("UseXBasic"), "true") {
		scheme = "XBASIC"
	}
	w.Header().Set("WWW-Authenticate", scheme+` realm="Cumulocity"`)
	writeC8yProblem(w, r, (&server{}).base(r), c8yUnauthorized)
}
