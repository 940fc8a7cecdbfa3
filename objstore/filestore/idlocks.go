package filestore

import "sync"

// idLocks has a lock for each id somebody holds or waits for, and nothing for the others.
type idLocks struct {
	mu    sync.Mutex
	locks map[string]*idLock // guarded by mu
}

type idLock struct {
	sync.Mutex
	users int // guarded by idLocks.mu
}

// lock waits for id and returns its unlock.
func (l *idLocks) lock(id string) func() {
	l.mu.Lock()
	k := l.locks[id]
	if k == nil {
		if l.locks == nil {
			l.locks = map[string]*idLock{}
		}
		k = &idLock{}
		l.locks[id] = k
	}
	k.users++
	l.mu.Unlock()
	k.Lock()
	return func() {
		k.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.locks, id)
		}
	}
}
