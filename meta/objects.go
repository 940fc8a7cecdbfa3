package meta

import (
	"context"
	"syscall"
)

// putObject records what is known of a version's object; nothing costs nothing.
func (t *tx) putObject(version int64, o Object) error {
	if o.ETag == "" && o.Blocks == nil && o.Sums == nil {
		return nil
	}
	return t.run("INSERT OR REPLACE INTO objects (version, etag, blocks, sums) VALUES (?, ?, ?, ?)",
		version, o.ETag, blobOrNull(o.Blocks), blobOrNull(o.Sums))
}

// blobOrNull tells sums that are not known from those of an empty object.
func blobOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// Object returns what is known of the object of a version that was not replaced; the zero value when nothing is.
func (db *DB) Object(ctx context.Context, version int64) (o Object, err error) {
	err = db.read(ctx, func(c *conn) error {
		o = Object{}
		r, ok, err := c.one("SELECT etag, blocks, sums FROM objects WHERE version = ?", version)
		if err == nil && ok {
			o = Object{ETag: r.text(0), Blocks: r.bytes(1), Sums: r.bytes(2)}
		}
		return err
	})
	return o, err
}

// RedoOf returns the record of an edit that was not applied yet, and what is known of the object beneath, from one moment; ENOENT when the version has
// no such record.
func (db *DB) RedoOf(ctx context.Context, version int64) (r Redo, o Object, err error) {
	err = db.read(ctx, func(c *conn) error {
		found, ok, err := c.one("SELECT "+versionCols+`, r.base_key, r.ranges, o.etag, o.blocks, o.sums FROM redos r
			CROSS JOIN versions v ON v.id = r.version LEFT JOIN objects o ON o.version = v.id WHERE r.version = ? AND v.state = 3`, version)
		if err == nil && !ok {
			err = syscall.ENOENT
		}
		if err == nil {
			rest := found[versionLen:]
			r = Redo{Version: scanVersion(found), BaseKey: rest.text(0), Ranges: rest.bytes(1)}
			o = Object{ETag: rest.text(2), Blocks: rest.bytes(3), Sums: rest.bytes(4)}
		}
		return err
	})
	return r, o, err
}
