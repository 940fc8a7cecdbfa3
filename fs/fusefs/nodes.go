package fusefs

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// A node id is an inode number with a generation above it. The generation is 0 unless the file was replaced while it was open here: see the
// package comment.
const (
	genShift = 48
	genMax   = 1<<15 - 1 // the top bit stays clear: all ones is a node id that go-fuse uses itself
	inoMask  = 1<<genShift - 1
)

// nodeTable knows the files whose current node id differs from their number. It is empty most of the time.
type nodeTable struct {
	root fs.Ino       // of the mounted tenant; for the kernel it is always node 1
	size atomic.Int64 // len(moved), read without the lock on the way of every request

	mu    sync.RWMutex
	moved map[fs.Ino]*movedNode // guarded by mu
}

// movedNode lives as long as anything is open under one of the nodes or the kernel remembers the current one.
type movedNode struct {
	gen     uint64
	lookups uint64 // how often the kernel was told the current node id
}

// ino is the file a node id stands for.
func (t *nodeTable) ino(node uint64) fs.Ino {
	if node == fuse.FUSE_ROOT_ID {
		return t.root
	}
	return fs.Ino(node & inoMask)
}

// plain is the node id of a file that was never moved.
func (t *nodeTable) plain(ino fs.Ino) uint64 {
	if ino == t.root {
		return fuse.FUSE_ROOT_ID
	}
	return uint64(ino)
}

// current is the node id under which the kernel shall open the file now.
func (t *nodeTable) current(ino fs.Ino) uint64 {
	if t.size.Load() == 0 {
		return t.plain(ino)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if m := t.moved[ino]; m != nil {
		return uint64(ino) | m.gen<<genShift
	}
	return t.plain(ino)
}

// tell is current for a reply that makes the kernel remember the node.
func (t *nodeTable) tell(ino fs.Ino) uint64 {
	if t.size.Load() == 0 {
		return t.plain(ino)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.moved[ino]
	if m == nil {
		return t.plain(ino)
	}
	m.lookups++
	return uint64(ino) | m.gen<<genShift
}

// move gives the file a new node id if node is its current one.
func (t *nodeTable) move(node uint64) {
	ino := t.ino(node)
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.moved[ino]
	if m == nil {
		m = &movedNode{}
	}
	if m.gen != node>>genShift {
		return // somebody else moved it already
	}
	if t.moved == nil {
		t.moved = map[fs.Ino]*movedNode{}
	}
	m.gen, m.lookups = m.gen%genMax+1, 0
	t.moved[ino] = m
	t.size.Store(int64(len(t.moved)))
}

// forget is told that the kernel dropped n references to a node.
func (t *nodeTable) forget(node, n uint64) {
	if node>>genShift == 0 || t.size.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.moved[t.ino(node)]; m != nil && m.gen == node>>genShift {
		m.lookups -= min(n, m.lookups)
	}
}

// tidy has the file's own number count again if the kernel knows no other and nothing is open under any. What the kernel may still know of
// the number was never cached since the file was moved (see mount.attrOut).
func (t *nodeTable) tidy(ino fs.Ino, open func(node uint64) bool) {
	if t.size.Load() == 0 {
		return
	}
	nodes := t.all(ino)
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.moved[ino]
	if m == nil || m.lookups > 0 || slices.ContainsFunc(nodes, open) {
		return
	}
	delete(t.moved, ino)
	t.size.Store(int64(len(t.moved)))
}

// all lists every node id the kernel may know for the file.
func (t *nodeTable) all(ino fs.Ino) []uint64 {
	nodes := []uint64{t.plain(ino)}
	cur := t.current(ino) >> genShift
	for g := uint64(1); g <= cur; g++ {
		nodes = append(nodes, uint64(ino)|g<<genShift)
	}
	return nodes
}
