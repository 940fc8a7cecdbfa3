package fs

import (
	"context"
	"fmt"
	"strings"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// ImportOptions say which objects become files and where.
type ImportOptions struct {
	Prefix string // only objects whose key begins with it; it is no part of their paths
	Dir    string // directory that the files come into, which is made; "" is the root

	// Progress is told after every batch how far it is, Problem of every object that can't become a file. Either may be nil.
	Progress func(ImportReport)
	Problem  func(problem string)
}

// ImportReport counts objects.
type ImportReport struct {
	Listed  int64 `json:"listed"`
	Adopted int64 `json:"adopted"` // have become files
	Known   int64 `json:"known"`   // were files before
	Older   int64 `json:"older"`   // of a recovery: versions that a newer one has replaced
	Skipped int64 `json:"skipped"` // can't be files
	Bytes   int64 `json:"bytes"`   // of what was adopted
}

// importBatch is how many objects are looked up, and made durable, together.
const importBatch = 500

// Import makes files of objects that are in the store already, without moving their bytes: the key behind the prefix is the path below the
// directory, and stem@_@GUID.ext shows as stem.ext. It may be repeated, and ended at any time: what is a file by then is left alone the next time.
func (f *FS) Import(ctx context.Context, a *Actor, o ImportOptions) (ImportReport, error) {
	m := &importer{f: f, a: a, o: o, dirs: map[string]bool{}}
	m.place = m.placeByKey
	err := m.run(ctx)
	return m.r, fail("import", o.Prefix, err)
}

// importer makes files of objects.
type importer struct {
	f     *FS
	a     *Actor
	o     ImportOptions
	look  func(context.Context, []found) error // finds out more about a batch; nil: nothing
	place func(context.Context, found) error
	dirs  map[string]bool // that are known to be there

	r ImportReport
}

// found is an object that is no file yet.
type found struct {
	objstore.Info
	facts map[string]string
}

// run lists the store in batches.
func (m *importer) run(ctx context.Context) error {
	batch := make([]found, 0, importBatch)
	for info, err := range m.f.store.List(ctx, m.o.Prefix, "") {
		if err != nil {
			return err
		}
		if batch = append(batch, found{Info: info}); len(batch) < importBatch {
			continue
		}
		if err := m.batch(ctx, batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return m.batch(ctx, batch)
}

// batch adopts those of a batch that are no files yet.
func (m *importer) batch(ctx context.Context, batch []found) error {
	m.r.Listed += int64(len(batch))
	unknown, err := m.unknown(ctx, batch)
	if err == nil && m.look != nil {
		err = m.look(ctx, unknown)
	}
	if err != nil {
		return err
	}
	for _, obj := range unknown {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.one(ctx, obj); err != nil {
			return err
		}
	}
	if err := m.f.db.Flush(ctx); err != nil {
		return err
	}
	if m.o.Progress != nil {
		m.o.Progress(m.r)
	}
	return nil
}

// unknown leaves out what is a file, and what is being written or waits to be deleted.
func (m *importer) unknown(ctx context.Context, batch []found) ([]found, error) {
	keys := make([]string, len(batch))
	for i, obj := range batch {
		keys[i] = obj.Key
	}
	have, err := m.f.db.VersionsByKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(have))
	for _, v := range have {
		known[v.Key] = true
	}
	var list []found
	for _, obj := range batch {
		waits, err := m.f.db.HasIntent(ctx, obj.Key)
		if err != nil {
			return nil, err
		}
		if known[obj.Key] || waits {
			m.r.Known++
			continue
		}
		list = append(list, obj)
	}
	return list, nil
}

// one adopts one object. What is wrong with it is reported and no reason to stop; trouble with the database is.
func (m *importer) one(ctx context.Context, obj found) error {
	if !m.f.keys.claim(obj.Key) { // somebody is writing it
		m.r.Known++
		return nil
	}
	defer m.f.keys.release(obj.Key)
	err := m.place(ctx, obj)
	if err == nil {
		return nil
	}
	switch Errno(err) {
	case syscall.EIO, syscall.ENOSPC, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.ETIMEDOUT, syscall.ECANCELED, syscall.EAGAIN:
		return err
	}
	m.r.Skipped++
	if m.o.Problem != nil {
		m.o.Problem(fmt.Sprintf("%s: %v", obj.Key, err))
	}
	return nil
}

// placeByKey adopts an object under the path of its key. What the core itself keeps in the store is no part of a bucket's contents, unless it is asked for.
func (m *importer) placeByKey(ctx context.Context, obj found) error {
	if coreKey(obj.Key) && !coreKey(m.o.Prefix) {
		m.r.Skipped++
		return nil
	}
	path := strings.TrimPrefix(obj.Key, m.o.Prefix)
	dir, name := m.o.Dir+"/"+parentPath(path), shownName(lastSegment(path))
	clean, err := CleanPath(dir)
	if err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return err
	}
	if err := m.makeDir(ctx, clean); err != nil {
		return err
	}
	return m.adopt(ctx, Target{Dir: clean, Name: name, Alias: true}, obj, CommitOptions{Mtime: obj.Modified.UnixNano()})
}

// coreKey tells whether a key is in the part of a store where tenants keep what is theirs.
func coreKey(key string) bool {
	_, rest, _ := strings.Cut(key, "/")
	return strings.HasPrefix(rest, "binarystreamobject/")
}

// adopt commits one object, without a flush: the batch has one for all.
func (m *importer) adopt(ctx context.Context, t Target, obj found, o CommitOptions) error {
	w := &Writer{f: m.f, a: *m.a, target: t}
	if err := w.locate(ctx); err != nil {
		return err
	}
	if mode := described(obj.facts).mode; mode != 0 {
		w.mode = mode
	}
	o.ExpectSize = -1
	if _, _, err := w.adopt(detach(ctx), obj.Info, o, meta.Relaxed); err != nil {
		return err
	}
	m.r.Adopted++
	m.r.Bytes += obj.Size
	return nil
}

// makeDir makes a directory and those above it, unless that was done a moment ago.
func (m *importer) makeDir(ctx context.Context, path string) error {
	if path == "/" || m.dirs[path] {
		return nil
	}
	if len(m.dirs) >= importBatch {
		clear(m.dirs)
	}
	if _, err := m.f.MkdirAll(ctx, m.a, path); err != nil {
		return err
	}
	m.dirs[path] = true
	return nil
}

// shownName is the name that a file with this last segment of a key shows.
func shownName(segment string) string {
	stem, _, ext, ok := objstore.SplitVersionName(segment)
	if !ok {
		return segment
	}
	name, err := objstore.UnescapeName(stem + ext)
	if err != nil || checkName(name) != nil {
		return segment
	}
	return name
}
