package meta

import (
	"context"
	"syscall"
)

// Managed is a managed object of the inventory API that is no file.
type Managed struct {
	ID      Ino // made by AddManaged
	Tenant  string
	Owner   string
	Type    string // "" for none
	Name    string // "" for none
	Doc     []byte // JSON object of the other members
	Created int64  // ns
	Updated int64
}

// ManagedQuery selects managed objects of a tenant.
type ManagedQuery struct {
	Tenant string
	After  Ino    // only numbers above
	IDs    []Ino  // only these, nil means any
	Owner  string // "" means any
	Type   string // "" means any
	Limit  int
}

const managedCols = "id, tenant, owner, type, name, doc, created, updated"

func scanManaged(r row) Managed {
	return Managed{
		ID: Ino(r.int(0)), Tenant: r.text(1), Owner: r.text(2), Type: r.text(3), Name: r.text(4), Doc: []byte(r.text(5)),
		Created: r.int(6), Updated: r.int(7),
	}
}

// AddManaged makes a managed object and gives it its number and times.
func (db *DB) AddManaged(ctx context.Context, m Managed, d Durability) (Managed, error) {
	err := db.update(ctx, d, func(t *tx) error {
		m.ID, m.Created, m.Updated = t.newIno(), t.now, t.now
		return t.run("INSERT INTO managed ("+managedCols+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			m.ID, m.Tenant, m.Owner, m.Type, m.Name, string(m.Doc), m.Created, m.Updated)
	})
	return m, err
}

// managed returns a managed object of a tenant, or ENOENT.
func (c *conn) managed(tenant string, id Ino) (Managed, error) {
	r, ok, err := c.one("SELECT "+managedCols+" FROM managed WHERE id = ?", id)
	if err == nil && (!ok || r.text(1) != tenant) {
		err = syscall.ENOENT
	}
	if err != nil {
		return Managed{}, err
	}
	return scanManaged(r), nil
}

// GetManaged returns a managed object, or ENOENT.
func (db *DB) GetManaged(ctx context.Context, tenant string, id Ino) (m Managed, err error) {
	err = db.read(ctx, func(c *conn) error {
		m, err = c.managed(tenant, id)
		return err
	})
	return m, err
}

// ChangeManaged lets change edit owner, type, name and document of a managed object, in one transaction.
func (db *DB) ChangeManaged(ctx context.Context, tenant string, id Ino, change func(*Managed) error, d Durability) (m Managed, err error) {
	err = db.update(ctx, d, func(t *tx) error {
		if m, err = t.managed(tenant, id); err != nil {
			return err
		}
		if err := change(&m); err != nil {
			return err
		}
		m.Updated = t.now
		return t.run("UPDATE managed SET owner = ?, type = ?, name = ?, doc = ?, updated = ? WHERE id = ?",
			m.Owner, m.Type, m.Name, string(m.Doc), m.Updated, id)
	})
	return m, err
}

// DeleteManaged removes a managed object and its relations, or returns ENOENT.
func (db *DB) DeleteManaged(ctx context.Context, tenant string, id Ino, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		n, err := t.changed("DELETE FROM managed WHERE id = ? AND tenant = ?", id, tenant)
		if err == nil && n == 0 {
			err = syscall.ENOENT
		}
		if err != nil {
			return err
		}
		return t.unlinkAll(id)
	})
}

// ManagedList returns managed objects in the order of their numbers. It returns fewer than q.Limit when their documents are large, but never none
// when there are some: who wants all asks again behind the last one until nothing comes.
func (db *DB) ManagedList(ctx context.Context, q ManagedQuery) ([]Managed, error) {
	where, args, err := q.where()
	if err != nil {
		return nil, err
	}
	return bounded(ctx, db, scanManaged, func(m Managed) int { return len(m.Doc) },
		"SELECT "+managedCols+" FROM managed WHERE "+where+" ORDER BY id LIMIT ?", append(args, q.Limit)...)
}

// CountManaged returns how many managed objects a query finds, regardless of its limit.
func (db *DB) CountManaged(ctx context.Context, q ManagedQuery) (int64, error) {
	where, args, err := q.where()
	if err != nil {
		return 0, err
	}
	return db.number(ctx, "SELECT count(*) FROM managed WHERE "+where, args...)
}

// where builds the condition from fixed pieces.
func (q ManagedQuery) where() (string, []any, error) {
	text, args := "tenant = +? AND id > +?", []any{q.Tenant, q.After}
	if q.IDs != nil {
		ids, err := inoList(q.IDs)
		if err != nil {
			return "", nil, err
		}
		text, args = text+" AND id IN (SELECT value FROM json_each(?))", append(args, ids)
	}
	if q.Owner != "" {
		text, args = text+" AND owner = +?", append(args, q.Owner)
	}
	if q.Type != "" {
		text, args = text+" AND type = +?", append(args, q.Type)
	}
	return text, args, nil
}

// pageBytes bounds what one page of documents may hold in memory.
const pageBytes = 2 << 20

// bounded is list that stops behind pageBytes of what size counts.
func bounded[T any](ctx context.Context, db *DB, scan func(row) T, size func(T) int, text string, args ...any) (all []T, err error) {
	err = db.read(ctx, func(c *conn) error {
		all = nil
		left := pageBytes
		return c.each(func(r row) error {
			all = append(all, scan(r))
			if left -= size(all[len(all)-1]); left <= 0 {
				return errStop
			}
			return nil
		}, text, args...)
	})
	return all, err
}
