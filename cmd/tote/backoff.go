package main

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
)

const (
	backoffMax     = 10_000           // addresses and names remembered; the least recent go first
	backoffForget  = 10 * time.Minute // without a failure
	freePerName    = 5                // failures of one name from one address that cost nothing
	freePerAddr    = 50               // failures of one address over all names
	backoffStep    = 250 * time.Millisecond
	backoffNameMax = 30 * time.Second
	backoffAddrMax = time.Second // short: people behind one proxy share its address
)

// backoff slows down guessing. Failures of one name from one address block that pair for longer and longer; many failures of one
// address over all names block the address briefly. Right credentials that are already known never ask it.
type backoff struct {
	now func() time.Time
	mu  sync.Mutex
	by  *expirable.LRU[string, failures] // guarded by mu, because an update is a Get and an Add
}

type failures struct {
	n     int
	until time.Time // blocked before
}

func newBackoff(now func() time.Time) *backoff {
	return &backoff{now: now, by: expirable.NewLRU[string, failures](backoffMax, nil, backoffForget)}
}

// pair is the key of a name from an address; the address alone is the other key. An address has no NUL.
func pair(addr, name string) string { return addr + "\x00" + name }

// Blocked tells whether an attempt has to wait.
func (b *backoff) Blocked(addr, name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for _, key := range []string{addr, pair(addr, name)} {
		if f, ok := b.by.Get(key); ok && now.Before(f.until) {
			return true
		}
	}
	return false
}

// Failed counts a wrong password.
func (b *backoff) Failed(addr, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(addr, freePerAddr, backoffAddrMax)
	b.count(pair(addr, name), freePerName, backoffNameMax)
}

// count doubles the wait with every failure above free. The caller holds mu.
func (b *backoff) count(key string, free int, longest time.Duration) {
	f, _ := b.by.Get(key)
	f.n++
	if over := f.n - free; over > 0 {
		f.until = b.now().Add(min(backoffStep<<min(over-1, 16), longest))
	}
	b.by.Add(key, f)
}

// Passed forgets the failures of a name that logged in. Those of the address stay: an attacker may own one account.
func (b *backoff) Passed(addr, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.by.Remove(pair(addr, name))
}
