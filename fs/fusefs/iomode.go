package fusefs

import (
	"log/slog"
	"slices"
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
// Lock order: ioNode.mu before ioShard.mu. Only the core's view lock and the registrar, which takes no lock of ours, are waited for under
// ioNode.mu; nothing is under ioShard.mu.
type ioTable struct {
	log      *slog.Logger
	contents memory      // which version the page cache of a node holds
	reg      registrar   // nil: no passthrough; set once before the first open
	refused  atomic.Bool // the kernel will never take our files
	clock    atomic.Uint64
	through  atomic.Int64 // opens served by the kernel so far
	cached   atomic.Int64 // and by this process
	shards   [64]ioShard
	ended    [1 << 10]atomic.Uint64 // clock when a writer of a node that hashes here was dropped
}

type ioShard struct {
	mu    sync.Mutex
	nodes map[uint64]*ioNode // guarded by mu
}

// ioNode is a node that is open, or about to be.
type ioNode struct {
	users   int // of this struct: one per open handle, writer and lock; guarded by ioShard.mu
	opens   int // open handles; guarded by ioShard.mu
	writers int // handles through which the kernel may write on its own; guarded by ioShard.mu

	mu      sync.Mutex
	mode    ioMode      // guarded by mu, like all below
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

// lock finds a node and locks it; nil if nobody has it open, unless make is set.
func (t *ioTable) lock(node uint64, make bool) *ioNode {
	s := t.shard(node)
	s.mu.Lock()
	n := s.nodes[node]
	if n == nil && make {
		n = s.add(node)
	}
	if n == nil {
		s.mu.Unlock()
		return nil
	}
	n.users++
	s.mu.Unlock()
	n.mu.Lock()
	return n
}

func (s *ioShard) add(node uint64) *ioNode {
	if s.nodes == nil {
		s.nodes = map[uint64]*ioNode{}
	}
	n := &ioNode{}
	s.nodes[node] = n
	return n
}

// unlock ends lock; opened is by how much the number of open handles changed.
func (t *ioTable) unlock(node uint64, n *ioNode, opened int) {
	n.mu.Unlock()
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	n.opens += opened
	n.users += opened - 1
	if n.users == 0 {
		delete(s.nodes, node)
	}
}

// mayPass tells whether it is worth asking the core for a backing file.
func (t *ioTable) mayPass() bool { return t.reg != nil && !t.refused.Load() }

// now is taken before a handle is opened, so that admit can tell who is newer.
func (t *ioTable) now() uint64 { return t.clock.Add(1) }

// admit counts a new handle on a node and says in out how the kernel shall serve it. start is now() from before the handle was opened;
// direct keeps reads and writes of this handle away from the backing file.
func (t *ioTable) admit(node uint64, v view, start uint64, direct bool, out *fuse.OpenOut) verdict {
	n := t.lock(node, true)
	opened := 0
	defer func() { t.unlock(node, n, opened) }()
	if len(n.views) > 0 && !n.shares(v) {
		if n.born < start {
			return outdated
		}
		return again
	}
	if len(n.views) == 0 {
		t.enter(n, v, direct)
	}
	t.answer(node, n, v, direct, out)
	n.views = append(n.views, v)
	opened = 1
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
func (t *ioTable) enter(n *ioNode, v view, direct bool) {
	n.mode, n.backing, n.born, n.tainted, n.priv = ioCached, v.Backing(), t.clock.Add(1), false, false
	if n.backing == nil || direct || !t.mayPass() {
		return
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
	n := t.lock(node, false)
	if n == nil {
		return
	}
	defer t.unlock(node, n, -1)
	if i := slices.Index(n.views, v); i >= 0 {
		last := len(n.views) - 1
		n.views[i], n.views[last] = n.views[last], nil
		n.views = n.views[:last]
	}
	switch {
	case n.tainted:
		t.contents.drop(node)
	case n.mode == ioCached:
		// Writes went through the page cache, which holds the content of the version they became.
		t.contents.set(node, v.Version())
	}
	if len(n.views) > 0 || n.mode != ioThrough {
		return
	}
	if errno := t.reg.UnregisterBackingFd(n.id); errno != 0 {
		t.log.Warn("a backing file could not be taken back from the kernel", "err", errno)
	}
}

// taint is called when bytes that were written could not be committed: the file may fall back to what it was, but the page cache has the new
// bytes. It is not trusted again before everybody has closed the file.
func (t *ioTable) taint(node uint64) {
	if n := t.lock(node, false); n != nil {
		n.tainted = true
		t.unlock(node, n, 0)
	}
	t.contents.drop(node)
}

// open tells whether any handle is open on a node.
func (t *ioTable) open(node uint64) bool {
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	return n != nil && n.opens > 0
}

// cachedVersion is the version that an open node's page cache is filled from; not ok when the node is not open or the cache not used.
func (t *ioTable) cachedVersion(node uint64) (version int64, ok bool) {
	n := t.lock(node, false)
	if n == nil {
		return 0, false
	}
	defer t.unlock(node, n, 0)
	if len(n.views) == 0 || n.mode != ioCached {
		return 0, false
	}
	return n.views[0].Version(), true
}

// addWriter counts a handle through which the kernel may change a node's attributes without a request.
func (t *ioTable) addWriter(node uint64) {
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	if n == nil {
		n = s.add(node)
	}
	n.writers++
	n.users++
}

// dropWriter ends addWriter, after the last commit of the handle.
func (t *ioTable) dropWriter(node uint64) {
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	t.endOf(node).Store(t.clock.Add(1))
	n := s.nodes[node]
	n.writers--
	n.users--
	if n.users == 0 {
		delete(s.nodes, node)
	}
}

func (t *ioTable) endOf(node uint64) *atomic.Uint64 {
	return &t.ended[(node^node>>genShift)%uint64(len(t.ended))]
}

// written tells whether a node has had a writer at any moment since the clock was as given. It may say yes because of another node.
func (t *ioTable) written(node, since uint64) bool {
	s := t.shard(node)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[node]
	return n != nil && n.writers > 0 || t.endOf(node).Load() > since
}

// setPrivileged remembers whether writes to an open node have set-user-id bits to clear.
func (t *ioTable) setPrivileged(node uint64, on bool) {
	if n := t.lock(node, false); n != nil {
		n.priv = on
		t.unlock(node, n, 0)
	}
}

// privileged is what setPrivileged remembered.
func (t *ioTable) privileged(node uint64) bool {
	n := t.lock(node, false)
	if n == nil {
		return false
	}
	defer t.unlock(node, n, 0)
	return n.priv
}
