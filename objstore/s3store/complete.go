package s3store

import (
	"context"
	"crypto/md5" //nolint:gosec // what S3 makes the tags of uploads of
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"tote/objstore"
)

// appear is how long another object may be seen in the place of one whose upload the server calls completed.
const appear = 10 * time.Second

var errAbsent = errors.New("the upload is completed, but its object is not there")

// Complete publishes the listed parts.
func (u *upload) Complete(ctx context.Context, parts []objstore.Part) (objstore.Info, error) {
	if err := u.takeTurn(ctx); err != nil {
		return objstore.Info{}, wrap("complete upload of", u.key, err)
	}
	defer u.endTurn()
	info, err := u.complete(ctx, parts)
	return info, wrap("complete upload of", u.key, err)
}

func (u *upload) takeTurn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-u.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *upload) endTurn() { u.turn <- struct{}{} }

// complete is called with the turn.
func (u *upload) complete(ctx context.Context, parts []objstore.Part) (objstore.Info, error) {
	if e, over := u.s.ended.find(u.id); over {
		return e.info, e.err()
	}
	if u.wasAborted() {
		return objstore.Info{}, errNoUpload
	}
	if err := objstore.CheckParts(parts); err != nil {
		return objstore.Info{}, err
	}
	w := u.s.wholeOf(parts)
	o := u.s.begin(ctx, 0)
	defer o.end()
	o.quiet = time.Duration(w.size/copyRate) * time.Second
	info, err := u.publish(o, w)
	if err != nil {
		return objstore.Info{}, o.err(err)
	}
	u.s.ended.add(u.id, ending{info: info, completed: true})
	return info, nil
}

func (u *upload) publish(o *op, w *whole) (objstore.Info, error) {
	err := u.check(o, w)
	if err == nil {
		err = u.join(o, w)
	}
	switch outcome(err) {
	case errNoUpload, objstore.ErrPart:
		// A request whose answer was lost looks like this from behind. What counts is the object.
		info, there, statErr := u.published(o, w)
		if statErr != nil || there {
			return info, statErr
		}
		return objstore.Info{}, err
	}
	if err != nil {
		return objstore.Info{}, err
	}
	return u.appeared(o, w)
}

// check compares the list with the parts this process knows, and with the server's list where they differ: another
// process may have stored some.
func (u *upload) check(o *op, w *whole) error {
	if u.knows(w) == nil {
		return w.fits(u.s.Limits())
	}
	stored, err := u.s.listParts(o, u.full, u.id)
	if err != nil {
		return err
	}
	u.mu.Lock()
	for number, p := range stored {
		if old, ok := u.parts[number]; ok && old.same(p) {
			continue // what is known already may have a checksum
		}
		u.parts[number] = p
	}
	u.mu.Unlock()
	if err := u.knows(w); err != nil {
		return err
	}
	return w.fits(u.s.Limits())
}

// knows checks the list against the known parts, and fills in what they tell.
func (u *upload) knows(w *whole) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, want := range w.parts {
		p, ok := u.parts[w.numbers[i]]
		if !ok || !p.same(want) {
			return fmt.Errorf("%w: number %d", objstore.ErrPart, w.numbers[i])
		}
		if want.crc == "" {
			w.parts[i].crc = p.crc
		}
	}
	w.sum()
	return nil
}

// join has the server publish the parts.
func (u *upload) join(o *op, w *whole) error {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.s.opts.Bucket, Key: &u.full, UploadId: &u.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: w.list(u.s.caps.UploadChecksums)},
	}
	if u.s.caps.UploadChecksums {
		in.ChecksumType = types.ChecksumTypeFullObject
		if w.summed {
			in.ChecksumCRC64NVME = aws.String(crcText(w.crc))
		}
	}
	out, err := u.s.client.CompleteMultipartUpload(o.ctx, in)
	if err != nil {
		return uploadErr(err)
	}
	if !w.matches(aws.ToString(out.ChecksumCRC64NVME), out.ChecksumType) {
		return fmt.Errorf("%w: the object has the checksum %s, its parts make %s", errServer, *out.ChecksumCRC64NVME, crcText(w.crc))
	}
	return nil
}

