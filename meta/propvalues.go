package meta

import "context"

// PropValues returns up to most different values that one of tote's own properties has, in no tenant in particular. It costs what these values cost,
// however many nodes have them: each is found by its predecessor in the index.
func (db *DB) PropValues(ctx context.Context, name string, most int) ([]string, error) {
	return list(ctx, db, func(r row) string { return r.text(0) }, `WITH RECURSIVE v(value) AS (
			SELECT min(value) FROM props WHERE space = '' AND name = ?1
			UNION ALL
			SELECT (SELECT min(p.value) FROM props p WHERE p.space = '' AND p.name = ?1 AND p.value > v.value) FROM v WHERE v.value IS NOT NULL)
		SELECT value FROM v WHERE value IS NOT NULL LIMIT ?2`, name, most)
}
