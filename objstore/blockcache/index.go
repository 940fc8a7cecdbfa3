package blockcache

// add enters a block as the one used last, or returns false if it is there already.
func (d *disk) add(s *slot) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slots[s.id] != nil {
		return false
	}
	d.slots[s.id] = s
	s.follow(&d.order)
	if head := d.keys[s.id.key]; head != nil {
		s.elder, head.kid = head, s
	}
	d.keys[s.id.key] = s
	d.size += int64(s.size)
	return true
}

// forget takes a block out of the index, or returns false if it is not in there. Called with mu held.
func (d *disk) forget(s *slot) bool {
	if d.slots[s.id] != s {
		return false
	}
	delete(d.slots, s.id)
	s.unlink()
	if s.elder != nil {
		s.elder.kid = s.kid
	}
	switch {
	case s.kid != nil:
		s.kid.elder = s.elder
	case s.elder != nil:
		d.keys[s.id.key] = s.elder
	default:
		delete(d.keys, s.id.key)
	}
	d.size -= int64(s.size)
	return true
}

// follow puts s behind at in the ring, unlink takes it out.
func (s *slot) follow(at *slot) {
	s.prev, s.next = at, at.next
	s.prev.next, s.next.prev = s, s
}

func (s *slot) unlink() { s.prev.next, s.next.prev = s.next, s.prev }

func (d *disk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.slots)
}
