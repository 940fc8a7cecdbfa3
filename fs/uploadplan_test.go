package fs

import (
	"testing"

	"tote/objstore"
)

const mib = 1 << 20

func s3Limits() objstore.Limits {
	return objstore.Limits{MinPart: 5 * mib, MaxPart: 5 << 30, MaxPut: 5 << 30, MinCopy: 1, MaxCopy: 5 << 30}
}

func TestLayoutHasRoomForTheLongestFile(t *testing.T) {
	for _, first := range []int64{5 * mib, 8 * mib, 16 * mib, 64 * mib, 1 << 30} {
		l := newLayout(first, s3Limits())
		if c := l.capacity(); c < maxObject {
			t.Errorf("parts from %d bytes: room for %d bytes", first, c)
		}
		var end int64
		for i := range objstore.MaxParts {
			at := l.part(i)
			if at.off != end || at.end <= at.off || at.end-at.off > 5<<30 || at.off%blockSize != 0 {
				t.Fatalf("parts from %d bytes: part %d is %+v behind %d", first, i, at, end)
			}
			for _, off := range []int64{at.off, at.end - 1} {
				if l.index(off) != i {
					t.Fatalf("parts from %d bytes: byte %d is in part %d, not %d", first, off, l.index(off), i)
				}
			}
			end = at.end
		}
	}
}

func TestLayoutOfEqualParts(t *testing.T) {
	limits := s3Limits()
	limits.EqualParts = true
	l := newLayout(8*mib, limits)
	if c := l.capacity(); c != 8*mib*objstore.MaxParts {
		t.Errorf("room for %d bytes", c)
	}
	for _, size := range []int64{1, 8 * mib, 80_000 * mib, 80_000*mib + 1, maxObject} {
		l := layoutFor(size, 8*mib)
		if n := l.index(size-1) + 1; n > objstore.MaxParts || l.first < 8*mib || l.first%blockSize != 0 || l.every != 0 {
			t.Errorf("%d bytes: %d parts of %d", size, n, l.first)
		}
	}
}

// changed makes the question of editPlan from ranges that changed and the length of the base.
func changed(base int64, spans ...span) func(span) bool {
	var r ranges
	for _, s := range spans {
		r.add(s.off, s.end)
	}
	return func(s span) bool {
		kept := s.end <= base
		_ = r.each(s.off, s.end, func(_, _ int64, in bool) error { kept = kept && !in; return nil })
		return kept
	}
}

func TestEditPlan(t *testing.T) {
	const part = 8 * mib
	for _, c := range []struct {
		name         string
		size         int64
		copied       func(span) bool
		equal        bool
		sent, copies int
	}{
		{"4 KiB in the middle", 512 * mib, changed(512*mib, span{256 * mib, 256*mib + 4096}), false, 1, 2},
		{"across a border", 512 * mib, changed(512*mib, span{256*mib - 1, 256*mib + 1}), false, 2, 2},
		{"first byte", 512 * mib, changed(512*mib, span{0, 1}), false, 1, 2},
		{"last byte", 512 * mib, changed(512*mib, span{512*mib - 1, 512 * mib}), false, 1, 2},
		{"cut", 300*mib + 5, changed(512 * mib), false, 0, 2},
		{"append to a full part", 64*mib + 10, changed(64*mib, span{64 * mib, 64*mib + 10}), false, 1, 1},
		{"append inside a part", 60*mib + 10, changed(60*mib, span{60 * mib, 60*mib + 10}), false, 1, 1},
		{"all of it", 20 * mib, changed(20*mib, span{0, 20 * mib}), false, 3, 0},
		{"equal parts", 512 * mib, changed(512*mib, span{256 * mib, 256*mib + 4096}), true, 1, 63},
		{"a large file", 1 << 40, changed(1<<40, span{1 << 39, 1<<39 + 1}), false, 1, 4096},
		{"a large file of equal parts", 1 << 40, changed(1<<40, span{1 << 39, 1<<39 + 1}), true, 1, 9986},
	} {
		t.Run(c.name, func(t *testing.T) {
			limits := s3Limits()
			limits.EqualParts = c.equal
			list := editPlan(c.size, part, limits, c.copied)
			sent, copies := check(t, list, c.size)
			if sent != c.sent || copies != c.copies {
				t.Errorf("%d parts are sent and %d copied, want %d and %d", sent, copies, c.sent, c.copies)
			}
			if c.equal {
				for _, s := range list[:len(list)-1] {
					if s.end-s.off != list[0].end {
						t.Errorf("segment %+v has another size than %d", s, list[0].end)
					}
				}
			}
		})
	}
}

// check makes sure that segments follow each other, and counts them.
func check(t *testing.T, list []segment, size int64) (sent, copies int) {
	t.Helper()
	var end int64
	number := 0
	for _, s := range list {
		if s.off != end || s.end <= s.off || s.number <= number || s.number > objstore.MaxParts {
			t.Fatalf("segment %+v behind %d, number %d", s, end, number)
		}
		end, number = s.end, s.number
		if s.copied {
			copies++
		} else {
			sent++
		}
	}
	if end != size {
		t.Errorf("the segments end at %d of %d", end, size)
	}
	return sent, copies
}

func TestEditPlanOfManyChanges(t *testing.T) {
	const size = 1 << 40
	alternating := func(s span) bool { return s.off/(8*mib)%2 == 0 && s.end-s.off == 8*mib }
	list := editPlan(size, 8*mib, s3Limits(), alternating)
	check(t, list, size)
	if len(list) > objstore.MaxParts {
		t.Errorf("%d segments", len(list))
	}
}

func TestNumberedPlanKeepsTheNumbersOfParts(t *testing.T) {
	l := newLayout(8*mib, s3Limits())
	list := l.cut(100*mib, 64*mib, true, changed(100*mib, span{50 * mib, 51 * mib}))
	check(t, list, 100*mib)
	for _, s := range list {
		if l.index(s.off)+1 != s.number {
			t.Errorf("segment %+v does not begin at part %d", s, s.number)
		}
	}
}
