package fs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tote/meta"
	"tote/objstore"
)

// maxPath is the longest path in bytes (PATH_MAX with its NUL).
const maxPath = 4095

// maxLinks is how many symbolic links one resolution may follow, as in the kernel.
const maxLinks = 40

// CleanPath checks a slash-separated path that a face has decoded once and gives its canonical form: absolute, without a trailing slash, "/" for
// the root. "." and ".." components, NUL bytes and names the tree can't hold are refused: nothing is cleaned away silently.
func CleanPath(p string) (string, error) {
	if len(p) > maxPath {
		return "", fail("path", p[:64]+"…", syscall.ENAMETOOLONG)
	}
	if strings.IndexByte(p, 0) >= 0 {
		return "", fail("path", strings.ToValidUTF8(p, "?"), syscall.EINVAL)
	}
	parts := splitPath(p)
	for _, name := range parts {
		if err := checkName(name); err != nil {
			return "", fail("path", p, err)
		}
	}
	return "/" + strings.Join(parts, "/"), nil
}

// checkName refuses names that no directory entry may have.
func checkName(name string) error {
	switch {
	case name == "", name == ".", name == "..", strings.ContainsAny(name, "/\x00"):
		return syscall.EINVAL
	case len(name) > MaxName:
		return syscall.ENAMETOOLONG
	}
	return nil
}

// splitPath gives the components of a path; empty ones (doubled slashes) are left out.
func splitPath(p string) []string {
	return strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
}

// parentPath is the path of the directory that holds p, "" for one below the root.
func parentPath(p string) string {
	i := strings.LastIndexByte(p, '/')
	return p[:max(i, 0)]
}

// place is where a path leads: a name in a directory, and the node there, if any. The root has no name.
type place struct {
	parent Attr
	name   string // as in the tree, which may be another spelling than the caller's
	path   string
	node   *Attr
}

// resolve walks a path. The directory of its last component has to exist, the component itself need not. Symbolic links on the way are followed inside
// the tenant; the last one only when follow is set.
func (f *FS) resolve(ctx context.Context, a *Actor, path string, follow bool) (place, error) {
	clean, err := CleanPath(path)
	if err != nil {
		return place{}, err
	}
	t, err := f.tenant(ctx, a)
	if err != nil {
		return place{}, err
	}
	w := walker{f: f, ctx: ctx, root: t.Root, follow: follow}
	return w.walk(splitPath(clean))
}

// walker resolves one path.
type walker struct {
	f      *FS
	ctx    context.Context
	root   Ino
	follow bool
	links  int
}

// walk resolves parts from the root. ".." comes from the targets of links only.
func (w *walker) walk(parts []string) (place, error) {
	if i := slices.Index(parts, ".."); i >= 0 {
		return w.climb(parts, i)
	}
	if len(parts) == 0 {
		root, err := w.f.db.GetAttr(w.ctx, w.root)
		return place{path: "/", node: &root}, err
	}
	found, err := w.f.db.WalkPath(w.ctx, w.root, parts)
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return place{}, err
	}
	for i := range found {
		last := i == len(parts)-1
		if found[i].Mode&syscall.S_IFMT == syscall.S_IFLNK && (!last || w.follow) {
			return w.through(parts, i, found[i].Ino)
		}
	}
	return w.arrive(parts, found)
}

// climb goes to where parts[:i] really leads, as the kernel does, and from there to the directory above, which has to be in the tenant.
func (w *walker) climb(parts []string, i int) (place, error) {
	follow := w.follow
	w.follow = true
	at, err := w.walk(slices.Clone(parts[:i]))
	w.follow = follow
	switch {
	case err != nil:
		return place{}, err
	case at.node == nil:
		return place{}, syscall.ENOENT
	case !isDir(*at.node):
		return place{}, syscall.ENOTDIR
	}
	real := splitPath(at.path)
	if len(real) == 0 {
		return place{}, syscall.ENOENT
	}
	return w.walk(append(real[:len(real)-1], parts[i+1:]...))
}

