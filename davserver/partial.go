package davserver

import (
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"tote/fs"
)

// sabreType is the body type of a partial update by PATCH (sabre/dav, "HTTP PATCH support").
const sabreType = "application/x-sabredav-partialupdate"

// cut is where the body of a partial update goes.
type cut struct {
	off    int64 // from the start, or with tail from the end
	length int64 // -1: as long as the body
	total  int64 // length of the whole file that the client counts on; -1: none
	tail   bool
}

// badRange is the answer to a range that cannot be understood or does not fit the body.
func badRange(header string) error {
	return refuse(http.StatusBadRequest, header+" is not valid or does not fit the body")
}

// patch serves PATCH: the body goes over a part of the file, and a gap before it is filled with zeros.
func (q *request) patchFile() error {
	cur, err := q.current()
	switch {
	case err != nil:
		return err
	case cur != nil && cur.IsDir():
		return refuse(http.StatusMethodNotAllowed, "a collection has no content")
	}
	if err := q.precheck(cur); err != nil {
		return err
	}
	if cur == nil {
		return refuse(http.StatusNotFound, "there is nothing to change: PUT the file first")
	}
	if t, _, _ := mime.ParseMediaType(q.r.Header.Get("Content-Type")); t != sabreType {
		q.w.Header().Set("Accept-Patch", sabreType)
		return refuse(http.StatusUnsupportedMediaType, "PATCH takes "+sabreType)
	}
	at, err := updateRange(q.r.Header.Get("X-Update-Range"))
	if err != nil {
		return err
	}
	return q.overlay(at)
}

// updateRange reads X-Update-Range: "append", or "bytes=" with first-last, first-, or -length for the end of the file.
func updateRange(v string) (cut, error) {
	const header = "X-Update-Range"
	at := cut{length: -1, total: -1, tail: true}
	v = strings.TrimSpace(v)
	if v == "append" {
		return at, nil
	}
	spec, ok := strings.CutPrefix(v, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return at, badRange(header)
	}
	var err error
	switch {
	case first == "":
		if at.off, err = strconv.ParseInt(last, 10, 63); err != nil || at.off == 0 {
			return at, badRange(header)
		}
		return at, nil
	case last == "":
		at.tail = false
		if at.off, err = parseOffset(first); err != nil {
			return at, badRange(header)
		}
		return at, nil
	}
	at.tail = false
	at.off, at.length, err = firstLast(first, last)
	if err != nil {
		return at, badRange(header)
	}
	return at, nil
}

// contentRange reads the Content-Range of a PUT: "bytes first-last/total", total perhaps "*".
func contentRange(v string) (cut, error) {
	const header = "Content-Range"
	at := cut{total: -1}
	spec, ok := strings.CutPrefix(strings.TrimSpace(v), "bytes ")
	span, total, slash := strings.Cut(spec, "/")
	first, last, dash := strings.Cut(strings.TrimSpace(span), "-")
	if !ok || !slash || !dash {
		return at, badRange(header)
	}
	var err error
	if at.off, at.length, err = firstLast(first, last); err != nil {
		return at, badRange(header)
	}
	if total == "*" {
		return at, nil
	}
	if at.total, err = parseOffset(total); err != nil || at.total < at.off+at.length {
		return at, badRange(header)
	}
	return at, nil
}

// parseOffset reads digits only: ParseInt would take a sign.
func parseOffset(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}

// firstLast reads both ends of a range, which are included.
func firstLast(first, last string) (off, length int64, err error) {
	if off, err = parseOffset(first); err != nil {
		return 0, 0, err
	}
	end, err := parseOffset(last)
	if err == nil && (end < off || end == math.MaxInt64) { // the length has to fit, too
		err = strconv.ErrRange
	}
	return off, end - off + 1, err
}

// overlay writes the body over the part of the file that at says; the file is made when a PUT begins at its start. All or nothing happens, and
// nothing when somebody else has changed the file meanwhile.
func (q *request) overlay(at cut) error {
	if at.length >= 0 && q.r.ContentLength >= 0 && q.r.ContentLength != at.length {
		return badRange("the range")
	}
	if q.locked() {
		return fs.ErrLocked
	}
	rd, err := q.h.fsys.OpenReader(q.ctx, q.actor, q.path)
	if err != nil {
		return err
	}
	defer rd.Close()
	if at.tail {
		if at.off > rd.Size() {
			return refuse(http.StatusRequestedRangeNotSatisfiable, "the file is shorter than that")
		}
		at.off = rd.Size() - at.off
	}
	if at.total >= 0 && at.total != max(rd.Size(), at.off+at.length) {
		return badRange("the length in Content-Range")
	}
	return q.patchFrom(rd, at)
}

// patchFrom makes and commits the new version.
func (q *request) patchFrom(rd *fs.Reader, at cut) error {
	w, err := q.h.fsys.NewWriter(q.ctx, q.actor, fs.Target{Path: q.path})
	if err != nil {
		return err
	}
	defer w.Abort()
	body := &bodyReader{r: q.r.Body}
	n, err := w.Patch(rd, at.off, body)
	if err != nil {
		return body.blame(err)
	}
	if at.length >= 0 && n != at.length {
		return badRange("the range")
	}
	info, _, err := w.Commit(q.ctx, fs.CommitOptions{Cond: &fs.Cond{Check: q.unchanged(rd)}, ExpectSize: -1})
	if err != nil {
		return err
	}
	q.validators(&info)
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// unchanged is the condition that nobody has replaced what rd reads, beside those of the request.
func (q *request) unchanged(rd *fs.Reader) func(*fs.Info) error {
	base := rd.Info()
	return func(cur *fs.Info) error {
		if err := q.conds.check(cur); err != nil {
			return err
		}
		if cur == nil || cur.ETag() != base.ETag() {
			return refuse(http.StatusConflict, "the file was changed meanwhile: nothing was written, try again")
		}
		return nil
	}
}

// validators tells the client what it may use as conditions from now on.
func (q *request) validators(info *fs.Info) {
	head := q.w.Header()
	head.Set("ETag", info.ETag())
	head.Set("Last-Modified", httpTime(info.ModTime()))
}
