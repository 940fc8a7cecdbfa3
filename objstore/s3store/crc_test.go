package s3store

import (
	"math/rand/v2"
	"testing"
)

func TestCrcJoin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		a, b := make([]byte, r.IntN(5000)), make([]byte, r.IntN(5000))
		for i := range a {
			a[i] = byte(r.Uint32())
		}
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if got, want := crcJoin(sumOf(a), sumOf(b), int64(len(b))), sumOf(append(a, b...)); got != want {
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
