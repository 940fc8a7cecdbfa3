package meta

import (
	"context"
	"encoding/json"
)

func scanProp(r row) Property { return Property{Space: r.text(0), Name: r.text(1), Value: r.text(2)} }

// Props returns all properties of a node, ordered by space and name.
func (db *DB) Props(ctx context.Context, ino Ino) (props []Property, err error) {
	err = db.glance(ctx, func(c *conn) error {
		props, err = collect(c, scanProp, "SELECT space, name, value FROM props WHERE ino = +? ORDER BY space, name", ino)
		return err
	})
	return props, err
}

// PropsOf returns the properties in one space of many nodes. Nodes without any are not in the map.
func (db *DB) PropsOf(ctx context.Context, inos []Ino, space string) (map[Ino][]Property, error) {
	return db.propsOf(ctx, inos, propsJoin+" WHERE p.space = +? ORDER BY p.ino, p.name", space)
}

// AllPropsOf returns the properties of many nodes in all spaces, each list ordered by space and name. Nodes without any are not in the map.
func (db *DB) AllPropsOf(ctx context.Context, inos []Ino) (map[Ino][]Property, error) {
	return db.propsOf(ctx, inos, propsJoin+" ORDER BY p.ino, p.space, p.name")
}

// propsJoin takes the list of nodes as its first argument.
const propsJoin = "SELECT p.space, p.name, p.value, p.ino FROM json_each(?) j CROSS JOIN props p ON p.ino = j.value"

func (db *DB) propsOf(ctx context.Context, inos []Ino, query string, args ...any) (map[Ino][]Property, error) {
	ids, err := inoList(inos)
	if err != nil {
		return nil, err
	}
	var all map[Ino][]Property
	err = db.read(ctx, func(c *conn) error {
		all = map[Ino][]Property{}
		return c.each(func(r row) error {
			ino := Ino(r.int(3))
			all[ino] = append(all[ino], scanProp(r))
			return nil
		}, query, append([]any{ids}, args...)...)
	})
	return all, err
}

// SumsOf returns the checksums of the current versions of many files. Those without one are not in the map.
func (db *DB) SumsOf(ctx context.Context, inos []Ino) (map[Ino]string, error) {
	ids, err := inoList(inos)
	if err != nil {
		return nil, err
	}
	var all map[Ino]string
	err = db.read(ctx, func(c *conn) error {
		all = map[Ino]string{}
		return c.each(func(r row) error {
			all[Ino(r.int(0))] = r.text(1)
			return nil
		}, `SELECT n.ino, v.sum FROM json_each(?) j CROSS JOIN nodes n ON n.ino = j.value
			CROSS JOIN versions v ON v.id = n.version WHERE v.sum <> ''`, ids)
	})
	return all, err
}

// inoList is a set of numbers as one bound argument.
func inoList(inos []Ino) (string, error) {
	b, err := json.Marshal(inos)
	return string(b), err
}

// PatchProps sets some properties of a node and removes others, which need not exist.
func (db *DB) PatchProps(ctx context.Context, ino Ino, set, remove []Property, origin string, d Durability) error {
	return db.PatchNode(ctx, PatchArgs{Ino: ino, Set: set, Remove: remove, Origin: origin}, d)
}

// PatchNode changes properties and times of a node together.
func (db *DB) PatchNode(ctx context.Context, a PatchArgs, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		n, err := t.attr(a.Ino)
		if err != nil {
			return err
		}
		if a.Check != nil {
			if err := a.Check(&n); err != nil {
				return err
			}
		}
		for _, p := range a.Remove {
			if err := t.run("DELETE FROM props WHERE ino = ? AND space = ? AND name = ?", a.Ino, p.Space, p.Name); err != nil {
				return err
			}
		}
		if err := t.setProps(a.Ino, a.Set); err != nil {
			return err
		}
		if err := t.setTimes(n, a); err != nil {
			return err
		}
		return t.change(opProps, a.Ino, n.Parent, "", a.Origin)
	})
}

// setTimes gives a node the times of a patch. Whatever it holds, the change time is now.
func (t *tx) setTimes(n Attr, a PatchArgs) error {
	set(&n.Mtime, a.Mtime)
	set(&n.Btime, a.Btime)
	return t.run("UPDATE nodes SET mtime = ?, btime = ?, ctime = ? WHERE ino = ?", n.Mtime, n.Btime, t.now, n.Ino)
}

// setProps replaces properties one by one; there are few in a call.
func (t *tx) setProps(ino Ino, set []Property) error {
	for _, p := range set {
		err := t.run(`INSERT INTO props (ino, space, name, value) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET value = excluded.value`, ino, p.Space, p.Name, p.Value)
		if err != nil {
			return err
		}
	}
	return nil
}

// touchNode records that something about a node other than its bytes changed.
func (t *tx) touchNode(ino Ino) error {
	return t.run("UPDATE nodes SET ctime = ? WHERE ino = ?", t.now, ino)
}

// InosByProp returns the nodes of a tenant with a property of exactly this value. Space "" has an index; in the
// others it looks at every property.
func (db *DB) InosByProp(ctx context.Context, tenant int64, space, name, value string) ([]Ino, error) {
	const tail = " AND p.name = +? AND p.value = +? AND n.tenant = +? ORDER BY p.ino"
	scan := func(r row) Ino { return Ino(r.int(0)) }
	if space == "" {
		// The literal lets SQLite use the partial index.
		return list(ctx, db, scan, "SELECT p.ino FROM props p CROSS JOIN nodes n ON n.ino = p.ino WHERE p.space = ''"+tail,
			name, value, tenant)
	}
	return list(ctx, db, scan, "SELECT p.ino FROM props p CROSS JOIN nodes n ON n.ino = p.ino WHERE p.space = +?"+tail,
		space, name, value, tenant)
}
