package davop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client talks to one server.
type Client struct {
	base           string // URL of the root collection, ends in "/"
	user, password string // "" without login
	http           *http.Client
}

// maxClients is how many requests of one Client may run at the same time on connections that are kept.
const maxClients = 16

// New makes a client of the collection at base. An empty user means a server without login.
func New(base, user, password string) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: maxClients, DisableCompression: true}
	return &Client{base: strings.TrimSuffix(base, "/") + "/", user: user, password: password, http: &http.Client{Transport: transport}}
}

// Close lets kept connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// url of a path below the root collection.
func (c *Client) url(path string) string {
	return c.base + (&url.URL{Path: strings.TrimPrefix(path, "/")}).EscapedPath()
}

// do sends a request and fails when the status is not one of those wanted. The caller closes the body.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader, header http.Header, want ...int) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url(path), body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		r.Header = header.Clone()
	}
	if c.user != "" {
		r.SetBasicAuth(c.user, c.password)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	for _, status := range want {
		if res.StatusCode == status {
			return res, nil
		}
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
	return nil, fmt.Errorf("%s %s: %s %q", method, path, res.Status, text)
}

// drop reads an answer to its end, so that the connection is kept.
func drop(res *http.Response) error {
	_, err := io.Copy(io.Discard, res.Body)
	return errors.Join(err, res.Body.Close())
}

// Mkcol makes a collection.
func (c *Client) Mkcol(ctx context.Context, path string) error {
	res, err := c.do(ctx, "MKCOL", path, nil, nil, http.StatusCreated)
	if err != nil {
		return err
	}
	return drop(res)
}

// Delete removes a file or a collection.
func (c *Client) Delete(ctx context.Context, path string) error {
	res, err := c.do(ctx, http.MethodDelete, path, nil, nil, http.StatusNoContent, http.StatusOK)
	if err != nil {
		return err
	}
	return drop(res)
}

// Check reads a file and calls see with consecutive blocks of the given size; the last one may be shorter.
func (c *Client) Check(ctx context.Context, path string, block int, see func(i int, got []byte) error) error {
	res, err := c.do(ctx, http.MethodGet, path, nil, nil, http.StatusOK)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	buf := make([]byte, block)
	for i := 0; ; i++ {
		n, err := io.ReadFull(res.Body, buf)
		if n > 0 {
			if err := see(i, buf[:n]); err != nil {
				return fmt.Errorf("GET %s: %w", path, err)
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && n > 0 && res.ContentLength == int64(i)*int64(block)+int64(n):
			return nil
		case err != nil:
			return fmt.Errorf("GET %s: %w", path, err)
		}
	}
}
