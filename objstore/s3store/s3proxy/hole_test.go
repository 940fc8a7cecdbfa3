package s3proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"
)

// TestHole makes a black hole while one connection is idle and a download is under way. Neither they nor new ones get anywhere until the
// hole is gone; then they go on.
func TestHole(t *testing.T) {
	middle, rest := make(chan struct{}), make(chan struct{}, 1)
	p, c := setup(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/b/small" {
			return
		}
		w.Write(object())
		w.(http.Flusher).Flush()
		close(middle)
		select {
		case <-rest:
		case <-r.Context().Done():
		}
		w.Write(object())
	})
	if _, _, err := send(t, c, "GET", p.URL()+"/b/small", nil); err != nil {
		t.Fatal(err)
	}
	resp, err := c.Get(p.URL() + "/b/large")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-middle
	if _, err := io.ReadFull(resp.Body, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	p.Hole(true)
	p.Hole(true)
	rest <- struct{}{}
	calls := p.Total().Calls
	ended := make(chan error, 2)
	go func() {
		n, err := io.Copy(io.Discard, resp.Body)
		if err == nil && n != size {
			err = io.ErrUnexpectedEOF
		}
		ended <- err
	}()
	go func() {
		_, _, err := send(t, c, "GET", p.URL()+"/b/small", nil)
		ended <- err
	}()
	giveUp(t, c, p)
	select {
	case err := <-ended:
		t.Errorf("something came out of a black hole: %v", err)
	default:
	}
	if n := p.Total().Calls; n != calls {
		t.Errorf("%d calls went into a black hole", n-calls)
	}
	p.Hole(false)
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// giveUp makes a call that ends with the caller's patience.
func giveUp(t *testing.T, c *http.Client, p *Proxy) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "PUT", p.URL()+"/b/small", bytes.NewReader(object()))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := c.Do(r); err == nil {
		resp.Body.Close()
		t.Error("a black hole answers")
	}
}

// TestCloseInHole closes a proxy while it is a black hole with calls in it.
func TestCloseInHole(t *testing.T) {
	p, c := setup(t, func(http.ResponseWriter, *http.Request) {})
	p.Hole(true)
	giveUp(t, c, p)
	ended := make(chan error, 1)
	go func() {
		_, _, err := send(t, c, "GET", p.URL()+"/b/small", nil)
		ended <- err
	}()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("a closed proxy answers")
	}
}
