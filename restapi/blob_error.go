package restapi

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"tote/fs"
)

// blobProblem is a failure of a signed URL, in the form of the blob service that its clients were written for.
type blobProblem struct {
	status  int
	code    string
	message string
}

func (p *blobProblem) Error() string { return p.message }

// Problems that do not come from the core.
var (
	blobNotSigned    = &blobProblem{http.StatusForbidden, "AuthenticationFailed", "the signature is missing, wrong or expired"}
	blobWrongVerb    = &blobProblem{http.StatusForbidden, "AuthorizationPermissionMismatch", "the signature does not allow this method"}
	blobNotFound     = &blobProblem{http.StatusNotFound, "BlobNotFound", "no such blob"}
	blobMethod       = &blobProblem{http.StatusMethodNotAllowed, "UnsupportedHttpVerb", "this resource does not know the method"}
	blobQuery        = &blobProblem{http.StatusBadRequest, "InvalidQueryParameterValue", "the value of comp is not supported"}
	blobBlockID      = &blobProblem{http.StatusBadRequest, "InvalidBlockId", "a block id must be base64 of 1 to 64 bytes"}
	blobBlockList    = &blobProblem{http.StatusBadRequest, "InvalidBlockList", "a block of the list was not uploaded, or belongs to another version"}
	blobListTooLong  = &blobProblem{http.StatusBadRequest, "BlockListTooLong", "a blob has at most 50,000 blocks"}
	blobBlockCount   = &blobProblem{http.StatusConflict, "BlockCountExceedsLimit", "too many blocks wait for their list"}
	blobXML          = &blobProblem{http.StatusBadRequest, "InvalidXmlDocument", "the block list is not the XML that is expected"}
	blobHeader       = &blobProblem{http.StatusBadRequest, "InvalidHeaderValue", "the value of a header is not valid"}
	blobLength       = &blobProblem{http.StatusLengthRequired, "MissingContentLengthHeader", "the length of the body is not given"}
	blobMetadata     = &blobProblem{http.StatusBadRequest, "MetadataTooLarge", "the metadata headers are larger than 8 KiB"}
	blobMetaName     = &blobProblem{http.StatusBadRequest, "EmptyMetadataKey", "a metadata header has no name"}
	blobMD5          = &blobProblem{http.StatusBadRequest, "Md5Mismatch", "the MD5 of the request does not match the bytes that arrived"}
	blobPlaceholder  = &blobProblem{http.StatusBadRequest, "InvalidResourceName", "put the key of the file in place of " + placeholderKey}
	blobName         = &blobProblem{http.StatusBadRequest, "InvalidResourceName", "the name of the blob is not valid"}
	blobExists       = &blobProblem{http.StatusConflict, "BlobAlreadyExists", "the blob exists already"}
	blobPrecondition = &blobProblem{http.StatusPreconditionFailed, "ConditionNotMet", "a condition of the request does not hold"}
	blobCondition    = &blobProblem{http.StatusBadRequest, "UnsatisfiableCondition", "no blob can meet this condition"}
	blobTooLarge     = &blobProblem{http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "the body is larger than this server takes"}
	blobCut          = &blobProblem{http.StatusBadRequest, "IncompleteBody", "the body ended early; nothing was stored"}
	blobRange        = &blobProblem{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "the range lies beyond the end of the blob"}
	blobBusy         = &blobProblem{http.StatusServiceUnavailable, "ServerBusy", "the server is busy, try again"}
	blobInternal     = &blobProblem{http.StatusInternalServerError, "InternalError", "internal error"}
	blobDenied       = &blobProblem{http.StatusForbidden, "AuthorizationFailure", "the user behind the signature may not do that"}
	blobNoSpace      = &blobProblem{http.StatusInsufficientStorage, "InsufficientStorage", "there is no space left"}
	blobConflict     = &blobProblem{http.StatusConflict, "OperationNotAllowedInCurrentState", "something else is in the way"}
)

