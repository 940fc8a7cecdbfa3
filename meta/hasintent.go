package meta

import "context"

// HasIntent tells whether an object already waits for its deletion.
func (db *DB) HasIntent(ctx context.Context, key string) (bool, error) {
	n, err := db.number(ctx, "SELECT count(*) FROM intents WHERE key = ?", key)
	return n > 0, err
}
