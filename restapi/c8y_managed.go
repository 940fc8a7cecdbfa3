package restapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"

	"tote/fs"
)

// maxMembers bounds the members of one object: those of a file are a property each.
const maxMembers = 10_000

// readObject takes a JSON object as the body.
func (x *exchange) readObject() (map[string]json.RawMessage, error) {
	data, done, err := x.s.readJSON(x.w, x.r)
	x.done = done
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(data, &m) != nil || m == nil {
		return nil, c8yInvalid("the body must be a JSON object")
	}
	if len(m) > maxMembers {
		return nil, c8yInvalid("an object has at most 10000 members")
	}
	return m, nil
}

// textMember reads a member that must be a text if it is there.
func textMember(m map[string]json.RawMessage, name string) (string, error) {
	raw, ok := m[name]
	if !ok || string(raw) == "null" {
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", c8yInvalid(name + " must be a text")
	}
	return s, nil
}

// postManaged makes a managed object that is no file.
func (x *exchange) postManaged() error {
	if !x.a.HasRole(objectCreators...) {
		return c8yForbidden
	}
	body, err := x.readObject()
	if err != nil {
		return err
	}
	m, err := x.newManaged(body)
	if err != nil {
		return err
	}
	full, err := x.showFull(m, asManaged)
	if err != nil {
		return err
	}
	return x.created(x.base+asManaged+idText(m.id), "managedObject", full)
}

// newManaged makes a managed object of what a client sent.
func (x *exchange) newManaged(body map[string]json.RawMessage) (managed, error) {
	row := fs.Managed{Tenant: x.a.Tenant}
	var err error
	for name, to := range map[string]*string{"name": &row.Name, "type": &row.Type, "owner": &row.Owner} {
		if *to, err = textMember(body, name); err != nil {
			return managed{}, err
		}
	}
	row.Owner = x.ownerOf(row.Owner)
	members := map[string]json.RawMessage{}
	if err := mergeMembers(members, body); err != nil {
		return managed{}, err
	}
	row.Doc = encodeJSON(members)
	row, err = x.s.stores.Objects.AddManaged(x.ctx, row)
	return newDocument(row), err
}

// mergeMembers puts the members of a change into those that are there; null removes one. What has a place of its own is left out.
func mergeMembers(to, change map[string]json.RawMessage) error {
	for name, value := range change {
		if name == "name" || name == "type" || name == "owner" || !settable(name) {
			continue
		}
		if err := validMember(name); err != nil {
			return err
		}
		if string(value) == "null" {
			delete(to, name)
		} else {
			to[name] = json.RawMessage(compact(value))
		}
	}
	return nil
}

// getManaged answers GET of one managed object.
func (x *exchange) getManaged() error {
	m, err := x.s.object(x.ctx, x.a, x.id)
	if err == nil && !m.readable(x.a, objectReaders) {
		err = c8yForbidden
	}
	if err != nil {
		return err
	}
	full, err := x.showFull(m, asManaged)
	if err != nil {
		return err
	}
	writeC8y(x.w, x.r, http.StatusOK, "managedObject", full)
	return nil
}

// changeable finds the managed object that a request wants to change or delete.
func (x *exchange) changeable() (managed, error) {
	m, err := x.s.object(x.ctx, x.a, x.id)
	if err == nil && !m.changeable(x.a, objectWriters) {
		err = c8yForbidden
	}
	return m, err
}

// putManaged merges the members of the body into the object.
func (x *exchange) putManaged() error {
	m, err := x.changeable()
	if err != nil {
		return err
	}
	body, err := x.readObject()
	if err != nil {
		return err
	}
	if _, ok := body["id"]; ok && len(body) == 1 { // a device says that it lives
		return x.changed(http.StatusOK, "managedObject", map[string]string{"id": idText(x.id)})
	}
	if m.file != nil {
		err = x.changeFile(m, body)
	} else {
		err = x.changeDocument(body)
	}
	if err != nil {
		return err
	}
	if m, err = x.s.object(x.ctx, x.a, x.id); err != nil {
		return err
	}
	full, err := x.showFull(m, asManaged)
	if err != nil {
		return err
	}
	return x.changed(http.StatusOK, "managedObject", full)
}

// changeDocument changes an object that is a row.
func (x *exchange) changeDocument(body map[string]json.RawMessage) error {
	_, err := x.s.stores.Objects.ChangeManaged(x.ctx, x.a.Tenant, x.id, func(row *fs.Managed) error {
		for name, to := range map[string]*string{"name": &row.Name, "type": &row.Type, "owner": &row.Owner} {
			v, err := textMember(body, name)
			if err != nil {
				return err
			}
			if _, given := body[name]; !given || name == "owner" && (v == "" || !x.a.HasRole(owners...)) {
				continue
			}
			*to = v
		}
		members := map[string]json.RawMessage{}
		_ = json.Unmarshal(row.Doc, &members) // written by this package
		if err := mergeMembers(members, body); err != nil {
			return err
		}
		row.Doc = encodeJSON(members)
		return x.s.checkDoc(row.Doc)
	})
	return err
}

// checkDoc keeps documents from growing without end by one merge after the other.
func (s *server) checkDoc(doc []byte) error {
	if int64(len(doc)) > s.opts.MaxJSON {
		return c8yTooLarge
	}
	return nil
}

