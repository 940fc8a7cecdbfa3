package fs

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

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

// xattrPrefix is where the mount shows tote's own properties.
const xattrPrefix = "user.tote."

// membersPrefix is where, behind xattrPrefix, the members of a managed object are shown.
const membersPrefix = SpaceManaged + "."

// propOf is the property behind an attribute without its xattrPrefix; ok is false for what the server keeps to itself.
func propOf(attr string) (p Property, ok bool) {
	if member, is := strings.CutPrefix(attr, membersPrefix); is {
		return Property{Space: SpaceManaged, Name: member}, member != "" && !Internal(member)
	}
	return Property{Name: attr}, attr != ""
}

// attrOf undoes propOf.
func attrOf(p Property) (attr string, ok bool) {
	switch p.Space {
	case "":
		return p.Name, !strings.HasPrefix(p.Name, membersPrefix)
	case SpaceManaged:
		return membersPrefix + p.Name, !Internal(p.Name)
	}
	return "", false
}

// Internal tells whether a member of a managed object belongs to the server: it is not shown, and clients can't set it.
func Internal(member string) bool { return strings.HasPrefix(member, "_") }

// readOnlyXattrs are views of what the core itself keeps.
var readOnlyXattrs = append([]string{"id", "version", "guid", "key", "checksum"}, identity...)

// Limits of extended attributes, those of the kernel (limits.h).
const (
	maxXattrName  = 255
	maxXattrValue = 64 << 10
)

// GetXattr reads an extended attribute; ENODATA when it is not set.
func (f *FS) GetXattr(ctx context.Context, a *Actor, ino Ino, name string) ([]byte, error) {
	value, err := f.getXattr(ctx, a, ino, name)
	return value, fail("getxattr", name, err)
}

func (f *FS) getXattr(ctx context.Context, a *Actor, ino Ino, name string) ([]byte, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, err
	}
	prop, own := strings.CutPrefix(name, xattrPrefix)
	if !own {
		return f.db.GetXattr(ctx, ino, name)
	}
	views, err := f.xattrViews(ctx, ino)
	if err != nil {
		return nil, err
	}
	if v, ok := views[prop]; ok {
		return []byte(v), nil
	}
	return nil, syscall.ENODATA
}

// xattrViews are tote's own attributes of a node by name.
func (f *FS) xattrViews(ctx context.Context, ino Ino) (map[string]string, error) {
	props, err := f.db.Props(ctx, ino)
	if err != nil {
		return nil, err
	}
	views := map[string]string{}
	for _, p := range props {
		if attr, ok := attrOf(p); ok {
			views[attr] = FromJSONString(p.Value)
		}
	}
	views["id"] = strconv.FormatUint(uint64(ino), 10)
	v, err := f.db.CurrentVersion(ctx, ino)
	if errors.Is(err, syscall.ENODATA) {
		return views, nil
	}
	if err != nil {
		return nil, err
	}
	views["version"], views["guid"], views["key"] = strconv.FormatInt(v.ID, 10), v.GUID, v.Key
	if v.Sum != "" {
		views["checksum"] = v.Sum
	}
	return views, nil
}

// SetXattr sets an extended attribute; flags are those of setxattr(2). user.tote.NAME sets the property NAME.
func (f *FS) SetXattr(ctx context.Context, a *Actor, ino Ino, name string, value []byte, flags int) error {
	return fail("setxattr", name, f.setXattr(detach(ctx), a, ino, name, value, flags))
}

func (f *FS) setXattr(ctx context.Context, a *Actor, ino Ino, name string, value []byte, flags int) error {
	if err := f.allowNode(ctx, a, ino, accessWrite); err != nil {
		return err
	}
	if name == "" || len(name) > maxXattrName {
		return syscall.ERANGE
	}
	if len(value) > maxXattrValue {
		return syscall.E2BIG
	}
	prop, own := strings.CutPrefix(name, xattrPrefix)
	if !own {
		return f.db.SetXattr(ctx, ino, name, value, meta.XattrFlags(flags), a.Origin, durabilityFor(a))
	}
	p, ok := propOf(prop)
	if !ok || slices.Contains(readOnlyXattrs, prop) {
		return syscall.EPERM
	}
	if !utf8.Valid(value) {
		return syscall.EINVAL // JSON has no other text
	}
	if err := f.xattrExists(ctx, ino, prop, flags); err != nil {
		return err
	}
	p.Value = JSONString(string(value))
	return f.db.PatchProps(ctx, ino, []Property{p}, nil, a.Origin, durabilityFor(a))
}

// xattrExists honours XATTR_CREATE and XATTR_REPLACE for a property.
func (f *FS) xattrExists(ctx context.Context, ino Ino, prop string, flags int) error {
	if flags == 0 {
		return nil
	}
	views, err := f.xattrViews(ctx, ino)
	if err != nil {
		return err
	}
	_, there := views[prop]
	switch {
	case flags&int(meta.XattrCreate) != 0 && there:
		return syscall.EEXIST
	case flags&int(meta.XattrReplace) != 0 && !there:
		return syscall.ENODATA
	}
	return nil
}

// ListXattr lists the names of a node's extended attributes. Views that can't be set are not listed, so that copying attributes copies
// what somebody set; nor are properties that are larger than the kernel lets an attribute be.
func (f *FS) ListXattr(ctx context.Context, a *Actor, ino Ino) ([]string, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, fail("listxattr", "", err)
	}
	names, err := f.db.ListXattr(ctx, ino)
	if err != nil {
		return nil, fail("listxattr", "", err)
	}
	props, err := f.db.Props(ctx, ino)
	for _, p := range props {
		attr, ok := attrOf(p)
		if ok && !slices.Contains(readOnlyXattrs, attr) && len(xattrPrefix+attr) <= maxXattrName && len(p.Value) <= maxXattrValue {
			names = append(names, xattrPrefix+attr)
		}
	}
	return names, fail("listxattr", "", err)
}

// RemoveXattr removes an extended attribute; ENODATA when it is not set.
func (f *FS) RemoveXattr(ctx context.Context, a *Actor, ino Ino, name string) error {
	return fail("removexattr", name, f.removeXattr(detach(ctx), a, ino, name))
}

func (f *FS) removeXattr(ctx context.Context, a *Actor, ino Ino, name string) error {
	if err := f.allowNode(ctx, a, ino, accessWrite); err != nil {
		return err
	}
	prop, own := strings.CutPrefix(name, xattrPrefix)
	if !own {
		return f.db.RemoveXattr(ctx, ino, name, a.Origin, durabilityFor(a))
	}
	p, ok := propOf(prop)
	if !ok || slices.Contains(readOnlyXattrs, prop) {
		return syscall.EPERM
	}
	if err := f.xattrExists(ctx, ino, prop, int(meta.XattrReplace)); err != nil {
		return err
	}
	return f.db.PatchProps(ctx, ino, nil, []Property{p}, a.Origin, durabilityFor(a))
}
