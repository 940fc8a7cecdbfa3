package s3store

import (
	"hash"
	"math/rand/v2"
	"testing"

	"github.com/minio/crc64nvme"
)

func TestCrcJoin(t *testing.T) {
	sum := func(p []byte) uint64 {
		var h hash.Hash64 = crc64nvme.New()
		h.Write(p)
		return h.Sum64()
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		a, b := make([]byte, r.IntN(5000)), make([]byte, r.IntN(5000))
		for i := range a {
			a[i] = byte(r.Uint32())
		}
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if got, want := crcJoin(sum(a), sum(b), int64(len(b))), sum(append(a, b...)); got != want {
			t.Fatalf("%d and %d bytes: got %x, want %x", len(a), len(b), got, want)
		}
	}
}

func TestCrcText(t *testing.T) {
	if got := crcText(sumOf([]byte("123456789"))); got != "rosUhgp5mIg=" {
		t.Errorf("got %s", got)
	}
	if crc, ok := crcParse("rosUhgp5mIg="); !ok || crc != 0xae8b14860a799888 {
		t.Errorf("got %x, %t", crc, ok)
	}
	for _, bad := range []string{"", "rosUhgp5mIg", "rosUhgp5", "rosUhgp5mIg=0", "rosUhgp5mIg=-2"} {
		if _, ok := crcParse(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}
