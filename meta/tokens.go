package meta

import (
	"context"
	"encoding/json"
	"syscall"
	"time"
)

// Token says who has logged in. The token itself is known by its bearer only.
type Token struct {
	Hash    []byte
	Tenant  string
	User    string
	Expires time.Time
}

// maxTokens is how many tokens a user can have; the ones that expire first go.
const maxTokens = 100

// PutToken records a token. It goes when the user's password changes, and with the user.
func (db *DB) PutToken(ctx context.Context, k Token, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		err := t.run("INSERT INTO tokens (hash, tenant, name, expires) VALUES (?, ?, ?, ?)", blob(k.Hash), k.Tenant, k.User, k.Expires.UnixNano())
		if err != nil {
			return err
		}
		return t.run(`DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens
			WHERE tenant = +? AND name = +? ORDER BY expires DESC LIMIT -1 OFFSET ?)`, k.Tenant, k.User, maxTokens)
	})
}

// GetToken returns a token that has not expired, or ENOENT.
func (db *DB) GetToken(ctx context.Context, hash []byte, now time.Time) (k Token, err error) {
	err = db.read(ctx, func(c *conn) error {
		r, ok, err := c.one("SELECT tenant, name, expires FROM tokens WHERE hash = ? AND expires > +?", blob(hash), now.UnixNano())
		if err == nil && !ok {
			err = syscall.ENOENT
		}
		if err != nil {
			return err
		}
		k = Token{Hash: hash, Tenant: r.text(0), User: r.text(1), Expires: time.Unix(0, r.int(2))}
		return nil
	})
	return k, err
}

// DeleteToken ends a token, or returns ENOENT.
func (db *DB) DeleteToken(ctx context.Context, hash []byte, d Durability) error {
	return db.delete(ctx, d, "DELETE FROM tokens WHERE hash = ?", blob(hash))
}

// ExpireTokens removes tokens that have expired.
func (db *DB) ExpireTokens(ctx context.Context, now time.Time, d Durability) error {
	return db.update(ctx, d, func(t *tx) error {
		return t.run("DELETE FROM tokens WHERE expires <= +?", now.UnixNano())
	})
}

// jsonText is a string as the properties of files hold it.
func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return `""`
	}
	return string(b)
}
