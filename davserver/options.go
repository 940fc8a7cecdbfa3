package davserver

import "net/http"

// Methods that each kind of resource takes.
const (
	allowAbsent     = "OPTIONS, PUT, MKCOL, LOCK"
	allowFile       = "OPTIONS, GET, HEAD, PUT, PATCH, DELETE, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK"
	allowCollection = "OPTIONS, GET, HEAD, DELETE, COPY, MOVE, PROPFIND, PROPPATCH, REPORT, LOCK, UNLOCK"
	allowRoot       = "OPTIONS, GET, HEAD, COPY, PROPFIND, PROPPATCH, REPORT, LOCK, UNLOCK"
	allowAnything   = "OPTIONS, GET, HEAD, PUT, PATCH, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, REPORT, LOCK, UNLOCK"
)

// options answers without a login, because Windows asks before it logs in; then it tells nothing about the resource.
func (q *request) options() error {
	head := q.w.Header()
	head.Set("DAV", "1, 2, 3, sabredav-partialupdate")
	head.Set("MS-Author-Via", "DAV") // without it Office takes the share for FrontPage
	head.Set("Accept-Ranges", "bytes")
	head.Set("Accept-Patch", sabreType)
	head.Set("Allow", q.allow())
	head.Set("Content-Length", "0")
	q.w.WriteHeader(http.StatusOK)
	return nil
}

// allow is the truth about the resource as far as the actor may know it.
func (q *request) allow() string {
	if q.actor == nil {
		return allowAnything
	}
	cur, err := q.current()
	switch {
	case err != nil:
		return allowAnything
	case cur == nil:
		return allowAbsent
	case q.path == "/":
		return allowRoot
	case cur.IsDir():
		return allowCollection
	}
	return allowFile
}
