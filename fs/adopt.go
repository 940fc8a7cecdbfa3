package fs

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// AdoptObject makes an object that is in the store under key already the content of a file, without moving its bytes. It may be repeated: an object that is a
// file's content already is left there, and that file is the answer. o.ExpectSize is the size the object must have, or -1; there is no object with an
// ENOENT.
func (f *FS) AdoptObject(ctx context.Context, a *Actor, t Target, key string, o CommitOptions) (Info, bool, error) {
	info, created, err := f.adoptObject(detach(ctx), a, t, key, o)
	return info, created, fail("adopt", key, err)
}

func (f *FS) adoptObject(ctx context.Context, a *Actor, t Target, key string, o CommitOptions) (Info, bool, error) {
	w := &Writer{f: f, a: *a, target: t}
	if err := w.locate(ctx); err != nil {
		return Info{}, false, err
	}
	if err := w.recheck(ctx, o); err != nil {
		return Info{}, false, err
	}
	if err := objstore.ValidKey(key); err != nil {
		return Info{}, false, err
	}
	if !f.keys.claim(key) {
		return Info{}, false, syscall.EBUSY
	}
	defer f.keys.release(key)
	if old, err := f.holder(ctx, a, key); err != nil || old != nil {
		return f.adoptedBefore(old, err)
	}
	object, err := f.statObject(ctx, key)
	if err != nil {
		return Info{}, false, err
	}
	if o.ExpectSize >= 0 && o.ExpectSize != object.Size {
		return Info{}, false, ErrShortBody
	}
	return w.adopt(ctx, object, o, meta.Durable)
}

func (f *FS) adoptedBefore(old *File, err error) (Info, bool, error) {
	if err != nil {
		return Info{}, false, err
	}
	return old.Info, false, nil
}

// holder finds the file whose content an object is; nil when there is none.
func (f *FS) holder(ctx context.Context, a *Actor, key string) (*File, error) {
	found, err := f.db.VersionsByKey(ctx, []string{key})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	file, err := f.file(ctx, a, found[0].Ino)
	if errors.Is(err, syscall.ENOENT) {
		return nil, syscall.EBUSY // another tenant's, or one without a name
	}
	return &file, err
}

// statObject asks the store for an object.
func (f *FS) statObject(ctx context.Context, key string) (objstore.Info, error) {
	ctx, cancel := f.bound(ctx, 0)
	defer cancel()
	info, err := f.store.Stat(ctx, key)
	if errors.Is(err, objstore.ErrNotFound) {
		err = fmt.Errorf("%w: %w", syscall.ENOENT, err)
	}
	return info, err
}

// adopt commits an object as the content of the Writer's target. It has the GUID of its key, so that the name with it resolves.
func (w *Writer) adopt(ctx context.Context, object objstore.Info, o CommitOptions, d meta.Durability) (Info, bool, error) {
	w.size = object.Size
	args := w.args(ctx, o)
	args.Key, args.Object = object.Key, meta.Object{ETag: object.ETag}
	if args.GUID = guidInKey(object.Key); args.GUID == "" {
		args.GUID = newGUID()
	}
	w.aliased(&args)
	done, err := w.f.db.Commit(ctx, args, d)
	if err != nil && !errors.Is(err, meta.ErrNotFlushed) {
		return Info{}, false, err
	}
	w.f.replaced(done, w.a.Origin)
	return w.report(o, done), done.Created, err
}

// guidInKey is the GUID in the last segment of a key, "" when there is none.
func guidInKey(key string) string {
	_, guid, _, _ := objstore.SplitVersionName(lastSegment(key))
	return guid
}
