package meta

import "context"

// VersionsByKey returns the versions of objects by their keys, without those that were replaced. Keys that no version has are left out.
func (db *DB) VersionsByKey(ctx context.Context, keys []string) (found []Version, err error) {
	err = db.read(ctx, func(c *conn) error {
		found = found[:0]
		for _, key := range keys {
			r, ok, err := c.one("SELECT "+versionCols+` FROM versions v
				WHERE v.kh = +?1 AND v.kh <> 0 AND v.key = +?2 AND v.state <> 4`, keyPlace(key), key)
			if err != nil {
				return err
			}
			if ok {
				found = append(found, scanVersion(r))
			}
		}
		return nil
	})
	return found, err
}
