package fs

import "sync"

// Event tells subscribers what changed. A face that caches uses it to forget.
type Event struct {
	Op        string // create, update, attr, delete, rename, link, props
	Ino       Ino
	Parent    Ino    // directory of Name, 0 when only the node changed
	Name      string // entry that appeared, vanished or now means another node
	OldParent Ino    // of a rename
	OldName   string
	Content   bool // the bytes changed
	Attrs     bool // the attributes changed
	Entry     bool // Parent/Name (and OldParent/OldName) changed
	Origin    string
}

// broker hands events to subscribers.
type broker struct {
	mu   sync.RWMutex
	next int
	subs map[int]func(Event) // guarded by mu
}

// Subscribe has fn called for every change, after its commit and before the caller that made it gets its answer, so that an
// acknowledged change is known to every face. fn must not call back into mutations and must return soon; no lock of the core is held.
func (f *FS) Subscribe(fn func(Event)) (cancel func()) {
	b := &f.events
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[int]func(Event){}
	}
	id := b.next
	b.next++
	b.subs[id] = fn
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, id)
	}
}

// emit delivers one event.
func (f *FS) emit(e Event) {
	b := &f.events
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, fn := range b.subs {
		fn(e)
	}
}
