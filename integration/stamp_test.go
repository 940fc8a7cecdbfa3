package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
)

// A stamped content describes itself, so that whoever reads it knows who wrote it, and that it is whole.
//
//	magic(8) file(8) writer(8) seq(8) length(8) checksum(8) filler…
const stampSize = 48

var (
	stampMagic = []byte("tote-it\n")
	stampTable = crc64.MakeTable(crc64.ECMA)
)

// stamp says what a content is.
type stamp struct {
	file, writer, seq uint64
}

// stamped makes a content of at least stampSize bytes. The same arguments give the same bytes.
func stamped(s stamp, size int) []byte {
	size = max(size, stampSize)
	b := make([]byte, size)
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], s.file)
	binary.LittleEndian.PutUint64(key[8:], s.writer)
	binary.LittleEndian.PutUint64(key[16:], s.seq)
	rand.NewChaCha8(key).Read(b[stampSize:])
	copy(b, stampMagic)
	for i, v := range []uint64{s.file, s.writer, s.seq, uint64(size)} {
		binary.LittleEndian.PutUint64(b[8+8*i:], v)
	}
	binary.LittleEndian.PutUint64(b[40:], stampSum(b))
	return b
}

// stampSum covers everything but itself.
func stampSum(b []byte) uint64 {
	return crc64.Update(crc64.Checksum(b[:40], stampTable), stampTable, b[stampSize:])
}

var errTorn = errors.New("torn")

// readStamp tells what a content is, or in which way it is torn.
func readStamp(b []byte) (s stamp, err error) {
	if len(b) < stampSize || !bytes.Equal(b[:8], stampMagic) {
		return s, fmt.Errorf("%w: %d bytes without a header", errTorn, len(b))
	}
	field := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8+8*i:]) }
	s = stamp{field(0), field(1), field(2)}
	if size := field(3); size != uint64(len(b)) {
		return s, fmt.Errorf("%w: %+v is %d bytes long, not %d", errTorn, s, len(b), size)
	}
	if field(4) != stampSum(b) {
		return s, fmt.Errorf("%w: %+v has another checksum", errTorn, s)
	}
	return s, nil
}
