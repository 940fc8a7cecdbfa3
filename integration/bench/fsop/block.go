package fsop

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// Block is the size of one read or write of the sequential operations.
const Block = 1 << 20

// Pattern makes the bytes of big files: one block that does not compress, with its number in front. Two blocks of a file differ, so a
// block that is missing, stale or in the wrong place is found.
type Pattern struct{ block []byte }

// NewPattern makes a pattern; equal seeds make equal files.
func NewPattern(seed uint64) *Pattern {
	p := &Pattern{block: make([]byte, Block)}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	_, _ = rand.NewChaCha8(key).Read(p.block) // never fails
	return p
}

// At returns the i-th block. It is valid until the next call.
func (p *Pattern) At(i int) []byte {
	binary.LittleEndian.PutUint64(p.block, uint64(i))
	return p.block
}

// Reader reads the first n blocks as a stream, which is what a program writes. It uses the pattern until its end.
func (p *Pattern) Reader(n int) io.Reader { return &blocks{pattern: p, n: n} }

// blocks reads a pattern.
type blocks struct {
	pattern *Pattern
	n, i    int
	rest    []byte
}

// Read gives the rest of a block, or the beginning of the next one.
func (b *blocks) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.i == b.n {
			return 0, io.EOF
		}
		b.rest = b.pattern.At(b.i)
		b.i++
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Is tells whether got is the i-th block.
func (p *Pattern) Is(i int, got []byte) bool { return bytes.Equal(got, p.At(i)) }
