package restapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"tote/fs"
)

// kin is a kind of relation between managed objects.
type kin fs.Kind

// kinds are all of them, by the word that their names are made of.
var kinds = map[kin]string{kin(fs.KindAddition): "Addition", kin(fs.KindAsset): "Asset", kin(fs.KindDevice): "Device"}

// children is the name of the collection below the parent, parents the one below the child.
func (k kin) children() string { return "child" + kinds[k] + "s" }
func (k kin) parents() string  { return strings.ToLower(kinds[k]) + "Parents" }

// kinOf reads the last segment of a path to a collection of children.
func kinOf(segment string) (kin, bool) {
	for k := range kinds {
		if k.children() == segment {
			return k, true
		}
	}
	return 0, false
}

// maxReferences is how many relations of a kind an object shows itself; the collection shows all.
const maxReferences = 500

// references is the collection of relatives as a single object shows it.
func (x *exchange) references(id fs.Ino, k kin, parents bool) (map[string]any, error) {
	name, list := k.children(), x.s.stores.Relations.Children
	r := fs.Relation{Tenant: x.a.Tenant, Parent: id, Kind: fs.Kind(k)}
	if parents {
		name, list = k.parents(), x.s.stores.Relations.Parents
		r.Parent, r.Child = 0, id
	}
	ids, err := list(x.ctx, r, maxReferences)
	if err != nil {
		return nil, err
	}
	self := x.base + asManaged + idText(id) + "/" + name
	refs, err := x.referTo(self, ids)
	return map[string]any{"self": self, "references": refs}, err
}

// referTo makes a reference of every object that still exists.
func (x *exchange) referTo(collection string, ids []fs.Ino) ([]any, error) {
	refs := []any{}
	if len(ids) == 0 {
		return refs, nil
	}
	objects, err := x.lookup(ids)
	if err != nil {
		return nil, err
	}
	for _, m := range objects {
		refs = append(refs, x.reference(collection, m))
	}
	return refs, nil
}

func (x *exchange) reference(collection string, m managed) map[string]any {
	inner := map[string]any{"id": idText(m.id), "self": x.base + asManaged + idText(m.id)}
	if m.name != "" {
		inner["name"] = m.name
	}
	return map[string]any{"self": collection + "/" + idText(m.id), "managedObject": inner}
}

