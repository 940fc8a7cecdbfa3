package restapi

import (
	"context"
	"maps"
	"path"
	"slices"
	"syscall"
	"time"

	"tote/fs"
)

// Direct sends clients to the object store itself, so that the bytes of their files don't pass this server. What a client puts there waits until
// create makes a file of it.
type Direct interface {
	// Download makes a URL that gives a version's bytes for a while; ENOENT (fs.Errno) when the store does not have them yet.
	Download(ctx context.Context, v fs.Version, life time.Duration) (url string, err error)
	// Upload makes a PUT that stores bytes for an object key until Adopt takes them.
	Upload(ctx context.Context, tenant, key string, life time.Duration) (DirectUpload, error)
	// Waiting tells whether bytes were put for a key.
	Waiting(ctx context.Context, tenant, key string) (bool, error)
	// Adopt makes the bytes that were put for a key the content of a file; ENOENT when there are none.
	Adopt(ctx context.Context, a *fs.Actor, key string, t fs.Target, o fs.CommitOptions) (fs.Info, error)
}

// DirectUpload is a PUT that whoever has it can make. The header must be sent as it is.
type DirectUpload struct {
	URL    string
	Header map[string]string
}

// directUpload is what prepareUpload gives when bytes go to the store: its URL, and no headers but those it wants.
func (c *call) directUpload(key string) (map[string]any, error) {
	up, err := c.s.opts.Direct.Upload(c.ctx, c.actor.Tenant, key, c.s.opts.URLLife)
	if err != nil {
		return nil, err
	}
	headers := []map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(up.Header)) {
		headers = append(headers, map[string]string{name: up.Header[name]})
	}
	return map[string]any{fs.PropObjectKey: key, "headers": headers, "uploadURL": up.URL}, nil
}

// downloadURL is where an object's bytes can be fetched: the store where that is wanted and has them, else this server.
func (c *call) downloadURL(o *object) (string, error) {
	if d := c.s.opts.Direct; d != nil {
		url, err := d.Download(c.ctx, o.file.Version, c.s.opts.URLLife)
		if !missing(err) {
			return url, err
		}
	}
	g := grant{perms: permDownload, scope: scopeBlob, container: container(c.actor.Tenant, o.typ), key: o.key}
	return c.s.signedURL(c.base, g, c.claims()), nil
}

// adopt gives an object the bytes that a client has put into the store for its key, if there are any. The caller holds the locks of id and key.
func (c *call) adopt(o *object) error {
	d := c.s.opts.Direct
	if d == nil {
		return nil
	}
	if waiting, err := d.Waiting(c.ctx, c.actor.Tenant, o.key); err != nil || !waiting {
		return err
	}
	holder, err := c.find().target(o.key)
	if err != nil && !missing(err) {
		return err
	}
	opts := fs.CommitOptions{ExpectSize: -1, ContentType: textOf(o.props[fs.PropContentType])}
	if holder != nil {
		if err := c.permit(holder); err != nil {
			return err
		}
		_, err = d.Adopt(c.ctx, c.actor, o.key, fs.Target{Ino: holder.ino()}, opts)
	} else {
		opts.Props = o.properties()
		err = c.adoptNew(d, o, opts)
	}
	if missing(err) {
		return nil // somebody else's create was faster
	}
	return err
}

// adoptNew makes the file in the directory of its full path.
func (c *call) adoptNew(d Direct, o *object, opts fs.CommitOptions) error {
	dir := homeOf(c.actor.Tenant, fullPathOr(o.props, o.key))
	leave, err := c.s.ensureDir(c.ctx, c.actor, dir)
	if fs.Errno(err) == syscall.ENOTDIR && dir != assetsDir {
		dir = assetsDir
		leave, err = c.s.ensureDir(c.ctx, c.actor, dir)
	}
	if err != nil {
		return err
	}
	defer leave()
	name := treeName(originalOr(textOf(o.props[fs.PropOriginalFileName]), o.key))
	if !validName(name) {
		name = treeName(path.Base(o.key))
	}
	info, err := d.Adopt(c.ctx, c.actor, o.key, fs.Target{Dir: dir, Name: name, Alias: true}, opts)
	if err != nil {
		return err
	}
	return c.find().bind(o.key, o.id, info.Ino())
}

// bind tells the documents about a key, but for the object's own, which file has it now.
func (f finder) bind(key, id string, ino fs.Ino) error {
	rows, err := f.s.docs.BSOsByKey(f.ctx, f.actor.Tenant, key)
	if err != nil {
		return err
	}
	for _, b := range rows {
		if b.ID == id || b.Ino != 0 {
			continue
		}
		b.Ino = ino
		if err := f.s.docs.PutBSO(f.ctx, b, nil); err != nil {
			return err
		}
	}
	return nil
}
