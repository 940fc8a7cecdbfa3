package fs

import "sync"

// keyGuard keeps a key from being deleted as unused between the publication of its object and the commit that refers to it, and from
// being used while it is deleted.
type keyGuard struct {
	mu   sync.Mutex
	busy map[string]bool // guarded by mu
}

// claim takes a key for one publication or one deletion; false when somebody else has it.
func (g *keyGuard) claim(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy[key] {
		return false
	}
	if g.busy == nil {
		g.busy = map[string]bool{}
	}
	g.busy[key] = true
	return true
}

// taken tells whether somebody has claimed a key.
func (g *keyGuard) taken(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.busy[key]
}

// release gives a key back.
func (g *keyGuard) release(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.busy, key)
}
