package blockcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"tote/objstore"
)

const (
	mostStreams = 4
	sendBuffer  = 256 << 10
	sendWindow  = 8 << 20 // of read-ahead at once, since a body is read to its end as a rule
)

// File reads one object. Its methods may be called by several goroutines at once.
type File struct {
	c      *Cache
	o      *object
	closed atomic.Bool

	mu      sync.Mutex
	streams [mostStreams]stream // guarded by mu
	clock   int64               // guarded by mu; counts reads
}

// ReadAt reads like an io.ReaderAt: verified bytes, all of p or an error that says why not, io.EOF at the end. The
// context's end ends the waiting, not a fetch that others wait for.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s: %w: offset %d", f.o.Key, objstore.ErrRange, off)
	}
	if err := f.usable(ctx); err != nil {
		return 0, err
	}
	if off >= f.o.Size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), f.o.Size-off)]
	most := int(f.c.piece * f.o.block)
	done := 0
	for done < len(want) {
		part := want[done:min(done+most, len(want))]
		n, err := f.read(ctx, nil, part, off+int64(done))
		done += n
		if err != nil {
			return done, fmt.Errorf("read %s at %d: %w", f.o.Key, off+int64(done), err)
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func (f *File) usable(ctx context.Context) error {
	err := errors.Join(f.o.bad, ctx.Err())
	if f.closed.Load() {
		err = os.ErrClosed
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.o.Key, err)
	}
	return nil
}

// read reads a part that lies in the object. Without a stream it looks for the one that the part continues.
func (f *File) read(ctx context.Context, s *stream, p []byte, off int64) (int, error) {
	size := f.o.block
	first, behind := off/size, (off+int64(len(p))+size-1)/size
	if own := f.prepare(s, off, int64(len(p)), first, behind); own != nil {
		defer f.c.leaveAll(own)
	}
	done := 0
	for n := first; n < behind; n++ {
		b, err := f.c.block(ctx, f.o, n)
		if err != nil {
			return done, err
		}
		done += copy(p[done:], b.data[off+int64(done)-n*size:])
		b.release()
	}
	return done, nil
}

// prepare starts the fetches that a read needs and the read-ahead it gives rise to.
func (f *File) prepare(s *stream, off, n, first, behind int64) []*fetch {
	if s == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		s = f.stream(off, n)
	}
	window, due := s.extend(off, n, f.o.block, f.c.o.Ahead)
	if !due && behind-first == 1 {
		return nil
	}
	return f.c.plan(f.o, s, first, behind, window)
}

// stream returns the stream that a read continues, or a new one in place of the one used the longest ago. Called
// with mu held.
func (f *File) stream(off, n int64) *stream {
	f.clock++
	oldest := &f.streams[0]
	for i := range f.streams {
		s := &f.streams[i]
		if s.near(off, n) {
			s.used = f.clock
			return s
		}
		if s.used < oldest.used {
			oldest = s
		}
	}
	f.c.disown(oldest)
	*oldest = stream{next: off, end: f.o.Size, used: f.clock, at: -1}
	return oldest
}

// leaveAll gives up the interest of the reader that started fetches.
func (c *Cache) leaveAll(own []*fetch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range own {
		c.leave(t)
	}
}

// SendTo writes the bytes [off, off+n), to the end with n < 0, as the body of an HTTP answer wants them. It returns
// how many were written and the first error, the reader's or the writer's. A range outside the object is
// objstore.ErrRange.
func (f *File) SendTo(ctx context.Context, w io.Writer, off, n int64) (int64, error) {
	if err := f.usable(ctx); err != nil {
		return 0, err
	}
	n, err := objstore.CheckRange(f.o.Size, off, n)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", f.o.Key, err)
	}
	// A slow peer holds a copy for as long as it takes, and no block.
	buf := f.c.copies.Get().(*[sendBuffer]byte)
	defer f.c.copies.Put(buf)
	s := &stream{next: off, run: sendWindow / 4, end: off + n, reads: 1, at: -1}
	defer f.c.disown(s)
	var sent int64
	for sent < n {
		part := buf[:min(sendBuffer, n-sent)]
		got, err := f.read(ctx, s, part, off+sent)
		if err != nil {
			return sent, fmt.Errorf("read %s at %d: %w", f.o.Key, off+sent+int64(got), err)
		}
		put, err := w.Write(part)
		sent += int64(put)
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// Close ends the File's read-ahead. Reads after it are os.ErrClosed, those that run go on. The blocks stay.
func (f *File) Close() {
	f.closed.Store(true)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.streams {
		f.c.disown(&f.streams[i])
	}
}
