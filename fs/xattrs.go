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

// checkXattrName refuses names that no attribute can have: a namespace alone is EINVAL, as in the kernel.
func checkXattrName(name string) error {
	switch {
	case name == "" || len(name) > maxXattrName:
		return syscall.ERANGE
	case strings.HasSuffix(name, ".") && strings.Count(name, ".") == 1:
		return syscall.EINVAL
	}
	return nil
}

// GetXattr reads an extended attribute; ENODATA when it is not set.
func (f *FS) GetXattr(ctx context.Context, a *Actor, ino Ino, name string) ([]byte, error) {
	value, err := f.getXattr(ctx, a, ino, name)
	return value, fail("getxattr", name, err)
}

func (f *FS) getXattr(ctx context.Context, a *Actor, ino Ino, name string) ([]byte, error) {
	if err := errors.Join(f.allow(a, accessRead), checkXattrName(name)); err != nil {
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
	if name := ObjectName(v); views[PropObjectKey] == "" && name != "" { // nobody gave it one: the name by which all faces find it
		views[PropObjectKey] = name
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
	if err := checkXattrName(name); err != nil {
		return err
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
	if err := checkXattrName(name); err != nil {
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
