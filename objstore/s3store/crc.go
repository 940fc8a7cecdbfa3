package s3store

import (
	"encoding/base64"
	"encoding/binary"
)

// crcPoly is the polynomial of CRC-64/NVME, lowest power in the highest bit.
const crcPoly = 0x9a6c9329ac4bc9b5

// crcText is a CRC as it stands in headers.
func crcText(crc uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc))
}

// crcParse is the inverse of crcText.
func crcParse(text string) (uint64, bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(raw), true
}

// crcJoin is the CRC of two texts behind each other, from the CRC of each and the length of the second.
func crcJoin(a, b uint64, n int64) uint64 { return crcMul(crcPower(n), a) ^ b }

// crcMul multiplies two polynomials modulo crcPoly.
func crcMul(a, b uint64) uint64 {
	var p uint64
	for ; a != 0; a <<= 1 {
		if a>>63 != 0 {
			p ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= crcPoly
		}
	}
	return p
}

// crcPower is x to the power of 8n modulo crcPoly, by squaring.
func crcPower(n int64) uint64 {
	p, square := uint64(1)<<63, uint64(1)<<55 // x^0 and x^8
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			p = crcMul(square, p)
		}
		square = crcMul(square, square)
	}
	return p
}
