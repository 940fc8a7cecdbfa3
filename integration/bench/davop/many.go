package davop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// PutMany writes n files of size bytes into a collection, with so many clients at a time.
func (c *Client) PutMany(ctx context.Context, dir string, n, size, clients int) (time.Duration, error) {
	body := bytes.Repeat([]byte("tote"), size/4+1)[:size]
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := c.putOne(ctx, fmt.Sprintf("%s/f%06d.txt", dir, i), body); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start), context.Cause(ctx)
}

func (c *Client) putOne(ctx context.Context, path string, body []byte) error {
	res, err := c.do(ctx, http.MethodPut, path, bytes.NewReader(body), nil, http.StatusCreated)
	if err != nil {
		return err
	}
	return drop(res)
}

// propfind asks for what a file manager shows.
const propfind = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>` +
	`<resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>`

// List asks for a collection and its members (PROPFIND, Depth: 1), and returns how long it took until the answer was complete and how many
// resources it named. The collection itself is one of them.
func (c *Client) List(ctx context.Context, dir string) (time.Duration, int, error) {
	header := http.Header{"Depth": {"1"}, "Content-Type": {"application/xml"}}
	start := time.Now()
	res, err := c.do(ctx, "PROPFIND", dir+"/", strings.NewReader(propfind), header, http.StatusMultiStatus)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return time.Since(start), bytes.Count(b, []byte("response>")) / 2, err
}