// published looks whether the object is what the parts make.
func (u *upload) published(o *op, w *whole) (objstore.Info, bool, error) {
	info, out, err := u.s.head(o, u.key, u.full)
	switch {
	case outcome(err) == objstore.ErrNotFound:
		return objstore.Info{}, false, nil
	case err != nil:
		return objstore.Info{}, false, err
	}
	return info, w.is(info, out), nil
}

// appeared waits for the object of an upload that the server calls completed: it may still be at work for a request
// whose answer was lost. Another object that stays there was put by somebody else since.
func (u *upload) appeared(o *op, w *whole) (objstore.Info, error) {
	start := time.Now()
	for {
		info, there, err := u.published(o, w)
		switch {
		case err != nil || there:
			return info, err
		case info.Key != "" && time.Since(start) > appear:
			return objstore.Info{Key: u.key, Size: w.size, Modified: info.Modified, ETag: w.tag}, nil
		}
		if err := o.pause(errAbsent); err != nil {
			return objstore.Info{}, err
		}
	}
}

// whole is the object that a list of parts makes.
type whole struct {
	numbers []int
	parts   []storedPart
	size    int64
	tag     string // as S3 makes it; "" when the parts' tags are no MD5s
	crc     uint64
	summed  bool // crc is known
}

func (s *Store) wholeOf(parts []objstore.Part) *whole {
	w := &whole{}
	digest, plain := md5.New(), s.caps.MultipartTag //nolint:gosec // see above
	for _, p := range parts {
		stored := parsePart(p)
		w.numbers = append(w.numbers, p.Number)
		w.parts = append(w.parts, stored)
		w.size += p.Size
		raw, err := hex.DecodeString(stored.etag)
		plain = plain && err == nil && len(raw) == md5.Size
		digest.Write(raw)
	}
	if plain {
		w.tag = fmt.Sprintf("%x-%d", digest.Sum(nil), len(parts))
	}
	w.sum()
	return w
}

// sum joins the checksums of the parts, if all are known.
func (w *whole) sum() {
	w.crc, w.summed = 0, true
	for i, p := range w.parts {
		crc, ok := crcParse(p.crc)
		if !ok {
			w.summed = false
			return
		}
		if i == 0 {
			w.crc = crc
		} else {
			w.crc = crcJoin(w.crc, crc, p.size)
		}
	}
}

// fits checks the sizes of the parts.
func (w *whole) fits(l objstore.Limits) error {
	for i, p := range w.parts[:len(w.parts)-1] {
		if p.size < l.MinPart {
			return fmt.Errorf("%w: number %d has %d bytes, less than %d", objstore.ErrPart, w.numbers[i], p.size, l.MinPart)
		}
		if l.EqualParts && p.size != w.parts[0].size {
			return fmt.Errorf("%w: number %d has %d bytes, the first has %d; all must be equal", objstore.ErrPart, w.numbers[i], p.size, w.parts[0].size)
		}
	}
	return nil
}

func (w *whole) list(checksums bool) []types.CompletedPart {
	list := make([]types.CompletedPart, len(w.parts))
	for i, p := range w.parts {
		list[i] = types.CompletedPart{PartNumber: aws.Int32(int32(w.numbers[i])), ETag: aws.String(writeTag(p.etag))}
		if checksums && p.crc != "" {
			list[i].ChecksumCRC64NVME = aws.String(p.crc)
		}
	}
	return list
}

// matches compares a checksum of the whole object, where both sides know one.
func (w *whole) matches(crc string, kind types.ChecksumType) bool {
	if crc == "" || !w.summed || kind != types.ChecksumTypeFullObject {
		return true
	}
	return crc == crcText(w.crc)
}

// is says whether an object is the one that the parts make.
func (w *whole) is(info objstore.Info, out *s3.HeadObjectOutput) bool {
	if info.Size != w.size {
		return false
	}
	crc := aws.ToString(out.ChecksumCRC64NVME)
	if !w.matches(crc, out.ChecksumType) {
		return false
	}
	if w.tag != "" {
		return info.ETag == w.tag
	}
	compared := crc != "" && w.summed && out.ChecksumType == types.ChecksumTypeFullObject
	return compared || strings.HasSuffix(info.ETag, fmt.Sprintf("-%d", len(w.parts)))
}
