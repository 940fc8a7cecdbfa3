package fs

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
)

// layer is what a version has over the object of an earlier one while it waits to be sent: ranges in a staging file. It is recorded like an edit in
// place (meta.StateRedo), and the row about its object is that of the base's.
type layer struct {
	file   *os.File
	ranges ranges // of file; what is in none of them comes from the base
	length int64  // bytes of the base that count
}

// encodeLayer is the record of a layer over an object of the given size.
func encodeLayer(base int64, r ranges, length int64) []byte {
	return append(binary.AppendUvarint(nil, uint64(base)), encodeEdit(r, length)...)
}

// decodeLayer undoes encodeLayer.
func decodeLayer(b []byte) (base int64, r ranges, length int64, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > 1<<62 {
		return 0, r, 0, errRanges
	}
	r, length, err = decodeEdit(b[used:])
	return int64(n), r, length, err
}

// layered opens a version that lies over the object of another one.
func (f *FS) layered(ctx context.Context, version int64) (*source, error) {
	redo, o, err := f.db.RedoOf(ctx, version)
	if err != nil {
		return nil, err
	}
	size, over, length, err := decodeLayer(redo.Ranges)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(f.staging.path(redo.Version.Staging), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s := &source{version: redo.Version, object: o, refs: 1, layer: &layer{file: file, ranges: over, length: length}}
	s.stored = Version{Key: redo.BaseKey, Size: size}
	s.cached = f.cached(s.stored, o)
	return s, nil
}

// readLayered reads ranges of the staging file and of the object beneath.
func (s *source) readLayered(ctx context.Context, f *FS, file CacheFile, p []byte, off int64) error {
	l := s.layer
	return l.ranges.each(off, off+int64(len(p)), func(from, to int64, in bool) error {
		q := p[from-off : to-off]
		if in {
			_, err := l.file.ReadAt(q, from)
			return err
		}
		n := max(0, min(to, l.length)-from)
		clear(q[n:])
		if n == 0 {
			return nil
		}
		return s.readStored(ctx, f, file, q[:n], from)
	})
}

// missing are the parts of a range that are not in r and lie below length.
func (r *ranges) missing(s span, length int64) (list []span) {
	_ = r.each(s.off, s.end, func(off, end int64, in bool) error { // it never fails
		if end = min(end, length); !in && off < end {
			list = append(list, span{off, end})
		}
		return nil
	})
	return list
}

// fetchStep is how much of a base is read at a time.
const fetchStep = 1 << 20

// fetchInto brings ranges of a base to their places in a file.
func fetchInto(file io.WriterAt, list []span, read func(p []byte, off int64) error) error {
	var buf []byte
	for _, m := range list {
		for off := m.off; off < m.end; off += fetchStep {
			if buf == nil {
				buf = make([]byte, fetchStep)
			}
			p := buf[:min(fetchStep, m.end-off)]
			if err := read(p, off); err != nil {
				return err
			}
			if _, err := file.WriteAt(p, off); err != nil {
				return err
			}
		}
	}
	return nil
}

// asEdit is the change that the layer is, for an upload. The staging file gets what is missing; the ranges of the source stay as they are, because
// others read by them.
func (s *source) asEdit(f *FS) *edit {
	var mu sync.Mutex
	have := ranges{spans: append([]span(nil), s.layer.ranges.spans...)}
	e := &edit{key: s.stored.Key, size: s.stored.Size, length: s.layer.length, written: &have}
	e.sums, e.summed = sumsOf(s.stored, s.object)
	e.read = func(ctx context.Context, at span) ([]byte, error) {
		b := make([]byte, at.end-at.off)
		return b, s.readStored(ctx, f, s.cached, b, at.off)
	}
	e.fill = func(ctx context.Context, at span) error {
		mu.Lock()
		list := have.missing(at, s.layer.length)
		mu.Unlock()
		err := fetchInto(s.layer.file, list, func(p []byte, off int64) error { return s.readStored(ctx, f, s.cached, p, off) })
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		have.add(at.off, at.end)
		return nil
	}
	return e
}

// errGone says that a staging file went while it was looked for.
func errGone(err error) bool { return errors.Is(err, os.ErrNotExist) }
