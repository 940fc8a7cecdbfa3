package s3store

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	dialTimeout = 5 * time.Second
	// idleTimeout must be shorter than any stall: the deadline of the last request stays on an idle connection.
	idleTimeout = 15 * time.Second
	connBuffer  = 128 << 10
	idleConns   = 64
)

// conn is a connection that fails when no byte moves for stall. Whatever moves, in either direction, renews the
// deadline of both: while a body is sent, the read for the answer is already waiting.
type conn struct {
	net.Conn
	stall atomic.Int64
}

// dialer connects to servers for an http.Transport.
func dialer(stall time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return watch(c, stall), nil
	}
}

func watch(c net.Conn, stall time.Duration) *conn {
	w := &conn{Conn: c}
	w.stall.Store(int64(stall))
	return w
}

func (c *conn) renew() error {
	return c.Conn.SetDeadline(time.Now().Add(time.Duration(c.stall.Load())))
}

func (c *conn) Read(p []byte) (int, error) {
	if err := c.renew(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write goes on as long as each deadline finds that some bytes have left.
func (c *conn) Write(p []byte) (int, error) {
	done := 0
	for {
		if err := c.renew(); err != nil {
			return done, err
		}
		n, err := c.Conn.Write(p[done:])
		done += n
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
	}
}

// transport makes the settings of the connections.
func transport(stall time.Duration) func(*http.Transport) {
	return func(t *http.Transport) {
		t.DialContext = dialer(stall)
		t.Proxy = http.ProxyFromEnvironment
		t.TLSHandshakeTimeout = stall
		t.ResponseHeaderTimeout = 0 // the connection's deadline knows more
		t.ExpectContinueTimeout = time.Second
		t.IdleConnTimeout = min(idleTimeout, stall*3/4)
		t.MaxIdleConns, t.MaxIdleConnsPerHost, t.MaxConnsPerHost = idleConns, idleConns, 0
		t.WriteBufferSize, t.ReadBufferSize = connBuffer, connBuffer
		t.DisableCompression = true
		t.ForceAttemptHTTP2 = false // parts in parallel want a connection each
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
}

// watchedClient tells each connection how long the request it carries may stand still.
type watchedClient struct {
	s3.HTTPClient
	stall time.Duration
}

func (w watchedClient) Do(req *http.Request) (*http.Response, error) {
	stall := w.stall
	if o := opOf(req.Context()); o != nil {
		stall += o.quiet
	}
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		c := info.Conn
		if t, ok := c.(*tls.Conn); ok {
			c = t.NetConn()
		}
		if watched, ok := c.(*conn); ok {
			watched.stall.Store(int64(stall))
			_ = watched.renew() // a closed connection fails by itself
		}
	}})
	return w.HTTPClient.Do(req.WithContext(ctx))
}
