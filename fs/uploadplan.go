package fs

import (
	"math/bits"

	"tote/objstore"
)

// maxObject is the longest object that any layout has room for.
const maxObject = 5 << 40

// layout says where the parts of an upload begin. As long as nobody knows how long the file will be, and the store allows it, the parts grow: first
// many small ones, so that sending begins early, then larger and larger ones, so that the highest number is never reached.
type layout struct {
	first int64 // size of the first part, a multiple of blockSize
	last  int64 // no part gets larger
	every int64 // after so many parts the size doubles; 0: never
}

// growEvery is how many parts of one size there are at most before larger ones.
const growEvery = 1000

// newLayout makes the layout of a file of unknown length.
func newLayout(first int64, l objstore.Limits) layout {
	lay := layout{first: first, last: max(first, roundDown(l.MaxPart))}
	if l.EqualParts {
		lay.last = first
		return lay
	}
	for lay.every = growEvery; lay.every > 1 && lay.capacity() < maxObject; lay.every /= 2 {
	}
	return lay
}

// layoutFor makes the layout of a file whose length is known: parts of one size, no smaller than first.
func layoutFor(size, first int64) layout {
	part := max(first, roundUp((size+objstore.MaxParts-1)/objstore.MaxParts))
	return layout{first: part, last: part}
}

func roundUp(n int64) int64   { return (n + blockSize - 1) / blockSize * blockSize }
func roundDown(n int64) int64 { return n / blockSize * blockSize }

// capacity is the length of the longest file.
func (l layout) capacity() int64 { return l.part(objstore.MaxParts - 1).end }

// top is the level at which parts stop growing.
func (l layout) top() int64 {
	if l.every == 0 {
		return 0
	}
	return int64(bits.Len64(uint64(l.last/l.first))) - 1
}

// start is where the parts of a level begin.
func (l layout) start(level int64) int64 {
	return l.first * l.every * (1<<level - 1)
}

// part is the range of the part with the given index, which is its number less one.
func (l layout) part(i int) span {
	var level, within int64 = 0, int64(i)
	if l.every > 0 {
		level = min(int64(i)/l.every, l.top())
		within -= level * l.every
	}
	size := l.first << level
	off := l.start(level) + within*size
	return span{off, off + size}
}

// index is that of the part that holds the byte at off.
func (l layout) index(off int64) int {
	var level int64
	if l.every > 0 {
		level = int64(bits.Len64(uint64(off/(l.first*l.every)+1))) - 1
		level = min(level, l.top())
	}
	return int(level*l.every + (off-l.start(level))/(l.first<<level))
}

// segment is a range of an object as it reaches the store: bytes that are sent, or bytes of the object before that the store copies.
type segment struct {
	span
	number int
	copied bool
	epoch  int // of the upload whose plan it is from
}

// cut divides a file of the given size into segments: parts of the layout, where copied says which of them the store can take from the object before.
// Neighbours of those become one, up to join bytes. Only a numbered plan keeps the numbers of the layout, which parts that were sent already have.
func (l layout) cut(size, join int64, numbered bool, copied func(span) bool) []segment {
	var list []segment
	for i := 0; ; i++ {
		at := l.part(i)
		if at.off >= size {
			return list
		}
		at.end = min(at.end, size)
		s := segment{span: at, number: len(list) + 1, copied: copied(at)}
		if numbered {
			s.number = i + 1
		}
		if n := len(list); n > 0 && s.copied && list[n-1].copied && s.end-list[n-1].off <= join {
			list[n-1].end = s.end
			continue
		}
		list = append(list, s)
	}
}

// copyAtOnce is how much the store is asked to copy in one call: a server that says nothing for longer than a connection may be silent would seem to be gone.
const copyAtOnce = 256 << 20

// editPlan divides a changed file, of which nothing was sent yet. The grid is that of the first part, so that a small change sends little, or a
// coarser one where there would be too many segments.
func editPlan(size, first int64, l objstore.Limits, copied func(span) bool) []segment {
	if l.EqualParts {
		return layoutFor(size, first).cut(size, 0, false, copied)
	}
	join := min(copyAtOnce, l.MaxCopy)
	for part := first; ; part *= 2 {
		list := layout{first: part, last: part}.cut(size, max(join, part), false, copied)
		if len(list) <= objstore.MaxParts {
			return list
		}
		join = min(2*join, l.MaxCopy)
	}
}
