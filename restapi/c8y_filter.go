package restapi

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"tote/fs"
)

// c8yFilter says which managed objects a list shows; all that is set must hold.
type c8yFilter struct {
	none     bool                                            // nothing can match
	ids      []fs.Ino                                        // only these, ascending; nil: any
	page     func(after fs.Ino, limit int) ([]fs.Ino, error) // only these; nil: any
	owner    string
	typ      string // with * as wildcard
	text     string
	fragment string
	query    *query
	roots    bool // has no parent
	binaries bool // files only
}

// filter reads the parameters of a list of managed objects.
func (x *exchange) filter(q url.Values, binaries bool) (c8yFilter, error) {
	f := c8yFilter{owner: q.Get("owner"), typ: q.Get("type"), text: q.Get("text"), fragment: q.Get("fragmentType"), binaries: binaries}
	f.roots = q.Get("onlyRoots") == "true"
	var err error
	if f.query, err = parseQueries(q.Get("query"), q.Get("q")); err != nil {
		return f, err
	}
	if q.Has("ids") {
		f.takeIDs(q["ids"])
	}
	for k := range kinds {
		if name := strings.TrimSuffix(k.children(), "s") + "Id"; q.Get(name) != "" {
			if err := x.takeParents(&f, k, q.Get(name)); err != nil {
				return f, err
			}
		}
	}
	if f.fragment == "c8y_IsBinary" || f.query.needs("c8y_IsBinary") {
		f.binaries = true
	}
	if f.fragment == "c8y_IsBinary" {
		f.fragment = ""
	}
	return f, nil
}

// takeIDs reads comma lists, of which there may be several. What is no number is as unknown as any other.
func (f *c8yFilter) takeIDs(lists []string) {
	f.ids = []fs.Ino{}
	for _, list := range lists {
		for id := range strings.SplitSeq(list, ",") {
			if ino, ok := binaryID(strings.TrimSpace(id)); ok {
				f.ids = append(f.ids, ino)
			}
		}
	}
	slices.Sort(f.ids)
	f.ids = slices.Compact(f.ids)
	f.none = f.none || len(f.ids) == 0
}

// takeParents keeps the objects that have a child.
func (x *exchange) takeParents(f *c8yFilter, k kin, child string) error {
	id, ok := binaryID(child)
	if !ok {
		f.none = true
		return nil
	}
	r := fs.Relation{Tenant: x.a.Tenant, Kind: fs.Kind(k), Child: id}
	ids, err := x.s.stores.Relations.Parents(x.ctx, r, maxParents)
	if err != nil {
		return err
	}
	if f.ids == nil {
		f.ids = ids
	} else {
		f.ids = slices.DeleteFunc(f.ids, func(id fs.Ino) bool { return !slices.Contains(ids, id) })
	}
	f.none = f.none || len(f.ids) == 0
	return nil
}

// maxParents bounds how many parents of one object a list looks at.
const maxParents = 10_000

// restrict lets who may not read see what he owns.
func (f *c8yFilter) restrict(a *fs.Actor, roles []string) {
	if a.HasRole(roles...) {
		return
	}
	f.none = f.none || f.owner != "" && f.owner != a.User
	f.owner = a.User
}

// scans tells whether objects have to be looked at one by one.
func (f c8yFilter) scans() bool {
	return f.typ != "" || f.text != "" || f.fragment != "" || f.query.conditional() || f.roots || f.owner != "" && f.picks()
}

// picks tells whether the objects are named one by one.
func (f c8yFilter) picks() bool { return f.ids != nil || f.page != nil }

// match decides about one object.
func (f c8yFilter) match(m managed) bool {
	return (f.owner == "" || m.owner == f.owner) && (f.typ == "" || glob(f.typ, m.typ)) && (f.text == "" || m.hasText(f.text)) &&
		(f.fragment == "" || m.has(f.fragment)) && f.query.match(m)
}

// hasText tells whether any text of the object equals v, however deep it is.
func (m managed) hasText(v string) bool {
	if slices.Contains([]string{m.name, m.typ, m.owner, m.content}, v) {
		return true
	}
	for _, raw := range m.custom {
		var member any
		if json.Unmarshal(raw, &member) == nil && holdsText(member, v) {
			return true
		}
	}
	return false
}

func holdsText(in any, v string) bool {
	switch in := in.(type) {
	case string:
		return in == v
	case []any:
		return slices.ContainsFunc(in, func(e any) bool { return holdsText(e, v) })
	case map[string]any:
		for _, e := range in {
			if holdsText(e, v) {
				return true
			}
		}
	}
	return false
}

// has tells whether the object has a member.
func (m managed) has(name string) bool {
	_, ok := m.member(name)
	return ok
}

// member is the JSON of a member of the object, the ones that the server keeps included.
func (m managed) member(name string) (json.RawMessage, bool) {
	text := func(v string) (json.RawMessage, bool) { return json.RawMessage(fs.JSONString(v)), v != "" }
	switch name {
	case "id":
		return text(idText(m.id))
	case "name":
		return text(m.name)
	case "type":
		return text(m.typ)
	case "owner":
		return text(m.owner)
	case "creationTime":
		return text(c8yTime(m.created))
	case "lastUpdated":
		return text(c8yTime(m.updated))
	}
	if m.file != nil {
		switch name {
		case "c8y_IsBinary":
			return json.RawMessage(`""`), true
		case "contentType":
			return text(m.content)
		case "length":
			return encodeJSON(m.file.Info.Size()), true
		}
	}
	raw, ok := m.custom[name]
	return raw, ok
}

// glob matches a text against a pattern where * stands for anything.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, p := range parts[1:last] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[last])
}
