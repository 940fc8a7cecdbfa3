package s3store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
)

// Get returns a range of an object.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return s.GetMatch(ctx, key, "", off, n)
}

// GetMatch returns a range of an object that has the tag.
func (s *Store) GetMatch(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error) {
	body, err := s.get(ctx, key, etag, off, n)
	if err != nil {
		return nil, wrap("get", key, err)
	}
	return body, nil
}

func (s *Store) get(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error) {
	full, err := s.full(key)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// What HTTP has no range for is answered by what the server knows of the object.
	if off < 0 || n == 0 || n > 0 && off > math.MaxInt64-n {
		return s.emptyRange(ctx, key, etag, off, n)
	}
	b := &download{s: s, ctx: ctx, key: key, full: full, etag: etag, off: off, left: n, fresh: true}
	err = b.open()
	if errors.Is(err, objstore.ErrRange) {
		return s.emptyRange(ctx, key, etag, off, n)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// emptyRange answers a range without bytes, or ErrRange.
func (s *Store) emptyRange(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error) {
	info, _, err := s.stat(ctx, key)
	if err != nil {
		return nil, err
	}
	if etag != "" && etag != info.ETag {
		return nil, fmt.Errorf("%w: its tag is %s, not %s", objstore.ErrChanged, info.ETag, etag)
	}
	left, err := objstore.CheckRange(info.Size, off, n)
	if err != nil {
		return nil, err
	}
	if left > 0 {
		return nil, fmt.Errorf("%w: it refuses %d bytes at %d of %d", errServer, n, off, info.Size)
	}
	return io.NopCloser(strings.NewReader("")), nil
}

// download is the body of a Get. When its connection breaks it goes on with another one, at the same byte of the
// same object. It is not for several goroutines at once, as no body is.
type download struct {
	s    *Store
	ctx  context.Context
	key  string
	full string
	etag string // of the object, once it is open
	off  int64
	left int64 // bytes that are still to come; < 0 until the size is known

	body   io.ReadCloser
	cancel context.CancelFunc
	fresh  bool      // bytes have come over this connection
	moved  time.Time // when a connection last ended that brought some
	tries  int       // connections since then
	failed error     // what every further Read says
	closed bool
}

// open asks for what is left.
func (d *download) open() error {
	o := d.s.begin(d.ctx, 0)
	ctx, cancel := context.WithCancel(context.WithValue(d.ctx, opKey{}, o))
	// The body outlives the op, so that it gets a context of its own, which ends with the op until it is open.
	unlink := context.AfterFunc(o.ctx, cancel)
	out, err := d.s.client.GetObject(ctx, d.request())
	err = o.err(err)
	unlink()
	o.end()
	if err == nil {
		if err = d.accept(out); err != nil {
			out.Body.Close()
		}
	}
	if err != nil {
		cancel()
		return err
	}
	d.body, d.cancel = out.Body, cancel
	return nil
}

func (d *download) request() *s3.GetObjectInput {
	in := &s3.GetObjectInput{Bucket: &d.s.opts.Bucket, Key: &d.full}
	if d.etag != "" {
		in.IfMatch = aws.String(writeTag(d.etag))
	}
	switch {
	case d.left > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", d.off, d.off+d.left-1))
	case d.off > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", d.off))
	}
	return in
}

// accept checks that the answer is exactly what was asked for.
func (d *download) accept(out *s3.GetObjectOutput) error {
	length := aws.ToInt64(out.ContentLength)
	first, size := int64(0), length
	if out.ContentRange != nil {
		var ok bool
		if first, size, ok = parseContentRange(*out.ContentRange, length); !ok {
			return fmt.Errorf("%w: %d bytes with the range %q", errServer, length, *out.ContentRange)
		}
	}
	n, err := objstore.CheckRange(size, d.off, d.left)
	switch {
	case err != nil:
		return err
	case first != d.off || length != n || out.ContentLength == nil:
		return fmt.Errorf("%w: asked for %d bytes at %d it sends %d at %d", errServer, n, d.off, length, first)
	}
	tag := readTag(out.ETag)
	if d.etag != "" && tag != "" && tag != d.etag { // some servers don't know If-Match
		return fmt.Errorf("%w: its tag is %s, not %s", objstore.ErrChanged, tag, d.etag)
	}
	d.left = n
	d.etag = cmp.Or(tag, d.etag)
	return nil
}

// parseContentRange reads "bytes first-last/size" and checks it against the length of the body.
func parseContentRange(value string, length int64) (first, size int64, ok bool) {
	span, total, ok1 := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	from, to, ok2 := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	size, err3 := strconv.ParseInt(total, 10, 64)
	if !ok1 || !ok2 || errors.Join(err1, err2, err3) != nil || first < 0 || last >= size || last-first+1 != length {
		return 0, 0, false
	}
	return first, size, true
}

// Read reads on, over as many connections as it takes.
func (d *download) Read(p []byte) (int, error) {
	if d.failed != nil || d.left == 0 || d.closed {
		return 0, d.over()
	}
	for {
		if err := d.ctx.Err(); err != nil {
			return 0, d.fail(err)
		}
		n, err := d.body.Read(p[:min(int64(len(p)), d.left)])
		d.off += int64(n)
		d.left -= int64(n)
		if n > 0 || err == nil {
			d.fresh = true
			return n, nil
		}
		if err := d.reopen(err); err != nil {
			return 0, d.fail(err)
		}
	}
}

// over is what Read says at the end.
func (d *download) over() error {
	switch {
	case d.failed != nil:
		return d.failed
	case d.closed:
		return errors.New("read after close")
	}
	return io.EOF
}

func (d *download) fail(err error) error {
	d.failed = wrap("get", d.key, err)
	return d.failed
}

// reopen replaces a connection that ended before the body did, because of cause.
func (d *download) reopen(cause error) error {
	d.hangUp()
	if d.etag == "" {
		return fmt.Errorf("%w: %s", io.ErrUnexpectedEOF, describe(cause)) // it might be another object by now
	}
	if d.fresh {
		d.fresh, d.moved, d.tries = false, time.Now(), 0
	}
	if _, ok := d.ctx.Deadline(); !ok && time.Since(d.moved) > d.s.opts.Patience {
		return fmt.Errorf("%w: %w: %s", io.ErrUnexpectedEOF, objstore.ErrTemporary, describe(cause))
	}
	if d.tries++; d.tries > 1 {
		if err := sleep(d.ctx, backoff(d.tries)); err != nil {
			return err
		}
	}
	if err := d.open(); err != nil {
		return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return nil
}

func (d *download) hangUp() {
	if d.body != nil {
		d.cancel() // first: closing would read the rest
		d.body.Close()
		d.body = nil
	}
}

// Close hangs up. A body that was read to its end leaves its connection to the next request.
func (d *download) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if d.body != nil && d.left == 0 {
		d.body.Close()
		d.cancel()
		d.body = nil
	}
	d.hangUp()
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
