package s3store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"tote/objstore"
)

const (
	mib = 1 << 20
	gib = 1 << 30

	maxObject = 5 << 40 // bytes of the largest object of S3
	maxSingle = 5 * gib // of the largest part and the largest single Put

	probeName = ".tote-probe-"
)

// Store is a prefix of a bucket. Use Open.
type Store struct {
	opts    Options
	base    string // prefix and slash, or ""
	client  *s3.Client
	presign *s3.PresignClient
	idle    interface{ CloseIdleConnections() } // may be nil
	caps    Capabilities
	buffers *buffers
	ended   *endings
}

var (
	_ objstore.Store        = (*Store)(nil)
	_ objstore.Resumer      = (*Store)(nil)
	_ objstore.UploadLister = (*Store)(nil)
	_ objstore.Presigner    = (*Store)(nil)
	_ objstore.PutPresigner = (*Store)(nil)
	_ objstore.MatchGetter  = (*Store)(nil)
	_ objstore.Describer    = (*Store)(nil)
	_ objstore.Limiter      = (*Store)(nil)
)

// Close drops the idle connections. Calls under way go on.
func (s *Store) Close() error {
	if s.idle != nil {
		s.idle.CloseIdleConnections()
	}
	return nil
}

// At returns a store at another prefix of the same bucket. It shares the connections, and needs no probe.
func (s *Store) At(prefix string) (*Store, error) {
	other := *s
	other.opts.Prefix = prefix
	if err := other.opts.check(); err != nil {
		return nil, err
	}
	other.base, other.ended = baseOf(prefix), newEndings()
	return &other, nil
}

func baseOf(prefix string) string {
	if prefix == "" {
		return ""
	}
	return prefix + "/"
}

// Limits returns what the server was found to demand.
func (s *Store) Limits() objstore.Limits {
	return objstore.Limits{
		MinPart: s.caps.MinPart, MaxPart: maxSingle, MaxPut: maxSingle,
		MinCopy: s.caps.MinPart + 1, MaxCopy: maxSingle,
		MaxKey:     objstore.MaxKey - len(s.base),
		EqualParts: s.opts.EqualParts, AllParts: s.caps.AllParts, TreeKeys: s.caps.TreeKeys,
	}
}

// full is the S3 key of a caller's key.
func (s *Store) full(key string) (string, error) {
	if err := objstore.ValidKey(key); err != nil {
		return "", err
	}
	if most := objstore.MaxKey - len(s.base); len(key) > most {
		return "", fmt.Errorf("%w: %.40q… is longer than %d bytes", objstore.ErrKey, key, most)
	}
	if strings.HasPrefix(key, probeName) {
		return "", fmt.Errorf("%w: %q belongs to the store", objstore.ErrKey, key)
	}
	if rest, ok := strings.CutPrefix(key, BucketKeys); ok && s.base != "" {
		return s.outside(key, rest)
	}
	return s.base + key, nil
}

// key is the caller's key of an S3 key, if it is one of this store.
func (s *Store) key(full string) (string, bool) {
	key, ok := strings.CutPrefix(full, s.base)
	if !ok || objstore.ValidKey(key) != nil || strings.HasPrefix(key, probeName) {
		return "", false // another tool's directory marker, or the like
	}
	return key, true
}

// Stat describes an object.
func (s *Store) Stat(ctx context.Context, key string) (objstore.Info, error) {
	info, _, err := s.stat(ctx, key)
	return info, wrap("stat", key, err)
}

// StatDescribed describes an object with its facts.
func (s *Store) StatDescribed(ctx context.Context, key string) (objstore.Info, map[string]string, error) {
	info, out, err := s.stat(ctx, key)
	if err != nil {
		return objstore.Info{}, nil, wrap("stat", key, err)
	}
	return info, readFacts(out.Metadata), nil
}

func (s *Store) stat(ctx context.Context, key string) (objstore.Info, *s3.HeadObjectOutput, error) {
	full, err := s.full(key)
	if err != nil {
		return objstore.Info{}, nil, err
	}
	if err := ctx.Err(); err != nil {
		return objstore.Info{}, nil, err
	}
	o := s.begin(ctx, 0)
	defer o.end()
	info, out, err := s.head(o, key, full)
	return info, out, o.err(err)
}

// head asks for everything the server knows of an object. Its errors are those of the SDK.
func (s *Store) head(o *op, key, full string) (objstore.Info, *s3.HeadObjectOutput, error) {
	in := &s3.HeadObjectInput{Bucket: &s.opts.Bucket, Key: &full}
	if s.caps.Checksums {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	out, err := s.client.HeadObject(o.ctx, in)
	if err != nil {
		return objstore.Info{}, nil, err
	}
	info := objstore.Info{
		Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified), ETag: readTag(out.ETag),
	}
	return info, out, nil
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, key string) error {
	return wrap("delete", key, s.remove(ctx, key))
}

func (s *Store) remove(ctx context.Context, key string) error {
	full, err := s.full(key)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	o := s.begin(ctx, 0)
	defer o.end()
	_, err = s.client.DeleteObject(o.ctx, &s3.DeleteObjectInput{Bucket: &s.opts.Bucket, Key: &full})
	switch err := o.err(err); {
	case err == nil, isMissing(err), s.caps.TreeKeys && isTreeKey(err):
		return nil
	default:
		return err
	}
}

// readTag takes the quotes off an entity tag.
func readTag(tag *string) string {
	t := aws.ToString(tag)
	if len(t) >= 2 && t[0] == '"' && t[len(t)-1] == '"' {
		return t[1 : len(t)-1]
	}
	return t
}

// writeTag is an entity tag as headers have it.
func writeTag(tag string) string {
	if strings.HasPrefix(tag, `W/"`) {
		return tag
	}
	return `"` + tag + `"`
}

// answered is when the server answered, by its clock, to the second as it tells the age of objects.
func answered(m middleware.Metadata) time.Time {
	if t, ok := awsmiddleware.GetServerTime(m); ok {
		return t.Truncate(time.Second)
	}
	return time.Now().Truncate(time.Second)
}

// copySource is a key as the header of a copy wants it: percent-encoded, slashes excepted.
func (s *Store) copySource(full string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s.opts.Bucket + "/" + full) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}

// unsigned keeps the signer from reading the body for a SHA-256: the checksum header, which is signed, says more
// about it for less.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, unsignedPayload)
}
