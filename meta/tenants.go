package meta

import (
	"context"
	"syscall"
)

// EnsureTenant returns the tenant with a name and makes it, with an empty root directory, when there is none. The
// mode, uid and gid are used for a new root only; the first tenant's root is RootIno.
func (db *DB) EnsureTenant(ctx context.Context, name string, mode, uid, gid uint32, d Durability) (tn Tenant, err error) {
	if name == "" {
		return Tenant{}, syscall.EINVAL
	}
	if tn, err = db.TenantByName(ctx, name); err != syscall.ENOENT {
		return tn, err
	}
	err = db.update(ctx, d, func(t *tx) error {
		if tn, err = t.tenant(name); err != syscall.ENOENT {
			return err
		}
		root, err := t.rootNumber()
		if err != nil {
			return err
		}
		r, _, err := t.one("INSERT INTO tenants (name, root) VALUES (?, ?) RETURNING id", name, root)
		if err != nil {
			return err
		}
		tn = Tenant{ID: r.int(0), Name: name, Root: root}
		return t.insertNode(Attr{
			Ino: root, Tenant: tn.ID, Parent: root, Mode: syscall.S_IFDIR | mode&^syscall.S_IFMT, Nlink: 2, UID: uid, GID: gid,
			Atime: t.now, Mtime: t.now, Ctime: t.now, Btime: t.now,
		}, 0, "")
	})
	return tn, err
}

// rootNumber gives the first tenant the number that the kernel expects of a mount.
func (t *tx) rootNumber() (Ino, error) {
	_, taken, err := t.one("SELECT 1 FROM nodes WHERE ino = ?", RootIno)
	if err != nil || !taken {
		return RootIno, err
	}
	return t.newIno(), nil
}

// tenant returns a tenant, or ENOENT.
func (c *conn) tenant(name string) (Tenant, error) {
	r, ok, err := c.one("SELECT id, name, root FROM tenants WHERE name = ?", name)
	if err != nil {
		return Tenant{}, err
	}
	if !ok {
		return Tenant{}, syscall.ENOENT
	}
	return scanTenant(r), nil
}

func scanTenant(r row) Tenant { return Tenant{ID: r.int(0), Name: r.text(1), Root: Ino(r.int(2))} }

// TenantByName returns a tenant, or ENOENT.
func (db *DB) TenantByName(ctx context.Context, name string) (tn Tenant, err error) {
	err = db.read(ctx, func(c *conn) error {
		tn, err = c.tenant(name)
		return err
	})
	return tn, err
}

// DeleteTenant removes an empty tenant with its users, documents and locks. It is ENOENT when there is none and ENOTEMPTY while it has files.
func (db *DB) DeleteTenant(ctx context.Context, name string, d Durability) error {
	defer db.users.forget() // a trigger removes them
	return db.updateAlone(ctx, d, func(t *tx) error {
		tn, err := t.tenant(name)
		if err != nil {
			return err
		}
		_, some, err := t.one("SELECT 1 FROM nodes WHERE tenant = ? AND ino <> ? LIMIT 1", tn.ID, tn.Root)
		if err == nil && some {
			err = syscall.ENOTEMPTY
		}
		if err != nil {
			return err
		}
		if err := t.takeCounts(); err != nil { // its number may be given out again
			return err
		}
		for _, s := range []step{
			{"DELETE FROM props WHERE ino = +?", []any{tn.Root}},
			{"DELETE FROM xattrs WHERE ino = +?", []any{tn.Root}},
			{"DELETE FROM nodes WHERE ino = ?", []any{tn.Root}},
			{"DELETE FROM locks WHERE tenant = +?", []any{tn.ID}},
			{"DELETE FROM tenants WHERE id = ?", []any{tn.ID}},
		} {
			if err := t.run(s.text, s.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tenants returns all tenants in the order of their creation.
func (db *DB) Tenants(ctx context.Context) ([]Tenant, error) {
	return list(ctx, db, scanTenant, "SELECT id, name, root FROM tenants ORDER BY id")
}

// Usage returns what a tenant holds. It reads counters and costs the same for any number of files.
func (db *DB) Usage(ctx context.Context, tenant int64) (u Usage, err error) {
	err = db.read(ctx, func(c *conn) error {
		n, err := c.counts(tenant)
		u = Usage{Files: n.files, Bytes: n.bytes}
		return err
	})
	return u, err
}

// list collects the rows of one statement.
func list[T any](ctx context.Context, db *DB, scan func(row) T, text string, args ...any) (all []T, err error) {
	err = db.read(ctx, func(c *conn) error {
		all, err = collect(c, scan, text, args...)
		return err
	})
	return all, err
}

// collect is list for use inside a transaction.
func collect[T any](c *conn, scan func(row) T, text string, args ...any) (all []T, err error) {
	err = c.each(func(r row) error {
		all = append(all, scan(r))
		return nil
	}, text, args...)
	return all, err
}
