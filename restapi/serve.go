package restapi

import (
	"errors"
	"log/slog"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"tote/fs"
)

// download is how one family wants a file sent. Headers beyond the validators are set by the caller before.
type download struct {
	reader        *fs.Reader
	ranges        string // value of the range header that counts, "" for none
	status        func(code int)
	unsatisfiable func()
	part          func(off, n int64) error // sets more headers of an answer with a range; may be nil
	fail          func(err error)          // answers when it could not
}

// send answers GET and HEAD with the whole file or one range of it (RFC 9110 sections 13 and 14). Several ranges at once are answered
// with the whole file, which the RFC allows.
func (s *server) send(w http.ResponseWriter, r *http.Request, d download) {
	info := d.reader.Info()
	h := w.Header()
	h.Set("ETag", info.ETag())
	h.Set("Last-Modified", info.ModTime().UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	harmless(h)
	if code := precondition(r, info); code != 0 {
		h.Del("Content-Type")
		h.Del("Content-Disposition")
		d.status(code)
		return
	}
	off, n, code := span(d.ranges, info.Size())
	if code != http.StatusOK && !ifRange(r, info) {
		off, n, code = 0, info.Size(), http.StatusOK
	}
	if code == http.StatusRequestedRangeNotSatisfiable {
		h.Set("Content-Range", "bytes */"+strconv.FormatInt(info.Size(), 10))
		d.unsatisfiable()
		return
	}
	if code == http.StatusPartialContent {
		if err := d.describe(h, off, n); err != nil {
			d.fail(err)
			return
		}
	}
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	w.WriteHeader(code)
	if r.Method == http.MethodHead {
		return
	}
	if sent, err := d.reader.SendTo(w, off, n); err != nil {
		level := slog.LevelInfo // anything but the core is the client's connection
		if e := new(fs.Error); errors.As(err, &e) {
			level = slog.LevelError
		}
		s.log.Log(r.Context(), level, "download was cut", "ino", info.Ino(), "offset", off, "sent", sent, "of", n, "err", err)
		panic(http.ErrAbortHandler) // the client must not take the part for the whole
	}
}

// describe sets the headers of a range.
func (d download) describe(h http.Header, off, n int64) error {
	h.Del("Content-MD5") // is about the whole file
	if d.part != nil {
		if err := d.part(off, n); err != nil {
			return err
		}
	}
	h.Set("Content-Range", contentRange(off, n, d.reader.Size()))
	return nil
}

// harmless keeps a browser from running what somebody uploaded as a page of this site.
func harmless(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
}

func contentRange(off, n, size int64) string {
	return "bytes " + strconv.FormatInt(off, 10) + "-" + strconv.FormatInt(off+n-1, 10) + "/" + strconv.FormatInt(size, 10)
}

// span finds what to send of size bytes: 200 with everything when there is no range, several, or none that can be understood; 206 with one;
// 416 for one beyond the end. An empty file has no range to be beyond: some clients ask every file for its first bytes.
func span(header string, size int64) (off, n int64, code int) {
	spec, ok := cutPrefixFold(strings.TrimSpace(header), "bytes=")
	if !ok || strings.Contains(spec, ",") || size == 0 {
		return 0, size, http.StatusOK
	}
	from, to, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return 0, size, http.StatusOK
	}
	if from == "" {
		last, ok := digits(to)
		if !ok {
			return 0, size, http.StatusOK
		}
		if last == 0 {
			return 0, 0, http.StatusRequestedRangeNotSatisfiable
		}
		last = min(last, size)
		return size - last, last, http.StatusPartialContent
	}
	first, ok := digits(from)
	end := size - 1
	if ok && to != "" {
		end, ok = digits(to)
	}
	switch {
	case !ok || to != "" && end < first:
		return 0, size, http.StatusOK
	case first >= size:
		return 0, 0, http.StatusRequestedRangeNotSatisfiable
	}
	return first, min(end, size-1) - first + 1, http.StatusPartialContent
}

// digits reads a number made of digits only. One too large for an offset is beyond every file.
func digits(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1, true
	}
	return n, true
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// precondition answers 412 or 304 when the request's conditions say so, else 0.
func precondition(r *http.Request, info fs.Info) int {
	if v := r.Header.Get("If-Match"); v != "" {
		if !etagIn(v, info.ETag(), true) {
			return http.StatusPreconditionFailed
		}
	} else if t, ok := httpTime(r.Header.Get("If-Unmodified-Since")); ok && changedSince(info, t) {
		return http.StatusPreconditionFailed
	}
	if v := r.Header.Get("If-None-Match"); v != "" {
		if etagIn(v, info.ETag(), false) {
			return http.StatusNotModified
		}
		return 0
	}
	if t, ok := httpTime(r.Header.Get("If-Modified-Since")); ok && !changedSince(info, t) {
		return http.StatusNotModified
	}
	return 0
}

// ifRange tells whether a range may be answered with a part: the client's copy is of this version.
func ifRange(r *http.Request, info fs.Info) bool {
	v := r.Header.Get("If-Range")
	if v == "" {
		return true
	}
	if t, ok := httpTime(v); ok {
		return !changedSince(info, t)
	}
	return v == info.ETag()
}

// etagIn looks for tag in a list of entity tags. Strong comparison lets weak ones never match.
func etagIn(list, tag string, strong bool) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = textproto.TrimString(item)
		if item == "*" || item == tag {
			return true
		}
		if weak, ok := strings.CutPrefix(item, "W/"); ok && !strong && weak == tag {
			return true
		}
	}
	return false
}

func httpTime(v string) (time.Time, bool) {
	if v == "" {
		return time.Time{}, false
	}
	t, err := http.ParseTime(v)
	return t, err == nil
}

// changedSince compares in whole seconds, which is all that a header can carry.
func changedSince(info fs.Info, t time.Time) bool {
	return info.ModTime().Truncate(time.Second).After(t)
}
