package meta

import "context"

// keysOf returns the objects that may hold the bytes of a version.
func (t *tx) keysOf(v Version) ([]string, error) {
	switch v.State {
	case StateStored:
		return []string{v.Key}, nil
	case StateRedo:
		// The object may have been renamed already, or not.
		r, ok, err := t.one("SELECT base_key FROM redos WHERE version = ?", v.ID)
		if err != nil || !ok {
			return []string{v.Key}, err
		}
		return []string{r.text(0), v.Key}, nil
	}
	return nil, nil
}

// intend plans to delete an object after the grace time.
func (t *tx) intend(key string) error {
	if key == "" {
		return nil
	}
	return t.run("INSERT INTO intents (kh, due, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
		keyPlace(key), t.now+t.db.opts.Grace.Nanoseconds(), key)
}

// HasIntent says that an object waits for its deletion.
func (db *DB) HasIntent(ctx context.Context, key string) (has bool, err error) {
	err = db.read(ctx, func(c *conn) error {
		has, err = c.hasIntent(key)
		return err
	})
	return has, err
}

// hasIntent compares the key, too: the primary key is only its hash.
func (c *conn) hasIntent(key string) (bool, error) {
	_, ok, err := c.one("SELECT 1 FROM intents WHERE kh = ? AND key = +?", keyPlace(key), key)
	return ok, err
}

// deleteIntent is no error when there is none: a deletion may be repeated after a crash.
func (t *tx) deleteIntent(key string) error {
	return t.run("DELETE FROM intents WHERE kh = ? AND key = +?", keyPlace(key), key)
}

// DueIntents returns objects whose time has come, the longest overdue first.
func (db *DB) DueIntents(ctx context.Context, now int64, limit int) ([]Intent, error) {
	scan := func(r row) Intent { return Intent{Key: r.text(0), Due: r.int(1)} }
	return list(ctx, db, scan, "SELECT key, due FROM intents WHERE due <= ? ORDER BY due LIMIT ?", now, limit)
}

// ClaimIntent asks for leave to delete an object. When a version needs it again the intent is dropped and the answer
// is false. After true the caller deletes the object and calls FinishIntent; a crash between repeats the deletion.
func (db *DB) ClaimIntent(ctx context.Context, key string, d Durability) (del bool, err error) {
	err = db.updateFreeing(ctx, d, func(t *tx) error {
		ok, err := t.hasIntent(key)
		if del = ok; err != nil || !ok {
			return err
		}
		live, err := t.liveKey(key)
		if del = !live; err != nil || !live {
			return err
		}
		return t.deleteIntent(key)
	})
	return del && err == nil, err // no leave without a flush: the object stays, and so does its intent
}

// FinishIntent records that the object was deleted.
func (db *DB) FinishIntent(ctx context.Context, key string, d Durability) error {
	return db.updateFreeing(ctx, d, func(t *tx) error { return t.deleteIntent(key) })
}

// AddIntent plans to delete an object at a time, or at the earlier one that was planned before.
func (db *DB) AddIntent(ctx context.Context, key string, due int64, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		return t.run(`INSERT INTO intents (kh, due, key) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET due = min(due, excluded.due) WHERE key = excluded.key`, keyPlace(key), due, key)
	})
}

// CountIntents returns how many objects wait for their deletion.
func (db *DB) CountIntents(ctx context.Context) (int64, error) {
	return db.number(ctx, "SELECT count(*) FROM intents")
}

// number returns the first column of a statement's only row.
func (db *DB) number(ctx context.Context, text string, args ...any) (n int64, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, ok, err := c.one(text, args...)
		if err == nil && ok {
			n = r.int(0)
		}
		return err
	})
	return n, err
}
