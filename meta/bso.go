package meta

import (
	"context"
	"encoding/json"
	"syscall"
)

const bsoCols = "tenant, id, type, object_key, ino, doc, created, modified"

func scanBSO(r row) BSO {
	return BSO{
		Tenant: r.text(0), ID: r.text(1), Type: r.text(2), ObjectKey: r.text(3), Ino: Ino(r.int(4)), Doc: r.bytes(5),
		Created: r.int(6), Modified: r.int(7),
	}
}

// PutBSO makes or replaces a binary stream object. The check sees the present one, nil when there is none, and may
// refuse. Zero times become now.
func (db *DB) PutBSO(ctx context.Context, b BSO, check func(old *BSO) error, d Durability) error {
	if b.ID == "" {
		return syscall.EINVAL
	}
	return db.update(ctx, d, func(t *tx) error {
		old, err := t.bso("SELECT "+bsoCols+" FROM bso WHERE tenant = ? AND id = ?", b.Tenant, b.ID)
		if err != nil && err != syscall.ENOENT {
			return err
		}
		if check != nil {
			was := &old
			if err == syscall.ENOENT {
				was = nil
			}
			if err := check(was); err != nil {
				return err
			}
		}
		return t.putBSO(b)
	})
}

// putBSO asks for the file first: a foreign key would cost every deletion of a node a search.
func (t *tx) putBSO(b BSO) error {
	var ino any
	if b.Ino != 0 {
		if _, err := t.attr(b.Ino); err != nil {
			return err
		}
		ino = b.Ino
	}
	return t.run("INSERT INTO bso ("+bsoCols+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
		SET type = excluded.type, object_key = excluded.object_key, ino = excluded.ino, doc = excluded.doc,
		created = excluded.created, modified = excluded.modified`,
		b.Tenant, b.ID, b.Type, b.ObjectKey, ino, blob(b.Doc), orNow(b.Created, t.now), orNow(b.Modified, t.now))
}

// bso returns the only row of a query, or ENOENT.
func (c *conn) bso(text string, args ...any) (BSO, error) {
	r, ok, err := c.one(text, args...)
	if err != nil {
		return BSO{}, err
	}
	if !ok {
		return BSO{}, syscall.ENOENT
	}
	return scanBSO(r), nil
}

func (db *DB) oneBSO(ctx context.Context, text string, args ...any) (b BSO, err error) {
	err = db.read(ctx, func(c *conn) error {
		b, err = c.bso(text, args...)
		return err
	})
	return b, err
}

// GetBSO returns a binary stream object, or ENOENT.
func (db *DB) GetBSO(ctx context.Context, tenant, id string) (BSO, error) {
	return db.oneBSO(ctx, "SELECT "+bsoCols+" FROM bso WHERE tenant = ? AND id = ?", tenant, id)
}

// BSOByIno returns the binary stream object of a file, the oldest when there are several, or ENOENT.
func (db *DB) BSOByIno(ctx context.Context, ino Ino) (BSO, error) {
	return db.oneBSO(ctx, "SELECT "+bsoCols+" FROM bso WHERE ino = +? ORDER BY created, id LIMIT 1", ino)
}

// BSOsByKey returns the binary stream objects of a tenant with an object key.
func (db *DB) BSOsByKey(ctx context.Context, tenant, key string) ([]BSO, error) {
	return list(ctx, db, scanBSO, "SELECT "+bsoCols+" FROM bso WHERE tenant = ? AND object_key = +? ORDER BY id", tenant, key)
}

// ListBSO returns the binary stream objects of a tenant in the order of their ids: of all types when types is empty.
func (db *DB) ListBSO(ctx context.Context, tenant string, types []string, offset, limit int) ([]BSO, error) {
	if types == nil {
		types = []string{}
	}
	want, err := json.Marshal(types)
	if err != nil {
		return nil, err
	}
	return list(ctx, db, scanBSO, "SELECT "+bsoCols+` FROM bso
		WHERE tenant = ?1 AND (?2 = '[]' OR type IN (SELECT value FROM json_each(?2))) ORDER BY id LIMIT ?3 OFFSET ?4`,
		tenant, string(want), limit, max(offset, 0))
}

// DeleteBSO removes a binary stream object, or returns ENOENT. Its file stays.
func (db *DB) DeleteBSO(ctx context.Context, tenant, id string, d Durability) error {
	return db.delete(ctx, d, "DELETE FROM bso WHERE tenant = ? AND id = ?", tenant, id)
}
