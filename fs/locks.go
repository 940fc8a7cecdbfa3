package fs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"tote/meta"
)

// WebDAV locks (RFC 4918 section 6) are rows in the database, by path. A change by an HTTP face on a locked path needs the lock's token among
// Actor.Tokens. The mount has no tokens: there a locked file can't be opened for writing, cut, or replaced by a rename (EBUSY), whoever took the lock; a
// handle that was opened before goes on. Locks go with what they are on: DELETE and MOVE remove them.

// anyLocks tells whether the tenant has locks. Without any, which is the rule, nothing is asked of the database.
func (f *FS) anyLocks(ctx context.Context, a *Actor) (tenant int64, any bool, err error) {
	t, err := f.tenant(ctx, a)
	if err != nil {
		return 0, false, err
	}
	if _, none := f.noLocks.Load(t.ID); none {
		return t.ID, false, nil
	}
	f.lockMu.Lock()
	defer f.lockMu.Unlock()
	any, err = f.db.HasLocks(ctx, t.ID)
	if err == nil && !any {
		f.noLocks.Store(t.ID, true)
	}
	return t.ID, any, err
}

// locksOver lists the locks on a path and on what is above it, covering or not. It costs nothing for those elsewhere.
func (f *FS) locksOver(ctx context.Context, a *Actor, path string) ([]Lock, error) {
	tenant, any, err := f.anyLocks(ctx, a)
	if err != nil || !any {
		return nil, err
	}
	over, err := f.db.LocksOver(ctx, tenant, path)
	if err != nil {
		return nil, err
	}
	return f.unexpired(over), nil
}

// unexpired drops the locks whose time is over.
func (f *FS) unexpired(locks []Lock) []Lock {
	now := f.Now()
	return slices.DeleteFunc(locks, func(l Lock) bool { return !l.Expires.After(now) })
}

// eachLockBelow shows fn the locks on what is below path, one at a time because there may be very many, until it returns an error.
func (f *FS) eachLockBelow(ctx context.Context, a *Actor, path string, fn func(Lock) error) error {
	tenant, any, err := f.anyLocks(ctx, a)
	if err != nil || !any {
		return err
	}
	now := f.Now()
	return f.db.EachLockBelow(ctx, tenant, path, func(l Lock) error {
		if !l.Expires.After(now) {
			return nil
		}
		return fn(l)
	})
}

// covers tells whether a lock applies to path itself.
func covers(l Lock, path string) bool {
	return l.Path == path || l.Infinite && below(path, l.Path)
}

// below tells whether path lies under dir.
func below(path, dir string) bool {
	return dir == "/" && path != "/" || strings.HasPrefix(path, dir+"/")
}

// parentOf is the path of the directory that holds path, "/" for one below the root.
func parentOf(path string) string {
	if p := parentPath(path); p != "" {
		return p
	}
	return "/"
}

// Locks lists the locks that apply to path: those on it, and those of infinite depth on what is above it.
func (f *FS) Locks(ctx context.Context, a *Actor, path string) ([]Lock, error) {
	clean, err := f.lockPath(a, path)
	if err != nil {
		return nil, fail("locks", path, err)
	}
	all, err := f.locksOver(ctx, a, clean)
	return slices.DeleteFunc(all, func(l Lock) bool { return !covers(l, clean) }), fail("locks", path, err)
}

// lockPath is the path of a question about locks.
func (f *FS) lockPath(a *Actor, path string) (string, error) {
	clean, err := CleanPath(path)
	if err != nil {
		return "", err
	}
	return clean, f.allow(a, accessRead)
}

