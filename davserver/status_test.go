package davserver

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"tote/fs"
)

// TestStatuses walks every errno that the core returns: each has a status of its own choosing, and wrapping does not change it.
func TestStatuses(t *testing.T) {
	for _, n := range fs.Errnos {
		want, ok := statuses[n]
		if !ok || want < 400 || want > 599 {
			t.Errorf("%v has no status", n)
			continue
		}
		wrapped := fmt.Errorf("while testing: %w", &fs.Error{Op: "test", Path: "/x", Errno: n, Err: errors.New("cause")})
		if code(n) != want || code(wrapped) != want {
			t.Errorf("%v: got %d and %d, want %d", n, code(n), code(wrapped), want)
		}
	}
	if len(statuses) != len(fs.Errnos) {
		t.Errorf("the table has %d rows, the core %d errnos", len(statuses), len(fs.Errnos))
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 200},
		{errors.New("never heard of"), 500},
		{fs.ErrPrecondition, 412},
		{&fs.Error{Errno: syscall.ECANCELED, Err: fs.ErrPrecondition}, 412},
		{&fs.Error{Errno: syscall.EBUSY, Err: fs.ErrLocked}, 423},
		{fs.ErrShortBody, 400},
		{refuse(415, ""), 415},
		{syscall.ENOSPC, 507},
		{syscall.ENOTEMPTY, 409}, // satisfies errors.Is(err, fs.ErrExist), and is not that
		{syscall.EEXIST, 412},
	} {
		if got := code(c.err); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}
}

// TestCorrector: whatever x/net makes of an error, the client gets the table's status.
func TestCorrector(t *testing.T) {
	for _, n := range fs.Errnos {
		w := httptest.NewRecorder()
		c := &corrector{ResponseWriter: w}
		if got := c.keep(fmt.Errorf("deep: %w", &fs.Error{Errno: n})); got != n {
			t.Errorf("%v became %v on the way to the library", n, got)
		}
		c.WriteHeader(http.StatusMethodNotAllowed)
		if _, err := c.Write([]byte("Method Not Allowed")); err != nil {
			t.Error(err)
		}
		if w.Body.Len() != 0 {
			t.Error("the library's words went out")
		}
		if got := code(c.verdict("PROPPATCH")); got != statuses[n] {
			t.Errorf("%v: got %d, want %d", n, got, statuses[n])
		}
	}
	c := &corrector{ResponseWriter: httptest.NewRecorder()}
	c.keep(syscall.ENOSPC)
	c.WriteHeader(405)
	if got := code(c.verdict("MKCOL")); got != 507 {
		t.Errorf("MKCOL on a full disk: got %d", got)
	}
}

// TestFailure: the cause of a 5xx goes to the log, never to the client.
func TestFailure(t *testing.T) {
	var log bytes.Buffer
	h := &handler{opts: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}.withDefaults()}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/dav/f", nil)
	q := &request{h: h, w: w, r: r, ctx: t.Context(), path: "/f"}
	w.Header().Set("ETag", `"stale"`)
	q.fail(&fs.Error{Op: "read", Path: "/f", Errno: syscall.EIO, Err: errors.New("secret disk path")})
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") || w.Header().Get("ETag") != "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if n := strings.Count(log.String(), "secret disk path"); n != 1 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
	log.Reset()
	w = httptest.NewRecorder()
	q.w = w
	q.fail(syscall.ENOENT)
	if log.Len() != 0 || w.Code != 404 {
		t.Errorf("a 404 was logged: %s", log.String())
	}
}
