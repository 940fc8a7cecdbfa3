package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"
)

const userCols = "tenant, name, hash, roles, created, updated"

// scanUser can fail, unlike its like: the roles are JSON.
func scanUser(r row) (User, error) {
	u := User{Tenant: r.text(0), Name: r.text(1), Hash: r.text(2), Created: r.int(4), Updated: r.int(5)}
	if err := json.Unmarshal([]byte(r.text(3)), &u.Roles); err != nil {
		return User{}, fmt.Errorf("meta: roles of user %s: %w: %w", u.Name, syscall.EIO, err)
	}
	return u, nil
}

// PutUser makes or replaces a user. Created is kept when there was one; zero times become now.
func (db *DB) PutUser(ctx context.Context, u User, d Durability) error {
	if u.Name == "" {
		return syscall.EINVAL
	}
	roles, err := json.Marshal(u.Roles)
	if err != nil {
		return err
	}
	return db.update(ctx, d, func(t *tx) error {
		created, updated := orNow(u.Created, t.now), orNow(u.Updated, t.now)
		return t.run("INSERT INTO users ("+userCols+`) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
			SET hash = excluded.hash, roles = excluded.roles, updated = excluded.updated`,
			u.Tenant, u.Name, u.Hash, string(roles), created, updated)
	})
}

// orNow is t, or now when the caller gave none.
func orNow(t, now int64) int64 {
	if t == 0 {
		return now
	}
	return t
}

// GetUser returns a user, or ENOENT.
func (db *DB) GetUser(ctx context.Context, tenant, name string) (u User, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, ok, err := c.one("SELECT "+userCols+" FROM users WHERE tenant = ? AND name = ?", tenant, name)
		if err == nil && !ok {
			err = syscall.ENOENT
		}
		if err != nil {
			return err
		}
		u, err = scanUser(r)
		return err
	})
	return u, err
}

// DeleteUser removes a user, or returns ENOENT.
func (db *DB) DeleteUser(ctx context.Context, tenant, name string, d Durability) error {
	return db.delete(ctx, d, "DELETE FROM users WHERE tenant = ? AND name = ?", tenant, name)
}

// delete runs a statement that must change a row, else it is ENOENT.
func (db *DB) delete(ctx context.Context, d Durability, text string, args ...any) error {
	return db.update(ctx, d, func(t *tx) error {
		n, err := t.changed(text, args...)
		if err == nil && n == 0 {
			err = syscall.ENOENT
		}
		return err
	})
}

// Users returns the users of a tenant by name.
func (db *DB) Users(ctx context.Context, tenant string) (users []User, err error) {
	err = db.read(ctx, func(c *conn) error {
		users = nil
		return c.each(func(r row) error {
			u, err := scanUser(r)
			users = append(users, u)
			return err
		}, "SELECT "+userCols+" FROM users WHERE tenant = ? ORDER BY name", tenant)
	})
	return users, err
}
