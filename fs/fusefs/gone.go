package fusefs

import (
	"errors"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// The kernel finds a node by name and then asks something of the node. In between the file may be replaced or removed. A program that opened a
// name which never ceased to exist must not hear ENOENT because of that, so a node that is gone is answered with ESTALE: the kernel then walks
// the path again, asking for every name on it, and tries what it finds. It does so once; meeting a replaced file twice in a row lets
// ESTALE out.
//
// A thread that comes back with the same dead node did not get it by name: it is in a directory that was removed, or holds a descriptor of one.
// There POSIX wants ENOENT.

// staleNode makes the kernel look the name up again.
const staleNode = fuse.Status(syscall.ESTALE)

// goneMemory remembers which threads were told ESTALE for which node. A slot serves whichever thread hashes to it last.
type goneMemory struct {
	slots [256]atomic.Uint64 // fingerprints, 0 while empty
}

// status is the answer to a thread that named a node which is gone.
func (g *goneMemory) status(pid uint32, node uint64) fuse.Status {
	slot, told := &g.slots[pid%uint32(len(g.slots))], fingerprint(node, int64(pid))
	if slot.CompareAndSwap(told, 0) {
		return fuse.ENOENT
	}
	slot.Store(told)
	return staleNode
}

// nodeStatus is status for a request on a node. All that can be missing is the node.
func (m *mount) nodeStatus(op string, h *fuse.InHeader, err error) fuse.Status {
	if errors.Is(err, syscall.ENOENT) {
		return m.gone.status(h.Pid, h.NodeId)
	}
	return m.status(op, m.nodes.ino(h.NodeId), err)
}

// nameStatus is status for a request on a name in a directory: what is missing may be either.
func (m *mount) nameStatus(op string, h *fuse.InHeader, err error) fuse.Status {
	if errors.Is(err, syscall.ENOENT) && m.isGone(h, h.NodeId) {
		return m.gone.status(h.Pid, h.NodeId)
	}
	return m.status(op, m.nodes.ino(h.NodeId), err)
}

// isGone tells whether a directory does not exist any more. One that is still open somewhere has no name and will never have entries.
func (m *mount) isGone(h *fuse.InHeader, dir uint64) bool {
	a, err := m.fs.GetAttr(m.base, m.actor(h), m.nodes.ino(dir))
	return errors.Is(err, syscall.ENOENT) || err == nil && a.Nlink == 0
}

// missing is the answer to a LOOKUP that found nothing. Other faces replace whole directories in one go, so while they are at work the absence
// of a name may be that of its directory. The mount itself removes only empty ones, of which the absence of a name was true.
func (m *mount) missing(h *fuse.InHeader, name string, since moment, out *fuse.EntryOut) fuse.Status {
	if m.inval.busy() && m.isGone(h, h.NodeId) {
		return m.gone.status(h.Pid, h.NodeId)
	}
	if m.inval.quietSince(since.events) && !volatile(name) {
		out.SetEntryTimeout(m.opts.NegativeTimeout)
	}
	return fuse.OK // NodeId 0: no such name
}
