package restapi

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"tote/fs"
)

// bsoProblem is a failure in the form of the Binary Stream Object Service. Most are told with HTTP 200 and a status of "error" inside.
type bsoProblem struct {
	status  int // HTTP
	code    string
	message string
	params  []string
}

func (p *bsoProblem) Error() string { return p.message }

// Problems that do not come from the core.
var (
	bsoUnauthorized = &bsoProblem{http.StatusUnauthorized, "GE001", "Invalid credentials: authentication failed", nil}
	bsoNotJSON      = &bsoProblem{http.StatusBadRequest, "AE001", "the body is not valid JSON", []string{"invalid JSON"}}
	bsoCut          = &bsoProblem{http.StatusBadRequest, "AE001", "the body ended early", []string{"body ended early"}}
	bsoTooLarge     = &bsoProblem{http.StatusRequestEntityTooLarge, "AE001", "the body is larger than this server takes", []string{"body too large"}}
	bsoMethod       = &bsoProblem{http.StatusMethodNotAllowed, "AE001", "this service only knows POST", []string{"method"}}
	bsoNoRoute      = &bsoProblem{http.StatusNotFound, "AE001", "there is no such operation", []string{"operation"}}
)

// bsoMalformed is a request that lacks something or has it in the wrong form.
func bsoMalformed(reason string) *bsoProblem {
	return &bsoProblem{http.StatusOK, "AE001", "the request is malformed: " + reason, []string{reason}}
}

// bsoIllegal is a name, id or key with characters or parts that are not allowed.
func bsoIllegal(what string) *bsoProblem {
	return &bsoProblem{http.StatusOK, "E0042", what + " contains illegal characters or is too long", []string{what}}
}

// bsoUnknown is an object that does not exist.
func bsoUnknown(id, typ string) *bsoProblem {
	return &bsoProblem{http.StatusOK, "E0018", fmt.Sprintf("object '%s' of type '%s' does not exist", id, typ), []string{id, typ}}
}

// bsoDenied is a caller who may not do that; the request id is filled in by the envelope.
func bsoDenied(rule string) *bsoProblem {
	return &bsoProblem{http.StatusOK, "PD001", "this user may not do that: " + rule, []string{"", rule}}
}

// bsoErrnos answers every errno of the core. Reading and storing fail with codes of their own, so a row may have two.
var bsoErrnos = map[syscall.Errno]*bsoProblem{
	syscall.ENOENT:       {http.StatusOK, "E0018", "the object does not exist", nil},
	syscall.ESTALE:       {http.StatusOK, "E0018", "the object does not exist any more", nil},
	syscall.EISDIR:       {http.StatusOK, "E0018", "there is a directory, not an object", nil},
	syscall.ENODATA:      {http.StatusOK, "E0018", "the object has no content", nil},
	syscall.EACCES:       bsoDenied("role"),
	syscall.EPERM:        bsoDenied("role"),
	syscall.EINVAL:       bsoIllegal("a name or value"),
	syscall.ENAMETOOLONG: bsoIllegal("a name"),
	syscall.ELOOP:        bsoIllegal("a path"),
	syscall.ERANGE:       bsoIllegal("a value"),
	syscall.EOVERFLOW:    bsoIllegal("a value"),
	syscall.ENXIO:        bsoIllegal("a position"),
	syscall.E2BIG:        bsoIllegal("a value"),
	syscall.EEXIST:       bsoStoring("something with this name exists already"),
	syscall.ENOTEMPTY:    bsoStoring("something is still below it"),
	syscall.EBUSY:        bsoStoring("the file is locked by another user"),
	syscall.ENOTDIR:      bsoStoring("a file is where a directory should be"),
	syscall.EXDEV:        bsoStoring("the file belongs to another tree"),
	syscall.EMLINK:       bsoStoring("the file has too many names"),
	syscall.EFBIG:        bsoStoring("the file is too large"),
	syscall.ENOSPC:       bsoStoring("there is no space left"),
	syscall.EDQUOT:       bsoStoring("the quota is used up"),
	syscall.EROFS:        bsoStoring("this server is read-only"),
	syscall.EAGAIN:       bsoStoring("the server is busy, try again"),
	syscall.EMFILE:       bsoStoring("the server is busy, try again"),
	syscall.ETIMEDOUT:    bsoStoring("the storage did not answer in time, try again"),
	syscall.ECANCELED:    bsoStoring("the request was given up"),
	syscall.ENOTSUP:      bsoStoring("the storage can't do that"),
	syscall.ENOSYS:       bsoStoring("the storage can't do that"),
	syscall.EBADF:        bsoStoring("internal error"),
	syscall.EIO:          bsoStoring("internal error"),
}

// bsoStoring is a failure of the storage below.
func bsoStoring(message string) *bsoProblem {
	return &bsoProblem{http.StatusOK, "E0002", message, nil}
}

// bsoProblemOf finds the answer to any error; reading tells which of the two storage codes applies.
func bsoProblemOf(err error, reading bool) *bsoProblem {
	var p *bsoProblem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, errTooLarge):
		return bsoTooLarge
	case errors.Is(err, errCut):
		return bsoCut
	case errors.Is(err, errSyntax):
		return bsoNotJSON
	}
	p, ok := bsoErrnos[fs.Errno(err)]
	if !ok {
		p = bsoErrnos[syscall.EIO]
	}
	if reading && p.code == "E0002" {
		q := *p
		q.code = "E0001"
		return &q
	}
	return p
}
