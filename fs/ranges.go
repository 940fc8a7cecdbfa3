package fs

import (
	"encoding/binary"
	"errors"
	"slices"
)

// span is a half-open range of bytes [off, end).
type span struct{ off, end int64 }

// ranges is a set of bytes as sorted spans that neither touch nor overlap. It says which bytes of a staging file were written: a hole
// outside the set is "not here", never a zero byte. The zero value is empty. Not safe for concurrent use.
type ranges struct{ spans []span }

// add puts [off, end) into the set.
func (r *ranges) add(off, end int64) {
	if off >= end {
		return
	}
	i := r.search(off)
	j := i
	for j < len(r.spans) && r.spans[j].off <= end {
		off = min(off, r.spans[j].off)
		end = max(end, r.spans[j].end)
		j++
	}
	r.spans = slices.Replace(r.spans, i, j, span{off, end})
}

// search gives the index of the first span that ends at off or behind it.
func (r *ranges) search(off int64) int {
	i, _ := slices.BinarySearchFunc(r.spans, off, func(s span, off int64) int {
		if s.end < off {
			return -1
		}
		return 1
	})
	return i
}

// cut drops everything at and behind size.
func (r *ranges) cut(size int64) {
	for i := len(r.spans) - 1; i >= 0 && r.spans[i].end > size; i-- {
		if r.spans[i].off < size {
			r.spans[i].end = size
			break
		}
		r.spans = r.spans[:i]
	}
}

// bytes is how many bytes are in the set.
func (r *ranges) bytes() (n int64) {
	for _, s := range r.spans {
		n += s.end - s.off
	}
	return n
}

// covers tells whether all of [off, end) is in the set.
func (r *ranges) covers(off, end int64) bool {
	if off >= end {
		return true
	}
	i := r.search(off + 1)
	return i < len(r.spans) && r.spans[i].off <= off && end <= r.spans[i].end
}

// each walks [off, end) in order and tells of each piece whether it is in the set. It stops at the first error.
func (r *ranges) each(off, end int64, fn func(off, end int64, in bool) error) error {
	for i := r.search(off + 1); off < end; i++ {
		next := end
		if i < len(r.spans) {
			next = min(end, max(off, r.spans[i].off))
		}
		if off < next {
			if err := fn(off, next, false); err != nil {
				return err
			}
		}
		if next == end {
			return nil
		}
		off = min(end, r.spans[i].end)
		if err := fn(next, off, true); err != nil {
			return err
		}
	}
	return nil
}

// encode is the form in which a redo record keeps the set: pairs of uvarints, each offset and length.
func (r *ranges) encode() []byte {
	var b []byte
	for _, s := range r.spans {
		b = binary.AppendUvarint(b, uint64(s.off))
		b = binary.AppendUvarint(b, uint64(s.end-s.off))
	}
	return b
}

var errRanges = errors.New("damaged range list")

// decodeRanges undoes encode.
func decodeRanges(b []byte) (ranges, error) {
	var r ranges
	for len(b) > 0 {
		off, n := binary.Uvarint(b)
		if n <= 0 {
			return ranges{}, errRanges
		}
		length, m := binary.Uvarint(b[n:])
		if m <= 0 || off > 1<<62 || length > 1<<62 {
			return ranges{}, errRanges
		}
		r.add(int64(off), int64(off+length))
		b = b[n+m:]
	}
	return r, nil
}
