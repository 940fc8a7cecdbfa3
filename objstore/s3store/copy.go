package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/crc64nvme"

	"tote/objstore"
)

const (
	copyTries = 3
	copyRate  = 32 << 20 // bytes per second that a server surely copies; it may be silent for as long
)

// CopyPart stores a range of another object as a part.
func (u *upload) CopyPart(ctx context.Context, number int, srcKey string, off, n int64) (objstore.Part, error) {
	p, err := u.copyPart(ctx, number, srcKey, off, n)
	return p, wrap("copy part of "+u.key+" from", srcKey, err)
}

func (u *upload) copyPart(ctx context.Context, number int, srcKey string, off, n int64) (objstore.Part, error) {
	if err := objstore.CheckNumber(number); err != nil {
		return objstore.Part{}, err
	}
	ctx, done, err := u.enter(ctx)
	if err != nil {
		return objstore.Part{}, err
	}
	defer done()
	// The source may be replaced between the look at it and the copy.
	for try := 1; ; try++ {
		p, err := u.copyFrom(ctx, number, srcKey, off, n)
		if !errors.Is(err, objstore.ErrChanged) || try == copyTries {
			return p, u.aside(ctx, err)
		}
		u.forget(srcKey)
	}
}

func (u *upload) copyFrom(ctx context.Context, number int, srcKey string, off, n int64) (objstore.Part, error) {
	src, err := u.source(ctx, srcKey)
	if err != nil {
		return objstore.Part{}, err
	}
	n, err = objstore.CheckRange(src.Size, off, n)
	if err != nil {
		return objstore.Part{}, err
	}
	if err := checkPart(number, n); err != nil {
		return objstore.Part{}, err
	}
	if n == 0 {
		return u.part(ctx, number, strings.NewReader(""), 0)
	}
	if !u.s.caps.CopyPart || src.Size <= u.s.caps.MinPart && n < src.Size { // servers may refuse ranges of small objects
		return u.carry(ctx, number, src, off, n)
	}
	p, err := u.copyOnServer(ctx, number, src, off, n)
	if errors.Is(err, errUnsupported) {
		return u.carry(ctx, number, src, off, n)
	}
	return p, err
}

// source describes the source of a copy. An edit of a large object copies many parts of one source, so that it is
// looked at once; its tag keeps that honest.
func (u *upload) source(ctx context.Context, key string) (objstore.Info, error) {
	u.mu.Lock()
	info, ok := u.sources[key]
	u.mu.Unlock()
	if ok {
		return info, nil
	}
	info, _, err := u.s.stat(ctx, key)
	if err != nil {
		return objstore.Info{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sources[key] = info
	return info, nil
}

func (u *upload) forget(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.sources, key)
}

// carry copies through this process. Nothing tells whether a range has arrived as it is in the store, so that it is read twice.
func (u *upload) carry(ctx context.Context, number int, src objstore.Info, off, n int64) (objstore.Part, error) {
	for try := 1; ; try++ {
		want, got := crc64nvme.New(), crc64nvme.New()
		err := u.pass(ctx, src, off, n, func(r io.Reader) error {
			_, err := io.Copy(want, r)
			return err
		})
		if err != nil {
			return objstore.Part{}, err
		}
		var p objstore.Part
		err = u.pass(ctx, src, off, n, func(r io.Reader) error {
			var err error
			p, err = u.part(ctx, number, io.TeeReader(r, got), n)
			return err
		})
		if err != nil || want.Sum64() == got.Sum64() {
			return p, err
		}
		if try == copyTries {
			return objstore.Part{}, fmt.Errorf("%w: %d bytes at %d arrive differently each time", objstore.ErrTemporary, n, off)
		}
	}
}

// pass gives a range of an object to do.
func (u *upload) pass(ctx context.Context, src objstore.Info, off, n int64, do func(io.Reader) error) error {
	body, err := u.s.get(ctx, src.Key, src.ETag, off, n)
	if err != nil {
		return err
	}
	defer body.Close()
	return do(body)
}

func (u *upload) copyOnServer(ctx context.Context, number int, src objstore.Info, off, n int64) (objstore.Part, error) {
	full, err := u.s.full(src.Key)
	if err != nil {
		return objstore.Part{}, err
	}
	o := u.s.begin(ctx, n)
	defer o.end()
	o.quiet = time.Duration(n/copyRate) * time.Second
	stored, err := u.s.copyOnce(o, u.full, u.id, number, copyRange{full: full, etag: src.ETag, off: off, n: n, size: src.Size})
	if outcome(err) == objstore.ErrNotFound { // of the source; of the upload it is errNoUpload
		u.forget(src.Key)
	}
	if err != nil {
		return objstore.Part{}, o.err(err)
	}
	return u.remember(number, stored), nil
}

// copyRange is what is copied.
type copyRange struct {
	full, etag   string
	off, n, size int64
}

func (s *Store) copyOnce(o *op, full, id string, number int, r copyRange) (storedPart, error) {
	in := &s3.UploadPartCopyInput{
		Bucket: &s.opts.Bucket, Key: &full, UploadId: &id, PartNumber: aws.Int32(int32(number)),
		CopySource: aws.String(s.copySource(r.full)),
	}
	if r.etag != "" {
		in.CopySourceIfMatch = aws.String(writeTag(r.etag))
	}
	if r.n < r.size {
		in.CopySourceRange = aws.String(fmt.Sprintf("bytes=%d-%d", r.off, r.off+r.n-1))
	}
	out, err := s.client.UploadPartCopy(o.ctx, in)
	if err != nil {
		return storedPart{}, err
	}
	if out.CopyPartResult == nil || aws.ToString(out.CopyPartResult.ETag) == "" {
		return storedPart{}, fmt.Errorf("%w: it names no tag for a copied part", errServer)
	}
	p := storedPart{etag: readTag(out.CopyPartResult.ETag), size: r.n}
	if s.caps.UploadChecksums {
		p.crc = aws.ToString(out.CopyPartResult.ChecksumCRC64NVME)
	}
	return p, nil
}
