package fs

import (
	"bytes"
	"crypto/md5"
	"math/rand/v2"
	"testing"
)

func TestSideHash(t *testing.T) {
	data := make([]byte, 12<<20)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	want := md5.Sum(data)
	for name, slots := range map[string]chan struct{}{"beside": make(chan struct{}, 1), "no room": make(chan struct{})} {
		rng := rand.New(rand.NewPCG(1, 2))
		h := newSideHash(md5.New(), slots)
		own := make([]byte, 1<<20)
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(len(own)))
			copy(own, rest[:n])
			h.Write(own[:n])
			clear(own) // it belongs to the caller again
			rest = rest[n:]
			if rng.IntN(8) == 0 {
				if got, sum := h.Sum(nil), md5.Sum(data[:len(data)-len(rest)]); !bytes.Equal(got, sum[:]) {
					t.Fatalf("%s: wrong after %d bytes", name, len(data)-len(rest))
				}
			}
		}
		if got := h.Sum(nil); !bytes.Equal(got, want[:]) {
			t.Errorf("%s: wrong", name)
		}
		h.close()
		if len(slots) != 0 {
			t.Errorf("%s: a slot is not given back", name)
		}
	}
}

// A writer that is given up leaves no goroutine and no slot behind.
func TestSideHash_Abort(t *testing.T) {
	c := newCore(t)
	for range 20 {
		w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/f"}))(t)
		w.WantMD5()
		if _, err := w.Write(make([]byte, 6<<20)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
	}
	if n := len(c.hashers); n != 0 {
		t.Errorf("%d slots are not given back", n)
	}
}
