package fs

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRangesAgainstABitmap(t *testing.T) {
	const size = 200
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var r ranges
		var want [size]bool
		for range 40 {
			off := rnd.Int64N(size)
			end := min(size, off+rnd.Int64N(30))
			if rnd.IntN(8) == 0 {
				r.cut(off)
				clear(want[off:])
				continue
			}
			r.add(off, end)
			for i := off; i < end; i++ {
				want[i] = true
			}
		}
		compareRanges(t, seed, &r, want[:])
	}
}

// compareRanges checks every question one can ask of a set.
func compareRanges(t *testing.T, seed uint64, r *ranges, want []bool) {
	t.Helper()
	got := make([]bool, len(want))
	var n int64
	ok(t, r.each(0, int64(len(want)), func(off, end int64, in bool) error {
		for i := off; i < end; i++ {
			got[i] = in
			if in {
				n++
			}
		}
		return nil
	}))
	for from := range int64(len(want)) {
		at, to := from, min(int64(len(want)), from+23)
		ok(t, r.each(from, to, func(off, end int64, in bool) error {
			if off != at || end <= off || end > to {
				t.Fatalf("seed %d: each(%d, %d) goes from %d to [%d, %d) in %v", seed, from, to, at, off, end, r.spans)
			}
			for i := off; i < end; i++ {
				if want[i] != in {
					t.Fatalf("seed %d: each says %v of byte %d in %v", seed, in, i, r.spans)
				}
			}
			at = end
			return nil
		}))
		if at != to {
			t.Fatalf("seed %d: each(%d, %d) ends at %d in %v", seed, from, to, at, r.spans)
		}
	}
	if !slices.Equal(got, want) || n != r.bytes() {
		t.Fatalf("seed %d: %v", seed, r.spans)
	}
	for i := 1; i < len(r.spans); i++ {
		if r.spans[i-1].end >= r.spans[i].off {
			t.Fatalf("seed %d: spans touch: %v", seed, r.spans)
		}
	}
	for off := range want {
		for end := off; end < len(want); end += 7 {
			if r.covers(int64(off), int64(end)) != !slices.Contains(want[off:end], false) {
				t.Fatalf("seed %d: covers(%d, %d) is wrong in %v", seed, off, end, r.spans)
			}
		}
	}
	back, err := decodeRanges(r.encode())
	if err != nil || !slices.Equal(back.spans, r.spans) {
		t.Fatalf("seed %d: %v comes back as %v, %v", seed, r.spans, back.spans, err)
	}
}

func FuzzDecodeEdit(f *testing.F) {
	f.Add(encodeEdit(ranges{spans: []span{{1, 5}, {9, 12}}}, 100))
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, base, err := decodeEdit(b)
		if err != nil {
			return
		}
		if base < 0 || r.bytes() < 0 {
			t.Errorf("%v %d", r.spans, base)
		}
	})
}
