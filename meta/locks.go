package meta

import (
	"context"
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

// AddLock adds a lock. The check sees the tenant's locks that have not expired and may refuse. A zero Expires means
// never.
func (db *DB) AddLock(ctx context.Context, l Lock, check func(existing []Lock) error, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		existing, err := collect(t.conn, scanLock, liveLocks, l.Tenant, t.now)
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
	below := path + "/"
	if path == "/" {
		below = path
	}
	return db.update(ctx, d, func(t *tx) error {
		return t.run("DELETE FROM locks WHERE tenant = ? AND (path = ? OR substr(path, 1, ?) = ?)",
			tenant, []byte(path), len(below), []byte(below))
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
