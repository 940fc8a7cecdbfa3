package fs

import "hash"

// sideHash computes a digest in a goroutine of its own once there is much to compute, so that the writer of a long body does not wait for it. It
// belongs to one goroutine, like what it wraps.
type sideHash struct {
	hash.Hash
	slots   chan struct{} // goroutines of this kind, of all writers
	seen    int64
	full    chan []byte // nil while there is no goroutine
	free    chan []byte
	stopped chan struct{}
}

const (
	sideAfter   = 4 << 20 // bytes that are not worth a goroutine
	sideBuffers = 3
)

func newSideHash(h hash.Hash, slots chan struct{}) *sideHash { return &sideHash{Hash: h, slots: slots} }

// Write takes a copy of p where a goroutine does the work. It never fails.
func (s *sideHash) Write(p []byte) (int, error) {
	s.seen += int64(len(p))
	if s.full == nil && s.seen > sideAfter {
		s.start()
	}
	if s.full == nil {
		return s.Hash.Write(p)
	}
	for rest := p; len(rest) > 0; {
		buf := <-s.free
		n := copy(buf[:cap(buf)], rest)
		s.full <- buf[:n]
		rest = rest[n:]
	}
	return len(p), nil
}

// start begins the goroutine if there is room for one.
func (s *sideHash) start() {
	select {
	case s.slots <- struct{}{}:
	default:
		return
	}
	s.full, s.free, s.stopped = make(chan []byte, sideBuffers), make(chan []byte, sideBuffers), make(chan struct{})
	for range sideBuffers {
		s.free <- make([]byte, copyBuffer)
	}
	go func() {
		defer close(s.stopped)
		for buf := range s.full {
			s.Hash.Write(buf)
			s.free <- buf
		}
	}()
}

// Sum waits for the goroutine and ends it. Later bytes are taken without one.
func (s *sideHash) Sum(b []byte) []byte {
	s.close()
	return s.Hash.Sum(b)
}

// close ends the goroutine once it has done its work.
func (s *sideHash) close() {
	if s.full == nil {
		return
	}
	close(s.full)
	<-s.stopped
	<-s.slots
	s.full, s.free, s.seen = nil, nil, 0
}
