package fusefs

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// notifier tells the kernel to forget. go-fuse's Server is one.
type notifier interface {
	InodeNotify(node uint64, off, length int64) fuse.Status
	EntryNotify(parent uint64, name string) fuse.Status
}

// invalidator pushes the changes that other faces make to the kernel. The core calls it after the commit and waits, so that once another
// face has answered its client, nothing old is served from the kernel's caches.
//
// A notification can block: the kernel waits for a running request on the same directory, or for pages that are being read. Those requests
// need this process and the core but no lock that the caller holds, so they end; a bound is kept all the same.
type invalidator struct {
	m       *mount
	log     *slog.Logger
	kernel  notifier      // nil before start and where the kernel is too old
	running chan struct{} // one element per notification in progress
	changes atomic.Uint64 // events of other faces so far
	last    atomic.Int64  // when the last one came, in ns since start
	begun   time.Time

	patience time.Duration // how long the core waits for the kernel at most
	cancel   func()        // ends the subscription
}

const (
	notifyPatience = 2 * time.Second
	notifyMax      = 64 // that may hang at the same time before events go without

	// notifyAgain is when a node the kernel did not know is invalidated a second time: an answer to LOOKUP with the old state may have
	// been on its way to the kernel.
	notifyAgain = 100 * time.Millisecond

	// busyFor is how long after an event other faces are expected to go on.
	busyFor = 2 * time.Second
)

func (i *invalidator) init(m *mount) {
	i.m, i.log, i.begun, i.patience = m, m.log, time.Now(), notifyPatience
	i.last.Store(-int64(busyFor))
	i.running = make(chan struct{}, notifyMax)
}

// start begins to pass on events; supported tells whether the kernel knows notifications.
func (i *invalidator) start(kernel notifier, supported bool) {
	if supported {
		i.kernel = kernel
	}
	i.cancel = i.m.fs.Subscribe(i.event)
}

// stop ends the subscription.
func (i *invalidator) stop() {
	if i.cancel != nil {
		i.cancel()
	}
}

// mark is a moment; quietSince tells whether no other face changed anything since. What was read from the core in between may be older than an
// event that the kernel has been told already, unless all was quiet.
func (i *invalidator) mark() uint64 { return i.changes.Load() }

func (i *invalidator) quietSince(mark uint64) bool { return i.changes.Load() == mark }

// busy tells whether another face changed something a moment ago.
func (i *invalidator) busy() bool {
	return int64(time.Since(i.begun))-i.last.Load() < int64(busyFor)
}

// attributes makes the kernel ask for the attributes of a node again. It never blocks.
func (i *invalidator) attributes(node uint64) {
	if i.kernel != nil {
		i.kernel.InodeNotify(node, -1, 0)
	}
}

// event passes on what another face did. The kernel knows what went through it.
func (i *invalidator) event(e fs.Event) {
	if e.Origin == origin || i.kernel == nil {
		return
	}
	i.last.Store(int64(time.Since(i.begun)))
	i.changes.Add(1)
	select {
	case i.running <- struct{}{}:
	case <-time.After(i.patience):
		i.log.Warn("the kernel does not take notifications; the mount may show old names or attributes for a while", "ino", e.Ino)
		return
	}
	done := make(chan struct{})
	go func() {
		defer func() { <-i.running }()
		unknown := i.tell(e)
		close(done)
		if unknown {
			time.AfterFunc(notifyAgain, func() { i.tell(e) })
		}
	}()
	timeout := time.NewTimer(i.patience)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		i.log.Warn("the kernel is slow to forget; the mount may show an old state for a moment", "op", e.Op, "ino", e.Ino, "name", e.Name)
	}
}

// tell sends the notifications for an event and says whether the kernel did not know one of the nodes.
func (i *invalidator) tell(e fs.Event) (unknown bool) {
	note := func(s fuse.Status) { unknown = unknown || s == fuse.ENOENT }
	if e.Ino != 0 && (e.Content || e.Attrs) {
		for _, node := range i.m.nodes.all(e.Ino) {
			if e.Content {
				i.m.io.contents.drop(node)
				note(i.kernel.InodeNotify(node, 0, -1))
			} else {
				note(i.kernel.InodeNotify(node, -1, 0))
			}
		}
	}
	if !e.Entry {
		return unknown
	}
	for _, at := range []struct {
		dir  fs.Ino
		name string
	}{{e.Parent, e.Name}, {e.OldParent, e.OldName}} {
		if at.dir == 0 {
			continue
		}
		note(i.kernel.InodeNotify(i.m.nodes.plain(at.dir), -1, 0))
		if at.name != "" {
			note(i.kernel.EntryNotify(i.m.nodes.plain(at.dir), at.name))
		}
	}
	return unknown
}
