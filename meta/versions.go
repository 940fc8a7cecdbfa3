package meta

import (
	"context"
	"syscall"
)

// versionCols are the columns that scanVersion reads; the table is called v.
const versionCols = `v.id, v.ino, v.state, v.size, v.created, v.synced, v.firm, v.guid, v.key, v.staging, v.sum, v.md5`

// versionLen is the number of versionCols, where the columns of a join go on.
const versionLen = 12

func scanVersion(r row) Version {
	return Version{
		ID: r.int(0), Ino: Ino(r.int(1)), State: State(r.int(2)), Size: r.int(3), Created: r.int(4), Synced: r.bool(5),
		Firm: r.int(6), GUID: r.text(7), Key: r.text(8), Staging: r.text(9), Sum: r.text(10), MD5: r.text(11),
	}
}

// version returns one version, or ENOENT.
func (c *conn) version(id int64) (Version, error) {
	r, ok, err := c.one("SELECT "+versionCols+" FROM versions v WHERE v.id = ?", id)
	if err != nil {
		return Version{}, err
	}
	if !ok {
		return Version{}, syscall.ENOENT
	}
	return scanVersion(r), nil
}

// CurrentVersion returns the content of a file, or ENODATA when it never had one.
func (db *DB) CurrentVersion(ctx context.Context, ino Ino) (v Version, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, ok, err := c.one("SELECT "+versionCols+" FROM versions v WHERE v.id = (SELECT n.version FROM nodes n WHERE n.ino = ?)", ino)
		if err != nil {
			return err
		}
		if ok {
			v = scanVersion(r)
			return nil
		}
		if _, err := c.attr(ino); err != nil {
			return err
		}
		return syscall.ENODATA
	})
	return v, err
}

// CurrentFile returns a node and its content from one moment. The version is zero when it never had one; a number that
// nobody has is ENOENT.
func (db *DB) CurrentFile(ctx context.Context, ino Ino) (a Attr, v Version, err error) {
	err = db.glance(ctx, func(c *conn) error {
		r, ok, err := c.one("SELECT "+attrCols+", "+versionCols+` FROM nodes n LEFT JOIN versions v ON v.id = n.version
			WHERE n.ino = +?`, ino)
		if err == nil && !ok {
			err = syscall.ENOENT
		}
		if err != nil {
			return err
		}
		a, v = scanAttr(r), scanVersion(r[attrLen:])
		return nil
	})
	return a, v, err
}

// OpenFile is CurrentFile with what an open has to know: whether the object in the store belongs to other files as well.
func (db *DB) OpenFile(ctx context.Context, ino Ino) (a Attr, v Version, shared bool, err error) {
	db.warm()
	err = db.glance(ctx, func(c *conn) error {
		r, ok, err := c.one("SELECT "+attrCols+", "+versionCols+`, EXISTS (SELECT 1 FROM versions o
				WHERE o.kh = v.kh AND o.kh <> 0 AND o.key = v.key AND o.state <> 4 AND v.state = 2 LIMIT 1 OFFSET 1)
			FROM nodes n LEFT JOIN versions v ON v.id = n.version WHERE n.ino = +?`, ino)
		if err == nil && !ok {
			err = syscall.ENOENT
		}
		if err != nil {
			return err
		}
		a, v, shared = scanAttr(r), scanVersion(r[attrLen:]), r.bool(attrLen+versionLen)
		return nil
	})
	return a, v, shared, err
}

// VersionByID returns one version, or ENOENT.
func (db *DB) VersionByID(ctx context.Context, id int64) (v Version, err error) {
	err = db.read(ctx, func(c *conn) error {
		v, err = c.version(id)
		return err
	})
	return v, err
}

// VersionsByGUID returns every version with a GUID, replaced ones too, newest first.
func (db *DB) VersionsByGUID(ctx context.Context, guid string) ([]Version, error) {
	place := guidPlace(guid)
	return list(ctx, db, scanVersion, "SELECT "+versionCols+` FROM versions v
		WHERE v.kh BETWEEN +?1 AND +?2 AND v.kh <> 0 AND v.gh = 0 AND v.guid = +?3
		UNION ALL
		SELECT `+versionCols+` FROM versions v WHERE v.gh = +?1 AND v.gh <> 0 AND v.guid = +?3
		ORDER BY 1 DESC`, place, place|(1<<placeBits-1), guid)
}

// VersionsOf returns every version of a file, replaced ones too, newest first.
func (db *DB) VersionsOf(ctx context.Context, ino Ino) ([]Version, error) {
	return list(ctx, db, scanVersion, "SELECT "+versionCols+` FROM versions v WHERE v.state = 4 AND v.ino = +?1
		UNION ALL
		SELECT `+versionCols+` FROM versions v WHERE v.id = (SELECT n.version FROM nodes n WHERE n.ino = ?1)
		ORDER BY 1 DESC`, ino)
}

