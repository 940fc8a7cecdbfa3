package meta

import "context"

// VersionsByKey returns the versions of objects by their keys, without those that were replaced. Keys that no version has are left out.
func (db *DB) VersionsByKey(ctx context.Context, keys []string) (found []Version, err error) {
	err = db.read(ctx, func(c *conn) error {
		found = found[:0]
		for _, key := range keys {
			some, err := collect(c, scanVersion, "SELECT "+versionCols+` FROM versions v
				WHERE v.kh = +?1 AND v.kh <> 0 AND v.key = +?2 AND v.state <> 4`, keyPlace(key), key)
			if err != nil {
				return err
			}
			found = append(found, some...)
		}
		return nil
	})
	return found, err
}

// SharedKey tells whether more than one version that was not replaced has an object.
func (db *DB) SharedKey(ctx context.Context, key string) (shared bool, err error) {
	err = db.read(ctx, func(c *conn) error {
		_, shared, err = c.one(`SELECT 1 FROM versions WHERE kh = +?1 AND kh <> 0 AND key = +?2 AND state <> 4 LIMIT 1 OFFSET 1`, keyPlace(key), key)
		return err
	})
	return shared, err
}

// LiveKeys counts the objects of versions that were not replaced, each once.
func (db *DB) LiveKeys(ctx context.Context) (n int64, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, _, err := c.one("SELECT count(*) FROM (SELECT DISTINCT kh, key FROM versions WHERE kh <> 0 AND state <> 4)")
		if err == nil {
			n = r.int(0)
		}
		return err
	})
	return n, err
}
