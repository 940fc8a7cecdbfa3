package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	sendChunk   = 1 << 20     // bytes handed to the kernel per call
	sendTimeout = time.Minute // in which the client has to take something
)

// response counts what a handler sends and keeps readers that stopped reading from holding a connection: each piece of a body has its
// own deadline. Its ReadFrom keeps the way to sendfile open.
type response struct {
	http.ResponseWriter
	ctl       *http.ResponseController
	timeout   time.Duration
	encrypted bool // there is no sendfile, and a deadline that passes ends the connection for good
	status    int
	sent      int64
	armed     time.Time // when the deadline was last set
}

func newResponse(w http.ResponseWriter) *response {
	r := &response{ResponseWriter: w, ctl: http.NewResponseController(w), timeout: sendTimeout}
	r.arm()
	return r
}

// Unwrap lets http.ResponseController reach the connection.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// arm moves the write deadline. Now and then is enough, and cheaper.
func (r *response) arm() {
	if now := time.Now(); now.Sub(r.armed) > r.timeout/60 {
		r.armed = now
		_ = r.ctl.SetWriteDeadline(now.Add(r.timeout)) // unsupported by test recorders only
	}
}

// WriteHeader remembers the status. Informational ones are not the answer yet.
func (r *response) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.arm()
	r.ResponseWriter.WriteHeader(status)
}

// Write sends p.
func (r *response) Write(p []byte) (int, error) {
	r.started()
	r.arm()
	n, err := r.ResponseWriter.Write(p)
	r.sent += int64(n)
	return n, err
}

func (r *response) started() {
	if r.status == 0 {
		r.status = http.StatusOK
	}
}

// ReadFrom sends src in chunks. net/http recognises a file behind exactly one io.LimitedReader, so a limit that is there already is
// taken over instead of being wrapped again.
func (r *response) ReadFrom(src io.Reader) (int64, error) {
	to, ok := r.ResponseWriter.(io.ReaderFrom)
	if !ok || r.encrypted {
		return io.Copy(writeOnly{r}, src)
	}
	r.started()
	left := int64(-1)
	limited, _ := src.(*io.LimitedReader)
	if limited != nil {
		src, left = limited.R, limited.N
	}
	var total int64
	for left != 0 {
		chunk := int64(sendChunk)
		if left > 0 {
			chunk = min(chunk, left)
		}
		r.arm()
		n, err := to.ReadFrom(&io.LimitedReader{R: src, N: chunk})
		total += n
		r.sent += n
		if left > 0 {
			left -= n
			limited.N = left
		}
		if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue // slow, and not stalled: sendfile was interrupted between two pieces
		}
		if err != nil || n < chunk {
			return total, err
		}
	}
	return total, nil
}

// writeOnly hides ReadFrom from io.Copy.
type writeOnly struct{ io.Writer }
