package fs

import "github.com/minio/crc64nvme"

// A checksum is the remainder of a division of polynomials over GF(2), so the one of two strings one after the other follows from theirs: that of the
// first, multiplied with x to the power of the second's length in bits, plus that of the second. Inverting before and after cancels out. In Go's order of
// bits the highest bit of a number stands for x to the power of 0.

// joinCRC is the CRC-64/NVME of A followed by B, from that of A, that of B and the length of B in bytes.
func joinCRC(a, b uint64, lenB int64) uint64 {
	return mulCRC(powCRC(lenB), a) ^ b
}

const one = 1 << 63 // the polynomial 1

// mulCRC multiplies two polynomials modulo that of the CRC.
func mulCRC(a, b uint64) uint64 {
	var product uint64
	for ; a != 0; a <<= 1 {
		if a&one != 0 {
			product ^= b
		}
		b = timesX(b)
	}
	return product
}

// timesX multiplies with x.
func timesX(a uint64) uint64 {
	if a&1 != 0 {
		return a>>1 ^ crc64nvme.NVME
	}
	return a >> 1
}

// powCRC is x to the power of 8n, by squaring.
func powCRC(n int64) uint64 {
	if n == blockSize {
		return powBlock
	}
	return powSlow(n)
}

// powBlock is powCRC of a whole block, by far the most frequent length; a test compares it with powSlow.
const powBlock = 0x347a953232374f07

func powSlow(n int64) uint64 {
	square := uint64(one >> 8) // x to the power of 8
	result := uint64(one)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = mulCRC(result, square)
		}
		square = mulCRC(square, square)
	}
	return result
}
