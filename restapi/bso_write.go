package restapi

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/uuid"

	"tote/fs"
)

// subject is what a request is about: the checked parts of its binaryStreamObject.
type subject struct {
	id    string // "" when the client gave none
	typ   string // as the client spells it, "" for none
	key   string // properties.objectKey, "" for none
	fresh string // id for an object that has none, should it be new
	props map[string]json.RawMessage
	data  map[string]json.RawMessage
}

// subject checks the object of a request, which has to say which one it is about.
func (req *bsoRequest) subject() (subject, error) {
	s, err := req.described()
	if err == nil && s.id == "" && s.key == "" {
		err = bsoMalformed("neither id nor properties.objectKey is given")
	}
	return s, err
}

// described checks the object of a request that need not name one.
func (req *bsoRequest) described() (subject, error) {
	in := req.Object
	if in == nil {
		return subject{}, bsoMalformed("binaryStreamObject is missing")
	}
	props, err := clientProps(in.Properties)
	if err != nil {
		return subject{}, err
	}
	s := subject{id: in.ID, typ: in.Type, key: textOf(props[fs.PropObjectKey]), props: props, data: in.Data.Attributes}
	delete(props, fs.PropObjectKey)
	switch {
	case s.id != "" && !validID(s.id):
		return s, bsoIllegal("id")
	case s.key != "" && !validKey(s.key):
		return s, bsoIllegal("objectKey")
	case s.typ != "" && !validType(s.typ):
		return s, bsoIllegal("type")
	}
	return s, nil
}

// keyOrID is the key; the id serves as one when none is given.
func (s subject) keyOrID() (string, error) {
	if s.key != "" {
		return s.key, nil
	}
	if !validKey(s.id) {
		return "", bsoIllegal("id, which serves as objectKey,")
	}
	return s.id, nil
}

// typeOr is the type as the client spells it.
func (s subject) typeOr(otherwise string) string {
	if s.typ == "" {
		return otherwise
	}
	return s.typ
}

// keyFromID is what the /data façade makes of prepareDownload: the id is the object key.
func (req *bsoRequest) keyFromID() {
	if req.Object != nil && req.Object.ID != "" {
		req.Object.Properties = map[string]json.RawMessage{fs.PropObjectKey: json.RawMessage(fs.JSONString(req.Object.ID))}
	}
}

// create makes an object or fills an existing one anew: what the request does not have is gone afterwards.
func (c *call) create(req *bsoRequest) (bsoResult, error) {
	in, err := req.subject()
	if err != nil {
		return bsoResult{}, err
	}
	if !c.actor.HasRole(bsoCreators...) {
		return bsoResult{}, bsoDenied("role")
	}
	if in.id == "" {
		in.fresh = uuid.NewString()
	}
	return c.change("create", in, c.replaced, func(old *object) (string, error) {
		o, err := c.filled(in, old)
		if err == nil {
			err = c.adopt(o)
		}
		if err != nil {
			return "", err
		}
		return o.id, c.store(o, old)
	})
}

// replaced finds the object that create fills anew. A file that only goes by its number is not the one that a client means who uses numbers as ids
// and another key.
func (c *call) replaced(in subject) (*object, error) {
	old, err := c.existing(in)
	if err == nil && old != nil && old.inFile && !old.owned && in.id != "" && in.key != "" && old.key != in.key {
		return nil, nil
	}
	return old, err
}

// filled is the object that a request makes of the one that was there.
func (c *call) filled(in subject, old *object) (*object, error) {
	o := &object{id: headerOr(in.id, in.fresh), key: in.key, typ: in.typeOr(defaultType), props: in.props, data: in.data}
	o.created, o.modified = stamp{c.user, c.now}, stamp{c.user, c.now}
	if old != nil {
		if err := c.mayChange(old); err != nil {
			return nil, err
		}
		o.id, o.key, o.created = old.id, headerOr(in.key, old.key), old.created
	}
	if o.key != "" {
		return o, nil
	}
	var err error
	o.key, err = in.keyOrID()
	return o, err
}

// change finds the object that a request is about and does f with it, nil when there is none, while nobody else changes it, its key or its file
// over this API. f gives the id for the answer.
func (c *call) change(word string, in subject, look func(subject) (*object, error), f func(*object) (string, error)) (bsoResult, error) {
	names := []string{in.id, in.key, in.fresh}
	for {
		unlock := c.s.locks.lock(c.actor.Tenant, names...)
		old, err := look(in)
		if err == nil && old != nil && !(slices.Contains(names, old.id) && slices.Contains(names, old.key)) {
			unlock()
			names = append(names, old.id, old.key)
			continue
		}
		var id string
		if err == nil {
			id, err = f(old)
		}
		unlock()
		return bsoResult{message: word + " accepted for entity Id : " + id}, err
	}
}

// existing finds the object that a request is about, nil when there is none. Without an id it goes by the key.
func (c *call) existing(in subject) (*object, error) {
	find := c.find()
	var o *object
	var err error
	if in.id != "" {
		o, err = find.byID(in.id)
	} else if o, err = find.target(in.key); missing(err) {
		o, err = find.byKey(in.key)
	}
	if missing(err) {
		return nil, nil
	}
	return o, err
}

