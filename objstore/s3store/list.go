package s3store

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"tote/objstore"
)

// List yields objects in the order of their keys. Every page begins behind the last key of the one before, not at
// a token of the server's, so that a caller may take any time over it.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		fail := func(err error) { yield(objstore.Info{}, wrap("list", prefix, err)) }
		l := newLister(s, prefix, after)
		if err := ctx.Err(); err != nil {
			fail(err)
			return
		}
		for more := l.possible(); more; {
			var page []objstore.Info
			var err error
			if page, more, err = l.next(ctx); err != nil {
				fail(err)
				return
			}
			for _, info := range page {
				if err := ctx.Err(); err != nil {
					fail(err)
					return
				}
				if !yield(info, nil) {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			fail(err)
		}
	}
}

// lister is a list between two pages.
type lister struct {
	s      *Store
	prefix string
	after  string
	base   string // of the S3 keys; what follows it is relative
	front  string // of our keys before what is relative: BucketKeys or ""
	marker string // the server's keys behind it are next; relative
	token  string // where the server went on, used when a page was empty
	last   string // the last key seen, with base
}

func newLister(s *Store, prefix, after string) *lister {
	l := &lister{s: s, prefix: prefix, after: after, base: s.base}
	if s.base != "" && strings.HasPrefix(prefix, BucketKeys) {
		l.base, l.front = "", BucketKeys
	}
	if rest, ok := strings.CutPrefix(after, l.front); ok {
		l.marker = beginOf(rest)
	}
	return l
}

// key is the key of a listed object.
func (l *lister) key(full string) (string, bool) {
	if l.front != "" {
		return l.s.outsideKey(full)
	}
	return l.s.key(full)
}

// possible says whether any key can have the prefix.
func (l *lister) possible() bool {
	if l.prefix == "" {
		return true
	}
	// The key "prefix + x" must be valid: a prefix may end in the middle of a segment and even of a rune.
	p := beginOf(l.prefix)
	if len(l.prefix)-len(p) >= utf8.UTFMax || len(l.prefix) > objstore.MaxKey {
		return false
	}
	if tail := l.prefix[len(p):]; tail != "" && (utf8.FullRuneInString(tail) || !utf8.RuneStart(tail[0])) {
		return false
	}
	key := p + "x"
	return len(key) > objstore.MaxKey || objstore.ValidKey(key) == nil
}

// beginOf is the part of a text that can begin a key. Servers need not cope with the rest.
func beginOf(text string) string {
	for i, r := range text {
		bad := r < 0x20 || r == 0x7f || r == '\\'
		if _, n := utf8.DecodeRuneInString(text[i:]); bad || r == utf8.RuneError && n == 1 {
			return text[:i]
		}
	}
	return text
}

// next gets a page.
func (l *lister) next(ctx context.Context) (page []objstore.Info, more bool, err error) {
	out, err := l.ask(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, object := range out.Contents {
		full, err := decodeKey(object.Key, out.EncodingType)
		if err != nil {
			return nil, false, err
		}
		if full <= l.last {
			return nil, false, fmt.Errorf("%w: it lists %q behind %q; lists must be in the order of the keys' bytes", errServer, full, l.last)
		}
		l.last = full
		if info, ok := l.info(full, object); ok {
			page = append(page, info)
		}
	}
	return page, l.advance(out), nil
}

// info describes a listed object, unless it is not asked for.
func (l *lister) info(full string, object types.Object) (objstore.Info, bool) {
	key, ok := l.key(full)
	if !ok || key <= l.after || !strings.HasPrefix(key, l.prefix) {
		return objstore.Info{}, false
	}
	return objstore.Info{
		Key: key, Size: aws.ToInt64(object.Size), Modified: aws.ToTime(object.LastModified), ETag: readTag(object.ETag),
	}, true
}

// advance sets where the next page begins, if there is one.
func (l *lister) advance(out *s3.ListObjectsV2Output) bool {
	l.token = aws.ToString(out.NextContinuationToken)
	if len(out.Contents) > 0 {
		l.token = ""
		l.marker = strings.TrimPrefix(l.last, l.base)
	}
	return aws.ToBool(out.IsTruncated) && (l.token != "" || len(out.Contents) > 0)
}

func (l *lister) ask(ctx context.Context) (*s3.ListObjectsV2Output, error) {
	o := l.s.begin(ctx, 0)
	defer o.end()
	in := &s3.ListObjectsV2Input{Bucket: &l.s.opts.Bucket, EncodingType: types.EncodingTypeUrl}
	if prefix := l.base + strings.TrimPrefix(beginOf(l.prefix), l.front); prefix != "" {
		in.Prefix = &prefix
	}
	switch {
	case l.token != "":
		in.ContinuationToken = &l.token
	case l.marker != "":
		in.StartAfter = aws.String(l.base + l.marker)
	}
	out, err := l.s.client.ListObjectsV2(o.ctx, in)
	return out, o.err(err)
}

// decodeKey undoes the encoding that was asked for, if the server says it did it.
func decodeKey(key *string, encoding types.EncodingType) (string, error) {
	if encoding != types.EncodingTypeUrl {
		return aws.ToString(key), nil
	}
	plain, err := url.QueryUnescape(aws.ToString(key))
	if err != nil {
		return "", fmt.Errorf("%w: it lists a key that can't be decoded: %s", errServer, aws.ToString(key))
	}
	return plain, nil
}
