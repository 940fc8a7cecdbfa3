package main

import (
	"io"
	"net/http"
	"time"
)

const (
	sendChunk   = 1 << 20         // bytes handed to the kernel per call
	sendTimeout = 2 * time.Minute // for each chunk, and each Write: some 9 KiB/s at least
)

// response counts what a handler sends and keeps readers that stopped reading from holding a connection: each piece of a body has its
// own deadline. Its ReadFrom keeps the way to sendfile open.
type response struct {
	http.ResponseWriter
	ctl    *http.ResponseController
	status int
	sent   int64
	armed  time.Time // when the deadline was last set
}

func newResponse(w http.ResponseWriter) *response {
	r := &response{ResponseWriter: w, ctl: http.NewResponseController(w)}
	r.arm()
	return r
}

// Unwrap lets http.ResponseController reach the connection.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// arm moves the write deadline. Once a second is enough, and cheaper.
func (r *response) arm() {
	if now := time.Now(); now.Sub(r.armed) > time.Second {
		r.armed = now
		_ = r.ctl.SetWriteDeadline(now.Add(sendTimeout)) // unsupported by test recorders only
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
	if !ok {
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
		if err != nil || n < chunk {
			return total, err
		}
	}
	return total, nil
}

// writeOnly hides ReadFrom from io.Copy.
type writeOnly struct{ io.Writer }
