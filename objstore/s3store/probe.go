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
	p := &probe{s: s, o: o, key: s.base + probeName + strings.ToLower(rand.Text()[:16]), body: []byte(strings.Repeat("tote\n", 200))}
	if err := p.reach(); err != nil {
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

// reach finds out whether server, bucket and rights are there at all, and sweeps up behind probes that were killed.
func (p *probe) reach() error {
	in := &s3.ListObjectsV2Input{Bucket: &p.s.opts.Bucket, Prefix: aws.String(p.s.base + probeName)}
	out, err := p.s.client.ListObjectsV2(p.o.ctx, in)
	if err != nil {
		return err
	}
	for _, object := range out.Contents {
		if time.Since(aws.ToTime(object.LastModified)) > probeAge {
			p.remove(p.o.ctx, aws.ToString(object.Key))
		}
	}
	uploads, err := p.s.client.ListMultipartUploads(p.o.ctx, &s3.ListMultipartUploadsInput{Bucket: in.Bucket, Prefix: in.Prefix})
	if err != nil {
		return err
	}
	for _, u := range uploads.Uploads {
		if time.Since(aws.ToTime(u.Initiated)) > probeAge {
			_ = p.s.abandon(p.o, aws.ToString(u.Key), aws.ToString(u.UploadId)) // the next probe tries again
		}
	}
	return nil
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
	if p.upload != "" {
		o := p.s.begin(ctx, 0)
		defer o.end()
		if err := p.s.abandon(o, p.key, p.upload); err != nil {
			p.s.opts.Logger.Warn("an upload of the s3 probe is left", "key", p.key, "err", describe(err))
		}
	}
	if !p.s.caps.TreeKeys {
		p.remove(ctx, p.key+"/x")
	}
	p.remove(ctx, p.key)
}

func (p *probe) remove(ctx context.Context, key string) {
	if _, err := p.s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &p.s.opts.Bucket, Key: &key}); err != nil {
		p.s.opts.Logger.Warn("an object of the s3 probe is left", "key", key, "err", describe(err))
	}
}
