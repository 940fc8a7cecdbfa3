package s3proxy

import (
	"net"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// gate is open or shut. Connections pass it before and after each read and before each write.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // guarded by mu; closed while the gate is open
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
		if !open {
			g.open = make(chan struct{})
		}
	default:
		if open {
			close(g.open)
		}
	}
}

// pass waits until the gate is open, or fails when done is closed before that.
func (g *gate) pass(done <-chan struct{}) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-done:
		return net.ErrClosed
	case <-open:
		return nil
	}
}

// listener hands out connections that pass the gate.
type listener struct {
	net.Listener
	gate *gate
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, gate: l.gate, done: make(chan struct{})}, nil
}

// conn is a client's connection. While the gate is shut nothing is read from it and nothing written, not even what was read just before; closing
// it works at any time.
type conn struct {
	net.Conn
	gate *gate
	once sync.Once
	done chan struct{}
}

func (c *conn) Read(p []byte) (int, error) {
	if err := c.gate.pass(c.done); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if gerr := c.gate.pass(c.done); gerr != nil {
		return 0, gerr
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if err := c.gate.pass(c.done); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close ends the connection at once. Closing alone would not: when this process is just starting another one, that has the connection, too, until
// it runs, and it may have to wait for somebody who waits for this end.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.done)
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	})
	return c.Conn.Close()
}

// reset ends the connection with a TCP reset, at once.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { disconnect(int(fd)) })
		}
	}
	_ = c.Close()
}

// disconnect dissolves the connection of a TCP socket, of which the other side learns by a reset (connect(2) with AF_UNSPEC).
func disconnect(fd int) {
	to := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, _ = unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to)), unsafe.Sizeof(to))
}
