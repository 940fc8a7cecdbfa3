package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"
)

// Client is a program that may use a tenant's APIs and act for people there.
type Client struct {
	Tenant  string
	ID      string
	Hash    string // of the secret, in its library's own encoding
	Key     []byte // for signed requests, nil when it has none
	Roles   []string
	Created int64
	Updated int64
}

const clientCols = "tenant, id, hash, auth_key, roles, created, updated"

func scanClient(r row) (Client, error) {
	c := Client{Tenant: r.text(0), ID: r.text(1), Hash: r.text(2), Key: r.bytes(3), Created: r.int(5), Updated: r.int(6)}
	if len(c.Key) == 0 {
		c.Key = nil
	}
	if err := json.Unmarshal([]byte(r.text(4)), &c.Roles); err != nil {
		return Client{}, fmt.Errorf("meta: roles of client %s: %w: %w", c.ID, syscall.EIO, err)
	}
	return c, nil
}

// AddClient makes a client of an existing tenant. It is EEXIST when there is one of that id and ENOENT without the tenant.
func (db *DB) AddClient(ctx context.Context, c Client, d Durability) error {
	if c.ID == "" {
		return syscall.EINVAL
	}
	roles, err := json.Marshal(c.Roles)
	if err != nil {
		return err
	}
	return db.update(ctx, d, func(t *tx) error {
		if _, err := t.tenant(c.Tenant); err != nil {
			return err
		}
		err := t.run("INSERT INTO clients ("+clientCols+") VALUES (?, ?, ?, ?, ?, ?, ?)", c.Tenant, c.ID, c.Hash, blob(c.Key), string(roles),
			orNow(c.Created, t.now), orNow(c.Updated, t.now))
		if isTaken(err) {
			return syscall.EEXIST
		}
		return err
	})
}

// GetClient returns a client, or ENOENT.
func (db *DB) GetClient(ctx context.Context, tenant, id string) (Client, error) {
	list, err := db.clients(ctx, "tenant = ? AND id = ?", tenant, id)
	if err == nil && len(list) == 0 {
		err = syscall.ENOENT
	}
	if err != nil {
		return Client{}, err
	}
	return list[0], nil
}

// Clients returns the clients of a tenant by id.
func (db *DB) Clients(ctx context.Context, tenant string) ([]Client, error) {
	return db.clients(ctx, "tenant = ? ORDER BY id", tenant)
}

// SigningClients returns the clients of a tenant that can sign requests, by id.
func (db *DB) SigningClients(ctx context.Context, tenant string) ([]Client, error) {
	return db.clients(ctx, "tenant = ? AND length(auth_key) > 0 ORDER BY id", tenant)
}

func (db *DB) clients(ctx context.Context, where string, args ...any) (list []Client, err error) {
	err = db.read(ctx, func(c *conn) error {
		list = nil
		return c.each(func(r row) error {
			client, err := scanClient(r)
			list = append(list, client)
			return err
		}, "SELECT "+clientCols+" FROM clients WHERE "+where, args...)
	})
	return list, err
}

// DeleteClient removes a client, or returns ENOENT.
func (db *DB) DeleteClient(ctx context.Context, tenant, id string, d Durability) error {
	return db.delete(ctx, d, "DELETE FROM clients WHERE tenant = ? AND id = ?", tenant, id)
}

// TenantOptions returns what was kept with PutTenantOptions, nil for nothing.
func (db *DB) TenantOptions(ctx context.Context, tenant string) (doc []byte, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, ok, err := c.one("SELECT doc FROM tenant_options WHERE tenant = ?", tenant)
		if err == nil && ok {
			doc = []byte(r.text(0))
		}
		return err
	})
	return doc, err
}

// PutTenantOptions keeps a JSON object for an existing tenant; ENOENT without it.
func (db *DB) PutTenantOptions(ctx context.Context, tenant string, doc []byte, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		if _, err := t.tenant(tenant); err != nil {
			return err
		}
		return t.run("INSERT INTO tenant_options (tenant, doc) VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc", tenant, string(doc))
	})
}
