package main

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	bodyPatience = time.Minute // time that the client may spend on each
	bodyStep     = 1           // byte: however slow a client is, it is served as long as something comes
)

// body is a request body that has to make progress: within bodyPatience of waiting, bodyStep bytes have to arrive. Only time spent
// waiting for the client counts, so a server that is busy writing what it got never cuts off an upload, and there is no limit to how
// long a whole upload takes.
type body struct {
	io.ReadCloser
	ctl      *http.ResponseController
	patience time.Duration
	step     int64
	left     time.Duration // of the patience
	got      int64         // of the step
	armed    time.Time     // deadline that is set on the connection
}

// withProgress puts the floor under the request's body, if it has one.
func withProgress(w http.ResponseWriter, r *http.Request, patience time.Duration, step int64) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	b := &body{ReadCloser: r.Body, ctl: http.NewResponseController(w), patience: patience, step: step, left: patience}
	b.arm(time.Now()) // also for net/http, which drains what a handler did not read
	r.Body = b
}

// Read waits for the client, as long as it has patience left.
func (b *body) Read(p []byte) (int, error) {
	start := time.Now()
	b.arm(start)
	n, err := b.ReadCloser.Read(p)
	b.left -= time.Since(start)
	if b.got += int64(n); b.got >= b.step {
		b.got, b.left = 0, b.patience
	}
	if errors.Is(err, io.EOF) {
		// net/http goes on reading behind the body to notice a client that leaves. A deadline would look like that.
		_ = b.ctl.SetReadDeadline(time.Time{})
	}
	return n, err
}

// arm sets the deadline when it differs enough from the one that is set: a fast body costs no system call per read.
func (b *body) arm(now time.Time) {
	want := now.Add(b.left)
	if d := want.Sub(b.armed); d > b.patience/30 || d < 0 {
		b.armed = want
		_ = b.ctl.SetReadDeadline(want) // unsupported by test recorders only
	}
}
