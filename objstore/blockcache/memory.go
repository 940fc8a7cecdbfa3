package blockcache

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// buffers is the memory of all blocks: up to max buffers of one size, used again and again. They are outside Go's
// heap, because the collector lets the heap grow to a multiple of what is in use.
type buffers struct {
	size int
	max  int
	free chan []byte // has room for all, so that giving back never waits

	// Tests put others in their place.
	alloc func(int) ([]byte, error)
	unmap func([]byte) error
	idle  func([]byte) // sees each buffer that comes back

	mu     sync.Mutex
	made   int  // guarded by mu
	closed bool // guarded by mu
}

func newBuffers(size, count int) *buffers {
	return &buffers{
		size: size, max: count, free: make(chan []byte, count),
		alloc: mapMemory, unmap: unix.Munmap, idle: func([]byte) {},
	}
}

func mapMemory(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

// get returns a buffer. Where all are in use it waits for one.
func (p *buffers) get(ctx context.Context) ([]byte, error) {
	select {
	case buf := <-p.free:
		return buf, nil
	default:
	}
	if buf := p.grow(); buf != nil {
		return buf, nil
	}
	select {
	case buf := <-p.free:
		return buf, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// grow makes another buffer, or returns nil. Where the system has no memory left those there are have to do.
func (p *buffers) grow() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == p.max {
		return nil
	}
	buf, err := p.alloc(p.size)
	if err != nil {
		return nil
	}
	p.made++
	return buf
}

func (p *buffers) put(buf []byte) {
	p.idle(buf)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = p.unmap(buf) // can't fail for what was mapped
		return
	}
	p.free <- buf
}

// close frees the buffers that are not in use; the others follow as they come back.
func (p *buffers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	for {
		select {
		case buf := <-p.free:
			_ = p.unmap(buf)
		default:
			return
		}
	}
}

// block is a verified block in memory. Its bytes may be read until release, and are never written.
type block struct {
	id   blockID
	data []byte
	crc  uint32
	buf  []byte
	pool *buffers
	refs atomic.Int32
}

// newBlock gives a buffer to a block that the caller fills, and releases.
func newBlock(pool *buffers, buf []byte, id blockID, size int) *block {
	b := &block{id: id, data: buf[:size], buf: buf, pool: pool}
	b.refs.Store(1)
	return b
}

// release gives a reference back. The last one frees the buffer.
func (b *block) release() {
	if b.refs.Add(-1) == 0 {
		b.pool.put(b.buf)
	}
}
