package s3store

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func pipe(t *testing.T, stall time.Duration) (*conn, net.Conn) {
	near, far := net.Pipe()
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	return watch(near, stall), far
}

func TestConn_ReadStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pipe(t, 20*time.Second)
		begin := time.Now()
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != 20*time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}

func TestConn_WriteStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := pipe(t, 20*time.Second)
		go io.ReadFull(far, make([]byte, 10))
		begin := time.Now()
		n, err := c.Write(make([]byte, 100))
		// The ten bytes that left earn a second deadline.
		if n != 10 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != 40*time.Second {
			t.Errorf("%d bytes, %v after %s", n, err, time.Since(begin))
		}
	})
}

func TestConn_WritesOnWhileBytesMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := pipe(t, 20*time.Second)
		go func() {
			for range 10 {
				time.Sleep(15 * time.Second)
				io.ReadFull(far, make([]byte, 10))
			}
		}()
		if n, err := c.Write(make([]byte, 100)); n != 100 || err != nil {
			t.Errorf("%d bytes, error %v", n, err)
		}
	})
}

// TestConn_WriteRenewsRead: the read that waits for an answer lives as long as the request is being sent.
func TestConn_WriteRenewsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := pipe(t, 20*time.Second)
		read := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			read <- err
		}()
		for range 10 {
			time.Sleep(15 * time.Second)
			go io.ReadFull(far, make([]byte, 1))
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := far.Write([]byte("y")); err != nil {
			t.Error(err)
		}
		if err := <-read; err != nil {
			t.Error(err)
		}
	})
}