// LocksBelow lists the locks on what is under path, limit of them if there are more.
func (f *FS) LocksBelow(ctx context.Context, a *Actor, path string, limit int) ([]Lock, error) {
	clean, err := f.lockPath(a, path)
	if err != nil {
		return nil, fail("locks", path, err)
	}
	var some []Lock
	err = f.eachLockBelow(ctx, a, clean, func(l Lock) error {
		if some = append(some, l); len(some) >= limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return some, fail("locks", path, err)
}

// errEnough ends a walk early.
var errEnough = errors.New("enough")

// LocksOn lists the locks on each of some clean paths, without those above them.
func (f *FS) LocksOn(ctx context.Context, a *Actor, paths []string) ([]Lock, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, fail("locks", "", err)
	}
	tenant, any, err := f.anyLocks(ctx, a)
	if err != nil || !any {
		return nil, fail("locks", "", err)
	}
	all, err := f.db.LocksOn(ctx, tenant, paths)
	return f.unexpired(all), fail("locks", "", err)
}

// AddLock takes a lock on l.Path. Token, Tenant, User and Created are set here; Expires, Infinite, Shared and Owner are the caller's. A lock
// that excludes it is ErrLocked. c is decided on what is at the path.
func (f *FS) AddLock(ctx context.Context, a *Actor, l Lock, c *Cond) (Lock, error) {
	got, err := f.addLock(detach(ctx), a, l, c)
	return got, fail("lock", l.Path, err)
}

func (f *FS) addLock(ctx context.Context, a *Actor, l Lock, c *Cond) (Lock, error) {
	if err := f.allow(a, accessCreate); err != nil {
		return Lock{}, err
	}
	t, err := f.tenant(ctx, a)
	if err != nil {
		return Lock{}, err
	}
	if l.Path, err = CleanPath(l.Path); err != nil {
		return Lock{}, err
	}
	var need meta.Precondition
	if c != nil {
		at, err := f.resolve(ctx, a, l.Path, true)
		if err != nil {
			return Lock{}, err
		}
		need = c.need(at)
	}
	l.Tenant, l.User, l.Created = t.ID, a.User, f.Now()
	l.Token = "urn:uuid:" + uuid.NewString()
	f.lockMu.Lock()
	defer f.lockMu.Unlock()
	f.noLocks.Delete(t.ID)
	covering := 0
	err = f.db.AddLock(ctx, l, need, func(o Lock) error {
		if covers(o, l.Path) {
			covering++
		}
		if o.Expires.After(l.Created) && overlap(o, l) && !(o.Shared && l.Shared) || covering >= maxCovering {
			return ErrLocked
		}
		return nil
	}, meta.Durable)
	return l, err
}

// maxCovering is how many shared locks may apply to one resource. Every answer about the resource lists them.
const maxCovering = 100

// overlap tells whether two locks meet on some resource.
func overlap(a, b Lock) bool {
	return a.Path == b.Path || a.Infinite && below(b.Path, a.Path) || b.Infinite && below(a.Path, b.Path)
}

// RefreshLock gives a lock a new lifetime.
func (f *FS) RefreshLock(ctx context.Context, a *Actor, token string, ttl time.Duration) (Lock, error) {
	t, err := f.tenant(ctx, a)
	if err != nil {
		return Lock{}, fail("lock", "", err)
	}
	l, err := f.db.RefreshLock(detach(ctx), t.ID, token, f.Now().Add(ttl), meta.Durable)
	return l, fail("lock", "", err)
}

// RemoveLock gives a lock up.
func (f *FS) RemoveLock(ctx context.Context, a *Actor, token string) error {
	t, err := f.tenant(ctx, a)
	if err != nil {
		return fail("unlock", "", err)
	}
	return fail("unlock", "", f.db.DeleteLock(detach(ctx), t.ID, token, meta.Durable))
}

// tokens finds out whether the token of a lock is missing among an actor's. Of several shared locks on a resource one token is enough.
type tokens struct {
	a    *Actor
	need map[string]bool // paths of locks
	have map[string]bool // those with a token
}

func newTokens(a *Actor) *tokens {
	return &tokens{a: a, need: map[string]bool{}, have: map[string]bool{}}
}

// see takes a lock into account, and refuses an exclusive one at once.
func (t *tokens) see(l Lock) error {
	t.need[l.Path] = true
	if l.User == t.a.User && slices.Contains(t.a.Tokens, l.Token) { // somebody else's token opens nothing
		t.have[l.Path] = true
		return nil
	}
	if !l.Shared {
		return tokenMissing(l.Path)
	}
	return nil
}

// verdict is what remains to be refused when all locks were seen.
func (t *tokens) verdict() error {
	for path := range t.need {
		if !t.have[path] {
			return tokenMissing(path)
		}
	}
	return nil
}

func tokenMissing(path string) error {
	return &Error{Op: "change", Path: path, Errno: syscall.EBUSY, Err: ErrLocked}
}

// seeOver takes the locks into account that cover path, and with member also the one on its directory.
func (f *FS) seeOver(ctx context.Context, t *tokens, path string, member bool) error {
	over, err := f.locksOver(ctx, t.a, path)
	if err != nil {
		return err
	}
	for _, l := range over {
		if !covers(l, path) && (!member || l.Path != parentOf(path)) {
			continue
		}
		if err := t.see(l); err != nil {
			return err
		}
	}
	return nil
}

// checkLocks refuses a change of what is at path; member says that an entry of its directory appears or vanishes, too.
func (f *FS) checkLocks(ctx context.Context, a *Actor, path string, member bool) error {
	if a.Mount {
		return nil
	}
	t := newTokens(a)
	if err := f.seeOver(ctx, t, path, member); err != nil {
		return err
	}
	return t.verdict()
}

// checkLocksTree refuses to remove or replace the tree at path.
func (f *FS) checkLocksTree(ctx context.Context, a *Actor, path string) error {
	if a.Mount {
		return nil
	}
	t := newTokens(a)
	if err := f.seeOver(ctx, t, path, true); err != nil {
		return err
	}
	if err := f.eachLockBelow(ctx, a, path, t.see); err != nil {
		return err
	}
	return t.verdict()
}

// checkLocksName is checkLocks for a new or vanishing entry of a directory.
func (f *FS) checkLocksName(ctx context.Context, a *Actor, parent Ino, name string) error {
	if a.Mount {
		return nil
	}
	_, err := f.lockedPath(ctx, a, parent, name)
	return err
}

// lockedPath gives the path of an entry when any locks exist, "" otherwise, and refuses HTTP faces that lack a token.
func (f *FS) lockedPath(ctx context.Context, a *Actor, parent Ino, name string) (string, error) {
	if _, any, err := f.anyLocks(ctx, a); err != nil || !any {
		return "", err
	}
	dir, err := f.db.Path(ctx, parent)
	if errors.Is(err, syscall.ENOENT) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	path := strings.TrimSuffix(dir, "/") + "/" + name
	return path, f.checkLocks(ctx, a, path, true)
}

// checkLocksIno is checkLocks for a node under any of its names.
func (f *FS) checkLocksIno(ctx context.Context, a *Actor, ino Ino) error {
	if a.Mount {
		return nil
	}
	if _, any, err := f.anyLocks(ctx, a); err != nil || !any {
		return err
	}
	path, err := f.db.Path(ctx, ino)
	if err != nil {
		return err
	}
	return f.checkLocks(ctx, a, path, false)
}

// checkLocksMount refuses the mount other bytes for a file that is locked.
func (f *FS) checkLocksMount(ctx context.Context, a *Actor, ino Ino) error {
	if !a.Mount {
		return nil
	}
	if _, any, err := f.anyLocks(ctx, a); err != nil || !any {
		return err
	}
	path, err := f.db.Path(ctx, ino)
	if err != nil {
		return ignore(err, syscall.ENOENT) // it has no name, so nobody can have locked it
	}
	return f.lockedOnMount(ctx, a, path)
}

// lockedOnMount tells whether a lock covers a path.
func (f *FS) lockedOnMount(ctx context.Context, a *Actor, path string) error {
	all, err := f.locksOver(ctx, a, path)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(l Lock) bool { return covers(l, path) }) {
		return &Error{Op: "change", Path: path, Errno: syscall.EBUSY, Err: ErrLocked}
	}
	return nil
}

// checkReplaced refuses a rename on the mount over a locked file; to is its path, "" while there are no locks. A new name in a locked directory
// replaces nothing.
func (f *FS) checkReplaced(ctx context.Context, a *Actor, args meta.RenameArgs, to string) error {
	if !a.Mount || to == "" {
		return nil
	}
	if _, err := f.db.Lookup(ctx, args.NewParent, args.NewName); err != nil {
		return ignore(err, syscall.ENOENT)
	}
	return f.lockedOnMount(ctx, a, to)
}

// dropLocks removes the locks on a path that went away. A failure is logged: they expire anyway.
func (f *FS) dropLocks(ctx context.Context, a *Actor, path string) {
	if path == "" {
		return
	}
	t, err := f.tenant(ctx, a)
	if err == nil {
		err = f.db.DeleteLocksUnder(ctx, t.ID, path, durabilityFor(a))
	}
	if err != nil {
		f.log.Warn("locks of a removed path stay until they expire", "path", path, "err", err)
	}
}
