package fs

import (
	"context"
	"errors"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// FileQuery selects regular files of the actor's tenant, in the order of their numbers.
type FileQuery struct {
	Inos   []Ino      // only these; nil = any
	Props  []Property // every one of these is set to exactly this value
	Offset int
	Limit  int
	After  Ino // only higher numbers
}

// File is a regular file and its current version, whose ID is 0 when it never had content.
type File struct {
	Info    Info
	Version Version
}

// Files lists files by number, whichever face made them.
func (f *FS) Files(ctx context.Context, a *Actor, q FileQuery) ([]File, error) {
	mq, err := f.fileQuery(ctx, a, q)
	if err != nil {
		return nil, fail("files", "", err)
	}
	if q.Inos != nil && len(q.Inos) == 0 {
		return nil, nil
	}
	rows, err := f.db.Files(ctx, mq)
	if err != nil {
		return nil, fail("files", "", err)
	}
	files, err := f.withTypes(ctx, rows)
	return files, fail("files", "", err)
}

// CountFiles counts what Files would list, without Offset and Limit.
func (f *FS) CountFiles(ctx context.Context, a *Actor, q FileQuery) (int64, error) {
	mq, err := f.fileQuery(ctx, a, q)
	if err != nil {
		return 0, fail("files", "", err)
	}
	if q.Inos != nil && len(q.Inos) == 0 {
		return 0, nil
	}
	n, err := f.db.CountFiles(ctx, mq)
	return n, fail("files", "", err)
}

// fileQuery narrows a query to what the actor may see: without a role for reading, the files they own.
func (f *FS) fileQuery(ctx context.Context, a *Actor, q FileQuery) (meta.FileQuery, error) {
	t, err := f.tenant(ctx, a)
	if err != nil {
		return meta.FileQuery{}, err
	}
	mq := meta.FileQuery{Tenant: t.ID, After: q.After, Inos: q.Inos, Props: q.Props, Offset: q.Offset, Limit: q.Limit}
	if !a.may(accessRead) {
		own := Property{Name: PropUser, Value: JSONString(a.User)}
		mq.Props = append(append([]Property(nil), q.Props...), own)
	}
	return mq, nil
}

// withTypes adds the content types to a page of rows.
func (f *FS) withTypes(ctx context.Context, rows []meta.FileRow) ([]File, error) {
	entries := make([]meta.Dirent, len(rows))
	for i, r := range rows {
		entries[i].Attr = r.Attr
	}
	types, err := f.contentTypes(ctx, entries)
	if err != nil {
		return nil, err
	}
	files := make([]File, len(rows))
	for i, r := range rows {
		files[i] = File{Info: Info{name: r.Name, attr: r.Attr, contentType: types[r.Attr.Ino]}, Version: r.Version}
	}
	return files, nil
}

// File is the regular file numbered ino; ENOENT when there is none.
func (f *FS) File(ctx context.Context, a *Actor, ino Ino) (File, error) {
	file, err := f.file(ctx, a, ino)
	return file, fail("file", "", err)
}

func (f *FS) file(ctx context.Context, a *Actor, ino Ino) (File, error) {
	t, err := f.tenant(ctx, a)
	if err != nil {
		return File{}, err
	}
	rows, err := f.db.Files(ctx, meta.FileQuery{Tenant: t.ID, Inos: []Ino{ino}, Limit: 1})
	if err != nil {
		return File{}, err
	}
	if len(rows) == 0 {
		return File{}, syscall.ENOENT
	}
	if err := f.allowFound(ctx, a, ino, accessRead); err != nil {
		return File{}, err
	}
	files, err := f.withTypes(ctx, rows)
	if err != nil {
		return File{}, err
	}
	if files[0].Info.path, err = f.db.Path(ctx, ino); errors.Is(err, syscall.ENOENT) {
		err = nil // it has just been unlinked
	}
	return files[0], err
}

// FileByKey finds a file by the object key that a client gave it, or by stem@_@GUID.ext of any version it has had. A key with directories in it is
// compared as a whole.
func (f *FS) FileByKey(ctx context.Context, a *Actor, key string) (File, error) {
	file, err := f.fileByKey(ctx, a, key)
	return file, fail("file", key, err)
}

func (f *FS) fileByKey(ctx context.Context, a *Actor, key string) (File, error) {
	t, err := f.tenant(ctx, a)
	if err != nil {
		return File{}, err
	}
	inos, err := f.db.InosByProp(ctx, t.ID, "", PropObjectKey, JSONString(key))
	if err != nil {
		return File{}, err
	}
	for _, ino := range inos {
		if file, err := f.file(ctx, a, ino); !errors.Is(err, syscall.ENOENT) {
			return file, err
		}
	}
	last := lastSegment(key)
	_, guid, _, ok := objstore.SplitVersionName(last)
	if !ok {
		return File{}, syscall.ENOENT
	}
	versions, err := f.db.VersionsByGUID(ctx, guid)
	if err != nil {
		return File{}, err
	}
	for _, v := range versions {
		if !aliasOf(v, last) || last != key && keyAsNamed(v) != key && keyAsNamed(v) != clientKey(t.Name, key) {
			continue
		}
		if file, err := f.file(ctx, a, v.Ino); !errors.Is(err, syscall.ENOENT) {
			return file, err
		}
	}
	return File{}, syscall.ENOENT
}

// DeleteFile removes a file under all its names.
func (f *FS) DeleteFile(ctx context.Context, a *Actor, ino Ino, c *Cond) error {
	return fail("delete", "", f.deleteFile(detach(ctx), a, ino, c))
}

func (f *FS) deleteFile(ctx context.Context, a *Actor, ino Ino, c *Cond) error {
	file, err := f.file(ctx, a, ino)
	if err != nil {
		return err
	}
	if err := f.allowFound(ctx, a, ino, accessWrite); err != nil {
		return err
	}
	if err := f.checkLocksIno(ctx, a, ino); err != nil {
		return err
	}
	links, err := f.db.Names(ctx, ino)
	if err != nil {
		return err
	}
	check := valueCheck(c.attrCheck(place{name: file.Info.name, path: file.Info.path}))
	owner := System(a.Tenant, a.Origin) // rights were decided above, for the file and not for its directory
	owner.Tokens = a.Tokens
	for _, l := range links {
		rm := func(ctx context.Context, args meta.UnlinkArgs, d meta.Durability) (meta.Removed, error) {
			args.Check = check
			return f.db.Unlink(ctx, args, d)
		}
		if err := f.remove(ctx, owner, l.Parent, l.Name, rm); err != nil && !errors.Is(err, syscall.ENOENT) {
			return err
		}
		check = nil
	}
	return nil
}
