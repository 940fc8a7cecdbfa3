package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"syscall"
	"time"

	"tote/fs"
	"tote/meta"
	"tote/objstore"
	"tote/restapi"
)

// direct makes URLs of the store itself for the REST face. Bytes that clients put there wait under a key of their own, one for each object key,
// because whoever has the URL can put again as long as it lives. Adopting them is therefore a copy, which the store makes.
type direct struct {
	fs    *fs.FS
	store objstore.Store
	get   objstore.Presigner
	put   objstore.PutPresigner
}

var _ restapi.Direct = (*direct)(nil)

// keepUploads is how long bytes wait that nobody makes a file of. URLs live for an hour.
const keepUploads = 24 * time.Hour

// newDirect is nil where URLs shall lead to this server.
func newDirect(cfg *Config, c *core) (restapi.Direct, error) {
	if !cfg.Remote.DirectURLs {
		return nil, nil
	}
	d := &direct{fs: c.fs, store: c.store}
	var gets, puts bool
	d.get, gets = objstore.As[objstore.Presigner](c.store)
	d.put, puts = objstore.As[objstore.PutPresigner](c.store)
	if !gets || !puts {
		return nil, usagef("--direct-urls: the store can't make URLs")
	}
	return d, nil
}

// uploadsPrefix is what the keys of waiting bytes begin with.
func uploadsPrefix(tenant string) string { return tenant + "/binarystreamobject/uploads/" }

// uploadKey is where bytes for an object key wait. The key may have any form and length; its hash fits everywhere.
func uploadKey(tenant, key string) string {
	sum := sha256.Sum256([]byte(key))
	return uploadsPrefix(tenant) + hex.EncodeToString(sum[:])
}

// Download makes a URL of a version. Bytes that are not in the store yet come from this server.
func (d *direct) Download(ctx context.Context, v fs.Version, life time.Duration) (string, error) {
	if v.State != meta.StateStored || v.Key == "" {
		return "", &fs.Error{Op: "presign", Path: v.Key, Errno: syscall.ENOENT}
	}
	return d.get.PresignGet(ctx, v.Key, life)
}

// Upload makes a PUT of any size and type.
func (d *direct) Upload(ctx context.Context, tenant, key string, life time.Duration) (restapi.DirectUpload, error) {
	p, err := d.put.PresignPut(ctx, uploadKey(tenant, key), life, -1, "")
	return restapi.DirectUpload{URL: p.URL, Header: p.Header}, err
}

// directPatience is how long a request waits for a store that does not answer.
const directPatience = 20 * time.Second

// Waiting asks the store.
func (d *direct) Waiting(ctx context.Context, tenant, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, directPatience)
	defer cancel()
	_, err := d.store.Stat(ctx, uploadKey(tenant, key))
	if errors.Is(err, objstore.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Adopt makes a file of what waits, which waits no longer then, unless somebody has put something else there meanwhile.
func (d *direct) Adopt(ctx context.Context, a *fs.Actor, key string, t fs.Target, o fs.CommitOptions) (fs.Info, error) {
	from := uploadKey(a.Tenant, key)
	before, err := d.store.Stat(ctx, from)
	if errors.Is(err, objstore.ErrNotFound) {
		return fs.Info{}, &fs.Error{Op: "adopt", Path: key, Errno: syscall.ENOENT}
	}
	if err != nil {
		return fs.Info{}, err
	}
	o.ExpectSize = before.Size
	info, _, err := d.fs.AdoptCopy(ctx, a, t, from, o)
	if err != nil {
		return info, err
	}
	if now, serr := d.store.Stat(ctx, from); serr == nil && now.ETag == before.ETag && now.Modified.Equal(before.Modified) {
		_ = d.store.Delete(ctx, from) // what stays is swept later
	}
	return info, nil
}

// sweepUploads deletes bytes that were put into the store and that nobody made a file of, and counts them.
func (c *core) sweepUploads(ctx context.Context, now time.Time) (swept int, err error) {
	if !c.ref.remote() {
		return 0, nil
	}
	tenants, err := c.db.Tenants(ctx)
	for _, t := range tenants {
		for info, err := range c.store.List(ctx, uploadsPrefix(t.Name), "") {
			if err != nil {
				return swept, err
			}
			if info.Modified.After(now.Add(-keepUploads)) {
				continue
			}
			if err := c.store.Delete(ctx, info.Key); err != nil {
				return swept, err
			}
			swept++
		}
	}
	return swept, err
}

// gc collects the core's garbage and ours.
func (c *core) gc(ctx context.Context, now bool) (fs.GCReport, error) {
	r, err := c.fs.GC(ctx, now)
	if err != nil {
		return r, err
	}
	swept, err := c.sweepUploads(ctx, time.Now())
	r.Uploads += swept
	return r, err
}