// lookup finds those of the ids that exist, in the order of their numbers.
func (x *exchange) lookup(ids []fs.Ino) ([]managed, error) {
	w := walker{x: x, filter: c8yFilter{ids: slices.Sorted(slices.Values(ids))}}
	var out []managed
	for batch, err := range w.batches(0, 100) {
		if err != nil {
			return nil, err
		}
		some, err := w.complete(batch)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// parent finds the object whose children a request is about.
func (x *exchange) parent(change bool) (managed, error) {
	m, err := x.s.object(x.ctx, x.a, x.id)
	switch {
	case err != nil:
	case change && !m.changeable(x.a, objectWriters), !change && !m.readable(x.a, objectReaders):
		err = c8yForbidden
	}
	return m, err
}

// listChildren answers GET /inventory/managedObjects/{id}/childAdditions and its like.
func (x *exchange) listChildren() error {
	if _, err := x.parent(false); err != nil {
		return err
	}
	q := x.r.URL.Query()
	page, err := parsePage(q)
	if err != nil {
		return err
	}
	self := x.base + asManaged + idText(x.id) + "/" + x.kind.children()
	l := &listing{x: x, page: page, self: self, key: "references", walker: walker{x: x}}
	l.walker.filter.page = func(after fs.Ino, limit int) ([]fs.Ino, error) {
		r := fs.Relation{Tenant: x.a.Tenant, Parent: x.id, Kind: fs.Kind(x.kind), Child: after}
		return x.s.stores.Relations.Children(x.ctx, r, limit)
	}
	l.show = func(m managed) any { return x.reference(self, m) }
	return l.answer(q, "managedObjectReferenceCollection")
}

// childRequest is the body of POST to a collection of children, when it names objects that exist.
type childRequest struct {
	Managed    *struct{ ID looseID } `json:"managedObject"`
	References []struct {
		Managed struct{ ID looseID } `json:"managedObject"`
	} `json:"references"`
}

// looseID takes "5" and 5 as the same.
type looseID string

// UnmarshalJSON never fails: what is no id finds nothing.
func (id *looseID) UnmarshalJSON(data []byte) error {
	*id = looseID(strings.Trim(string(data), `"`))
	return nil
}

// postChild links existing objects, or makes a new one and links it.
func (x *exchange) postChild() error {
	if _, err := x.parent(true); err != nil {
		return err
	}
	body, err := x.readObject()
	if err != nil {
		return err
	}
	_, one := body["managedObject"]
	_, many := body["references"]
	if !one && !many || strings.HasPrefix(strings.ToLower(x.r.Header.Get("Content-Type")), strings.ToLower(c8yPrefix)+"managedobject+") {
		return x.postNewChild(body)
	}
	ids, err := childIDs(body)
	if err != nil {
		return err
	}
	children, err := x.linkable(ids)
	if err != nil {
		return err
	}
	if err := x.link(ids); err != nil {
		return err
	}
	collection := x.base + asManaged + idText(x.id) + "/" + x.kind.children()
	if one {
		return x.created(collection+"/"+idText(ids[0]), "managedObjectReference", x.reference(collection, children[0]))
	}
	refs, err := x.referTo(collection, ids)
	if err != nil {
		return err
	}
	return x.created(collection, "managedObjectReferenceCollection", map[string]any{"self": collection, "references": refs})
}

func childIDs(body map[string]json.RawMessage) ([]fs.Ino, error) {
	var in childRequest
	text, err := json.Marshal(body)
	if err != nil || json.Unmarshal(text, &in) != nil {
		return nil, c8yInvalid("managedObject or references must name objects by their id")
	}
	var given []looseID
	if in.Managed != nil {
		given = append(given, in.Managed.ID)
	}
	for _, ref := range in.References {
		given = append(given, ref.Managed.ID)
	}
	var ids []fs.Ino
	for _, g := range given {
		id, ok := binaryID(string(g))
		if !ok {
			return nil, c8yInvalid("managedObject.id must be the id of an object")
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 || len(ids) > maxPage {
		return nil, c8yInvalid("name 1 to 2000 objects")
	}
	return ids, nil
}

// linkable finds the objects that are to become children: ones that exist and that the caller may see.
func (x *exchange) linkable(ids []fs.Ino) ([]managed, error) {
	var out []managed
	for _, id := range ids {
		m, err := x.s.object(x.ctx, x.a, id)
		if err == nil && !m.readable(x.a, objectReaders) && !x.a.HasRole(objectWriters...) {
			err = c8yNoObject
		}
		if missing(err) || err == c8yNoObject {
			return nil, c8yInvalid("there is no managed object with the id " + idText(id))
		}
		if err != nil {
			return nil, err
		}
		if id == x.id {
			return nil, c8yInvalid("an object can't be its own child")
		}
		out = append(out, m)
	}
	return out, nil
}

func (x *exchange) link(ids []fs.Ino) error {
	rels := make([]fs.Relation, len(ids))
	for i, id := range ids {
		rels[i] = fs.Relation{Tenant: x.a.Tenant, Parent: x.id, Kind: fs.Kind(x.kind), Child: id}
	}
	return x.s.stores.Relations.AddRelations(x.ctx, rels)
}

// postNewChild makes a managed object that is a child from the beginning. The answer is the object: clients need its id.
func (x *exchange) postNewChild(body map[string]json.RawMessage) error {
	if !x.a.HasRole(objectCreators...) {
		return c8yForbidden
	}
	m, err := x.newManaged(body)
	if err != nil {
		return err
	}
	if err := x.link([]fs.Ino{m.id}); err != nil {
		return err
	}
	full, err := x.showFull(m, asManaged)
	if err != nil {
		return err
	}
	return x.created(x.base+asManaged+idText(m.id), "managedObject", full)
}

// getChild answers GET of one relation.
func (x *exchange) getChild() error {
	if _, err := x.parent(false); err != nil {
		return err
	}
	// The children above the number before are asked for: the first is the one, or it is none.
	found, err := x.s.stores.Relations.Children(x.ctx, fs.Relation{Tenant: x.a.Tenant, Parent: x.id, Kind: fs.Kind(x.kind), Child: x.child - 1}, 1)
	if err != nil {
		return err
	}
	if len(found) == 0 || found[0] != x.child {
		return c8yNoObject
	}
	m, err := x.s.object(x.ctx, x.a, x.child)
	if err != nil {
		return err
	}
	collection := x.base + asManaged + idText(x.id) + "/" + x.kind.children()
	writeC8y(x.w, x.r, http.StatusOK, "managedObjectReference", x.reference(collection, m))
	return nil
}

// deleteChild ends a relation. The child stays.
func (x *exchange) deleteChild() error {
	if _, err := x.parent(true); err != nil {
		return err
	}
	err := x.s.stores.Relations.DeleteRelation(x.ctx, fs.Relation{Tenant: x.a.Tenant, Parent: x.id, Kind: fs.Kind(x.kind), Child: x.child})
	if err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}
