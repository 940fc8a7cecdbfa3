package meta

import (
	"context"
	"fmt"
)

// invariant is a query whose rows are damage; each row is printed with format.
type invariant struct{ format, text string }

// invariants returns what must hold between transactions. The type bits of a mode are 61440, 16384 is a directory,
// 32768 a regular file. No index finds the names of a node, so they are looked up where the node says they are, and no entry may be elsewhere.
func invariants() []invariant {
	return []invariant{
		{"entry %s in directory %s points to node %s, which does not exist",
			`SELECT e.name, e.parent, e.ino FROM entries e WHERE NOT EXISTS (SELECT 1 FROM nodes n WHERE n.ino = e.ino)`},
		{"entry %s is in node %s, which is not a directory with a name",
			`SELECT e.name, e.parent FROM entries e WHERE NOT EXISTS
			(SELECT 1 FROM nodes n WHERE n.ino = e.parent AND n.mode & 61440 = 16384 AND n.nlink > 0)`},
		{"node %s has link count %s and %s names",
			`SELECT n.ino, n.nlink, (SELECT count(*) FROM entries e WHERE e.ino = n.ino AND e.kind = 1)
				+ (SELECT count(*) FROM entries e WHERE e.parent = n.parent AND e.h = n.h AND e.ino = n.ino AND e.kind <> 1) c
			FROM nodes n WHERE n.mode & 61440 <> 16384 AND n.nlink <> c`},
		{"entry %s in directory %s of node %s is not where the node says",
			`SELECT e.name, e.parent, e.ino FROM entries e JOIN nodes n ON n.ino = e.ino
			WHERE e.kind <> 1 AND (n.parent <> e.parent OR n.h <> e.h)`},
		{"directory %s has link count %s and %s subdirectories",
			`SELECT n.ino, n.nlink, count(s.ino) c FROM nodes n
			LEFT JOIN entries e ON e.parent = n.ino LEFT JOIN nodes s ON s.ino = e.ino AND s.mode & 61440 = 16384
			WHERE n.mode & 61440 = 16384 AND n.nlink > 0 GROUP BY n.ino HAVING n.nlink <> c + 2`},
		{"directory %s says its parent is %s, but has %s names there",
			`SELECT n.ino, n.parent, count(e.ino) c FROM nodes n LEFT JOIN entries e ON e.parent = n.parent AND e.h = n.h AND e.ino = n.ino
			WHERE n.mode & 61440 = 16384 AND n.nlink > 0 AND n.ino NOT IN (SELECT root FROM tenants)
			GROUP BY n.ino HAVING c <> 1`},
		{"directory %s has %s names",
			`SELECT n.ino, count(e.ino) c FROM nodes n LEFT JOIN entries e ON e.parent = n.parent AND e.h = n.h AND e.ino = n.ino
			WHERE n.mode & 61440 = 16384 AND n.ino NOT IN (SELECT root FROM tenants)
			GROUP BY n.ino HAVING c <> (n.nlink > 0)`},
		{"node %s says its newest name is in directory %s, but has none like it there",
			`SELECT n.ino, n.parent FROM nodes n WHERE n.nlink > 0 AND n.ino NOT IN (SELECT root FROM tenants)
			AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.parent = n.parent AND e.h = n.h AND e.ino = n.ino)`},
		{"entry %s in directory %s of node %s is one of several, but not in their index",
			`SELECT e.name, e.parent, e.ino FROM entries e JOIN nodes n ON n.ino = e.ino
			WHERE e.kind <> 1 AND n.nlink > 1 AND n.mode & 61440 <> 16384`},
		{"entry %s in directory %s of node %s has the wrong kind %s",
			`SELECT e.name, e.parent, e.ino, e.kind FROM entries e JOIN nodes n ON n.ino = e.ino
			WHERE (e.kind = 2) <> (n.mode & 61440 = 16384) OR e.kind NOT IN (0, 1, 2)`},
		{"node %s belongs to tenant %s, its directory %s to another",
			`SELECT n.ino, n.tenant, p.ino FROM entries e JOIN nodes n ON n.ino = e.ino JOIN nodes p ON p.ino = e.parent
			WHERE n.tenant <> p.tenant`},
		{"root %s of tenant %s is missing or has a name",
			`SELECT t.root, t.name FROM tenants t WHERE EXISTS (SELECT 1 FROM entries e WHERE e.ino = t.root)
			OR NOT EXISTS (SELECT 1 FROM nodes n WHERE n.ino = t.root AND n.tenant = t.id AND n.parent = n.ino)`},
		{"tenant %s counts %s nodes, %s files, %s bytes, but has %s, %s, %s", countInvariant},
		{"tenant %s counts %s files of %s, but has %s", ownedInvariant},
		{"changes are counted up to %s, but end at %s",
			`SELECT c.value, (SELECT coalesce(max(seq), 0) FROM changes) last FROM counters c
			WHERE c.name = 'counted' AND c.value > last`},
		{"node %s has version %s, which is missing, replaced or another's",
			`SELECT n.ino, n.version FROM nodes n LEFT JOIN versions v ON v.id = n.version
			WHERE n.version <> 0 AND (v.id IS NULL OR v.ino <> n.ino OR v.state = 4)`},
		{"version %s of node %s is neither replaced nor current",
			`SELECT v.id, v.ino FROM versions v LEFT JOIN nodes n ON n.ino = v.ino
			WHERE n.ino IS NULL OR v.state <> 4 AND n.version <> v.id`},
		{"file %s has size %s, its version %s",
			`SELECT n.ino, n.size, v.size FROM nodes n JOIN versions v ON v.id = n.version WHERE n.size <> v.size`},
		{"version %s has a redo record but state %s",
			`SELECT r.version, coalesce(v.state, 0) FROM redos r LEFT JOIN versions v ON v.id = r.version
			WHERE v.state IS NOT 3`},
		{"version %s has state 3 but no redo record",
			`SELECT v.id FROM versions v LEFT JOIN redos r ON r.version = v.id WHERE v.state = 3 AND r.version IS NULL`},
		{"object of version %s, which is missing or replaced",
			`SELECT o.version FROM objects o LEFT JOIN versions v ON v.id = o.version WHERE v.state IS NULL OR v.state = 4`},
		{"extended attribute %s belongs to node %s, which does not exist",
			`SELECT name, ino FROM xattrs WHERE ino NOT IN (SELECT ino FROM nodes)`},
		{"property %s belongs to node %s, which does not exist",
			`SELECT name, ino FROM props WHERE ino NOT IN (SELECT ino FROM nodes)`},
		{"binary stream object %s belongs to node %s, which does not exist",
			`SELECT id, ino FROM bso WHERE ino IS NOT NULL AND ino NOT IN (SELECT ino FROM nodes)`},
		{"node %s was not given out by the counter, which is at %s",
			`SELECT n.ino, c.value FROM nodes n, counters c WHERE c.name = 'ino' AND n.ino > c.value`},
		{"version %s was not given out by the counter, which is at %s",
			`SELECT v.id, c.value FROM versions v, counters c WHERE c.name = 'version' AND v.id > c.value`},
		{"managed object %s was not given out by the counter, which is at %s",
			`SELECT m.id, c.value FROM managed m, counters c WHERE c.name = 'ino' AND m.id > c.value`},
		{"event %s was not given out by the counter, which is at %s",
			`SELECT e.id, c.value FROM events e, counters c WHERE c.name = 'ino' AND e.id > c.value`},
		{"number %s is that of a node, a managed object or an event at once",
			`SELECT id FROM (SELECT id FROM managed UNION ALL SELECT id FROM events UNION ALL SELECT ino FROM nodes
			WHERE ino IN (SELECT id FROM managed UNION ALL SELECT id FROM events)) GROUP BY id HAVING count(*) > 1`},
		{"foreign key of table %s, row %s, misses its row in %s", `PRAGMA foreign_key_check`},
	}
}

