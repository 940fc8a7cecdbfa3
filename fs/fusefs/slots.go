package fusefs

import "sync"

// slots hands out the numbers by which the kernel names open files and directories. Numbers are small and used again; 0 is never one.
type slots[T any] struct {
	mu   sync.RWMutex
	all  []*T     // number n is at n-1, nil while free; guarded by mu
	free []uint64 // guarded by mu
}

// put stores v and gives its number.
func (s *slots[T]) put(v *T) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		fh := s.free[n-1]
		s.free = s.free[:n-1]
		s.all[fh-1] = v
		return fh
	}
	s.all = append(s.all, v)
	return uint64(len(s.all))
}

// get finds what is stored under a number, nil if nothing is.
func (s *slots[T]) get(fh uint64) *T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if fh == 0 || fh > uint64(len(s.all)) {
		return nil
	}
	return s.all[fh-1]
}

// take removes and returns what is stored under a number.
func (s *slots[T]) take(fh uint64) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fh == 0 || fh > uint64(len(s.all)) || s.all[fh-1] == nil {
		return nil
	}
	v := s.all[fh-1]
	s.all[fh-1] = nil
	s.free = append(s.free, fh)
	return v
}

// list is what is stored now.
func (s *slots[T]) list() []*T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*T
	for _, v := range s.all {
		if v != nil {
			out = append(out, v)
		}
	}
	return out
}

// drain removes and returns everything.
func (s *slots[T]) drain() []*T {
	out := s.list()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.free = nil, nil
	return out
}