// arrive turns the nodes found along parts into a place.
func (w *walker) arrive(parts []string, found []Attr) (place, error) {
	last := len(parts) - 1
	at := place{name: parts[last], path: "/" + strings.Join(parts, "/")}
	if len(found) < last {
		if len(found) > 0 && !isDir(found[len(found)-1]) {
			return place{}, syscall.ENOTDIR
		}
		return w.respell(parts, found)
	}
	if last == 0 {
		root, err := w.f.db.GetAttr(w.ctx, w.root)
		if err != nil {
			return place{}, err
		}
		at.parent = root
	} else {
		at.parent = found[last-1]
	}
	if !isDir(at.parent) {
		return place{}, syscall.ENOTDIR
	}
	if len(found) > last {
		at.node = &found[last]
		return at, nil
	}
	other, err := w.f.otherSpelling(w.ctx, at.parent.Ino, at.name)
	if err != nil || other == "" {
		return at, err
	}
	parts[last] = other
	return w.walk(parts)
}

// respell tries another spelling for the first component on the way that was not found.
func (w *walker) respell(parts []string, found []Attr) (place, error) {
	i := len(found)
	dir := w.root
	if i > 0 {
		dir = found[i-1].Ino
	}
	other, err := w.f.otherSpelling(w.ctx, dir, parts[i])
	if err != nil {
		return place{}, err
	}
	if other == "" {
		return place{}, &Error{Op: "walk", Path: "/" + strings.Join(parts[:i+1], "/"), Errno: syscall.ENOENT}
	}
	parts[i] = other
	return w.walk(parts)
}

// through replaces the symbolic link at parts[i] by its target. An absolute target, or one that climbs out of the tenant, means a file of
// the machine that mounted the tree: here it leads nowhere.
func (w *walker) through(parts []string, i int, link Ino) (place, error) {
	if w.links++; w.links > maxLinks {
		return place{}, syscall.ELOOP
	}
	target, err := w.f.db.Readlink(w.ctx, link)
	if err != nil {
		return place{}, err
	}
	if strings.HasPrefix(target, "/") {
		return place{}, syscall.ENOENT
	}
	next := slices.Clone(parts[:i])
	for _, name := range splitPath(target) {
		if name != "." {
			next = append(next, name)
		}
	}
	return w.walk(append(next, parts[i+1:]...))
}

func isDir(attr Attr) bool { return attr.Mode&syscall.S_IFMT == syscall.S_IFDIR }

