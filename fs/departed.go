package fs

import "sync"

// departed remembers the last attributes of nodes that the mount has removed. A process may still be in such a directory, or hold a descriptor with which
// nothing can be read (O_PATH): the core knows of neither, and stat(2) has to answer them. The oldest are forgotten. Numbers are never used twice, so
// nobody else is given them.
type departed struct {
	mu    sync.Mutex
	ring  [maxDeparted]Attr // guarded by mu, like all below
	next  int
	index map[Ino]int
}

const maxDeparted = 512

// add remembers a node that has no name any more; others are passed over.
func (d *departed) add(attr Attr) {
	if attr.Nlink != 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.index == nil {
		d.index = make(map[Ino]int, maxDeparted)
	}
	delete(d.index, d.ring[d.next].Ino)
	d.ring[d.next], d.index[attr.Ino] = attr, d.next
	d.next = (d.next + 1) % maxDeparted
}

// get finds one.
func (d *departed) get(ino Ino) (Attr, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, ok := d.index[ino]
	if !ok {
		return Attr{}, false
	}
	return d.ring[i], true
}
