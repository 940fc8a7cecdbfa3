package s3proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// Op is an operation, by the name that the S3 API has for it.
type Op string

// The operations that are told apart.
const (
	GetObject    Op = "GetObject"
	HeadObject   Op = "HeadObject"
	PutObject    Op = "PutObject"
	CopyObject   Op = "CopyObject"
	DeleteObject Op = "DeleteObject"

	CreateMultipartUpload   Op = "CreateMultipartUpload"
	UploadPart              Op = "UploadPart"
	UploadPartCopy          Op = "UploadPartCopy"
	CompleteMultipartUpload Op = "CompleteMultipartUpload"
	AbortMultipartUpload    Op = "AbortMultipartUpload"
	ListParts               Op = "ListParts"

	ListObjects          Op = "ListObjects"
	ListMultipartUploads Op = "ListMultipartUploads"
	DeleteObjects        Op = "DeleteObjects"
	HeadBucket           Op = "HeadBucket"
	CreateBucket         Op = "CreateBucket"
	DeleteBucket         Op = "DeleteBucket"
	Other                Op = "Other" // access control, tags, locations and whatever else there is
)

// subresources are query parameters that make another operation of a call which is none of those above.
var subresources = []string{"acl", "attributes", "cors", "legal-hold", "lifecycle", "location", "policy", "retention", "tagging", "versioning", "versions"}

// Classify tells which operation a request in path style asks for.
func Classify(r *http.Request) Op {
	q := r.URL.Query()
	for _, name := range subresources {
		if q.Has(name) {
			return Other
		}
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case bucket == "":
		return Other
	case key == "":
		return ofBucket(r.Method, q)
	}
	return ofObject(r, q)
}

func ofBucket(method string, q url.Values) Op {
	switch {
	case method == http.MethodGet && q.Has("uploads"):
		return ListMultipartUploads
	case method == http.MethodGet:
		return ListObjects
	case method == http.MethodHead:
		return HeadBucket
	case method == http.MethodPut:
		return CreateBucket
	case method == http.MethodDelete:
		return DeleteBucket
	case method == http.MethodPost && q.Has("delete"):
		return DeleteObjects
	}
	return Other
}

func ofObject(r *http.Request, q url.Values) Op {
	copies := r.Header.Get("X-Amz-Copy-Source") != ""
	if q.Has("uploadId") {
		return ofUpload(r.Method, copies)
	}
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		return CreateMultipartUpload
	case r.Method == http.MethodPut && copies:
		return CopyObject
	}
	return ofWhole(r.Method)
}

func ofWhole(method string) Op {
	switch method {
	case http.MethodGet:
		return GetObject
	case http.MethodHead:
		return HeadObject
	case http.MethodPut:
		return PutObject
	case http.MethodDelete:
		return DeleteObject
	}
	return Other
}

func ofUpload(method string, copies bool) Op {
	switch {
	case method == http.MethodPut && copies:
		return UploadPartCopy
	case method == http.MethodPut:
		return UploadPart
	case method == http.MethodPost:
		return CompleteMultipartUpload
	case method == http.MethodDelete:
		return AbortMultipartUpload
	case method == http.MethodGet:
		return ListParts
	}
	return Other
}