// update changes the properties that the request has; null removes one.
func (c *call) update(req *bsoRequest) (bsoResult, error) {
	in, err := req.subject()
	if err != nil {
		return bsoResult{}, err
	}
	return c.change("update", in, c.existing, func(old *object) (string, error) {
		if old == nil {
			return "", bsoUnknown(headerOr(in.id, in.key), in.typeOr(defaultType))
		}
		if err := c.mayChange(old); err != nil {
			return "", err
		}
		o := *old
		o.props, o.data = merge(old.props, in.props), merge(old.data, in.data)
		o.modified = stamp{c.user, c.now}
		o.key = headerOr(in.key, old.key)
		return o.id, c.store(&o, old)
	})
}

// merge gives base with the changes; null removes.
func merge(base, changes map[string]json.RawMessage) map[string]json.RawMessage {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]json.RawMessage{}
	}
	for name, value := range changes {
		if string(value) == "null" {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

// store keeps an object where it belongs: in the properties of the file under its key; in a document when there is no such file or it
// belongs to another object. old is what has the id now. The caller holds the locks of id and key.
func (c *call) store(o, old *object) error {
	maps.DeleteFunc(o.props, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	holder, err := c.find().target(o.key)
	if missing(err) {
		holder, err = nil, nil
	}
	if err != nil {
		return err
	}
	if old != nil && old.inFile && (holder == nil || holder.ino() != old.ino()) {
		if err := c.release(old); err != nil {
			return err
		}
	}
	if holder == nil || holder.owned && holder.id != o.id {
		o.file = nil
		if holder != nil {
			o.file = holder.file
		}
		return c.s.docs.PutBSO(c.ctx, o.row(c.actor.Tenant), nil)
	}
	if err := c.fill(holder, o.properties()); err != nil {
		return err
	}
	if old != nil && !old.inFile {
		return c.dropRow(o.id)
	}
	return nil
}

// fill replaces the properties of a file by others, apart from those that come from its bytes.
func (c *call) fill(holder *object, set []fs.Property) error {
	now, err := c.s.fs.Props(c.ctx, readAs(c.actor), holder.ino())
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, p := range set {
		names[p.Name] = true
	}
	var remove []fs.Property
	for _, p := range now {
		if p.Space == "" && !names[p.Name] && !kept[p.Name] {
			remove = append(remove, fs.Property{Name: p.Name})
		}
	}
	return c.s.fs.PatchProps(c.ctx, c.actor, holder.ino(), set, remove)
}

// release takes an object off its file. The file keeps the key it has.
func (c *call) release(o *object) error {
	var set []fs.Property
	if o.hasKey {
		set = []fs.Property{{Name: fs.PropObjectKey, Value: fs.JSONString(o.key)}}
	}
	return c.fill(o, set)
}

// dropRow removes a document that is not needed any more.
func (c *call) dropRow(id string) error {
	if err := c.s.docs.DeleteBSO(c.ctx, c.actor.Tenant, id); err != nil && !missing(err) {
		return err
	}
	return nil
}

// delete removes an object, and its bytes when no other object is about them.
func (c *call) delete(req *bsoRequest) (bsoResult, error) {
	in, err := req.subject()
	if err != nil {
		return bsoResult{}, err
	}
	return c.change("delete", in, c.byIDOrKey, func(o *object) (string, error) {
		if o == nil {
			return "", bsoUnknown(headerOr(in.id, in.key), in.typeOr(defaultType))
		}
		if err := c.mayChange(o); err != nil {
			return "", err
		}
		if !o.inFile {
			return o.id, c.s.docs.DeleteBSO(c.ctx, c.actor.Tenant, o.id)
		}
		return o.id, c.deleteFile(o)
	})
}

// byIDOrKey finds the object that a request is about where the id may be a key as well.
func (c *call) byIDOrKey(in subject) (*object, error) {
	o, err := c.existing(in)
	if err != nil || o != nil {
		return o, err
	}
	key, err := in.keyOrID()
	if err != nil {
		return nil, nil // it can't be one
	}
	o, err = c.find().byKey(key)
	if missing(err) {
		return nil, nil
	}
	return o, err
}

// deleteFile hands the file to the next object about its key; only without one it goes, unless the tenant wants to keep it.
func (c *call) deleteFile(o *object) error {
	rows, err := c.s.docs.BSOsByKey(c.ctx, c.actor.Tenant, o.key)
	if err != nil {
		return err
	}
	for _, b := range rows {
		if b.ID == o.id || b.Ino != o.ino() {
			continue
		}
		heir := rowObject(b, o.file)
		if err := c.fill(o, heir.properties()); err != nil {
			return err
		}
		return c.dropRow(heir.id)
	}
	opts, err := c.s.tenantOptions(c.ctx, c.actor.Tenant)
	if err != nil {
		return err
	}
	if opts.KeepBlobs {
		return c.release(o)
	}
	return c.s.fs.DeleteFile(c.ctx, c.actor, o.ino(), nil)
}