// blobErrnos answers every errno of the core.
var blobErrnos = map[syscall.Errno]*blobProblem{
	syscall.ENOENT:       blobNotFound,
	syscall.ESTALE:       blobNotFound,
	syscall.EISDIR:       blobNotFound,
	syscall.ENODATA:      blobNotFound,
	syscall.EACCES:       blobDenied,
	syscall.EPERM:        blobDenied,
	syscall.EEXIST:       blobExists,
	syscall.ENOTEMPTY:    blobConflict,
	syscall.ENOTDIR:      blobConflict,
	syscall.EXDEV:        blobConflict,
	syscall.EMLINK:       blobConflict,
	syscall.EBUSY:        {http.StatusPreconditionFailed, "LeaseIdMissing", "the file is locked by another user"},
	syscall.EINVAL:       blobName,
	syscall.ENAMETOOLONG: blobName,
	syscall.ELOOP:        blobName,
	syscall.ERANGE:       blobHeader,
	syscall.EOVERFLOW:    blobHeader,
	syscall.ENXIO:        blobRange,
	syscall.E2BIG:        blobTooLarge,
	syscall.EFBIG:        blobTooLarge,
	syscall.ENOSPC:       blobNoSpace,
	syscall.EDQUOT:       blobNoSpace,
	syscall.EROFS:        {http.StatusForbidden, "AuthorizationFailure", "this server is read-only"},
	syscall.EAGAIN:       blobBusy,
	syscall.EMFILE:       blobBusy,
	syscall.ETIMEDOUT:    blobBusy,
	syscall.ECANCELED:    blobBusy,
	syscall.ENOTSUP:      {http.StatusNotImplemented, "NotImplemented", "the storage can't do that"},
	syscall.ENOSYS:       {http.StatusNotImplemented, "NotImplemented", "the storage can't do that"},
	syscall.EBADF:        blobInternal,
	syscall.EIO:          blobInternal,
}

// blobProblemOf finds the answer to any error.
func blobProblemOf(err error) *blobProblem {
	var p *blobProblem
	var b *bsoProblem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, errTooLarge):
		return blobTooLarge
	case errors.Is(err, errCut):
		return blobCut
	case errors.Is(err, fs.ErrPrecondition):
		return blobPrecondition
	case errors.As(err, &b): // names and permissions are checked by what the service shares
		if b.code == "PD001" {
			return blobDenied
		}
		return blobName
	}
	if p, ok := blobErrnos[fs.Errno(err)]; ok {
		return p
	}
	return blobInternal
}

// failBlob answers with the XML of the blob service and logs what the client may not see. The URL is never logged: it is a credential.
func (s *server) failBlob(w http.ResponseWriter, r *http.Request, err error) {
	p := blobProblemOf(err)
	h := w.Header()
	id := h.Get("x-ms-request-id")
	if p.status >= 500 {
		s.log.Log(r.Context(), failureLevel(err), "blob request failed", "request", id, "method", r.Method, "path", r.URL.Path, "status", p.status, "err", err)
	}
	if p.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "2")
	}
	var text strings.Builder
	_ = xml.EscapeText(&text, []byte(p.message+"\nRequestId:"+id+"\nTime:"+s.opts.Now().UTC().Format("2006-01-02T15:04:05.0000000Z")))
	body := `<?xml version="1.0" encoding="utf-8"?><Error><Code>` + p.code + `</Code><Message>` + newlines.Replace(text.String()) + `</Message></Error>`
	for _, name := range []string{"Content-Disposition", "Content-MD5", "Content-Encoding", "Content-Language", "Cache-Control", "x-ms-blob-content-md5"} {
		h.Del(name) // is about the blob that is not sent
	}
	h.Set("Content-Type", "application/xml")
	h.Set("x-ms-error-code", p.code)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.status)
	if r.Method != http.MethodHead {
		w.Write([]byte(body))
	}
}

// newlines undoes the escapes of xml.EscapeText that clients show to people as they are.
var newlines = strings.NewReplacer("&#xA;", "\n", "&#39;", "'", "&#34;", `"`)
