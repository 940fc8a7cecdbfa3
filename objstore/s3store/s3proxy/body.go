package s3proxy

import (
	"errors"
	"io"
	"net/http"
)

var errCut = errors.New("s3proxy: cut off on purpose")

// tally counts the bytes that are read through it.
type tally struct {
	io.ReadCloser
	add func(n int)
}

func (t *tally) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if n > 0 {
		t.add(n)
	}
	return n, err
}

// cut ends a body after left bytes: then runs once, and its error is what the reader gets.
type cut struct {
	io.ReadCloser
	left int64
	then func() error
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, c.then()
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// flip inverts one bit of the byte that comes after left others.
type flip struct {
	io.ReadCloser
	left int64
	hit  func()
}

func (f *flip) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if f.left >= 0 && f.left < int64(n) {
		p[f.left] ^= 1
		f.hit()
	}
	f.left -= int64(n)
	return n, err
}

// prompt passes everything on at once, so that what stands in front of a cut has been sent and a slow server's client sees what there is.
type prompt struct {
	w       io.Writer
	control *http.ResponseController
}

func (p *prompt) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if err == nil {
		err = p.control.Flush()
	}
	return n, err
}
