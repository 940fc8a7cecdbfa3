package s3proxy

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
)

// call is one request on its way.
type call struct {
	proxy *Proxy
	w     http.ResponseWriter
	r     *http.Request
	op    Op
	fault Fault           // mode 0: none
	over  <-chan struct{} // closed when a stall has to end
}

func (c *call) run() {
	switch c.fault.Mode {
	case ServerError:
		c.refuse(http.StatusInternalServerError, "InternalError")
		return
	case SlowDown:
		c.refuse(http.StatusServiceUnavailable, "SlowDown")
		return
	case ErrorIn200:
		c.refuse(http.StatusOK, "InternalError")
		return
	case Reset, Stall:
		if !c.hasBody() && c.r.Method != http.MethodGet {
			c.breakOff()
			return
		}
	}
	resp, err := c.forward()
	if err != nil {
		c.reset() // the fault cut the request off, or the client or the server is gone
		return
	}
	defer resp.Body.Close()
	if !c.replaced(resp) {
		c.answer(resp)
	}
}

func (c *call) hasBody() bool { return c.r.ContentLength != 0 }

// struck counts the fault, when it has happened.
func (c *call) struck() { c.proxy.counts.change(c.op, func(n *Count) { n.Faults++ }) }

// refuse reads the request, as a server does that is overloaded behind its front, and answers with an error.
func (c *call) refuse(status int, code string) {
	_, _ = io.Copy(io.Discard, c.r.Body)
	c.errorBody(status, code)
}

func (c *call) errorBody(status int, code string) {
	c.struck()
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.WriteHeader(status)
	fmt.Fprintf(c.w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>made by a test</Message><RequestId>s3proxy</RequestId></Error>`, code)
}

// forward sends the request to the server. It fails when the body is cut off.
func (c *call) forward() (*http.Response, error) {
	out := c.r.Clone(c.r.Context())
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = c.proxy.backend.Scheme, c.proxy.backend.Host
	out.Body = c.upload()
	out.Header.Del("Connection")
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // else one is made up
	}
	return c.proxy.client.RoundTrip(out)
}

// upload is the request's body with the fault in it.
func (c *call) upload() io.ReadCloser {
	if !c.hasBody() {
		return http.NoBody
	}
	at := c.at(c.r.ContentLength)
	switch c.fault.Mode {
	case Reset:
		return &cut{c.r.Body, at, func() error { c.struck(); return errCut }}
	case Stall:
		return &cut{c.r.Body, at, func() error { c.struck(); c.wait(); return errCut }}
	case Corrupt:
		return &flip{c.r.Body, at, c.struck}
	}
	return c.r.Body
}

// at is where in a body of some length, -1 if unknown, the fault is.
func (c *call) at(length int64) int64 {
	if c.fault.At > 0 {
		return c.fault.At
	}
	return max(length/2, 0)
}

// wait lets a stall last. That the client has gone does not show while its body waits to be read.
func (c *call) wait() {
	select {
	case <-c.over:
	case <-c.r.Context().Done():
	}
}

// breakOff ends a call between its bodies.
func (c *call) breakOff() {
	c.struck()
	if c.fault.Mode != Reset {
		c.wait()
	}
	c.reset()
}

// replaced puts the fault in the place of a success, and tells whether it did.
func (c *call) replaced(resp *http.Response) bool {
	mode := c.fault.Mode
	if resp.StatusCode >= 300 || !slices.Contains([]Mode{Lost, Hang, ErrorIn200After, NoSuchUpload}, mode) {
		return false
	}
	if c.op != GetObject {
		_, _ = io.Copy(io.Discard, resp.Body) // it is done when the answer has come to its end
	}
	switch mode {
	case Lost:
		c.struck()
		panic(http.ErrAbortHandler)
	case Hang:
		c.breakOff()
	case ErrorIn200After:
		c.errorBody(http.StatusOK, "InternalError")
	default:
		c.errorBody(http.StatusNotFound, "NoSuchUpload")
	}
	return true
}

// answer passes the server's answer on, with the fault in it.
func (c *call) answer(resp *http.Response) {
	h := c.w.Header()
	maps.Copy(h, resp.Header)
	h.Del("Connection")
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // else one is guessed
	}
	c.w.WriteHeader(resp.StatusCode)
	if c.r.Method == http.MethodHead {
		return
	}
	if _, err := io.CopyBuffer(&prompt{c.w, http.NewResponseController(c.w)}, c.download(resp), make([]byte, 64<<10)); err != nil {
		c.cutAnswer()
	}
}

// download is the answer's body with the fault in it.
func (c *call) download(resp *http.Response) io.Reader {
	body := io.ReadCloser(&tally{resp.Body, func(n int) {
		c.proxy.counts.change(c.op, func(k *Count) { k.Down += int64(n) })
	}})
	if resp.ContentLength == 0 || resp.StatusCode >= 300 {
		return body
	}
	at := c.at(resp.ContentLength)
	switch mode := c.fault.Mode; {
	case mode == Truncate, !c.hasBody() && (mode == Reset || mode == Stall):
		return &cut{body, at, func() error { c.struck(); return errCut }}
	case mode == Corrupt && c.op == GetObject:
		return &flip{body, at, c.struck}
	}
	return body
}

// cutAnswer ends an answer in its middle, which is what the fault wants or what the server has done.
func (c *call) cutAnswer() {
	switch c.fault.Mode {
	case Stall:
		c.wait()
		c.reset()
	case Reset:
		c.reset()
	default:
		panic(http.ErrAbortHandler)
	}
}

// reset resets the client's connection. What is left of the call has nobody to go to.
func (c *call) reset() {
	nc, _, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	nc.(*conn).reset()
}
