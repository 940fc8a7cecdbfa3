package fs

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"tote/meta"
	"tote/objstore"
)

// RecoverOptions say how a tree is made again from a store.
type RecoverOptions struct {
	KeepOlder bool // older versions of a path stay beside the newest one, as stem@_@GUID.ext
	Progress  func(ImportReport)
	Problem   func(problem string)
}

// Recover makes the trees of all tenants again from the objects in the store and the facts beside them, when the database is gone. A file comes back at
// the path it had when its bytes were written, with mode and time; without facts under the name in its key in /lost+found. Of several objects of one path
// the newest wins. What never had bytes (directories that are empty, symbolic links, properties) does not come back. It may be repeated, and ended at any time.
func (f *FS) Recover(ctx context.Context, o RecoverOptions) (ImportReport, error) {
	rec := &recoverer{keep: o.KeepOlder}
	m := &importer{f: f, o: ImportOptions{Progress: o.Progress, Problem: o.Problem}, dirs: map[string]bool{}}
	rec.importer, m.look, m.place = m, rec.ask, rec.placeByFacts
	err := m.run(ctx)
	return m.r, fail("recover", "", err)
}

// recoverer is an importer that places objects by their facts.
type recoverer struct {
	*importer
	keep   bool
	tenant string // of the directories that are known to be there
}

// ask reads the facts of a batch, several at a time.
func (m *recoverer) ask(ctx context.Context, batch []found) error {
	d, ok := objstore.As[objstore.Describer](m.f.store)
	if !ok {
		return nil
	}
	errs := make([]error, len(batch))
	slots := make(chan struct{}, maxParallel)
	var group sync.WaitGroup
	for i := range batch {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			call, cancel := m.f.bound(ctx, 0)
			defer cancel()
			_, facts, err := d.StatDescribed(call, batch[i].Key)
			if errors.Is(err, objstore.ErrNotFound) { // it has just gone
				err = nil
			}
			batch[i].facts, errs[i] = facts, err
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// placeByFacts adopts an object under its path in its tenant.
func (m *recoverer) placeByFacts(ctx context.Context, obj found) error {
	if !ownKey(obj.Key) {
		m.r.Skipped++
		return nil
	}
	d := m.describe(obj)
	if err := m.enter(ctx, d.tenant); err != nil {
		return err
	}
	clean, err := CleanPath(d.path)
	if err != nil {
		return err
	}
	dir := parentOf(clean)
	if err := m.makeDir(ctx, dir); err != nil {
		return err
	}
	beside := Target{Dir: dir, Name: lastSegment(clean), Alias: true}
	o := CommitOptions{Mtime: d.mtime}
	there, err := m.compare(ctx, clean, d)
	switch {
	case err != nil:
		return err
	case there == newer && m.keep, there == other:
		return m.adopt(ctx, beside, obj, o)
	case there == newer:
		m.r.Older++
		return nil
	case there == older && m.keep:
		if err := m.stepAside(ctx, clean); err != nil {
			return err
		}
	case there == older:
		m.r.Older++
	}
	return m.adopt(ctx, Target{Path: clean}, obj, o)
}

// describe completes what the facts say by what the key says.
func (m *recoverer) describe(obj found) description {
	d := described(obj.facts)
	if d.tenant == "" {
		d.tenant, _, _ = strings.Cut(obj.Key, "/")
	}
	if d.guid == "" {
		d.guid = guidInKey(obj.Key)
	}
	if d.path == "" {
		d.path = "/" + lostDir + "/" + shownName(lastSegment(obj.Key))
	}
	if d.mtime == 0 {
		d.mtime = obj.Modified.UnixNano()
	}
	return d
}

// recoveredRoot is the mode of the root directory of a tenant that comes back.
const recoveredRoot = 0o755

// enter makes sure that a tenant is there, and acts in it from now on.
func (m *recoverer) enter(ctx context.Context, tenant string) error {
	if m.a != nil && m.tenant == tenant {
		return nil
	}
	_, err := m.f.db.EnsureTenant(ctx, tenant, recoveredRoot, m.f.opts.UID, m.f.opts.GID, meta.Relaxed)
	if err != nil {
		return err
	}
	m.a, m.tenant = System(tenant, "core"), tenant
	clear(m.dirs)
	return nil
}

// standing is what is at a path, compared with an object that was there once.
type standing int

const (
	nothing standing = iota
	older            // a file with an older version
	newer            // a file with a newer one
	other            // no file at all
)

// compare looks at what has an object's path.
func (m *recoverer) compare(ctx context.Context, path string, d description) (standing, error) {
	info, err := m.f.Lstat(ctx, m.a, path)
	if errors.Is(err, syscall.ENOENT) {
		return nothing, nil
	}
	if err != nil || !info.IsRegular() {
		return other, err
	}
	v, err := m.f.db.CurrentVersion(ctx, info.Ino())
	if err != nil {
		return older, ignore(err, syscall.ENODATA)
	}
	late := time.Unix(0, d.mtime).After(info.ModTime())
	if ordered(v.GUID) && ordered(d.guid) {
		late = d.guid > v.GUID
	}
	if late {
		return older, nil
	}
	return newer, nil
}

// ordered tells whether a GUID is of the kind that begins with its time.
func ordered(guid string) bool {
	id, err := uuid.Parse(guid)
	return err == nil && id.Version() == 7
}

// stepAside renames the older file at path, if any, to its name with the GUID.
func (m *recoverer) stepAside(ctx context.Context, path string) error {
	at, err := m.f.resolve(ctx, m.a, path, false)
	if err != nil || at.node == nil {
		return err
	}
	v, err := m.f.db.CurrentVersion(ctx, at.node.Ino)
	if err != nil {
		return ignore(err, syscall.ENODATA)
	}
	_, err = m.f.rename(detach(ctx), m.a, meta.RenameArgs{
		OldParent: at.parent.Ino, OldName: at.name, NewParent: at.parent.Ino, NewName: aliasName(at.name, v.GUID),
		Flags: meta.RenameNoReplace, Origin: "core",
	})
	return err
}
