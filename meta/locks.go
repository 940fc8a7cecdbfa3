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

// nearLocks are the locks on what is below a path, and on the path or what is above it.
const nearLocks = "SELECT " + lockCols + ` FROM locks WHERE tenant = ?1 AND (expires = 0 OR expires > ?2) AND path > ?3 AND path < ?4
	UNION ALL
	SELECT ` + lockCols + ` FROM (SELECT value AS n FROM json_each(?5)) j CROSS JOIN locks l
	WHERE l.tenant = ?1 AND (l.expires = 0 OR l.expires > ?2) AND l.path = substr(?6, 1, j.n) ORDER BY 9, 1`

// nearArgs are the arguments of nearLocks: the paths above are told by their lengths, because JSON can't hold all names.
func nearArgs(tenant, now int64, path string) ([]any, error) {
	lengths := []int{1, len(path)}
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			lengths = append(lengths, i)
		}
	}
	slices.Sort(lengths)
	ups, err := json.Marshal(slices.Compact(lengths))
	from, to := below(path)
	return []any{tenant, now, from, to, string(ups), []byte(path)}, err
}

// below gives what all paths below one lie between: "/a/" and "/a0", because 0 follows the slash.
func below(path string) (from, to []byte) {
	if path == "/" {
		return []byte("/"), []byte("0")
	}
	return []byte(path + "/"), []byte(path + "0")
}

// LocksNear returns the locks on a path, above it and below it that have not expired, oldest first.
func (db *DB) LocksNear(ctx context.Context, tenant int64, path string) ([]Lock, error) {
	args, err := nearArgs(tenant, db.opts.Now().UnixNano(), path)
	if err != nil {
		return nil, err
	}
	return list(ctx, db, scanLock, nearLocks, args...)
}

// AddLock adds a lock. The check sees the locks on its path, above it and below it that have not expired and may refuse. A zero Expires means
// never.
func (db *DB) AddLock(ctx context.Context, l Lock, p Precondition, check func(existing []Lock) error, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		if err := t.require(p); err != nil {
			return err
		}
		args, err := nearArgs(l.Tenant, t.now, l.Path)
		if err != nil {
			return err
		}
		existing, err := collect(t.conn, scanLock, nearLocks, args...)
		if err != nil {
			return err
		}
		if check != nil {
			if err := check(existing); err != nil {
				return err
			}
		}
		created := orNow(toNano(l.Created), t.now)
		err = t.run("INSERT INTO locks ("+lockCols+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			l.Token, l.Tenant, []byte(l.Path), l.Infinite, l.Shared, l.Owner, l.User, toNano(l.Expires), created)
		if isTaken(err) {
			return syscall.EEXIST
		}
		return err
	})
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
