package fs

import (
	"sync"
	"time"
)

// A node that a rename replaced lingers for a moment before it is deleted. The kernel resolves a name and opens or looks at the node it found in
// two requests; a program that opens a file which always exists, because it is only ever replaced, must not be told in between that it
// is gone. A local file system has the same effect for free, since there the kernel's inode keeps the file.

// lingerTime is how long such a node stays, and lingerMax how many may.
const (
	lingerTime = 3 * time.Second
	lingerMax  = 4096
)

// lingerers holds the nodes that linger.
type lingerers struct {
	mu   sync.Mutex
	held map[*openIno]*time.Timer // guarded by mu
}

// room tells whether another node may linger.
func (l *lingerers) room() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held) < lingerMax
}

// linger keeps the holds on replaced nodes for a moment.
func (f *FS) linger(nodes []*openIno) {
	f.lingering.mu.Lock()
	defer f.lingering.mu.Unlock()
	if f.lingering.held == nil {
		f.lingering.held = map[*openIno]*time.Timer{}
	}
	for _, e := range nodes {
		f.lingering.held[e] = time.AfterFunc(lingerTime, func() { f.endLinger(e) })
	}
}

// endLinger deletes a node that has lingered, unless somebody has opened it.
func (f *FS) endLinger(e *openIno) {
	f.lingering.mu.Lock()
	timer, there := f.lingering.held[e]
	delete(f.lingering.held, e)
	f.lingering.mu.Unlock()
	if there {
		timer.Stop()
		f.letGo(e)
	}
}

// endAllLingering deletes what lingers at once.
func (f *FS) endAllLingering() {
	f.lingering.mu.Lock()
	var all []*openIno
	for e := range f.lingering.held {
		all = append(all, e)
	}
	f.lingering.mu.Unlock()
	for _, e := range all {
		f.endLinger(e)
	}
}
