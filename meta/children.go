package meta

import "context"

// Kind is what a child is to its parent.
type Kind int

// The kinds of children of a managed object.
const (
	KindAddition Kind = 1
	KindAsset    Kind = 2
	KindDevice   Kind = 3
)

// Relation says that one managed object, which may be a file, is the child of another.
type Relation struct {
	Tenant string
	Parent Ino
	Kind   Kind
	Child  Ino
}

// AddRelations makes relations; one that exists is fine. Whether both ends exist is for the caller to know.
func (db *DB) AddRelations(ctx context.Context, rels []Relation, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		for _, r := range rels {
			err := t.run("INSERT INTO children (parent, kind, child, tenant) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
				r.Parent, int(r.Kind), r.Child, r.Tenant)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteRelation ends one, or returns ENOENT.
func (db *DB) DeleteRelation(ctx context.Context, r Relation, d Durability) error {
	return db.delete(ctx, d, "DELETE FROM children WHERE parent = ? AND kind = ? AND child = ? AND tenant = ?",
		r.Parent, int(r.Kind), r.Child, r.Tenant)
}

// Children returns the children of one kind above a number, in the order of their numbers. Some may not exist any more.
func (db *DB) Children(ctx context.Context, r Relation, limit int) ([]Ino, error) {
	return list(ctx, db, func(r row) Ino { return Ino(r.int(0)) },
		"SELECT child FROM children WHERE parent = +? AND kind = +? AND child > +? AND tenant = +? ORDER BY child LIMIT ?",
		r.Parent, int(r.Kind), r.Child, r.Tenant, limit)
}

// Parents returns the parents that have a child as one of a kind.
func (db *DB) Parents(ctx context.Context, r Relation, limit int) ([]Ino, error) {
	return list(ctx, db, func(r row) Ino { return Ino(r.int(0)) },
		"SELECT parent FROM children WHERE child = +? AND kind = +? AND parent > +? AND tenant = +? ORDER BY parent LIMIT ?",
		r.Child, int(r.Kind), r.Parent, r.Tenant, limit)
}

// unlinkAll ends every relation of an object.
func (t *tx) unlinkAll(id Ino) error {
	if err := t.run("DELETE FROM children WHERE parent = +?", id); err != nil {
		return err
	}
	return t.run("DELETE FROM children WHERE child = +?", id)
}

// SweepRelations removes relations whose parent or child does not exist any more: files go without looking for theirs.
func (db *DB) SweepRelations(ctx context.Context, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		for _, end := range []string{"parent", "child"} {
			err := t.run("DELETE FROM children WHERE NOT EXISTS (SELECT 1 FROM managed m WHERE m.id = children." + end +
				") AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.ino = children." + end + " AND n.nlink > 0)")
			if err != nil {
				return err
			}
		}
		return nil
	})
}
