package s3store

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"tote/objstore"
)

// What only this package tells apart.
var (
	errNoUpload    = fmt.Errorf("%w: the upload is not known", objstore.ErrNotFound)
	errNoBucket    = errors.New("the bucket does not exist")
	errDigest      = errors.New("the server got other bytes than were sent")
	errUnsupported = errors.New("the server can't do that")
	errServer      = errors.New("the server's answer is not understood")
	errSkew        = fmt.Errorf("%w: the clock of this machine or of the server is wrong", objstore.ErrDenied)
)

// codeOutcome is what a server's own words mean. What is not among them is judged by its HTTP status.
func codeOutcome(code string) error {
	switch code {
	case "NoSuchKey", "NotFound", "NoSuchVersion":
		return objstore.ErrNotFound
	case "NoSuchUpload":
		return errNoUpload
	case "NoSuchBucket":
		return errNoBucket
	case "RequestTimeTooSkewed":
		return errSkew
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AllAccessDisabled",
		"AccountProblem", "InvalidSecurity", "NotSignedUp", "Forbidden", "XAdminUserNotFound":
		return objstore.ErrDenied
	case "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded":
		return objstore.ErrNoSpace
	case "PreconditionFailed":
		return objstore.ErrChanged
	case "InvalidRange":
		return objstore.ErrRange
	case "InvalidPart", "InvalidPartOrder", "EntityTooSmall":
		return objstore.ErrPart
	case "KeyTooLongError", "ExistingObjectIsDirectory", "ObjectParentIsFile", "XMinioObjectExistsAsDirectory",
		"XMinioParentIsObject", "XMinioInvalidObjectName":
		return objstore.ErrKey
	case "BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch":
		return errDigest
	case "InternalError", "ServiceUnavailable", "RequestTimeout", "RequestTimeoutException", "OperationAborted",
		"ConditionalRequestConflict", "IncompleteBody", "Busy":
		return objstore.ErrTemporary
	case "NotImplemented", "MethodNotAllowed", "InvalidRequest", "InvalidArgument", "XNotImplemented":
		return errUnsupported
	}
	if slowDown(code) {
		return objstore.ErrTemporary
	}
	return nil
}

func slowDown(code string) bool {
	switch code {
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException", "ThrottledException",
		"RequestThrottled", "RequestThrottledException", "TooManyRequests", "TooManyRequestsException",
		"RequestLimitExceeded", "BandwidthLimitExceeded":
		return true
	}
	return false
}

// statusOutcome knows no 404: an unknown code there may be about anything, and an object that seems to be gone is
// the worst mistake to make. Answers without a body have the code NotFound.
func statusOutcome(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return objstore.ErrDenied
	case http.StatusPreconditionFailed:
		return objstore.ErrChanged
	case http.StatusRequestedRangeNotSatisfiable:
		return objstore.ErrRange
	case http.StatusInsufficientStorage:
		return objstore.ErrNoSpace
	case http.StatusNotImplemented, http.StatusMethodNotAllowed, http.StatusHTTPVersionNotSupported:
		return errUnsupported
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return objstore.ErrTemporary
	}
	if status >= 500 {
		return objstore.ErrTemporary
	}
	return nil
}

// outcome is the sentinel that an error of the SDK stands for, or nil.
func outcome(err error) error {
	if errors.Is(err, errNoUpload) {
		return errNoUpload
	}
	status := statusOf(err)
	var api smithy.APIError
	if errors.As(err, &api) {
		o := codeOutcome(api.ErrorCode())
		if o == nil {
			o = statusOutcome(status)
		}
		return o
	}
	var lost *smithyhttp.RequestSendError
	var garbled *smithy.DeserializationError
	switch {
	case errors.As(err, &lost):
		return sendOutcome(lost)
	case brokenOff(err):
		return objstore.ErrTemporary
	case errors.As(err, &garbled) && (status < 300 || status >= 500):
		return objstore.ErrTemporary
	}
	return nil // the rest does not come from an S3 server
}

// brokenOff says that an answer began and did not end.
func brokenOff(err error) bool {
	var netOp *net.OpError
	var syntax *xml.SyntaxError
	return errors.As(err, &netOp) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &syntax) && strings.Contains(syntax.Msg, "unexpected EOF")
}

// sendOutcome judges a request that got no answer. All of that is worth another try, except what only a change of
// the configuration can heal.
func sendOutcome(err error) error {
	if strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") || strings.Contains(err.Error(), "x509: ") {
		return nil
	}
	return objstore.ErrTemporary
}

func statusOf(err error) int {
	var r interface{ HTTPStatusCode() int }
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// temporary says whether the same request may go well later.
func temporary(err error) bool {
	var cancelled interface{ CanceledError() bool }
	if errors.As(err, &cancelled) && cancelled.CanceledError() {
		return false
	}
	return outcome(err) == objstore.ErrTemporary
}

func throttled(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slowDown(api.ErrorCode()) || statusOf(err) == http.StatusTooManyRequests
}

// uploadErr is the error of a call about an upload: Ceph misses the key when it is the upload that is not there.
func uploadErr(err error) error {
	if outcome(err) == objstore.ErrNotFound {
		return fmt.Errorf("%w: %s", errNoUpload, describe(err))
	}
	return err
}

// explain makes the error that callers get of one of the SDK. Others are ours already.
func explain(err error) error {
	var sdk *smithy.OperationError
	if !errors.As(err, &sdk) {
		return err
	}
	sentinel := outcome(err)
	switch {
	case sentinel == nil && strings.Contains(err.Error(), "get credentials"):
		sentinel = objstore.ErrDenied
	case sentinel == nil:
		sentinel = errServer
	}
	return fmt.Errorf("%w: %s", sentinel, describe(err))
}

// describe is what happened, without the SDK's frame around it.
func describe(err error) string {
	status := statusOf(err)
	var api smithy.APIError
	if errors.As(err, &api) {
		text := api.ErrorCode()
		if m := strings.TrimSuffix(api.ErrorMessage(), "."); m != "" {
			text += ": " + m
		}
		return fmt.Sprintf("%s (http status %d)", text, status)
	}
	var dns *net.DNSError
	var netOp *net.OpError
	var sent *url.Error
	switch {
	case errors.As(err, &dns):
		return dns.Error()
	case errors.As(err, &netOp):
		return netOp.Error()
	case errors.As(err, &sent):
		return sent.Err.Error()
	case status != 0:
		return fmt.Sprintf("http status %d: %v", status, innermost(err))
	}
	return innermost(err).Error()
}

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

func wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, key, err)
}
