package s3store

import (
	"bytes"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"tote/objstore"
)

// multipart makes an upload of a copied and a sent part.
func (p *probe) multipart() error {
	c := &p.s.caps
	c.UploadChecksums = c.Checksums
	if err := p.begin(); err != nil {
		return err
	}
	copied, err := p.copyPart()
	if err != nil {
		return err
	}
	if c.CopyPart && c.UploadChecksums && copied.crc != crcText(sumOf(p.body[1:])) {
		// The server takes the checksum of the source for that of the range, or knows none.
		c.UploadChecksums = false
		if err := p.begin(); err != nil {
			return err
		}
		if copied, err = p.copyPart(); err != nil {
			return err
		}
	}
	sent, err := p.sendPart()
	if err != nil {
		return err
	}
	if c.MinPart == 0 && c.CopyPart {
		whole, err := p.complete(map[int]storedPart{1: copied, 2: sent})
		if whole || err != nil {
			c.MinPart = 1
			return err
		}
	}
	if c.MinPart == 0 {
		c.MinPart = defaultMinPart
	}
	whole, err := p.complete(map[int]storedPart{2: sent})
	if whole || err != nil || !c.CopyPart {
		return err
	}
	c.AllParts = true
	if err := p.begin(); err != nil {
		return err
	}
	if sent, err = p.sendPart(); err != nil {
		return err
	}
	_, err = p.complete(map[int]storedPart{2: sent})
	return err
}

// begin begins an upload, with checksums if the server can.
func (p *probe) begin() error {
	if p.upload != "" {
		if err := p.s.abandon(p.o, p.key, p.upload); err != nil && outcome(err) != errNoUpload {
			return err
		}
		p.upload = ""
	}
	var err error
	p.upload, err = p.s.create(p.o, p.key, nil, p.s.caps.UploadChecksums)
	if p.s.caps.UploadChecksums && outcome(err) == errUnsupported {
		p.s.caps.UploadChecksums = false
		p.upload, err = p.s.create(p.o, p.key, nil, false)
	}
	return err
}

// copyPart copies all of the object but its first byte.
func (p *probe) copyPart() (storedPart, error) {
	size := int64(len(p.body))
	r := copyRange{full: p.key, off: 1, n: size - 1, size: size}
	part, err := p.s.copyOnce(p.o, p.key, p.upload, 1, r)
	if outcome(err) == errUnsupported {
		// AWS copies ranges only of sources that are larger than the smallest part: try the whole.
		r.off, r.n = 0, size
		if part, err = p.s.copyOnce(p.o, p.key, p.upload, 1, r); err == nil && part.crc == crcText(sumOf(p.body)) {
			part.crc = crcText(sumOf(p.body[1:])) // right in its way
		}
	}
	if onlyTemporary(err) != nil {
		return storedPart{}, err
	}
	p.s.caps.CopyPart = err == nil
	return part, nil
}

func (p *probe) sendPart() (storedPart, error) {
	in := &s3.UploadPartInput{
		Bucket: &p.s.opts.Bucket, Key: &p.key, UploadId: &p.upload, PartNumber: aws.Int32(2), Body: bytes.NewReader(p.body),
	}
	crc := crcText(sumOf(p.body))
	if p.s.caps.Checksums {
		in.ChecksumCRC64NVME = &crc
	}
	out, err := p.s.client.UploadPart(p.o.ctx, in, unsigned)
	if err != nil {
		return storedPart{}, err
	}
	return storedPart{etag: readTag(out.ETag), size: int64(len(p.body)), crc: crc}, nil
}

// complete completes the upload of the parts, unless the server finds one too small, and looks at its tag.
func (p *probe) complete(parts map[int]storedPart) (bool, error) {
	var list []objstore.Part
	for number := 1; number <= 2; number++ {
		if part, ok := parts[number]; ok {
			list = append(list, objstore.Part{Number: number, Size: part.size, ETag: part.tag()})
		}
	}
	p.s.caps.MultipartTag = true // has the tag computed, to compare it
	w := p.s.wholeOf(list)
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &p.s.opts.Bucket, Key: &p.key, UploadId: &p.upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: w.list(p.s.caps.UploadChecksums)},
	}
	_, err := p.s.client.CompleteMultipartUpload(p.o.ctx, in)
	if outcome(err) == objstore.ErrPart {
		return false, nil
	}
	if err != nil && outcome(err) != errNoUpload {
		return false, err
	}
	p.upload = ""
	info, _, err := p.s.head(p.o, p.key, p.key)
	p.s.caps.MultipartTag = err == nil && w.tag != "" && info.ETag == w.tag
	return err == nil, err
}
