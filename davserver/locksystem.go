package davserver

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"golang.org/x/net/webdav"

	"tote/fs"
)

// lockSystem is webdav.LockSystem for one request, over the locks in the core. Around each method that changes something the library takes
// a temporary lock when no If header came with the request. Here that is only a question, since the core refuses the change itself in its
// transaction; a real one would make concurrent writers refuse each other.
type lockSystem struct {
	q *request
	c *corrector
}

var _ webdav.LockSystem = (*lockSystem)(nil)

// temporary is the token of the library's own locks.
const temporary = "urn:tote:temporary-lock"

// Create takes a lock for LOCK; for every other method it asks whether one is in the way.
func (s *lockSystem) Create(now time.Time, d webdav.LockDetails) (string, error) {
	if s.q.r.Method != "LOCK" {
		probe := *s.q
		probe.path = d.Root
		if probe.locked() {
			return "", s.fail(fs.ErrLocked)
		}
		return temporary, nil
	}
	ttl := d.Duration
	if ttl <= 0 || ttl > s.q.h.opts.LockMax {
		ttl = s.q.h.opts.LockMax
	}
	l, err := s.q.h.fsys.AddLock(s.q.ctx, s.q.actor, fs.Lock{
		Path: d.Root, Infinite: !d.ZeroDepth, Owner: d.OwnerXML, Expires: now.Add(ttl),
	}, nil)
	return l.Token, s.fail(err)
}

// Refresh starts a lock's time anew.
func (s *lockSystem) Refresh(_ time.Time, token string, ttl time.Duration) (webdav.LockDetails, error) {
	l, err := s.q.h.fsys.RefreshLock(s.q.ctx, s.q.actor, token, min(ttl, s.q.h.opts.LockMax))
	if err != nil {
		return webdav.LockDetails{}, s.fail(err)
	}
	return webdav.LockDetails{Root: l.Path, Duration: ttl, OwnerXML: l.Owner, ZeroDepth: !l.Infinite}, nil
}

// Unlock releases a lock.
func (s *lockSystem) Unlock(_ time.Time, token string) error {
	if token == temporary {
		return nil
	}
	return s.fail(s.q.h.fsys.RemoveLock(s.q.ctx, s.q.actor, token))
}

// Confirm tells whether the conditions name a lock of each resource that has one.
func (s *lockSystem) Confirm(_ time.Time, name0, name1 string, conds ...webdav.Condition) (func(), error) {
	for _, name := range []string{name0, name1} {
		if name == "" {
			continue
		}
		locks, err := s.q.h.fsys.Locks(s.q.ctx, s.q.actor, name)
		if err != nil {
			return nil, s.fail(err)
		}
		held := slices.ContainsFunc(locks, func(l fs.Lock) bool {
			return slices.ContainsFunc(conds, func(c webdav.Condition) bool { return !c.Not && c.Token == l.Token })
		})
		if len(locks) > 0 && !held {
			return nil, webdav.ErrConfirmationFailed
		}
	}
	return func() {}, nil
}

// fail gives err the library's name. What it has no name for is kept for the corrector.
func (s *lockSystem) fail(err error) error {
	switch {
	case err == nil:
		return nil
	case code(err) == http.StatusNotFound:
		return webdav.ErrNoSuchLock
	case code(err) == http.StatusForbidden:
		return webdav.ErrForbidden
	}
	s.c.err = err
	if errors.Is(err, fs.ErrLocked) {
		return webdav.ErrLocked
	}
	return err
}
