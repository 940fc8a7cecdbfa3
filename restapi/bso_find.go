package restapi

import (
	"cmp"
	"context"
	"iter"
	"slices"
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

// all walks through every object in order of creation, as far as files and documents each are in that order.
func (f finder) all() iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		nextFile, stopFiles := iter.Pull2(f.files())
		defer stopFiles()
		nextRow, stopRows := iter.Pull2(f.rows())
		defer stopRows()
		a, aerr, aok := nextFile()
		b, berr, bok := nextRow()
		for aok || bok {
			if aerr != nil || berr != nil {
				if aerr == nil {
					aerr = berr
				}
				yield(nil, aerr)
				return
			}
			first := bok && (!aok || cmp.Or(b.created.at.Compare(a.created.at), cmp.Compare(b.id, a.id)) < 0)
			if first && !yield(b, nil) || !first && !yield(a, nil) {
				return
			}
			if first {
				b, berr, bok = nextRow()
			} else {
				a, aerr, aok = nextFile()
			}
		}
	}
}

// files walks through the objects that are files, by number.
func (f finder) files() iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		q := fs.FileQuery{Limit: scanPage}
		for {
			files, err := f.s.fs.Files(f.ctx, f.actor, q)
			var props map[fs.Ino][]fs.Property
			if err == nil && len(files) > 0 {
				props, err = f.s.fs.PropsOf(f.ctx, f.actor, inosOf(files), "")
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, file := range files {
				if !yield(fileObject(file, props[file.Info.Ino()]), nil) {
					return
				}
			}
			if len(files) < scanPage {
				return
			}
			q.After = files[len(files)-1].Info.Ino()
		}
	}
}

func inosOf(files []fs.File) []fs.Ino {
	inos := make([]fs.Ino, len(files))
	for i, f := range files {
		inos[i] = f.Info.Ino()
	}
	return inos
}

// rows walks through the objects that are documents, in order of creation. Only what orders them is held.
func (f finder) rows() iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		ids, err := f.rowIDs()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, r := range ids {
			o, err := f.liveRow(r.id)
			if o == nil && err == nil {
				continue
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

type rowID struct {
	created int64
	id      string
}

func (f finder) rowIDs() ([]rowID, error) {
	var ids []rowID
	for offset := 0; ; offset += scanPage {
		rows, err := f.s.docs.ListBSO(f.ctx, f.actor.Tenant, nil, offset, scanPage)
		if err != nil {
			return nil, err
		}
		for _, b := range rows {
			ids = append(ids, rowID{b.Created, b.ID})
		}
		if len(rows) < scanPage {
			break
		}
	}
	slices.SortFunc(ids, func(a, b rowID) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id))
	})
	return ids, nil
}

// liveRow gives nil for a document that has gone, or that an upload has turned into properties of a file but could not remove any more.
func (f finder) liveRow(id string) (*object, error) {
	b, err := f.s.docs.GetBSO(f.ctx, f.actor.Tenant, id)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if b.Ino == 0 {
		if _, err := f.byProp(propID, b.ID); !missing(err) {
			return nil, err
		}
	}
	return f.row(b)
}
