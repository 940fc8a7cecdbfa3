package s3store

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
)

const (
	defaultMinPart = 5 * mib
	probeAge       = 10 * time.Minute // older ones were left behind by a process that was killed
	cleanTimeout   = 10 * time.Second
)

// probe tries out the server with an object, and an upload of its own.
type probe struct {
	s      *Store
	o      *op
	key    string
	body   []byte
	upload string // the open upload of key, or ""
}

// probe fills in s.caps.
func (s *Store) probe(ctx context.Context) error {
	o := s.begin(ctx, 0)
	defer o.end()
	p := &probe{s: s, o: o, key: s.probeKey(), body: []byte(strings.Repeat("tote\n", 200))}
	if err := p.sweep(o); err != nil {
		return p.explain(err)
	}
	defer p.clean(ctx)
	s.caps = Capabilities{Checksums: true, ConditionalPut: true, CopyPart: true, MinPart: s.opts.PartMin}
	for _, step := range []func() error{p.first, p.conditional, p.checksum, p.tree, p.multipart} {
		if err := step(); err != nil {
			return p.explain(err)
		}
	}
	return nil
}

// explain is the error that ends Open.
func (p *probe) explain(err error) error {
	if ctxErr := p.o.caller.Err(); p.o.ctx.Err() != nil || temporary(err) {
		if ctxErr == context.Canceled {
			return ctxErr
		}
		where := p.s.opts.Endpoint
		if where == "" {
			where = "aws"
		}
		p.o.mu.Lock()
		defer p.o.mu.Unlock()
		if p.o.last != nil {
			err = p.o.last
		}
		return fmt.Errorf("%w: no s3 server answers at %s: %s", objstore.ErrTemporary, where, describe(err))
	}
	return p.s.advise(err)
}

// probeKey is where the store tries things out.
func (s *Store) probeKey() string {
	owner := s.opts.Owner
	if owner == "" {
		owner = strings.ToLower(rand.Text()[:16])
	}
	return s.base + probeName + owner
}

// sweep removes what probes left behind that were killed, or were never told that something was begun for them. At the start it also finds out
// whether server, bucket and rights are there at all.
func (p *probe) sweep(o *op) error {
	in := &s3.ListObjectsV2Input{Bucket: &p.s.opts.Bucket, Prefix: aws.String(p.s.base + probeName)}
	out, err := p.s.client.ListObjectsV2(o.ctx, in)
	if err != nil {
		return err
	}
	for _, object := range out.Contents {
		if key := aws.ToString(object.Key); p.stale(key, object.LastModified) {
			p.remove(o.ctx, key)
		}
	}
	uploads, err := p.s.client.ListMultipartUploads(o.ctx, &s3.ListMultipartUploadsInput{Bucket: in.Bucket, Prefix: in.Prefix})
	if err != nil {
		return err
	}
	for _, u := range uploads.Uploads {
		if key := aws.ToString(u.Key); p.stale(key, u.Initiated) {
			p.end(o, key, aws.ToString(u.UploadId))
		}
	}
	return nil
}

// stale tells whether nobody needs a key any more: one of this owner, who has no other probe, or of one that must be dead by now.
func (p *probe) stale(key string, since *time.Time) bool {
	return key == p.key || strings.HasPrefix(key, p.key+"/") || time.Since(aws.ToTime(since)) > probeAge
}

// end ends an upload. One that stays is found by the next probe.
func (p *probe) end(o *op, key, id string) {
	if err := p.s.abandon(o, key, id); err != nil && outcome(err) != errNoUpload {
		p.s.opts.Logger.Warn("an upload of the s3 probe is left", "key", key, "err", describe(err))
	}
}

// put puts the probe object, perhaps only where there is none, with the given checksum or none.
func (p *probe) put(key string, conditional bool, crc *uint64) error {
	in := &s3.PutObjectInput{Bucket: &p.s.opts.Bucket, Key: &key, Body: bytes.NewReader(p.body)}
	if conditional {
		in.IfNoneMatch = aws.String("*")
	}
	if crc != nil {
		in.ChecksumCRC64NVME = aws.String(crcText(*crc))
	}
	_, err := p.s.client.PutObject(p.o.ctx, in, unsigned)
	return err
}

// first puts the object in the strictest way the server takes.
func (p *probe) first() error {
	c, crc := &p.s.caps, sumOf(p.body)
	err := p.put(p.key, true, &crc)
	if outcome(err) == errUnsupported {
		c.ConditionalPut = false
		err = p.put(p.key, false, &crc)
	}
	if outcome(err) == errUnsupported {
		c.Checksums = false
		err = p.put(p.key, false, nil)
	}
	if outcome(err) == objstore.ErrChanged {
		return nil // a repeat of a request whose answer was lost
	}
	return err
}

// conditional puts it a second time, which must fail.
func (p *probe) conditional() error {
	if !p.s.caps.ConditionalPut {
		return nil
	}
	err := p.put(p.key, true, nil)
	p.s.caps.ConditionalPut = outcome(err) == objstore.ErrChanged
	return onlyTemporary(err)
}

// checksum puts it with a wrong checksum, which must fail.
func (p *probe) checksum() error {
	if !p.s.caps.Checksums {
		return nil
	}
	wrong := ^sumOf(p.body)
	err := p.put(p.key, false, &wrong)
	p.s.caps.Checksums = err != nil
	return onlyTemporary(err)
}

// tree puts an object below the object.
func (p *probe) tree() error {
	err := p.put(p.key+"/x", false, nil)
	p.s.caps.TreeKeys = err != nil
	return onlyTemporary(err)
}

// onlyTemporary drops refusals: they are the answer of a probe.
func onlyTemporary(err error) error {
	if o := outcome(err); o == objstore.ErrTemporary || o == objstore.ErrDenied || o == objstore.ErrNoSpace || err != nil && statusOf(err) == 0 {
		return err
	}
	return nil
}

// clean removes what the probe made, also when the caller has given up.
func (p *probe) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	o := p.s.begin(ctx, 0)
	defer o.end()
	if p.upload != "" {
		p.end(o, p.key, p.upload)
	}
	if err := p.sweep(o); err != nil {
		p.s.opts.Logger.Warn("what the s3 probe made may be left", "key", p.key, "err", describe(err))
	}
}

func (p *probe) remove(ctx context.Context, key string) {
	if _, err := p.s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &p.s.opts.Bucket, Key: &key}); err != nil {
		p.s.opts.Logger.Warn("an object of the s3 probe is left", "key", key, "err", describe(err))
	}
}
