package fs

import (
	"context"
	"sync"
	"syscall"

	"tote/meta"
)

// openTable knows every node that somebody holds: an open handle on the mount, a Reader of another face, an open directory. A held node that
// loses its last name stays as an orphan until the last holder lets go.
type openTable struct {
	mu    sync.RWMutex
	open  map[Ino]*openIno // guarded by mu
	dying map[Ino]int      // nodes a running transaction may delete; guarded by mu
	lived *sync.Cond       // signalled when such a transaction has ended; uses mu for writing
}

// openIno is the state of one held node.
type openIno struct {
	ino    Ino
	refs   int  // guarded by openTable.mu
	orphan bool // lost its last name; guarded by openTable.mu

	mu   sync.Mutex // serialises opens, commits and the last release; taken before view.mu
	view *view      // what the mount's handles share, nil when none is open; guarded by mu for writing, by openTable.mu as well for the pointer
	idle *sync.Cond // signalled when a view ends or loses a writer; uses mu
}

func newOpenTable() *openTable {
	t := &openTable{open: map[Ino]*openIno{}, dying: map[Ino]int{}}
	t.lived = sync.NewCond(&t.mu)
	return t
}

// hold registers one more holder. It waits for a transaction that may be deleting the node: the caller then sees in the database whether it did.
func (t *openTable) hold(ino Ino) *openIno {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.dying[ino] > 0 {
		t.lived.Wait()
	}
	return t.add(ino)
}

// add is hold for a caller with mu.
func (t *openTable) add(ino Ino) *openIno {
	e := t.open[ino]
	if e == nil {
		e = &openIno{ino: ino}
		e.idle = sync.NewCond(&e.mu)
		t.open[ino] = e
	}
	e.refs++
	return e
}

// held finds a node that somebody holds, nil when nobody does.
func (t *openTable) held(ino Ino) *openIno {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.open[ino]
}

// condemn bans new holders of a nameless node that is about to be deleted. False means that somebody holds it again, whose release will delete it.
func (t *openTable) condemn(ino Ino) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.open[ino]; e != nil {
		e.orphan = true
		return false
	}
	t.dying[ino]++
	return true
}

// lift ends the ban on holders of nodes.
func (t *openTable) lift(inos ...Ino) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, ino := range inos {
		if t.dying[ino]--; t.dying[ino] <= 0 {
			delete(t.dying, ino)
		}
	}
	if len(inos) > 0 {
		t.lived.Broadcast()
	}
}

// drop takes a holder away and tells whether the node has to be deleted now.
func (t *openTable) drop(e *openIno) (dead bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.refs--
	if e.refs > 0 {
		return false
	}
	delete(t.open, e.ino)
	return e.orphan
}

// setView changes the current view of a node; the caller holds e.mu.
func (t *openTable) setView(e *openIno, v *view) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.view = v
}

// viewOf finds the view the mount has of a node, nil when it has none.
func (t *openTable) viewOf(ino Ino) *view {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if e := t.open[ino]; e != nil {
		return e.view
	}
	return nil
}

// views lists the nodes of which the mount has a view.
func (t *openTable) views() map[Ino]bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make(map[Ino]bool, len(t.open))
	for ino, e := range t.open {
		if e.view != nil {
			all[ino] = true
		}
	}
	return all
}

// orphaned tells whether a held node has lost its last name.
func (t *openTable) orphaned(e *openIno) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return e.orphan
}

// len is how many nodes are held.
func (t *openTable) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.open)
}

// reaper decides, inside a transaction that takes last names away, which nodes stay because they are held. The others can't be
// opened any more until done.
type reaper struct {
	t      *openTable
	gone   []Ino
	linger bool       // nodes that nobody holds are held here
	held   []*openIno // for that
}

func (t *openTable) reaper() *reaper { return &reaper{t: t} }

// keep is the Keep callback of meta.
func (r *reaper) keep(ino Ino) bool {
	r.t.mu.Lock()
	defer r.t.mu.Unlock()
	if r.t.open[ino] != nil {
		return true
	}
	if r.linger {
		r.held = append(r.held, r.t.add(ino))
		return true
	}
	r.t.dying[ino]++
	r.gone = append(r.gone, ino)
	return false
}

// done ends the ban that keep put on deleted nodes.
func (r *reaper) done() { r.t.lift(r.gone...) }

// orphan marks nodes that lost their last name while held; those that were let go meanwhile are deleted at once.
func (f *FS) orphan(ctx context.Context, inos ...Ino) {
	for _, ino := range inos {
		f.bury(ctx, ino)
	}
}

// letGo drops a holder; the last one of a nameless node deletes it.
func (f *FS) letGo(e *openIno) {
	if f.table.drop(e) {
		f.bury(context.Background(), e.ino)
	}
}

// bury deletes a node without names that nobody holds. A failure is only logged: the next start finds the orphan again.
func (f *FS) bury(ctx context.Context, ino Ino) {
	if !f.table.condemn(ino) {
		return
	}
	defer f.table.lift(ino)
	removed, err := f.db.DropOrphan(detach(ctx), ino, meta.Relaxed)
	if err != nil && err != syscall.ENOENT {
		f.log.Error("an unlinked file could not be dropped; the next start tries again", "ino", ino, "err", err)
		return
	}
	f.settler.discardLater(removed.Staging...)
}

// discard removes staging files nothing refers to; leftovers go at the next start.
func (f *FS) discard(names ...string) {
	f.queue.drop(names...)
	if err := f.staging.remove(names...); err != nil {
		f.log.Warn("a staging file could not be removed; the next start tries again", "err", err)
	}
}

// HoldDir keeps a directory's node alive while it is open, also when it is removed meanwhile.
func (f *FS) HoldDir(ino Ino) (release func()) {
	e := f.table.hold(ino)
	return func() { f.letGo(e) }
}
