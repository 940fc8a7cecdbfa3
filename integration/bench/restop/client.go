package restop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
)

// Client talks to one server.
type Client struct {
	base           string // URL without a slash at its end
	user, password string
	http           *http.Client
}

// New makes a client of the server at base.
func New(base, user, password string) *Client {
	transport := &http.Transport{DisableCompression: true, WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10}
	return &Client{base: strings.TrimSuffix(base, "/"), user: user, password: password, http: &http.Client{Transport: transport}}
}

// Close lets kept connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// File is what is sent: open gives its bytes from the beginning.
type File struct {
	Size int64
	Open func() io.Reader
}

// Put sends a file with one PUT to a path, and returns how long that took.
func (c *Client) Put(ctx context.Context, path string, f File) (time.Duration, error) {
	took, _, err := c.send(ctx, http.MethodPut, path, f.Open(), f.Size, "application/octet-stream")
	return took, err
}

// Post sends a file as a form to inventory binaries, and returns the path where it can be fetched and how long that took.
func (c *Client) Post(ctx context.Context, name string, f File) (path string, took time.Duration, err error) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	if err := w.WriteField("object", `{"name":"`+name+`"}`); err != nil {
		return "", 0, err
	}
	if _, err := w.CreateFormFile("file", name); err != nil {
		return "", 0, err
	}
	end := "\r\n--" + w.Boundary() + "--\r\n"
	size := int64(head.Len()) + f.Size + int64(len(end))
	body := io.MultiReader(&head, f.Open(), strings.NewReader(end))
	took, answer, err := c.send(ctx, http.MethodPost, "/inventory/binaries", body, size, w.FormDataContentType())
	if err != nil {
		return "", 0, err
	}
	var made struct {
		ID     string
		Length int64
	}
	if err := json.Unmarshal(answer, &made); err != nil || made.Length != f.Size {
		return "", 0, fmt.Errorf("POST %s: %.200s is not about %d bytes: %w", name, answer, f.Size, err)
	}
	return "/inventory/binaries/" + made.ID, took, nil
}

// Get reads a file and drops its bytes. It returns how long that took and how many they were.
func (c *Client) Get(ctx context.Context, path string) (took time.Duration, n int64, err error) {
	start := time.Now()
	res, err := c.do(ctx, http.MethodGet, path, nil, 0, "")
	if err != nil {
		return 0, 0, err
	}
	n, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, res.Body, make([]byte, 1<<20))
	return time.Since(start), n, errors.Join(err, res.Body.Close())
}

// Delete removes a file.
func (c *Client) Delete(ctx context.Context, path string) error {
	_, _, err := c.send(ctx, http.MethodDelete, path, nil, 0, "")
	return err
}

func (c *Client) send(ctx context.Context, method, path string, body io.Reader, size int64, contentType string) (took time.Duration, answer []byte, err error) {
	start := time.Now()
	res, err := c.do(ctx, method, path, body, size, contentType)
	if err != nil {
		return 0, nil, err
	}
	answer, err = io.ReadAll(res.Body)
	return time.Since(start), answer, errors.Join(err, res.Body.Close())
}

// do fails when the answer is not a success.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader, size int64, contentType string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	r.ContentLength = size
	r.SetBasicAuth(c.user, c.password)
	r.Header.Set("Accept", "application/json")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(r)
	if err != nil || res.StatusCode < 300 {
		return res, err
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
	return nil, errors.Join(fmt.Errorf("%s %s: %s %q", method, path, res.Status, text), res.Body.Close())
}
