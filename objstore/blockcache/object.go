package blockcache

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// Object is one version of an object.
type Object struct {
	Key  string
	ETag string // "" when unknown: the caller vouches that the key's bytes never change
	Size int64
	Sums []byte // the CRC-32C of each block, 4 bytes each, big endian; nil when unknown
}

// keyID stands for an object's key, blockID for one block of one version of it. Both are hashes long enough that no
// two keys and no two versions share one.
type (
	keyID   [12]byte
	blockID struct {
		key     keyID
		version [8]byte
		n       uint32
	}
)

func newKeyID(key string) keyID {
	sum := sha256.Sum256([]byte(key))
	return keyID(sum[:12])
}

// object is an Object with what every read of it needs.
type object struct {
	Object
	block int64
	first blockID
	bad   error // why it can't be read
}

func newObject(o Object, block int64) *object {
	x := &object{Object: o, block: block}
	if o.Size < 0 || o.Size > block<<32 {
		x.bad = fmt.Errorf("size %d is out of range", o.Size)
	} else if o.Sums != nil && int64(len(o.Sums)) != 4*x.blocks() {
		x.bad = fmt.Errorf("%w: %d bytes for %d blocks", errSums, len(o.Sums), x.blocks())
	}
	x.first = blockID{key: newKeyID(o.Key), version: x.version()}
	return x
}

// version tells versions of one key apart. The sums are part of it: what was read without them, or with others,
// was not verified as well as with these.
func (o *object) version() [8]byte {
	head := fmt.Appendf(nil, "%d %d %d %08x %s", o.Size, o.block, len(o.Sums), checksum(o.Sums), o.ETag)
	sum := sha256.Sum256(head)
	return [8]byte(sum[:8])
}

func (o *object) blocks() int64 { return (o.Size + o.block - 1) / o.block }

func (o *object) id(n int64) blockID {
	id := o.first
	id.n = uint32(n)
	return id
}

// size is the length of block n, the last of which is short.
func (o *object) size(n int64) int { return int(min(o.block, o.Size-n*o.block)) }

// verify checks the sum of block n, as far as it is known.
func (o *object) verify(n int64, crc uint32) error {
	if o.Sums == nil {
		return nil
	}
	if want := binary.BigEndian.Uint32(o.Sums[4*n:]); crc != want {
		return fmt.Errorf("%w: CRC-32C of block %d is %08x instead of %08x", ErrCorrupt, n, crc, want)
	}
	return nil
}
