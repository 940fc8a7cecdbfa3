package meta

import (
	"context"
	"encoding/json"
	"slices"
	"syscall"
	"time"
)

const lockCols = "token, tenant, path, infinite, shared, owner, user, expires, created"

func scanLock(r row) Lock {
	return Lock{
		Token: r.text(0), Tenant: r.int(1), Path: r.text(2), Infinite: r.bool(3), Shared: r.bool(4), Owner: r.text(5),
		User: r.text(6), Expires: fromNano(r.int(7)), Created: fromNano(r.int(8)),
	}
}

// toNano and fromNano keep the zero time, which means never, as 0.
func toNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

const liveLocks = "SELECT " + lockCols + ` FROM locks
	WHERE tenant = ? AND (expires = 0 OR expires > ?) ORDER BY created, token`

// Locks returns the locks of a tenant that have not expired, oldest first.
func (db *DB) Locks(ctx context.Context, tenant int64) ([]Lock, error) {
	return list(ctx, db, scanLock, liveLocks, tenant, db.opts.Now().UnixNano())
}

// HasLocks tells whether a tenant has locks, perhaps some that have expired.
func (db *DB) HasLocks(ctx context.Context, tenant int64) (has bool, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, has, err = c.one("SELECT 1 FROM locks WHERE tenant = ? LIMIT 1", tenant)
		return err
	})
	return has, err
}

// The locks on a path and on what is above it, and those on what is below it; and those on it alone.
const (
	locksOver = "SELECT " + lockCols + ` FROM (SELECT value AS n FROM json_each(?3)) j CROSS JOIN locks l
		WHERE l.tenant = ?1 AND (l.expires = 0 OR l.expires > ?2) AND l.path = substr(?4, 1, j.n) ORDER BY 9, 1`
	locksBelow = "SELECT " + lockCols + ` FROM locks WHERE tenant = ? AND (expires = 0 OR expires > ?) AND path > ? AND path < ?`
	locksOn    = "SELECT " + lockCols + ` FROM locks WHERE tenant = ? AND (expires = 0 OR expires > ?) AND path = ? ORDER BY 9, 1`
)

// overArgs are the last arguments of locksOver: the paths above are told by their lengths, because JSON can't hold all names.
func overArgs(tenant, now int64, path string) ([]any, error) {
	lengths := []int{1, len(path)}
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			lengths = append(lengths, i)
		}
	}
	slices.Sort(lengths)
	ups, err := json.Marshal(slices.Compact(lengths))
	return []any{tenant, now, string(ups), []byte(path)}, err
}

// below gives what all paths below one lie between: "/a/" and "/a0", because 0 follows the slash.
func below(path string) (from, to []byte) {
	if path == "/" {
		return []byte("/"), []byte("0")
	}
	return []byte(path + "/"), []byte(path + "0")
}

// LocksOver returns the locks on a path and on what is above it that have not expired, oldest first.
func (db *DB) LocksOver(ctx context.Context, tenant int64, path string) ([]Lock, error) {
	args, err := overArgs(tenant, db.opts.Now().UnixNano(), path)
	if err != nil {
		return nil, err
	}
	return list(ctx, db, scanLock, locksOver, args...)
}

// EachLockBelow calls fn for the locks on what is below a path that have not expired, until it returns an error, which is returned. There may be very many,
// so that fn gets one at a time; it must not use the database.
func (db *DB) EachLockBelow(ctx context.Context, tenant int64, path string, fn func(Lock) error) error {
	from, to := below(path)
	return db.read(ctx, func(c *conn) error {
		return c.each(func(r row) error { return fn(scanLock(r)) }, locksBelow, tenant, db.opts.Now().UnixNano(), from, to)
	})
}

// LocksOn returns the locks on each of some paths that have not expired, not those above them.
func (db *DB) LocksOn(ctx context.Context, tenant int64, paths []string) (all []Lock, err error) {
	err = db.view(ctx, func(c *conn) error {
		all = nil
		for _, path := range paths {
			some, err := collect(c, scanLock, locksOn, tenant, db.opts.Now().UnixNano(), []byte(path))
			if err != nil {
				return err
			}
			all = append(all, some...)
		}
		return nil
	})
	return all, err
}

// AddLock adds a lock. The check sees the locks on its path, above it and below it that have not expired, one after the other, and may refuse. A zero
// Expires means never.
func (db *DB) AddLock(ctx context.Context, l Lock, p Precondition, check func(existing Lock) error, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		if err := t.require(p); err != nil {
			return err
		}
		if err := t.eachLockNear(l, check); err != nil {
			return err
		}
		created := orNow(toNano(l.Created), t.now)
		err := t.run("INSERT INTO locks ("+lockCols+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			l.Token, l.Tenant, []byte(l.Path), l.Infinite, l.Shared, l.Owner, l.User, toNano(l.Expires), created)
		if isTaken(err) {
			return syscall.EEXIST
		}
		return err
	})
}

// eachLockNear shows check the locks near the place of a new one.
func (t *tx) eachLockNear(l Lock, check func(existing Lock) error) error {
	if check == nil {
		return nil
	}
	args, err := overArgs(l.Tenant, t.now, l.Path)
	if err != nil {
		return err
	}
	show := func(r row) error { return check(scanLock(r)) }
	if err := t.each(show, locksOver, args...); err != nil {
		return err
	}
	from, to := below(l.Path)
	return t.each(show, locksBelow, l.Tenant, t.now, from, to)
}

// RefreshLock gives a lock that has not expired another end and returns it, or ENOENT.
func (db *DB) RefreshLock(
	ctx context.Context, tenant int64, token string, expires time.Time, d Durability,
) (l Lock, err error) {
	err = db.update(ctx, d, func(t *tx) error {
		r, ok, err := t.one(`UPDATE locks SET expires = ? WHERE token = ? AND tenant = ? AND (expires = 0 OR expires > ?)
			RETURNING `+lockCols, toNano(expires), token, tenant, t.now)
		if err == nil && !ok {
			err = syscall.ENOENT
		}
		if err != nil {
			return err
		}
		l = scanLock(r)
		return nil
	})
	return l, err
}

// DeleteLock removes a lock, or returns ENOENT.
func (db *DB) DeleteLock(ctx context.Context, tenant int64, token string, d Durability) error {
	return db.delete(ctx, d, "DELETE FROM locks WHERE tenant = ? AND token = ?", tenant, token)
}

// DeleteLocksUnder removes the locks on a path and on everything below it.
func (db *DB) DeleteLocksUnder(ctx context.Context, tenant int64, path string, d Durability) error {
	from, to := below(path)
	return db.update(ctx, d, func(t *tx) error {
		if err := t.run("DELETE FROM locks WHERE tenant = ? AND path = ?", tenant, []byte(path)); err != nil {
			return err
		}
		return t.run("DELETE FROM locks WHERE tenant = ? AND path > ? AND path < ?", tenant, from, to)
	})
}

// ExpireLocks removes locks whose time is over and returns their number.
func (db *DB) ExpireLocks(ctx context.Context, now time.Time, d Durability) (n int64, err error) {
	err = db.update(ctx, d, func(t *tx) error {
		n, err = t.changed("DELETE FROM locks WHERE expires <> 0 AND expires <= ?", now.UnixNano())
		return err
	})
	return n, err
}