// EachVersion returns versions that were not replaced, in the order of their ids, for checks of the store.
func (db *DB) EachVersion(ctx context.Context, afterID int64, limit int) ([]Version, error) {
	return list(ctx, db, scanVersion,
		"SELECT "+versionCols+" FROM versions v WHERE v.id > ? AND v.state <> 4 ORDER BY v.id LIMIT ?", afterID, limit)
}

// VersionsToSum returns stored versions whose checksum is still to be computed.
func (db *DB) VersionsToSum(ctx context.Context, limit int) ([]Version, error) {
	return list(ctx, db, scanVersion,
		"SELECT "+versionCols+" FROM versions v WHERE v.state = 2 AND v.sum = '' ORDER BY v.id LIMIT ?", limit)
}

// SetSums records the checksums of a version; "" keeps what is there. A version that is gone is no error.
func (db *DB) SetSums(ctx context.Context, id int64, sum, md5 string, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		return t.run(`UPDATE versions SET sum = CASE WHEN ?1 = '' THEN sum ELSE ?1 END,
			md5 = CASE WHEN ?2 = '' THEN md5 ELSE ?2 END WHERE id = ?3`, sum, md5, id)
	})
}

// Pending returns what a restart has to finish: versions whose bytes are in staging, and edits in place.
func (db *DB) Pending(ctx context.Context) (staged []Version, redos []Redo, err error) {
	err = db.view(ctx, func(c *conn) error {
		// The first condition is that of the index, word for word: SQLite would not see that the second implies it.
		staged, err = collect(c, scanVersion, "SELECT "+versionCols+` FROM versions v
			WHERE v.state IN (1, 3) AND v.state = 1 ORDER BY v.id`)
		if err != nil {
			return err
		}
		redos, err = collect(c, func(r row) Redo {
			return Redo{Version: scanVersion(r), BaseKey: r.text(versionLen), Ranges: r.bytes(versionLen + 1)}
		}, "SELECT "+versionCols+`, r.base_key, r.ranges FROM redos r CROSS JOIN versions v ON v.id = r.version
			WHERE v.state = 3 ORDER BY v.id`)
		return err
	})
	return staged, redos, err
}

// MarkStored records that the bytes of versions arrived in the object store. A version that was replaced or deleted
// meanwhile is skipped, and its object gets an intent.
func (db *DB) MarkStored(ctx context.Context, stored []Stored, d Durability) error {
	return db.updateFreeing(ctx, d, func(t *tx) error {
		for _, s := range stored {
			if err := t.markStored(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// markStored finds out whether the version still waits for its bytes. It may be called again after a crash.
func (t *tx) markStored(s Stored) error {
	v, err := t.version(s.ID)
	if err == nil && (v.State == StateStaged || v.State == StateRedo) {
		return t.stored(v, s)
	}
	if err == nil {
		s.Key = v.Key // replaced, or stored before
	} else if err != syscall.ENOENT {
		return err
	}
	live, err := t.liveKey(s.Key)
	if err != nil || live {
		return err
	}
	return t.intend(s.Key)
}

// stored ends the staging of a version; its record of changes has been applied.
func (t *tx) stored(v Version, s Stored) error {
	if s.Sum != "" {
		v.Sum = s.Sum
	}
	if s.MD5 != "" {
		v.MD5 = s.MD5
	}
	err := t.run("UPDATE versions SET state = 2, staging = '', sum = ?, md5 = ?, synced = ? WHERE id = ?",
		v.Sum, v.MD5, v.Synced || s.Synced, v.ID)
	if err == nil {
		err = t.putObject(v.ID, s.Object)
	}
	if err != nil || v.State != StateRedo {
		return err
	}
	return t.run("DELETE FROM redos WHERE version = ?", v.ID)
}

// LiveKey says that a version that was not replaced needs the object.
func (db *DB) LiveKey(ctx context.Context, key string) (live bool, err error) {
	err = db.read(ctx, func(c *conn) error {
		live, err = c.liveKey(key)
		return err
	})
	return live, err
}

// liveKey counts the base of an edit in place: until it is renamed the object has that name.
func (c *conn) liveKey(key string) (bool, error) {
	_, live, err := c.one(`SELECT 1 FROM versions WHERE kh = +?1 AND kh <> 0 AND key = +?2 AND state <> 4
		UNION ALL
		SELECT 1 FROM redos r CROSS JOIN versions v ON v.id = r.version WHERE r.base_key = +?2 AND v.state = 3
		LIMIT 1`, keyPlace(key), key)
	return live, err
}
