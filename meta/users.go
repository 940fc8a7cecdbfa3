package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
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

// userCache remembers users: a face looks its user up for every request. Every change of the table forgets all of them once it is done, and what was
// read before that is not remembered after it.
type userCache struct {
	mu      sync.RWMutex
	known   map[[2]string]User // guarded by mu: by tenant and name
	changes uint64             // guarded by mu
}

// maxUsers is how many users are remembered.
const maxUsers = 1000

// get returns a user, and else the number of changes so far for put.
func (u *userCache) get(tenant, name string) (User, bool, uint64) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	got, ok := u.known[[2]string{tenant, name}]
	got.Roles = slices.Clone(got.Roles)
	return got, ok, u.changes
}

// put remembers a user that was read after changes.
func (u *userCache) put(user User, changes uint64) {
	user.Roles = slices.Clone(user.Roles)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.changes != changes {
		return
	}
	if u.known == nil || len(u.known) == maxUsers {
		u.known = map[[2]string]User{}
	}
	u.known[[2]string{user.Tenant, user.Name}] = user
}

func (u *userCache) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.known = nil
	u.changes++
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
	defer db.users.forget()
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
	u, ok, changes := db.users.get(tenant, name)
	if ok {
		return u, db.usable(ctx)
	}
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
	if err == nil {
		db.users.put(u, changes)
	}
	return u, err
}

// DeleteUser removes a user, or returns ENOENT.
func (db *DB) DeleteUser(ctx context.Context, tenant, name string, d Durability) error {
	defer db.users.forget()
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
