package fs

import (
	"context"
	"syscall"

	"tote/meta"
)

// Properties belong to the file. REST shows them as JSON, WebDAV as dead properties, the mount as extended attributes user.tote.NAME, or
// user.tote.c8y.NAME for the members of a managed object.

// property reads one property's text, "" when it is not set.
func (f *FS) property(ctx context.Context, ino Ino, space, name string) (string, error) {
	props, err := f.db.Props(ctx, ino)
	if err != nil {
		return "", err
	}
	for _, p := range props {
		if p.Space == space && p.Name == name {
			return FromJSONString(p.Value), nil
		}
	}
	return "", nil
}

// marks reads what properties say about a file: its type and digests. A file that has just been removed has none.
func (f *FS) marks(ctx context.Context, info *Info) error {
	props, err := f.db.Props(ctx, info.attr.Ino)
	for _, p := range props {
		switch {
		case p.Space == "" && p.Name == PropContentType:
			info.contentType = FromJSONString(p.Value)
		case p.Space == SpaceDigests:
			info.digests = p.Value
		}
	}
	return ignore(err, syscall.ENOENT)
}

// Props are all properties of a node.
func (f *FS) Props(ctx context.Context, a *Actor, ino Ino) ([]Property, error) {
	if err := f.allowNode(ctx, a, ino, accessRead); err != nil {
		return nil, fail("properties", "", err)
	}
	props, err := f.db.Props(ctx, ino)
	return props, fail("properties", "", err)
}

// PropsOf are the properties of one space for many nodes, with one query.
func (f *FS) PropsOf(ctx context.Context, a *Actor, inos []Ino, space string) (map[Ino][]Property, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, fail("properties", "", err)
	}
	props, err := f.db.PropsOf(ctx, inos, space)
	return props, fail("properties", "", err)
}

// AllPropsOf are the properties of many nodes in all spaces, with one query.
func (f *FS) AllPropsOf(ctx context.Context, a *Actor, inos []Ino) (map[Ino][]Property, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, fail("properties", "", err)
	}
	props, err := f.db.AllPropsOf(ctx, inos)
	return props, fail("properties", "", err)
}

// SumsOf are the checksums of the contents of many files, with one query; a file may not have one yet.
func (f *FS) SumsOf(ctx context.Context, a *Actor, inos []Ino) (map[Ino]string, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, fail("checksums", "", err)
	}
	sums, err := f.db.SumsOf(ctx, inos)
	return sums, fail("checksums", "", err)
}

// Limits of properties, so that no client can fill the database through them.
const (
	maxPropName  = 1024
	maxPropValue = 1 << 20
)

// PatchProps sets and removes properties of a node in one transaction; removing one that is not there is fine.
func (f *FS) PatchProps(ctx context.Context, a *Actor, ino Ino, set, remove []Property) error {
	return f.PatchNode(ctx, a, ino, NodePatch{Set: set, Remove: remove})
}

// NodePatch is a change of properties and times.
type NodePatch struct {
	Set, Remove []Property
	Mtime       *int64 // ns; nil keeps it
	Btime       *int64 // ns, when the node was made; nil keeps it
	Cond        *Cond  // decided inside the transaction
}

// PatchNode changes properties and times of a node in one transaction.
func (f *FS) PatchNode(ctx context.Context, a *Actor, ino Ino, p NodePatch) error {
	return fail("properties", "", f.patchNode(detach(ctx), a, ino, p))
}

func (f *FS) patchNode(ctx context.Context, a *Actor, ino Ino, p NodePatch) error {
	if err := f.allowNode(ctx, a, ino, accessWrite); err != nil {
		return err
	}
	if err := f.checkLocksIno(ctx, a, ino); err != nil {
		return err
	}
	if err := checkProps(p.Set); err != nil {
		return err
	}
	args := meta.PatchArgs{Ino: ino, Set: p.Set, Remove: p.Remove, Mtime: p.Mtime, Btime: p.Btime, Check: p.Cond.attrCheck(place{}), Origin: a.Origin}
	if err := f.db.PatchNode(ctx, args, durabilityFor(a)); err != nil {
		return err
	}
	if v := f.table.viewOf(ino); v != nil && p.Mtime != nil {
		if err := v.setTimes(*p.Mtime); err != nil {
			return err
		}
	}
	f.emit(Event{Op: "props", Ino: ino, Attrs: true, Origin: a.Origin})
	return nil
}

// maxProps bounds what one request may set.
const maxProps = 1000

// checkProps refuses properties that are too large or too many.
func checkProps(set []Property) error {
	if len(set) > maxProps {
		return syscall.E2BIG
	}
	for _, p := range set {
		if p.Name == "" || len(p.Name) > maxPropName || len(p.Space) > maxPropName || len(p.Value) > maxPropValue {
			return syscall.E2BIG
		}
	}
	return nil
}