// changeFile changes the members of a binary. They are properties of the file; its name is the file's own.
func (x *exchange) changeFile(m managed, body map[string]json.RawMessage) error {
	set, remove, err := x.fileChange(m, body)
	if err != nil {
		return err
	}
	name, err := textMember(body, "name")
	if err != nil {
		return err
	}
	if name != "" {
		if name, err = fileName(name); err != nil {
			return err
		}
	}
	if len(set)+len(remove) > 0 {
		if err := x.s.fs.PatchProps(x.ctx, writeAs(x.a), m.id, set, remove); err != nil {
			return err
		}
	}
	if name == "" || name == m.name {
		return nil
	}
	return x.renameFile(m.id, name)
}

// fileChange turns a change into properties. The type of a binary is a member like others; without it the content type is shown.
func (x *exchange) fileChange(m managed, body map[string]json.RawMessage) (set, remove []fs.Property, err error) {
	members := map[string]json.RawMessage{}
	for name, v := range m.custom {
		members[name] = v
	}
	if err := mergeMembers(members, body); err != nil {
		return nil, nil, err
	}
	typ, err := textMember(body, "type")
	if err != nil {
		return nil, nil, err
	}
	if _, given := body["type"]; given {
		delete(members, "type")
		if typ != "" {
			members["type"] = json.RawMessage(fs.JSONString(typ))
		}
	}
	if err := x.s.checkDoc(encodeJSON(members)); err != nil {
		return nil, nil, err
	}
	for name, v := range members {
		if old, ok := m.custom[name]; !ok || !bytes.Equal(old, v) {
			set = append(set, fs.Property{Space: fs.SpaceManaged, Name: name, Value: string(v)})
		}
	}
	for name := range m.custom {
		if _, ok := members[name]; !ok {
			remove = append(remove, fs.Property{Space: fs.SpaceManaged, Name: name})
		}
	}
	owner, err := textMember(body, "owner")
	if owner != "" && owner != m.owner && x.a.HasRole(owners...) {
		set = append(set, fs.Property{Name: fs.PropUser, Value: fs.JSONString(owner)})
	}
	return set, remove, err
}

// renameFile gives a file another name in its directory. When that is taken it gets one that shows as the wanted one.
func (x *exchange) renameFile(id fs.Ino, name string) error {
	a := writeAs(x.a)
	f, err := x.s.fs.File(x.ctx, a, id)
	if err != nil {
		return err
	}
	dir, err := x.s.fs.Stat(x.ctx, a, path.Dir(f.Info.Path()))
	if err != nil {
		return err
	}
	original := []fs.Property{{Name: fs.PropOriginalFileName, Value: fs.JSONString(name)}}
	if err := x.s.fs.PatchProps(x.ctx, a, id, original, nil); err != nil {
		return err
	}
	err = x.s.fs.Rename(x.ctx, a, dir.Ino(), f.Info.Name(), dir.Ino(), name, fs.RenameNoReplace)
	if fs.Errno(err) == syscall.EEXIST && f.Info.Name() != name {
		stem, ext := splitExt(name)
		alias := strings.ToValidUTF8(stem[:min(len(stem), 200)], "") + "@_@" + uuid.NewString() + ext
		err = x.s.fs.Rename(x.ctx, a, dir.Ino(), f.Info.Name(), dir.Ino(), alias, fs.RenameNoReplace)
	}
	return err
}

// deleteManaged removes an object: a binary with its bytes, and with cascade what belongs to it.
func (x *exchange) deleteManaged() error {
	m, err := x.changeable()
	if err != nil {
		return err
	}
	cascade, err := x.cascade(m)
	if err != nil {
		return err
	}
	for _, child := range slices.Backward(cascade) { // what is deepest goes first: a failure leaves no child without its parent
		if err := x.remove(child); err != nil && !missing(err) {
			return err
		}
	}
	if err := x.remove(m); err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (x *exchange) remove(m managed) error {
	if m.file != nil {
		return x.s.fs.DeleteFile(x.ctx, writeAs(x.a), m.id, nil)
	}
	return x.s.stores.Objects.DeleteManaged(x.ctx, x.a.Tenant, m.id)
}

// maxCascade bounds what one request deletes.
const maxCascade = 10_000

// cascade finds what goes with an object when the request says so: child additions that are binaries, child assets and devices, and theirs. Without
// the word an object with child assets or devices stays.
func (x *exchange) cascade(m managed) ([]managed, error) {
	q := x.r.URL.Query()
	all := q.Get("cascade") == "true" || q.Get("forceCascade") == "true"
	seen := map[fs.Ino]bool{m.id: true}
	var out []managed
	for next := []managed{m}; len(next) > 0; {
		parent := next[0]
		next = next[1:]
		for k := range kinds {
			children, err := x.childrenOf(parent.id, k)
			if err != nil {
				return nil, err
			}
			addition := k == kin(fs.KindAddition)
			for _, c := range children {
				switch {
				case seen[c.id], addition && (!all || c.file == nil):
					continue
				case !all:
					return nil, c8yHasChildren
				case !c.changeable(x.a, objectWriters):
					return nil, c8yForbidden
				case len(out) == maxCascade:
					return nil, c8yInvalid("more than 10000 objects belong to this one; delete some of them first")
				}
				seen[c.id] = true
				out = append(out, c)
				next = append(next, c)
			}
		}
	}
	return out, nil
}

func (x *exchange) childrenOf(id fs.Ino, k kin) ([]managed, error) {
	ids, err := x.s.stores.Relations.Children(x.ctx, fs.Relation{Tenant: x.a.Tenant, Parent: id, Kind: fs.Kind(k)}, maxCascade)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return x.lookup(ids)
}
