package s3store

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"tote/objstore"
)

// ResumeUpload finds an upload again. One that another process completed is found as long as its object may be
// there: Complete then compares that with the parts.
func (s *Store) ResumeUpload(ctx context.Context, key, id string) (objstore.Upload, error) {
	u, err := s.resume(ctx, key, id)
	if err != nil {
		return nil, wrap("resume upload of", key, err)
	}
	return u, nil
}

func (s *Store) resume(ctx context.Context, key, id string) (*upload, error) {
	full, err := s.full(key)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !validID(id) {
		return nil, errNoUpload
	}
	u := s.uploadOf(key, full, id)
	if e, over := s.ended.find(id); over {
		if e.completed && e.info.Key != key {
			return nil, errNoUpload
		}
		return u, e.err()
	}
	o := s.begin(ctx, 0)
	defer o.end()
	u.parts, err = s.listParts(o, full, id)
	if outcome(err) == errNoUpload {
		u.parts = map[int]storedPart{}
		err = s.mayBeDone(o, key, full)
	}
	return u, o.err(err)
}

// mayBeDone tells whether an object is there that an upload can have made.
func (s *Store) mayBeDone(o *op, key, full string) error {
	info, _, err := s.head(o, key, full)
	if err != nil && outcome(err) != objstore.ErrNotFound {
		return err
	}
	if err != nil || s.caps.MultipartTag && !strings.Contains(info.ETag, "-") {
		return errNoUpload
	}
	return nil
}

// listParts gets all parts of an upload.
func (s *Store) listParts(o *op, full, id string) (map[int]storedPart, error) {
	parts := map[int]storedPart{}
	for marker := ""; ; {
		page, err := s.listSomeParts(o, full, id, marker)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Parts {
			stored := storedPart{etag: readTag(p.ETag), size: aws.ToInt64(p.Size)}
			if s.caps.UploadChecksums {
				stored.crc = aws.ToString(p.ChecksumCRC64NVME)
			}
			parts[int(aws.ToInt32(p.PartNumber))] = stored
		}
		next := aws.ToString(page.NextPartNumberMarker)
		if !aws.ToBool(page.IsTruncated) || next == marker || next == "" {
			return parts, nil
		}
		marker = next
	}
}

func (s *Store) listSomeParts(o *op, full, id, marker string) (*s3.ListPartsOutput, error) {
	in := &s3.ListPartsInput{Bucket: &s.opts.Bucket, Key: &full, UploadId: &id}
	if marker != "" {
		in.PartNumberMarker = &marker
	}
	out, err := s.client.ListParts(o.ctx, in)
	return out, uploadErr(err)
}

// Uploads yields the open uploads below the prefix.
func (s *Store) Uploads(ctx context.Context) iter.Seq2[objstore.UploadInfo, error] {
	return func(yield func(objstore.UploadInfo, error) bool) {
		var none objstore.UploadInfo
		if err := ctx.Err(); err != nil {
			yield(none, fmt.Errorf("list uploads: %w", err))
			return
		}
		key, id := "", ""
		for more := true; more; {
			out, err := s.listUploads(ctx, s.base, key, id)
			if err != nil {
				yield(none, fmt.Errorf("list uploads: %w", err))
				return
			}
			for _, u := range out.Uploads {
				if info, ok := s.uploadInfo(u, out.EncodingType); ok && !yield(info, nil) {
					return
				}
			}
			more = aws.ToBool(out.IsTruncated)
			if key, id, err = nextUploads(out, key, id); err != nil {
				yield(none, fmt.Errorf("list uploads: %w", err))
				return
			}
		}
	}
}

func (s *Store) listUploads(ctx context.Context, prefix, key, id string) (*s3.ListMultipartUploadsOutput, error) {
	// No encoding is asked for: Ceph does it without saying so.
	in := &s3.ListMultipartUploadsInput{Bucket: &s.opts.Bucket}
	if prefix != "" {
		in.Prefix = &prefix
	}
	if key != "" {
		in.KeyMarker, in.UploadIdMarker = &key, &id
	}
	o := s.begin(ctx, 0)
	defer o.end()
	out, err := s.client.ListMultipartUploads(o.ctx, in)
	return out, o.err(err)
}

func (s *Store) uploadInfo(u types.MultipartUpload, encoding types.EncodingType) (objstore.UploadInfo, bool) {
	full, err := decodeKey(u.Key, encoding)
	if err != nil {
		return objstore.UploadInfo{}, false
	}
	key, ok := s.key(full)
	return objstore.UploadInfo{Key: key, ID: aws.ToString(u.UploadId), Started: aws.ToTime(u.Initiated)}, ok
}

// nextUploads is where the next page begins.
func nextUploads(out *s3.ListMultipartUploadsOutput, key, id string) (string, string, error) {
	if !aws.ToBool(out.IsTruncated) {
		return "", "", nil
	}
	nextKey, err := decodeKey(out.NextKeyMarker, out.EncodingType)
	nextID := aws.ToString(out.NextUploadIdMarker)
	if err == nil && (nextKey == "" || nextKey == key && nextID == id) {
		err = fmt.Errorf("%w: a list of uploads goes on where it was", errServer)
	}
	return nextKey, nextID, err
}
