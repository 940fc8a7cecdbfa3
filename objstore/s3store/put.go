package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
)

// resends is how often a body is sent anew after the server got other bytes than were sent.
const resends = 4

var unsignedPayload = v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware

// Put publishes what r holds.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) (objstore.Info, error) {
	return s.PutDescribed(ctx, key, r, size, nil)
}

// PutDescribed publishes what r holds with facts.
func (s *Store) PutDescribed(ctx context.Context, key string, r io.Reader, size int64, facts map[string]string) (objstore.Info, error) {
	info, err := s.put(ctx, key, r, size, facts)
	return info, wrap("put", key, err)
}

func (s *Store) put(ctx context.Context, key string, r io.Reader, size int64, facts map[string]string) (objstore.Info, error) {
	full, err := s.own(key)
	if err != nil {
		return objstore.Info{}, err
	}
	meta, err := writeFacts(facts)
	if err != nil {
		return objstore.Info{}, err
	}
	if size > maxSingle {
		return objstore.Info{}, fmt.Errorf("%w: %d bytes are more than %d", objstore.ErrSize, size, int64(maxSingle))
	}
	src, err := s.take(ctx, r, size)
	if err != nil {
		return objstore.Info{}, err
	}
	defer src.close()
	var info objstore.Info
	err = s.resend(ctx, src, func(o *op) error {
		info, err = s.putOnce(o, key, full, src, meta)
		return err
	})
	return info, err
}

func (s *Store) putOnce(o *op, key, full string, src *source, meta map[string]string) (objstore.Info, error) {
	in := &s3.PutObjectInput{
		Bucket: &s.opts.Bucket, Key: &full, Body: src.body(o), ContentLength: &src.size, Metadata: meta,
	}
	in.ChecksumCRC64NVME, in.ContentMD5 = src.sums()
	out, err := s.client.PutObject(o.ctx, in, unsigned)
	if err != nil {
		return objstore.Info{}, err
	}
	if err := src.verify(out.ChecksumCRC64NVME); err != nil {
		return objstore.Info{}, err
	}
	return objstore.Info{Key: key, Size: src.size, Modified: answered(out.ResultMetadata), ETag: readTag(out.ETag)}, nil
}

// sums are the checksum headers for the body.
func (src *source) sums() (crc, md5 *string) {
	if src.md5 != "" {
		return nil, &src.md5
	}
	text := crcText(src.crc)
	return &text, nil
}

// verify compares what the server says it has with what was sent.
func (src *source) verify(crc *string) error {
	if crc != nil && *crc != crcText(src.crc) {
		return fmt.Errorf("%w: it has the checksum %s, sent was %s", errDigest, *crc, crcText(src.crc))
	}
	return nil
}

// resend makes a call that sends a body, and makes it again with fresh sums when the bytes were damaged on their
// way, or changed on the disk between the sums and the sending.
func (s *Store) resend(ctx context.Context, src *source, call func(o *op) error) error {
	o := s.begin(ctx, src.size)
	defer o.end()
	for n := 1; ; n++ {
		err := call(o)
		if err == nil {
			return nil
		}
		damaged := errors.Is(err, errDigest) || outcome(err) == errDigest
		if !damaged || n == resends {
			return o.err(damage(err, damaged))
		}
		if err := o.pause(err); err != nil {
			return o.err(err)
		}
		if err := s.again(ctx, src); err != nil {
			return err
		}
	}
}

// damage is the error of a body that never arrived whole.
func damage(err error, damaged bool) error {
	if !damaged {
		return err
	}
	return fmt.Errorf("%w: %d times: %s", objstore.ErrTemporary, resends, describe(err))
}
