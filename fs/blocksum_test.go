package fs

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/minio/crc64nvme"

	"tote/meta"
)

// randomBytes are the same for the same seed.
func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	rnd := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = rnd.Read(b) // it never fails
	return b
}

func TestJoinCRC(t *testing.T) {
	for _, c := range []struct{ a, b int }{{0, 0}, {0, 5}, {5, 0}, {1, 1}, {3, 70_000}, {blockSize, blockSize}, {blockSize + 1, 17}} {
		a, b := randomBytes(1, c.a), randomBytes(2, c.b)
		want := crc64nvme.Checksum(slices.Concat(a, b))
		if got := joinCRC(crc64nvme.Checksum(a), crc64nvme.Checksum(b), int64(c.b)); got != want {
			t.Errorf("%d and %d bytes: %016x, want %016x", c.a, c.b, got, want)
		}
	}
	if got := powSlow(blockSize); got != powBlock {
		t.Errorf("the power for a block is %#x", got)
	}
}

func TestSummer(t *testing.T) {
	for _, n := range []int{0, 1, blockSize - 1, blockSize, blockSize + 1, 3*blockSize + 12345} {
		data := randomBytes(uint64(n), n)
		var s summer
		for p := data; len(p) > 0; {
			k := min(len(p), 1+len(p)/3)
			_, _ = s.Write(p[:k]) // it never fails
			p = p[k:]
		}
		sums := s.sums()
		if int64(sums.len()) != blocksIn(int64(n)) {
			t.Fatalf("%d bytes: %d blocks", n, sums.len())
		}
		for i, block := range slices.Collect(slices.Chunk(data, blockSize)) {
			want := crc32.Checksum(block, crc32.MakeTable(crc32.Castagnoli))
			if got := binary.BigEndian.Uint32(sums.crc32[i*4:]); got != want {
				t.Errorf("%d bytes: block %d: %08x, want %08x", n, i, got, want)
			}
		}
		if got := sums.whole(int64(n)); got != crc64nvme.Checksum(data) {
			t.Errorf("%d bytes: the whole is %016x", n, got)
		}
		read, err := sumRange(bytes.NewReader(data), span{0, int64(n)}, newSumBuffers())
		if err != nil || !bytes.Equal(read.crc32, sums.crc32) || !bytes.Equal(read.crc64, sums.crc64) {
			t.Errorf("%d bytes read in ranges: %v", n, err)
		}
	}
	if _, err := sumRange(bytes.NewReader(make([]byte, 10)), span{0, blockSize + 1}, newSumBuffers()); err == nil {
		t.Error("sums of bytes that are not there")
	}
}

func TestSumsOfAVersion(t *testing.T) {
	for _, n := range []int{1, blockSize, 2*blockSize + 3} {
		data := randomBytes(7, n)
		sums, err := sumRange(bytes.NewReader(data), span{0, int64(n)}, newSumBuffers())
		ok(t, err)
		v := Version{Size: int64(n), Sum: textOfSum(sums.whole(int64(n)))}
		back, known := sumsOf(v, sums.object("e"))
		if !known || !bytes.Equal(back.crc32, sums.crc32) || !bytes.Equal(back.crc64, sums.crc64) {
			t.Errorf("%d bytes: %v %+v", n, known, back)
		}
		if _, known := sumsOf(v, meta.Object{ETag: "e"}); known {
			t.Errorf("%d bytes: sums that nobody has", n)
		}
		if _, known := sumsOf(Version{Size: int64(n)}, meta.Object{Blocks: sums.crc32}); known {
			t.Errorf("%d bytes: half of the sums is enough", n)
		}
	}
	for _, text := range []string{"", "crc64nvme:", "md5:0000000000000000", "crc64nvme:xyz"} {
		if _, valid := parseSum(text); valid {
			t.Errorf("%q is a checksum", text)
		}
	}
}
