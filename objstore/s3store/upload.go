package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"tote/objstore"
)

// upload is one multipart upload as this process knows it. Others may work on the same one.
type upload struct {
	s    *Store
	key  string
	full string
	id   string

	turn chan struct{} // holds a token while nobody completes or aborts

	mu      sync.Mutex
	parts   map[int]storedPart                // guarded by mu; those this process has heard of
	sources map[string]objstore.Info          // guarded by mu; of CopyPart, by key
	running map[*context.CancelCauseFunc]bool // guarded by mu; the parts under way
	idle    sync.WaitGroup                    // counts the parts under way
	aborted bool                              // guarded by mu; no part begins any more
}

// storedPart is a part that the server has.
type storedPart struct {
	etag string
	size int64
	crc  string // "" when not known
}

var _ objstore.Upload = (*upload)(nil)

// NewUpload begins an upload.
func (s *Store) NewUpload(ctx context.Context, key string) (objstore.Upload, error) {
	return s.NewUploadDescribed(ctx, key, nil)
}

// NewUploadDescribed begins an upload of an object with facts.
func (s *Store) NewUploadDescribed(ctx context.Context, key string, facts map[string]string) (objstore.Upload, error) {
	u, err := s.newUpload(ctx, key, facts)
	if err != nil {
		return nil, wrap("begin upload of", key, err)
	}
	return u, nil
}

func (s *Store) newUpload(ctx context.Context, key string, facts map[string]string) (*upload, error) {
	full, err := s.own(key)
	if err != nil {
		return nil, err
	}
	meta, err := writeFacts(facts)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o := s.begin(ctx, 0)
	defer o.end()
	id, err := s.create(o, full, meta, s.caps.UploadChecksums)
	if err != nil {
		return nil, o.err(err)
	}
	return s.uploadOf(key, full, id), nil
}

// create begins an upload on the server. With checksums the server keeps one for every part and makes that of the
// object out of them.
func (s *Store) create(o *op, full string, meta map[string]string, checksums bool) (string, error) {
	in := &s3.CreateMultipartUploadInput{Bucket: &s.opts.Bucket, Key: &full, Metadata: meta}
	if checksums {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
		in.ChecksumType = types.ChecksumTypeFullObject
	}
	out, err := s.client.CreateMultipartUpload(o.ctx, in)
	if err != nil {
		return "", err
	}
	id := aws.ToString(out.UploadId)
	if !validID(id) {
		return "", fmt.Errorf("%w: it names an upload %q", errServer, id)
	}
	return id, nil
}

func (s *Store) uploadOf(key, full, id string) *upload {
	u := &upload{
		s: s, key: key, full: full, id: id, turn: make(chan struct{}, 1),
		parts: map[int]storedPart{}, sources: map[string]objstore.Info{}, running: map[*context.CancelCauseFunc]bool{},
	}
	u.turn <- struct{}{}
	return u
}

// validID keeps ids of no upload from servers that might take them for paths.
func validID(id string) bool {
	return id != "" && len(id) <= 1024 && strings.Trim(id, ".") != "" &&
		!strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == '\\' })
}

func (u *upload) ID() string  { return u.id }
func (u *upload) Key() string { return u.key }

// Part stores a part.
func (u *upload) Part(ctx context.Context, number int, r io.Reader, size int64) (objstore.Part, error) {
	p, err := u.part(ctx, number, r, size)
	return p, wrap("write part of", u.key, err)
}

func (u *upload) part(ctx context.Context, number int, r io.Reader, size int64) (objstore.Part, error) {
	if err := checkPart(number, size); err != nil {
		return objstore.Part{}, err
	}
	ctx, done, err := u.enter(ctx)
	if err != nil {
		return objstore.Part{}, err
	}
	defer done()
	src, err := u.s.take(ctx, r, size)
	if err != nil {
		return objstore.Part{}, u.aside(ctx, err)
	}
	defer src.close()
	var stored storedPart
	err = u.s.resend(ctx, src, func(o *op) error {
		stored, err = u.partOnce(o, number, src)
		return err
	})
	if err != nil {
		return objstore.Part{}, u.aside(ctx, err)
	}
	return u.remember(number, stored), nil
}

func checkPart(number int, size int64) error {
	if err := objstore.CheckNumber(number); err != nil {
		return err
	}
	if size > maxSingle {
		return fmt.Errorf("%w: %d bytes are more than %d", objstore.ErrPart, size, int64(maxSingle))
	}
	return nil
}

func (u *upload) partOnce(o *op, number int, src *source) (storedPart, error) {
	in := &s3.UploadPartInput{
		Bucket: &u.s.opts.Bucket, Key: &u.full, UploadId: &u.id, PartNumber: aws.Int32(int32(number)),
		Body: src.body(o), ContentLength: &src.size,
	}
	in.ChecksumCRC64NVME, in.ContentMD5 = src.sums()
	out, err := u.s.client.UploadPart(o.ctx, in, unsigned)
	if err != nil {
		return storedPart{}, uploadErr(err)
	}
	if err := src.verify(out.ChecksumCRC64NVME); err != nil {
		return storedPart{}, err
	}
	return storedPart{etag: readTag(out.ETag), size: src.size, crc: crcText(src.crc)}, nil
}

// enter begins a part. An Abort ends its context.
func (u *upload) enter(ctx context.Context) (context.Context, func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if _, over := u.s.ended.find(u.id); over {
		return nil, nil, errNoUpload
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.aborted {
		return nil, nil, errNoUpload
	}
	ctx, cancel := context.WithCancelCause(ctx)
	u.running[&cancel] = true
	u.idle.Add(1)
	return ctx, func() {
		u.mu.Lock()
		delete(u.running, &cancel)
		u.mu.Unlock()
		cancel(nil)
		u.idle.Done()
	}, nil
}

// aside is the error of a part that an Abort may have ended.
func (u *upload) aside(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errNoUpload) {
		return cause
	}
	return err
}

// remember notes a part that the server has acknowledged.
func (u *upload) remember(number int, p storedPart) objstore.Part {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[number] = p
	return objstore.Part{Number: number, Size: p.size, ETag: p.tag()}
}

// tag is the part's tag for callers: the server's, and the checksum behind a semicolon, so that another process
// that knows only the tags can still check the whole object.
func (p storedPart) tag() string {
	if p.crc == "" {
		return p.etag
	}
	return p.etag + ";" + p.crc
}

// parsePart is the inverse of tag.
func parsePart(p objstore.Part) storedPart {
	etag, crc, _ := strings.Cut(p.ETag, ";")
	return storedPart{etag: etag, size: p.Size, crc: crc}
}

// same says whether two descriptions of a part agree as far as they go.
func (p storedPart) same(q storedPart) bool {
	return p.etag == q.etag && p.size == q.size && (p.crc == q.crc || p.crc == "" || q.crc == "")
}
