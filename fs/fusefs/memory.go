package fusefs

import "sync/atomic"

// memory remembers one version per node, and forgets by itself: a slot serves whichever node hashes to it last. Asked whether a node has a
// version it says yes only if that is so.
type memory struct {
	slots [1 << 15]atomic.Uint64 // fingerprints, 0 while empty
}

func (m *memory) slot(node uint64) *atomic.Uint64 {
	return &m.slots[(node^node>>genShift)%uint64(len(m.slots))]
}

// fingerprint mixes a node and a version (the finalizer of splitmix64).
func fingerprint(node uint64, version int64) uint64 {
	x := node*0x9e3779b97f4a7c15 + uint64(version)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return max(x^x>>31, 1)
}

// is tells whether version is remembered for node. Version 0, content that was never committed, is not.
func (m *memory) is(node uint64, version int64) bool {
	return version != 0 && m.slot(node).Load() == fingerprint(node, version)
}

// set remembers version for node.
func (m *memory) set(node uint64, version int64) { m.slot(node).Store(fingerprint(node, version)) }

// drop forgets what is remembered for node.
func (m *memory) drop(node uint64) { m.slot(node).Store(0) }
