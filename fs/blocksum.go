package fs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/minio/crc64nvme"

	"tote/meta"
)

// blockSize is the unit in which the bytes of an object in a remote store are verified when they are read, so that no range has to be
// believed and none has to be read whole.
const blockSize = 1 << 20

// blockSums are the checksums of consecutive blocks; only the last may be short. Of each there is a CRC-32C, for readers, and the CRC-64/NVME, from
// which that of the whole object is made: a small change of a large object needs the bytes of the changed blocks only.
type blockSums struct {
	crc32 []byte // 4 bytes each, big endian
	crc64 []byte // 8 bytes each
}

// castagnoli makes the table of CRC-32C, which hash/crc32 keeps.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// len is the number of blocks.
func (s *blockSums) len() int { return len(s.crc32) / 4 }

// push adds the sums of one block.
func (s *blockSums) push(c32 uint32, c64 uint64) {
	s.crc32 = binary.BigEndian.AppendUint32(s.crc32, c32)
	s.crc64 = binary.BigEndian.AppendUint64(s.crc64, c64)
}

// append adds blocks that follow.
func (s *blockSums) append(o blockSums) {
	s.crc32 = append(s.crc32, o.crc32...)
	s.crc64 = append(s.crc64, o.crc64...)
}

// slice is the blocks [from, to), which have to be there.
func (s *blockSums) slice(from, to int64) blockSums {
	return blockSums{crc32: s.crc32[from*4 : to*4], crc64: s.crc64[from*8 : to*8]}
}

// whole is the CRC-64 of all blocks together, size bytes.
func (s *blockSums) whole(size int64) uint64 {
	var sum uint64
	n := s.len()
	for i := range n {
		length := int64(blockSize)
		if i == n-1 {
			length = size - int64(i)*blockSize
		}
		sum = joinCRC(sum, binary.BigEndian.Uint64(s.crc64[i*8:]), length)
	}
	return sum
}

// object is the row of a version of these blocks. The CRC-64 of a single block is the version's own.
func (s *blockSums) object(etag string) meta.Object {
	o := meta.Object{ETag: etag, Blocks: s.crc32}
	if s.len() > 1 {
		o.Sums = s.crc64
	}
	return o
}

// sumsOf undoes object; false when not everything is known.
func sumsOf(v Version, o meta.Object) (blockSums, bool) {
	s := blockSums{crc32: o.Blocks, crc64: o.Sums}
	if s.crc64 == nil {
		if whole, ok := parseSum(v.Sum); ok {
			s.crc64 = binary.BigEndian.AppendUint64(nil, whole)
		}
	}
	want := blocksIn(v.Size)
	return s, want > 0 && int64(len(s.crc32)) == want*4 && int64(len(s.crc64)) == want*8
}

// blocksIn is how many blocks size bytes have.
func blocksIn(size int64) int64 { return (size + blockSize - 1) / blockSize }

// textOfSum is the form in which a checksum is kept.
func textOfSum(sum uint64) string { return fmt.Sprintf("%s%016x", sumName, sum) }

// parseSum undoes textOfSum.
func parseSum(text string) (uint64, bool) {
	hex, named := strings.CutPrefix(text, sumName)
	sum, err := strconv.ParseUint(hex, 16, 64)
	return sum, named && err == nil
}

// summer sums bytes that come one after the other.
type summer struct {
	done blockSums
	c32  uint32
	c64  uint64
	n    int64 // bytes of the block that is not full yet
}

// Write takes the next bytes; it never fails.
func (s *summer) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		q := p[:min(int64(len(p)), blockSize-s.n)]
		s.c32 = crc32.Update(s.c32, castagnoli(), q)
		s.c64 = crc64nvme.Update(s.c64, q)
		s.n += int64(len(q))
		p = p[len(q):]
		if s.n == blockSize {
			s.end()
		}
	}
	return total, nil
}

// end closes a block.
func (s *summer) end() {
	s.done.push(s.c32, s.c64)
	s.c32, s.c64, s.n = 0, 0, 0
}

// sums are those of everything that was written. A summer is not used after that.
func (s *summer) sums() blockSums {
	if s.n > 0 {
		s.end()
	}
	return s.done
}

// sumBuffer is how much is read at a time for checksums: little enough to stay in the processor's cache.
const sumBuffer = 256 << 10

// sumRange reads the bytes [off, end) for their sums; off is a multiple of the block size.
func sumRange(r io.ReaderAt, at span, bufs *sync.Pool) (blockSums, error) {
	buf := bufs.Get().(*[]byte)
	defer bufs.Put(buf)
	var s summer
	if _, err := io.CopyBuffer(plainWriter{&s}, io.NewSectionReader(r, at.off, at.end-at.off), *buf); err != nil {
		return blockSums{}, err
	}
	sums := s.sums()
	if int64(sums.len()) != blocksIn(at.end-at.off) {
		return blockSums{}, errShort
	}
	return sums, nil
}

// plainWriter keeps io.CopyBuffer from looking for a shortcut around the buffer.
type plainWriter struct{ io.Writer }

// newSumBuffers makes a pool for sumRange.
func newSumBuffers() *sync.Pool {
	return &sync.Pool{New: func() any { b := make([]byte, sumBuffer); return &b }}
}
