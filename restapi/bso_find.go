package restapi

import (
	"context"
	"strings"
	"syscall"

	"tote/fs"
)

// finder looks objects up with the rights of an actor.
type finder struct {
	s     *server
	ctx   context.Context
	actor *fs.Actor
}

// find looks with the right to read; whether the caller may know or change what is found is decided by each operation.
func (c *call) find() finder { return finder{c.s, c.ctx, readAs(c.actor)} }

// missing tells whether an error only says that nothing is there.
func missing(err error) bool { return fs.Errno(err) == syscall.ENOENT }

var errAbsent = &fs.Error{Op: "find", Errno: syscall.ENOENT}

// byID finds an object by its id: a file that was given it, a document, or a file with this number that has no other id.
func (f finder) byID(id string) (*object, error) {
	if o, err := f.byProp(propID, id); !missing(err) {
		return o, err
	}
	row, err := f.s.docs.GetBSO(f.ctx, f.actor.Tenant, id)
	if err == nil {
		return f.row(row)
	}
	if !missing(err) {
		return nil, err
	}
	return f.byNumber(id, func(o *object) bool { return o.id == id })
}

// byKey finds an object by the key of its bytes: the key itself, a document about it, or its full path.
func (f finder) byKey(key string) (*object, error) {
	if o, err := f.fileByKey(key); !missing(err) {
		return o, err
	}
	rows, err := f.s.docs.BSOsByKey(f.ctx, f.actor.Tenant, key)
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 {
		return f.row(rows[0])
	}
	return f.byProp(fs.PropFullObjectPath, key)
}

// bytesByKey is byKey for who wants bytes: objects that wait for theirs are passed over.
func (f finder) bytesByKey(key string) (*object, error) {
	if o, err := f.fileByKey(key); !missing(err) {
		return o, err
	}
	rows, err := f.s.docs.BSOsByKey(f.ctx, f.actor.Tenant, key)
	if err != nil {
		return nil, err
	}
	for _, b := range rows {
		if o, err := f.row(b); err != nil || o.file != nil {
			return o, err
		}
	}
	return f.byProp(fs.PropFullObjectPath, key)
}

// fileByKey finds only what has bytes under a key. The core also knows files by the last part of a version's key; two keys may differ in
// the parts before, so a file that was given another key is taken only for a name alone or the full name of an object.
func (f finder) fileByKey(key string) (*object, error) {
	o, err := f.anyFileByKey(key)
	if err != nil || !o.hasKey || o.key == key {
		return o, err
	}
	if strings.Contains(key, "/") && !strings.HasPrefix(key, f.actor.Tenant+"/"+defaultType+assetsDir+"/") {
		return nil, errAbsent
	}
	return o, nil
}

// target finds the file that bytes or properties for a key go to: one with exactly this key, or one without a key of its own.
func (f finder) target(key string) (*object, error) {
	o, err := f.anyFileByKey(key)
	if err == nil && o.hasKey && o.key != key {
		err = errAbsent
	}
	return o, err
}

func (f finder) anyFileByKey(key string) (*object, error) {
	file, err := f.s.fs.FileByKey(f.ctx, f.actor, key)
	if err == nil {
		return f.file(file)
	}
	if !missing(err) {
		return nil, err
	}
	return f.byNumber(key, func(o *object) bool { return o.key == key })
}

func (f finder) byProp(name, value string) (*object, error) {
	files, err := f.s.fs.Files(f.ctx, f.actor, fs.FileQuery{Props: []fs.Property{{Name: name, Value: fs.JSONString(value)}}, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errAbsent
	}
	return f.file(files[0])
}

// byNumber finds a file by its number when that is what it goes by.
func (f finder) byNumber(text string, goesBy func(*object) bool) (*object, error) {
	ino, ok := binaryID(text)
	if !ok {
		return nil, errAbsent
	}
	file, err := f.s.fs.File(f.ctx, f.actor, ino)
	if err != nil {
		return nil, err
	}
	o, err := f.file(file)
	if err == nil && !goesBy(o) {
		err = errAbsent
	}
	return o, err
}

func (f finder) file(file fs.File) (*object, error) {
	props, err := f.s.fs.Props(f.ctx, f.actor, file.Info.Ino())
	if err != nil {
		return nil, err
	}
	return fileObject(file, props), nil
}

// row completes a document with the file it is about.
func (f finder) row(b BSO) (*object, error) {
	if b.Ino == 0 {
		return rowObject(b, nil), nil
	}
	file, err := f.s.fs.File(f.ctx, f.actor, b.Ino)
	if missing(err) {
		return rowObject(b, nil), nil
	}
	if err != nil {
		return nil, err
	}
	return rowObject(b, &file), nil
}

// sharing finds all objects about a key: the file's own and documents.
func (f finder) sharing(key string) ([]*object, error) {
	var out []*object
	o, err := f.fileByKey(key)
	if err == nil {
		out = append(out, o)
	} else if !missing(err) {
		return nil, err
	}
	rows, err := f.s.docs.BSOsByKey(f.ctx, f.actor.Tenant, key)
	if err != nil {
		return nil, err
	}
	for _, b := range rows {
		if o != nil && o.id == b.ID {
			continue // left over from an upload whose process died
		}
		r, err := f.row(b)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
