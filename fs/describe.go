package fs

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"tote/objstore"
)

// Facts that go with an object into stores that keep some, so that the tree can be made again without the database (Recover). They are those
// of the moment when the object was begun: a later rename does not change them.
const (
	factTenant = "tenant"
	factPath   = "path"  // each component escaped
	factName   = "name"  // its last component, in case that there is no room for the path
	factMode   = "mode"  // permission bits, octal
	factMtime  = "mtime" // ns since 1970
	factGUID   = "guid"
)

// description is what the facts are made of.
type description struct {
	tenant string
	path   string // "" when the file has no name
	mode   uint32
	mtime  int64 // 0: not known
	guid   string
}

// describes tells whether the store keeps facts.
func (f *FS) describes() bool {
	_, ok := objstore.As[objstore.Describer](f.store)
	return ok
}

// facts is the form in which the store keeps them; nil when it keeps none.
func (f *FS) facts(d description) map[string]string {
	if !f.describes() {
		return nil
	}
	facts := map[string]string{factTenant: d.tenant, factGUID: d.guid, factMode: strconv.FormatUint(uint64(d.mode&0o7777), 8)}
	if d.mtime != 0 {
		facts[factMtime] = strconv.FormatInt(d.mtime, 10)
	}
	if d.path != "" {
		parts := splitPath(d.path)
		for i, name := range parts {
			parts[i] = objstore.EscapeName(name)
		}
		facts[factPath] = "/" + strings.Join(parts, "/")
		facts[factName] = parts[len(parts)-1]
	}
	return facts
}

// factsOf describes a file by what the database has.
func (f *FS) factsOf(ctx context.Context, ino Ino, tenant, guid string) map[string]string {
	if !f.describes() {
		return nil
	}
	d := description{tenant: tenant, guid: guid, mode: f.opts.FileMode}
	if attr, err := f.db.GetAttr(ctx, ino); err == nil {
		d.mode, d.mtime = attr.Mode, attr.Mtime
	}
	if path, err := f.db.Path(ctx, ino); err == nil {
		d.path = path
	}
	return f.facts(d)
}

// described undoes facts.
func described(facts map[string]string) description {
	d := description{tenant: facts[factTenant], guid: facts[factGUID]}
	if mode, err := strconv.ParseUint(facts[factMode], 8, 32); err == nil {
		d.mode = uint32(mode) & 0o7777
	}
	if mtime, err := strconv.ParseInt(facts[factMtime], 10, 64); err == nil {
		d.mtime = mtime
	}
	parts := splitPath(facts[factPath])
	if len(parts) == 0 && facts[factName] != "" {
		parts = []string{lostDir, facts[factName]}
	}
	for _, part := range parts {
		name, err := objstore.UnescapeName(part)
		if err != nil || checkName(name) != nil {
			return d
		}
		d.path += "/" + name
	}
	return d
}

// lostDir is where recovered files go whose directory nobody remembers.
const lostDir = "lost+found"

// dirPaths remembers the paths of a few directories, because files come many at a time into one, and asking the database for each would end what it
// gathers.
type dirPaths struct {
	mu    sync.Mutex
	paths map[Ino]string // guarded by mu
	moves int            // counts clears; guarded by mu
}

// maxDirPaths bounds what is remembered.
const maxDirPaths = 256

// path is the path of a directory, "" for the root; not ok when it has none.
func (p *dirPaths) path(ctx context.Context, f *FS, dir Ino) (string, bool) {
	p.mu.Lock()
	path, ok := p.paths[dir]
	moves := p.moves
	p.mu.Unlock()
	if ok || dir == 0 {
		return path, ok
	}
	path, err := f.db.Path(ctx, dir)
	if err != nil {
		return "", false
	}
	path = strings.TrimSuffix(path, "/")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moves == moves {
		if len(p.paths) >= maxDirPaths || p.paths == nil {
			p.paths = map[Ino]string{}
		}
		p.paths[dir] = path
	}
	return path, true
}

// moved forgets all paths: a directory was renamed.
func (p *dirPaths) moved() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paths = nil
	p.moves++
}
