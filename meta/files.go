package meta

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"syscall"
)

// where builds tables and condition of a query from fixed pieces of text; every value is bound. However many properties a client asks for, there are
// few different texts, because a connection keeps the statement of each.
func (q FileQuery) where() (text, order string, args []any, err error) {
	var b strings.Builder
	order, rest := "n.ino", q.Props
	// One property leads: its index has the nodes with a value in the order of their numbers. A list of numbers is shorter.
	lead := slices.IndexFunc(q.Props, func(p Property) bool { return p.Space == "" })
	if lead >= 0 && q.Inos == nil {
		// The literal lets SQLite use the partial index.
		b.WriteString("props lead CROSS JOIN nodes n ON n.ino = lead.ino LEFT JOIN versions v ON v.id = n.version WHERE lead.space = '' AND lead.name = +? AND lead.value = +? AND lead.ino > +? AND ")
		args = append(args, q.Props[lead].Name, q.Props[lead].Value, q.After)
		order, rest = "lead.ino", slices.Delete(slices.Clone(q.Props), lead, lead+1)
	} else {
		b.WriteString("nodes n LEFT JOIN versions v ON v.id = n.version WHERE ")
	}
	if q.Inos == nil && lead < 0 {
		b.WriteString("n.tenant = ? AND n.ino > ?")
	} else {
		b.WriteString("+n.tenant = ? AND +n.ino > ?") // each node is found by its number: the index of the tenant would go through all
	}
	b.WriteString(" AND n.nlink > 0 AND n.mode & 61440 = 32768")
	args = append(args, q.Tenant, q.After)
	if q.Inos != nil {
		ids, err := inoList(q.Inos)
		if err != nil {
			return "", "", nil, err
		}
		b.WriteString(" AND n.ino IN (SELECT value FROM json_each(?))")
		args = append(args, ids)
	}
	if len(rest) > 0 {
		all, err := json.Marshal(rest)
		if err != nil {
			return "", "", nil, err
		}
		b.WriteString(` AND NOT EXISTS (SELECT 1 FROM json_each(?) j WHERE NOT EXISTS (SELECT 1 FROM props p
			WHERE p.ino = n.ino AND p.space = j.value ->> 'Space' AND p.name = j.value ->> 'Name'
			AND p.value = j.value ->> 'Value'))`)
		args = append(args, string(all))
	}
	if q.NameGlob != "" {
		b.WriteString(" AND EXISTS (SELECT 1 FROM entries e WHERE e.parent = n.parent AND e.h = n.h AND e.ino = n.ino AND CAST(e.name AS TEXT) GLOB ?)")
		args = append(args, q.NameGlob)
	}
	return b.String(), order, args, nil
}

// unfiltered says that the query means every file of its tenant.
func (q FileQuery) unfiltered() bool {
	return q.After == 0 && q.Inos == nil && len(q.Props) == 0 && q.NameGlob == ""
}

// Files returns regular files with a name, in the order of their numbers, each with one of its names and its current
// version.
func (db *DB) Files(ctx context.Context, q FileQuery) ([]FileRow, error) {
	where, order, args, err := q.where()
	if err != nil {
		return nil, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = -1
	}
	return list(ctx, db, scanFile, "SELECT "+attrCols+`,
		(SELECT e.name FROM entries e WHERE e.parent = n.parent AND e.h = n.h AND e.ino = n.ino),
		`+versionCols+" FROM "+where+" ORDER BY "+order+" LIMIT ? OFFSET ?", append(args, limit, max(q.Offset, 0))...)
}

// scanFile leaves the version zero for a file without one, where the join gave NULLs.
func scanFile(r row) FileRow {
	f := FileRow{Attr: scanAttr(r), Name: r.text(attrLen)}
	if f.Attr.Version != 0 {
		f.Version = scanVersion(r[attrLen+1:])
	}
	return f
}

// ownerProp is the property of files whose values are counted, by triggers.
const ownerProp = "user"

// owner is the owner whose files, and nothing else, the query means.
func (q FileQuery) owner() (string, bool) {
	if q.After != 0 || q.Inos != nil || q.NameGlob != "" || len(q.Props) != 1 || q.Props[0].Space != "" || q.Props[0].Name != ownerProp {
		return "", false
	}
	return q.Props[0].Value, true
}

// CountFiles returns how many files a query finds, regardless of its Offset and Limit. Without a filter, and for the files of one owner, it reads
// counters.
func (db *DB) CountFiles(ctx context.Context, q FileQuery) (int64, error) {
	if owner, ok := q.owner(); ok {
		return db.number(ctx, "SELECT coalesce(sum(files), 0) FROM owned WHERE tenant = +? AND owner = +?", q.Tenant, owner)
	}
	if q.unfiltered() {
		var n counts
		err := db.read(ctx, func(c *conn) (err error) {
			if n, err = c.counts(q.Tenant); err == syscall.ENOENT {
				err = nil
			}
			return err
		})
		return n.plain, err
	}
	where, _, args, err := q.where()
	if err != nil {
		return 0, err
	}
	return db.number(ctx, "SELECT count(*) FROM "+where, args...)
}
