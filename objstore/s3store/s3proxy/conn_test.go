package s3proxy

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// TestEndsAtOnce ends connections that somebody else has, too, as a process does that was just forked. The other side learns of it.
func TestEndsAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*conn)
		want error
	}{
		"close": {func(c *conn) { _ = c.Close() }, io.EOF},
		"reset": {(*conn).reset, syscall.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			here, there := pair(t)
			other, err := here.Conn.(*net.TCPConn).File()
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			c.end(here)
			if err := there.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := there.Read(make([]byte, 1)); !errors.Is(err, c.want) {
				t.Errorf("the other side gets %v, want %v", err, c.want)
			}
		})
	}
}

// pair makes a connection: one end as the proxy accepts it, and the client's.
func pair(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	there, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	here, err := (&listener{l, newGate()}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	return here.(*conn), there
}
