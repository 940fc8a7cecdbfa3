package s3store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
)

// maxTTL is the longest time that S3 lets a signature live.
const maxTTL = 7 * 24 * time.Hour

// PresignGet makes a URL with which anyone can read an object, for a week at most.
func (s *Store) PresignGet(ctx context.Context, key string, ttl time.Duration) (string, error) {
	full, err := s.full(key)
	if err != nil {
		return "", wrap("presign", key, err)
	}
	out, err := s.presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &s.opts.Bucket, Key: &full}, expires(ttl))
	if err != nil {
		return "", wrap("presign", key, explain(err))
	}
	return out.URL, nil
}

// PresignPut makes a request with which anyone can store an object of exactly this size and type; a negative size and
// an empty type leave them open.
func (s *Store) PresignPut(ctx context.Context, key string, ttl time.Duration, size int64, contentType string) (objstore.Presigned, error) {
	full, err := s.own(key)
	if err != nil {
		return objstore.Presigned{}, wrap("presign", key, err)
	}
	if size > maxSingle {
		return objstore.Presigned{}, wrap("presign", key, fmt.Errorf("%w: %d bytes are more than %d", objstore.ErrSize, size, int64(maxSingle)))
	}
	in := &s3.PutObjectInput{Bucket: &s.opts.Bucket, Key: &full}
	if size >= 0 {
		in.ContentLength = &size
	}
	if contentType != "" {
		in.ContentType = &contentType
	}
	out, err := s.presign.PresignPutObject(ctx, in, expires(ttl))
	if err != nil {
		return objstore.Presigned{}, wrap("presign", key, explain(err))
	}
	p := objstore.Presigned{URL: out.URL, Method: out.Method, Header: map[string]string{}}
	for name, values := range out.SignedHeader {
		// HTTP clients make these two themselves, and browsers let nobody else.
		if !strings.EqualFold(name, "Host") && !strings.EqualFold(name, "Content-Length") {
			p.Header[name] = strings.Join(values, ",")
		}
	}
	return p, nil
}

func expires(ttl time.Duration) func(*s3.PresignOptions) {
	return s3.WithPresignExpires(min(max(ttl, time.Second), maxTTL))
}
