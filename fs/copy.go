package fs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"syscall"

	"tote/meta"
)

// copyPage is how many entries of a directory are copied from one look at it.
const copyPage = 256

// copyBeside copies to a name nobody knows and moves the result to its place. The name is on record until then, so that a crash leaves
// nothing visible. c is decided on the source when the copy gets its name.
func (f *FS) copyBeside(ctx context.Context, a *Actor, from, to place, overwrite, recursive bool, c *Cond) (bool, error) {
	temp := ".tote-copy-" + newGUID()
	dir := parentPath(to.path)
	record := unfinished{Tenant: a.Tenant, Parent: to.parent.Ino, Name: temp}
	if err := f.recordCopy(ctx, record, true); err != nil {
		return false, err
	}
	defer func() {
		if err := f.recordCopy(ctx, record, false); err != nil {
			f.log.Warn("a finished copy stays on record until the next start", "err", err)
		}
	}()
	made := copier{f: f, a: a, temp: dir + "/" + temp, final: to.path}
	if err := made.node(ctx, *from.node, made.temp, to.name, recursive); err != nil {
		f.dropCopy(ctx, a, dir+"/"+temp)
		return false, err
	}
	args := meta.RenameArgs{
		OldParent: to.parent.Ino, OldName: temp, NewParent: to.parent.Ino, NewName: to.name, Flags: meta.RenameNoReplace, If: c.need(from),
		Origin: a.Origin,
	}
	if overwrite {
		args.Flags = meta.RenameTree
	}
	done, err := f.rename(ctx, a, args)
	if err != nil {
		f.dropCopy(ctx, a, dir+"/"+temp)
		return false, err
	}
	return done.Replaced == nil, nil
}

// dropCopy removes what a failed copy made.
func (f *FS) dropCopy(ctx context.Context, a *Actor, path string) {
	if err := f.removeAll(ctx, System(a.Tenant, a.Origin), path, nil); err != nil && Errno(err) != syscall.ENOENT {
		f.log.Warn("an unfinished copy could not be removed", "path", path, "err", err)
	}
}

// unfinished is a copy under way.
type unfinished struct {
	Tenant string
	Parent Ino
	Name   string
}

// copiesSetting is where the database keeps the copies under way.
const copiesSetting = "copies"

// recordCopy puts a copy on the record of those under way, or takes it off.
func (f *FS) recordCopy(ctx context.Context, u unfinished, begin bool) error {
	f.copyMu.Lock()
	defer f.copyMu.Unlock()
	list := slices.DeleteFunc(slices.Clone(f.copies), func(o unfinished) bool { return o == u })
	d := meta.Relaxed
	if begin {
		list, d = append(list, u), meta.Durable
	}
	b, err := json.Marshal(list)
	if err == nil {
		err = f.db.PutSetting(ctx, copiesSetting, b, d)
	}
	if err == nil {
		f.copies = list
	}
	return err
}

// dropCopies removes what a crash left of copies under way.
func (f *FS) dropCopies(ctx context.Context) error {
	b, err := f.db.Setting(ctx, copiesSetting)
	if err != nil || len(b) == 0 {
		return ignore(err, syscall.ENOENT)
	}
	var list []unfinished
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	for _, u := range list {
		args := meta.RemoveTreeArgs{Parent: u.Parent, Name: u.Name, Origin: "core"}
		done, err := f.db.RemoveTree(ctx, args, meta.Durable)
		if ignore(err, syscall.ENOENT) != nil {
			return err
		}
		f.discard(done.Staging...)
	}
	return f.db.PutSetting(ctx, copiesSetting, nil, meta.Relaxed)
}

// ignore drops an error of one kind.
func ignore(err error, n syscall.Errno) error {
	if errors.Is(err, n) {
		return nil
	}
	return err
}

// copier makes one copy under a name that nobody knows.
type copier struct {
	f           *FS
	a           *Actor
	temp, final string // path it is made at, and path it will have
}

