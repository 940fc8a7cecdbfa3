package s3store

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what old servers check bodies with
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/minio/crc64nvme"

	"tote/objstore"
)

const (
	smallBody = 128 << 10 // bodies up to it are read once and kept
	hashChunk = 256 << 10
)

// source is a body that can be sent more than once.
type source struct {
	at      io.ReaderAt
	off     int64
	size    int64
	crc     uint64
	md5     string // "" unless the server wants it
	cleanup func()
}

// buffers are reused: most bodies are small, and come many at a time.
type buffers struct {
	small, chunk sync.Pool
}

func newBuffers() *buffers {
	sized := func(n int) func() any {
		return func() any { b := make([]byte, n); return &b }
	}
	return &buffers{small: sync.Pool{New: sized(smallBody)}, chunk: sync.Pool{New: sized(hashChunk)}}
}

// take reads a caller's body to its end, checks its size and computes its sums. The caller closes the source.
func (s *Store) take(ctx context.Context, r io.Reader, size int64) (*source, error) {
	if size < 0 {
		return nil, fmt.Errorf("%w: size %d is negative", objstore.ErrSize, size)
	}
	src := &source{size: size, cleanup: func() {}}
	exact := objstore.Exactly(ctx, r, size)
	var err error
	switch at, off, ok := rereadable(r); {
	case size <= smallBody:
		err = s.keepSmall(src, exact)
	case ok:
		src.at, src.off = at, off
		err = s.sum(src, exact, io.Discard)
	case size <= s.opts.Spool:
		buf := bytes.NewBuffer(make([]byte, 0, size))
		err = s.sum(src, exact, buf)
		src.at = bytes.NewReader(buf.Bytes())
	default:
		err = s.keepFile(src, exact)
	}
	if err != nil {
		src.close()
		return nil, err
	}
	return src, nil
}

// rereadable tells whether a reader can be read again, and from where.
func rereadable(r io.Reader) (io.ReaderAt, int64, bool) {
	ra, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil, 0, false
	}
	off, err := ra.Seek(0, io.SeekCurrent)
	return ra, off, err == nil
}

func (s *Store) keepSmall(src *source, r io.Reader) error {
	buf := s.buffers.small.Get().(*[]byte)
	src.cleanup = func() { s.buffers.small.Put(buf) }
	into := bytes.NewBuffer((*buf)[:0])
	err := s.sum(src, r, into)
	src.at = bytes.NewReader(into.Bytes())
	return err
}

func (s *Store) keepFile(src *source, r io.Reader) error {
	f, err := os.CreateTemp(s.opts.TempDir, "tote-s3-*")
	if err != nil {
		return err
	}
	src.at, src.cleanup = f, func() { f.Close() }
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	return s.sum(src, r, f)
}

// sum reads r to its end into w and takes its sums.
func (s *Store) sum(src *source, r io.Reader, w io.Writer) error {
	crc, digest := crc64nvme.New(), hash.Hash(nil)
	to := []io.Writer{crc, w}
	if !s.caps.Checksums {
		digest = md5.New() //nolint:gosec // see above
		to = append(to, digest)
	}
	chunk := s.buffers.chunk.Get().(*[]byte)
	defer s.buffers.chunk.Put(chunk)
	if _, err := io.CopyBuffer(io.MultiWriter(to...), onlyReader{r}, *chunk); err != nil {
		return err
	}
	src.crc = crc.Sum64()
	if digest != nil {
		src.md5 = base64.StdEncoding.EncodeToString(digest.Sum(nil))
	}
	return nil
}

// onlyReader keeps io.CopyBuffer to its buffer.
type onlyReader struct{ io.Reader }

// again takes the sums once more: the bytes on disk may have changed since.
func (s *Store) again(ctx context.Context, src *source) error {
	return s.sum(src, objstore.Exactly(ctx, io.NewSectionReader(src.at, src.off, src.size), src.size), io.Discard)
}

func (src *source) close() { src.cleanup() }

// body is the source for one call of the SDK.
func (src *source) body(o *op) io.ReadSeeker {
	return &body{SectionReader: io.NewSectionReader(src.at, src.off, src.size), op: o}
}

// body tells the op when the caller's bytes can't be read any more: repeating would not help.
type body struct {
	*io.SectionReader
	op *op
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.SectionReader.Read(p)
	at, seekErr := b.Seek(0, io.SeekCurrent)
	switch {
	case err == nil || seekErr != nil:
	case !errors.Is(err, io.EOF):
		b.op.broken(err)
	case at < b.Size():
		b.op.broken(fmt.Errorf("%w: it became shorter while it was sent", objstore.ErrSize))
	}
	return n, err
}

// sumOf is the CRC of bytes in memory.
func sumOf(p []byte) uint64 {
	h := crc64nvme.New()
	h.Write(p)
	return h.Sum64()
}
