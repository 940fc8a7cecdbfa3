package meta

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// Stats counts rows. It reads an index or two from end to end: for status pages, not for every request.
func (db *DB) Stats(ctx context.Context) (s Stats, err error) {
	err = db.view(ctx, func(c *conn) error {
		s = Stats{Versions: map[State]int64{}}
		r, _, err := c.one(`SELECT (SELECT count(*) FROM nodes), (SELECT count(*) FROM intents),
			(SELECT count(*) FROM uploads WHERE done = 0)`)
		if err != nil {
			return err
		}
		s.Nodes, s.Intents, s.Uploads = r.int(0), r.int(1), r.int(2)
		return c.each(func(r row) error {
			s.Versions[State(r.int(0))] = r.int(1)
			return nil
		}, "SELECT state, count(*) FROM versions GROUP BY state")
	})
	if err != nil {
		return Stats{}, err
	}
	s.Bytes, err = db.fileBytes()
	return s, err
}

// fileBytes is what the database takes on disk; the log is part of it.
func (db *DB) fileBytes() (total int64, err error) {
	for _, path := range []string{db.path, db.path + "-wal"} {
		fi, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		total += fi.Size()
	}
	return total, nil
}
