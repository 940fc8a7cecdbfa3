package fusefs

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// mount serves the requests of one mounted tree.
type mount struct {
	fs     *fs.FS
	opts   Options
	log    *slog.Logger
	tenant int64           // whose tree it is
	base   context.Context // never cancelled: see the package comment
	actors sync.Map        // owner -> *fs.Actor
	files  slots[openFile]
	dirs   slots[openDir]
	nodes  nodeTable
	io     ioTable
	inval  invalidator
	gone   goneMemory
	told   memory // the version with which the kernel last got the attributes of a node
}

// owner names the caller of a request.
type owner struct{ uid, gid uint32 }

func newMount(ctx context.Context, f *fs.FS, o Options) (*mount, error) {
	m := &mount{fs: f, opts: o, log: o.Logger, base: context.WithoutCancel(ctx)}
	root, err := f.Stat(ctx, o.Actor(0, 0), "/")
	if err != nil {
		return nil, fmt.Errorf("the tree of tenant %q: %w", o.Tenant, err)
	}
	m.nodes.root, m.tenant = root.Ino(), root.Attr().Tenant
	m.io.log = o.Logger
	m.inval.init(m)
	return m, nil
}

const (
	// ioPatience ends a read, a write or a commit that a store does not answer.
	ioPatience = 10 * time.Minute
	// opPatience ends a change of names or attributes.
	opPatience = time.Minute
)

// change is the context of an operation on names and attributes.
func (m *mount) change() (context.Context, context.CancelFunc) {
	return context.WithTimeout(m.base, opPatience)
}

// transfer is the context of an operation that may have to move bytes.
func (m *mount) transfer() (context.Context, context.CancelFunc) {
	return context.WithTimeout(m.base, ioPatience)
}

// saving is the context of a commit. What goes to a remote store may take as long as it goes on: the core bounds every call of the store.
func (m *mount) saving() (context.Context, context.CancelFunc) {
	if m.fs.Remote() {
		return context.WithCancel(m.base)
	}
	return m.transfer()
}

// actor is who sent the request.
func (m *mount) actor(h *fuse.InHeader) *fs.Actor {
	key := owner{h.Uid, h.Gid}
	if a, ok := m.actors.Load(key); ok {
		return a.(*fs.Actor)
	}
	a, _ := m.actors.LoadOrStore(key, m.opts.Actor(h.Uid, h.Gid))
	return a.(*fs.Actor)
}

// onPanic ends an operation that panicked. The process goes on.
func (m *mount) onPanic(reason any) fuse.Status {
	m.log.Error("mount operation panicked", "panic", reason, "stack", string(debug.Stack()))
	return fuse.EIO
}

// String names the file system in go-fuse's messages.
func (m *mount) String() string { return "tote" }

// SetDebug does nothing; Options.Debug is given to go-fuse.
func (m *mount) SetDebug(bool) {}

// Init is called by go-fuse once the kernel has agreed on the protocol, before the first request.
func (m *mount) Init(s *fuse.Server) {
	m.inval.start(s, s.KernelSettings().SupportsNotify(fuse.NOTIFY_INVAL_INODE))
	if m.opts.passthrough() && s.KernelSettings().Flags64()&fuse.CAP_PASSTHROUGH != 0 {
		m.io.reg = s
	}
}

// OnUnmount is called by go-fuse when no request will come any more. A mount that was detached by force may have left files open; what was
// written to them is committed.
func (m *mount) OnUnmount() {
	m.inval.stop()
	for _, of := range m.files.drain() {
		ctx, cancel := m.transfer()
		if err := of.h.Flush(ctx); err != nil {
			m.log.Error("a file that was open at unmount was not saved", "ino", of.ino, "err", err)
		}
		cancel()
		of.h.Release()
	}
	for _, d := range m.dirs.drain() {
		d.release()
	}
}

// Forget is told that the kernel dropped a node. Nodes are rows in the database, so there is nothing to do but for moved ones.
func (m *mount) Forget(nodeid, nlookup uint64) {
	m.nodes.forget(nodeid, nlookup)
	m.nodes.tidy(m.nodes.ino(nodeid), m.io.open)
}