// otherSpelling finds the entry of a directory that a name which is not there may stand for: the file with a version of that GUID, or the name
// in the other Unicode normal form. "" means none.
func (f *FS) otherSpelling(ctx context.Context, dir Ino, name string) (string, error) {
	if real, err := f.byAlias(ctx, dir, name); err != nil || real != "" {
		return real, err
	}
	if isASCII(name) || !utf8.ValidString(name) {
		return "", nil
	}
	for _, form := range []norm.Form{norm.NFC, norm.NFD} {
		other := form.String(name)
		if other == name {
			continue
		}
		_, err := f.db.Lookup(ctx, dir, other)
		if err == nil {
			return other, nil
		}
		if !errors.Is(err, syscall.ENOENT) {
			return "", err
		}
	}
	return "", nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// byAlias finds the file in a directory that has, or had, a version called stem@_@GUID.ext.
func (f *FS) byAlias(ctx context.Context, dir Ino, name string) (string, error) {
	_, guid, _, ok := objstore.SplitVersionName(name)
	if !ok {
		return "", nil
	}
	list, err := f.db.VersionsByGUID(ctx, guid)
	if err != nil {
		return "", err
	}
	for _, v := range list {
		if !aliasOf(v, name) {
			continue
		}
		links, err := f.db.Names(ctx, v.Ino)
		if err != nil && !errors.Is(err, syscall.ENOENT) {
			return "", err
		}
		for _, l := range links {
			if l.Parent == dir {
				return l.Name, nil
			}
		}
	}
	return "", nil
}

// aliasOf tells whether name is the last segment of a version's key, as written there or as a person would write it.
func aliasOf(v Version, name string) bool {
	seg := ObjectName(v)
	return seg == name || seg == objstore.EscapeName(name)
}

// lastSegment is what follows the last slash.
func lastSegment(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

// aliasName is the name under which a file shows when its own is taken: stem@_@GUID.ext, shortened to what a directory entry may be.
func aliasName(name, guid string) string {
	key := objstore.VersionKey("t", name, guid)
	seg := lastSegment(key)
	if plain, err := objstore.UnescapeName(seg); err == nil && len(plain) <= MaxName {
		return plain
	}
	return seg
}

// clientKey is the object key of a key that an API client chose.
func clientKey(tenant, key string) string {
	return tenant + "/binarystreamobject/assets/" + key
}

// resolveName resolves a name that may not contain a slash in a directory.
func (f *FS) resolveName(ctx context.Context, a *Actor, dir, name string) (place, error) {
	if err := checkName(name); err != nil {
		return place{}, err
	}
	clean, err := CleanPath(dir)
	if err != nil {
		return place{}, err
	}
	return f.resolve(ctx, a, strings.TrimSuffix(clean, "/")+"/"+name, true)
}

// find resolves a path to something that exists.
func (f *FS) find(ctx context.Context, a *Actor, path string, follow bool) (place, error) {
	at, err := f.resolve(ctx, a, path, follow)
	if err == nil && at.node == nil {
		err = syscall.ENOENT
	}
	return at, err
}

// PathOf is the absolute path of a node by one of its names.
func (f *FS) PathOf(ctx context.Context, a *Actor, ino Ino) (string, error) {
	if err := f.allowNode(ctx, a, ino, accessRead); err != nil {
		return "", fail("path", "", err)
	}
	p, err := f.db.Path(ctx, ino)
	return p, fail("path", "", err)
}

// Stat is what is at path; symbolic links are followed inside the tenant.
func (f *FS) Stat(ctx context.Context, a *Actor, path string) (Info, error) {
	return f.stat(ctx, a, path, true)
}

// Lstat is Stat without following a link at the end.
func (f *FS) Lstat(ctx context.Context, a *Actor, path string) (Info, error) {
	return f.stat(ctx, a, path, false)
}

func (f *FS) stat(ctx context.Context, a *Actor, path string, follow bool) (Info, error) {
	at, err := f.find(ctx, a, path, follow)
	if err != nil {
		return Info{}, fail("stat", path, err)
	}
	if err := f.allowFound(ctx, a, at.node.Ino, accessRead); err != nil {
		return Info{}, fail("stat", path, err)
	}
	info := at.info()
	if info.IsRegular() {
		err = f.marks(ctx, &info)
	}
	return info, fail("stat", path, err)
}

func (at place) info() Info {
	name := at.name
	if name == "" {
		name = "/"
	}
	return Info{name: name, path: at.path, attr: *at.node}
}

// List lists a directory from a cursor on (0 is the start), at most limit entries: directories, regular files, and symbolic links that lead to
// one, shown as what they lead to. next is 0 at the end.
func (f *FS) List(ctx context.Context, a *Actor, path string, after uint64, limit int) ([]Info, uint64, error) {
	list, next, err := f.list(ctx, a, path, after, limit)
	return list, next, fail("list", path, err)
}

func (f *FS) list(ctx context.Context, a *Actor, path string, after uint64, limit int) ([]Info, uint64, error) {
	if err := f.allow(a, accessRead); err != nil {
		return nil, 0, err
	}
	at, err := f.find(ctx, a, path, true)
	if err != nil {
		return nil, 0, err
	}
	if !isDir(*at.node) {
		return nil, 0, syscall.ENOTDIR
	}
	rows, err := f.db.ReadDir(ctx, at.node.Ino, after, limit)
	if err != nil || len(rows) == 0 {
		return nil, 0, err
	}
	types, err := f.contentTypes(ctx, rows)
	if err != nil {
		return nil, 0, err
	}
	base := strings.TrimSuffix(at.path, "/")
	infos := make([]Info, 0, len(rows))
	for _, d := range rows {
		info := Info{name: d.Name, path: base + "/" + d.Name, attr: d.Attr, contentType: types[d.Attr.Ino]}
		if info.IsSymlink() {
			to, err := f.Stat(ctx, a, info.path)
			if err != nil {
				continue
			}
			info.attr, info.contentType = to.attr, to.contentType
		}
		if info.IsDir() || info.IsRegular() {
			infos = append(infos, info)
		}
	}
	return infos, rows[len(rows)-1].Cursor, nil
}

// contentTypes finds the types given at upload for a page of entries, with one query.
func (f *FS) contentTypes(ctx context.Context, rows []meta.Dirent) (map[Ino]string, error) {
	inos := make([]Ino, 0, len(rows))
	for _, d := range rows {
		if d.Attr.Version != 0 {
			inos = append(inos, d.Attr.Ino)
		}
	}
	if len(inos) == 0 {
		return nil, nil
	}
	props, err := f.db.PropsOf(ctx, inos, "")
	if err != nil {
		return nil, err
	}
	types := make(map[Ino]string, len(props))
	for ino, list := range props {
		for _, p := range list {
			if p.Name == PropContentType {
				types[ino] = FromJSONString(p.Value)
			}
		}
	}
	return types, nil
}
