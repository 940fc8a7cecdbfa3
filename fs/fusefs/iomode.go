package fusefs

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// The kernel has one mode per node while it is open: either every open goes through to one and the same local file, or they all use the
// page cache. An answer to OPEN that breaks this fails with EIO. The kernel leaves the mode when the last file is closed, before it sends
// that file's RELEASE, so what is counted here is never less than what the kernel counts.
type ioMode uint8

const (
	ioCached  ioMode = iota // through the page cache and this process
	ioThrough               // the kernel works on the backing file
)

// view is what iomode needs to know of a handle: handles with the same view see the same bytes.
type view interface {
	Backing() *fs.Backing
	Version() int64
}

// registrar makes a local file known to the kernel. go-fuse's Server is one.
type registrar interface {
	RegisterBackingFd(*fuse.BackingMap) (int32, syscall.Errno)
	UnregisterBackingFd(id int32) syscall.Errno
}

// ioTable decides how each open is served and remembers it until the release.
//
// Lock order: a shard's mu, then contents.mu; the registrar is called with mu held, which takes no lock of ours.
type ioTable struct {
	log      *slog.Logger
	contents contents
	reg      registrar   // nil: no passthrough; set once before the first open
	refused  atomic.Bool // the kernel will never take our files
	clock    atomic.Uint64
	through  atomic.Int64 // opens served by the kernel so far
	cached   atomic.Int64 // and by this process
	shards   [64]ioShard
}

type ioShard struct {
	mu    sync.Mutex
	nodes map[uint64]*ioNode // open ones; guarded by mu
}

// ioNode is an open node. It is guarded by its shard's mu.
type ioNode struct {
	mode    ioMode
	backing *fs.Backing // of the common view, nil if it has none
	id      int32       // of backing in the kernel, in mode ioThrough
	born    uint64      // clock when the view came here
	views   []view      // one per open handle
	tainted bool        // the page cache may hold bytes that never became a version
	priv    bool        // writes have to clear set-user-id bits
}

// verdict is the outcome of admit.
type verdict int

const (
	granted  verdict = iota
	again            // the handle may be older than the node: open the file once more
	outdated         // the node is on older content than the handle: the file needs another node
)

func (t *ioTable) shard(node uint64) *ioShard {
	return &t.shards[(node^node>>genShift)%uint64(len(t.shards))]
}

// mayPass tells whether it is worth asking the core for a backing file.
func (t *ioTable) mayPass() bool { return t.reg != nil && !t.refused.Load() }

// now is taken before a handle is opened, so that admit can tell who is newer.
func (t *ioTable) now() uint64 { return t.clock.Add(1) }

// admit counts a new handle on a node and says in out how the kernel shall serve it. start is now() from before the handle was opened;
// direct keeps reads and writes of this handle away from the backing file.
func (t *ioTable) admit(node uint64, v view, start uint64, direct bool, out *fuse.OpenOut) verdict {
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	if n != nil && !n.shares(v) {
		if n.born < start {
			return outdated
		}
		return again
	}
	if n == nil {
		n = t.enter(node, v, direct)
		if s.nodes == nil {
			s.nodes = map[uint64]*ioNode{}
		}
		s.nodes[node] = n
	}
	t.answer(node, n, v, direct, out)
	n.views = append(n.views, v)
	return granted
}

// shares tells whether a handle is on the content the node is on. Views without a backing file are told apart by their version; it is
// read around the node's, because a commit may change the version of the common view at any time.
func (n *ioNode) shares(v view) bool {
	if n.backing != nil || v.Backing() != nil {
		return n.backing == v.Backing()
	}
	for {
		before := v.Version()
		theirs := n.views[0].Version()
		if v.Version() == before {
			return theirs == before
		}
	}
}

// enter chooses the mode of a node that was not open.
func (t *ioTable) enter(node uint64, v view, direct bool) *ioNode {
	n := &ioNode{backing: v.Backing(), born: t.clock.Add(1)}
	if n.backing == nil || direct || !t.mayPass() {
		return n
	}
	id, errno := t.reg.RegisterBackingFd(&fuse.BackingMap{Fd: int32(n.backing.File.Fd())})
	switch errno {
	case 0:
		n.mode, n.id = ioThrough, id
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR: // may be over by the next open
	default:
		if t.refused.CompareAndSwap(false, true) {
			t.log.Warn("the kernel refuses passthrough, all reads and writes go through this process", "err", errno)
		}
	}
	return n
}

// answer fills the flags for one more handle on n.
func (t *ioTable) answer(node uint64, n *ioNode, v view, direct bool, out *fuse.OpenOut) {
	if n.mode == ioThrough {
		out.OpenFlags |= fuse.FOPEN_PASSTHROUGH
		out.BackingID = n.id
		if direct {
			out.OpenFlags |= fuse.FOPEN_DIRECT_IO
		}
		t.contents.drop(node)
		t.through.Add(1)
		return
	}
	version := v.Version()
	if len(n.views) > 0 || t.contents.is(node, version) {
		out.OpenFlags |= fuse.FOPEN_KEEP_CACHE
	}
	t.contents.set(node, version)
	t.cached.Add(1)
}

// leave takes a handle away again.
func (t *ioTable) leave(node uint64, v view) {
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	if n == nil {
		return
	}
	for i, w := range n.views {
		if w == v {
			last := len(n.views) - 1
			n.views[i] = n.views[last]
			n.views[last] = nil
			n.views = n.views[:last]
			break
		}
	}
	switch {
	case n.tainted:
		t.contents.drop(node)
	case n.mode == ioCached:
		// Writes went through the page cache, which holds the content of the version they became.
		t.contents.set(node, v.Version())
	}
	if len(n.views) > 0 {
		return
	}
	delete(s.nodes, node)
	if n.mode == ioThrough {
		if errno := t.reg.UnregisterBackingFd(n.id); errno != 0 {
			t.log.Warn("a backing file could not be taken back from the kernel", "err", errno)
		}
	}
}

// taint is called when bytes that were written could not be committed: the file may fall back to what it was, but the page cache has the new
// bytes. It is not trusted again before everybody has closed the file.
func (t *ioTable) taint(node uint64) {
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.nodes[node]; n != nil {
		n.tainted = true
	}
	t.contents.drop(node)
}

// setPrivileged remembers whether writes to an open node have set-user-id bits to clear.
func (t *ioTable) setPrivileged(node uint64, on bool) {
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.nodes[node]; n != nil {
		n.priv = on
	}
}

// privileged is what setPrivileged remembered.
func (t *ioTable) privileged(node uint64) bool {
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	return n != nil && n.priv
}

// contents remembers which version of a file the kernel's page cache holds, so that an open can leave the cache alone. It forgets
// by itself: a slot serves whichever node hashes to it last.
type contents struct {
	mu    sync.Mutex
	slots [8192]struct { // guarded by mu
		node    uint64
		version int64
	}
}

func (c *contents) slot(node uint64) int { return int((node ^ node>>genShift) % uint64(len(c.slots))) }

// is tells whether the cache of node is known to hold version.
func (c *contents) is(node uint64, version int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.slots[c.slot(node)]
	return version != 0 && s.node == node && s.version == version
}

// set remembers that the cache of node holds nothing but version.
func (c *contents) set(node uint64, version int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.slots[c.slot(node)]
	s.node, s.version = node, version
}

// drop forgets what the cache of node holds.
func (c *contents) drop(node uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := &c.slots[c.slot(node)]; s.node == node {
		s.node, s.version = 0, 0
	}
}
