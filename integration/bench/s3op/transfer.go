package s3op

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/integration/bench/fsop"
)

// Upload makes an object of n blocks with the SDK's uploader.
func (c *Client) Upload(ctx context.Context, key string, p *fsop.Pattern, n int) (time.Duration, error) {
	start := time.Now()
	_, err := c.transfer.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &c.bucket, Key: &key, Body: p.Reader(n)})
	return time.Since(start), err
}

// sink counts what is written through it.
type sink struct {
	w io.WriterAt
	n atomic.Int64
}

func (s *sink) WriteAt(p []byte, off int64) (int, error) {
	n, err := s.w.WriteAt(p, off)
	s.n.Add(int64(n))
	return n, err
}

type nowhere struct{}

func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// Download reads an object with the SDK's downloader, in ranges, and throws it away.
func (c *Client) Download(ctx context.Context, key string) (time.Duration, int64, error) {
	return c.download(ctx, key, nowhere{})
}

// DownloadFile is Download into a new file, which is what somebody who downloads wants.
func (c *Client) DownloadFile(ctx context.Context, key, path string) (time.Duration, int64, error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, 0, err
	}
	d, n, err := c.download(ctx, key, file)
	return d, n, errors.Join(err, file.Close(), os.Remove(path))
}

func (c *Client) download(ctx context.Context, key string, w io.WriterAt) (time.Duration, int64, error) {
	to := sink{w: w}
	start := time.Now()
	_, err := c.transfer.DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: &c.bucket, Key: &key, WriterAt: &to})
	return time.Since(start), to.n.Load(), err
}

// PutMany makes n objects of size bytes below a prefix with single calls from so many goroutines.
func (c *Client) PutMany(ctx context.Context, prefix string, n, size, writers int) (time.Duration, error) {
	body := bytes.Repeat([]byte("tote"), size/4+1)[:size]
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range writers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				key := fmt.Sprintf("%s/f%06d.txt", prefix, i)
				if _, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, Body: bytes.NewReader(body)}); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(start), context.Cause(ctx)
}