const countInvariant = `SELECT t.name, t.files, t.plain, t.bytes, s.files, s.plain, s.bytes FROM (
	SELECT t.id, t.name, ` + summed + ` GROUP BY t.id
) t JOIN (
	SELECT t.id, count(n.ino) files, total(n.mode & 61440 = 32768) plain,
		total(CASE WHEN n.mode & 61440 = 32768 THEN n.size ELSE 0 END) bytes
	FROM tenants t LEFT JOIN nodes n ON n.tenant = t.id AND n.nlink > 0 AND n.ino <> t.root GROUP BY t.id
) s USING (id) WHERE t.files <> s.files OR t.plain <> s.plain OR t.bytes <> s.bytes`

const ownedInvariant = `SELECT tenant, sum(said), owner, sum(has) FROM (
	SELECT tenant, owner, files said, 0 has FROM owned
	UNION ALL SELECT n.tenant, p.value, 0, count(*) FROM props p CROSS JOIN nodes n ON n.ino = p.ino
	WHERE p.space = '' AND p.name = 'user' AND n.nlink > 0 AND n.mode & 61440 = 32768 GROUP BY n.tenant, p.value
) GROUP BY tenant, owner HAVING sum(said) <> sum(has) OR sum(said) = 0`

// maxFindings bounds what Check reports for each invariant.
const maxFindings = 100

// Check looks for damage and returns one line for each finding; none means that the database is sound. It reads
// everything in one transaction. The sizes of files with live staging may differ from their versions, so it wants
// a database that nobody writes to.
func (db *DB) Check(ctx context.Context) (found []string, err error) {
	err = db.view(ctx, func(c *conn) error {
		found, err = collect(c, func(r row) string { return "database: " + r.text(0) }, "PRAGMA quick_check")
		if err != nil {
			return err
		}
		if len(found) == 1 && found[0] == "database: ok" {
			found = nil
		}
		for _, inv := range invariants() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if found, err = c.findings(found, inv); err != nil {
				return fmt.Errorf("check %q: %w", inv.format, err)
			}
		}
		return nil
	})
	return found, err
}

// findings adds what one invariant has to say. One broken counter must not bury the rest of the report.
func (c *conn) findings(found []string, inv invariant) ([]string, error) {
	n := 0
	err := c.each(func(r row) error {
		if n++; n > maxFindings {
			found = append(found, "more of the same")
			return errStop
		}
		found = append(found, describe(inv.format, r))
		return nil
	}, inv.text)
	return found, err
}

// describe prints as many columns as the format has room for.
func describe(format string, r row) string {
	words := make([]any, 0, len(r))
	for i, v := range r {
		if b, ok := v.([]byte); ok {
			v = fmt.Sprintf("%q", b)
		}
		if f, ok := v.(float64); ok {
			v = int64(f)
		}
		if i < countVerbs(format) {
			words = append(words, fmt.Sprint(v))
		}
	}
	return fmt.Sprintf(format, words...)
}

// countVerbs keeps formats and queries apart: a pragma returns more columns than its line shows.
func countVerbs(format string) (n int) {
	for _, c := range format {
		if c == '%' {
			n++
		}
	}
	return n
}