// node copies one node, and with recursive what is below it. keyName is the name for the object's key.
func (c copier) node(ctx context.Context, src Attr, path, keyName string, recursive bool) error {
	switch src.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		return c.dir(ctx, src, path, recursive)
	case syscall.S_IFREG:
		return c.f.copyFile(ctx, c.a, src, Target{Path: path, keyName: keyName, shown: c.final + strings.TrimPrefix(path, c.temp)}, meta.Precondition{})
	case syscall.S_IFLNK:
		return c.link(ctx, src, path)
	}
	return nil // FIFOs, sockets and devices are not shown by the faces that copy
}

func (c copier) dir(ctx context.Context, src Attr, path string, recursive bool) error {
	f, a := c.f, c.a
	made, err := f.mkdirPath(ctx, a, path, nil)
	if err != nil {
		return err
	}
	if err := f.copyProps(ctx, a, src.Ino, made.Ino()); err != nil || !recursive {
		return err
	}
	var after uint64
	for {
		list, err := f.db.ReadDir(ctx, src.Ino, after, copyPage)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, d := range list {
			if err := c.node(ctx, d.Attr, path+"/"+d.Name, d.Name, true); err != nil {
				return err
			}
			after = d.Cursor
		}
	}
}

func (c copier) link(ctx context.Context, src Attr, path string) error {
	f, a := c.f, c.a
	target, err := f.db.Readlink(ctx, src.Ino)
	if err != nil {
		return err
	}
	at, err := f.resolve(ctx, a, path, false)
	if err != nil {
		return err
	}
	_, err = f.mknod(ctx, a, meta.CreateArgs{Parent: at.parent.Ino, Name: at.name, Mode: syscall.S_IFLNK | 0o777, Target: target})
	return err
}

// copyFile copies the content and the properties of a file, the content by reference if possible.
func (f *FS) copyFile(ctx context.Context, a *Actor, src Attr, t Target, p meta.Precondition) error {
	if done, err := f.shareFile(ctx, a, src, t, p); done || err != nil {
		return err
	}
	r, err := f.openReader(ctx, a, Info{attr: src})
	if err != nil {
		return err
	}
	defer r.Close()
	props, err := f.copiedProps(ctx, src.Ino)
	if err != nil {
		return err
	}
	w, err := f.NewWriter(ctx, a, t)
	if err != nil {
		return err
	}
	defer w.Abort()
	if r.src != nil && f.remote != nil && r.src.file == nil && r.src.layer == nil {
		w.copyOf(r)
	} else if _, err := w.ReadFrom(r); err != nil {
		return err
	}
	_, _, err = w.Commit(ctx, CommitOptions{ExpectSize: r.Size(), Props: props, ClearSpaces: spacesOf(props), Mtime: src.Mtime, also: p})
	return err
}

// copyProps copies properties between directories.
func (f *FS) copyProps(ctx context.Context, a *Actor, from, to Ino) error {
	props, err := f.copiedProps(ctx, from)
	if err != nil || len(props) == 0 {
		return err
	}
	return f.db.PatchProps(ctx, to, props, nil, a.Origin, durabilityFor(a))
}

// identity are the properties in tote's own space that say which one object a file is, and by whom and when that was made. A copy is
// an object of its own.
var identity = []string{
	PropObjectKey, PropFullObjectPath, PropObjectID, "createdService", "createdBy", "createdDate", "modifiedService", "modifiedBy", "modifiedDate",
}

// copiedProps are the properties that a copy gets: all but those of the object's identity and, among the members of the managed object, those
// that the server keeps.
func (f *FS) copiedProps(ctx context.Context, ino Ino) ([]Property, error) {
	all, err := f.db.Props(ctx, ino)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p Property) bool {
		return p.Space == "" && slices.Contains(identity, p.Name) || p.Space == SpaceManaged && Internal(p.Name)
	}), nil
}

// spacesOf lists the spaces of properties once each.
func spacesOf(props []Property) []string {
	seen := map[string]bool{}
	var out []string
	for _, p := range props {
		if !seen[p.Space] {
			seen[p.Space] = true
			out = append(out, p.Space)
		}
	}
	return out
}
