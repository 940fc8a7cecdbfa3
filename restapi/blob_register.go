package restapi

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/google/uuid"

	"tote/fs"
)

// register commits the bytes together with the object that they belong to. The caller holds the locks of the key and of all ids that may be
// bound to it.
func (p *blobPut) register(opts fs.CommitOptions) (fs.Info, error) {
	find := p.find()
	o, row, err := p.object(find)
	if err != nil {
		return fs.Info{}, err
	}
	kept := fs.Property{Name: propHeaders, Value: string(encodeJSON(p.stored))}
	shared := p.holder != nil && p.holder.owned && p.holder.id != o.id
	if shared {
		opts.Props = append(opts.Props, kept)
	} else {
		opts.Props, opts.ClearSpaces = append(append(opts.Props, o.properties()...), kept), []string{""}
	}
	opts.Cond = p.cond()
	info, _, err := p.writer.Commit(find.ctx, opts)
	if err != nil {
		return info, err
	}
	return info, p.registered(find, o, row, info, shared)
}

// ids are the ids that the object may get, best first.
func (p *blobPut) ids() []string {
	var ids []string
	if id := p.stored.Meta["binarystreamobjectid"]; validID(id) && id != headerText(p.claims.ID) {
		ids = append(ids, id)
	}
	if p.claims.ID != "" {
		ids = append(ids, p.claims.ID)
	}
	return ids
}

// identify chooses the object's id: the first that is free or belongs to this key already. An id that is only the number of another file is free. old
// is who has it now.
func (p *blobPut) identify(find finder) (id string, old *object, err error) {
	for _, candidate := range p.ids() {
		old, err := find.byID(candidate)
		if missing(err) {
			return candidate, nil, nil
		}
		if err != nil {
			return "", nil, err
		}
		if old.key == p.key || p.holder != nil && old.inFile && old.ino() == p.holder.ino() {
			return candidate, old, nil
		}
		if old.inFile && !old.owned {
			return candidate, nil, nil
		}
	}
	if p.holder != nil {
		return p.holder.id, p.holder, nil
	}
	return uuid.NewString(), nil, nil
}

// object decides which object the bytes belong to, and fills it. An id that is bound to another key is left alone. row is the document that
// waited for the bytes, nil for none.
func (p *blobPut) object(find finder) (o, row *object, err error) {
	id, old, err := p.identify(find)
	if err != nil {
		return nil, nil, err
	}
	who := stamp{p.claims.acting(), p.s.opts.Now()}
	o = &object{id: id, typ: headerOr(p.claims.Type, defaultType), key: p.key, created: who, modified: who}
	if old != nil {
		o.created = old.created
		if !old.inFile {
			row = old
			o.data = row.data
		}
	}
	o.props = p.properties(row)
	return o, row, nil
}

// properties are those of the document that waited, under those of the request that made the URL, under those of the metadata headers. Who
// the object belongs to comes from the URL alone: headers can be changed by whoever has it.
func (p *blobPut) properties(row *object) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	if row != nil {
		out = merge(row.props, nil)
	}
	out = merge(out, p.claims.Props)
	delete(out, fs.PropContentType) // comes with the bytes
	for name, value := range p.stored.Meta {
		if name = p.spelling(name); p.ignores(name, value) {
			continue
		}
		if given, ok := out[name]; ok && headerText(textOf(given)) == value {
			continue // the header only repeats it, as text
		}
		out[name] = json.RawMessage(fs.JSONString(value))
	}
	orSet(out, fs.PropOriginalFileName, path.Base(p.key))
	orSet(out, fs.PropFullObjectPath, p.key)
	orSet(out, fs.PropUser, p.claims.acting())
	orSet(out, fs.PropRole, strings.Join(listOf(p.claims.RoleText), ","))
	orSet(out, fs.PropOwnershipData, strings.Join(listOf(p.claims.OwnerText), ","))
	return out
}

// ignores tells whether a metadata entry becomes no property: it is about identity, the server's own, or says what is known.
func (p *blobPut) ignores(name, value string) bool {
	switch name {
	case fs.PropUser, fs.PropRole, fs.PropOwnershipData, fs.PropObjectKey, fs.PropFullObjectPath, fs.PropContentType:
		return true
	case "type":
		return value == p.claims.Type
	}
	return strings.HasPrefix(name, "x_rdp") || serverOwned[strings.ToLower(name)] || !printable(name)
}

func orSet(m map[string]json.RawMessage, name, value string) {
	if _, ok := m[name]; !ok && value != "" {
		m[name] = json.RawMessage(fs.JSONString(value))
	}
}

// spelling gives a metadata name, which lost its case on the way, the spelling of the request that made the URL.
func (p *blobPut) spelling(name string) string {
	for given := range p.claims.Props {
		if strings.EqualFold(given, name) {
			return given
		}
	}
	return spelling(name)
}

// originalName is the name of the client's file: the header's, unless that only repeats the one of the request that made the URL.
func (p *blobPut) originalName() string {
	known := textOf(p.claims.Props[fs.PropOriginalFileName])
	if given := p.stored.Meta["originalfilename"]; given != "" && given != headerText(known) {
		return given
	}
	return known
}

// listOf reads one value, a comma list or the text of a JSON array.
func listOf(text string) []string {
	var list []string
	if json.Unmarshal([]byte(text), &list) == nil {
		return list
	}
	for v := range strings.SplitSeq(text, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}

// registered does what is left once the bytes are there: documents about the key learn of their file, and the one that became the file's
// own goes.
func (p *blobPut) registered(find finder, o, row *object, info fs.Info, shared bool) error {
	docs, tenant := p.s.docs, p.actor.Tenant
	if err := find.bind(p.key, o.id, info.Ino()); err != nil {
		return err
	}
	if shared {
		b := o.row(tenant)
		b.Ino = info.Ino()
		return docs.PutBSO(find.ctx, b, nil)
	}
	if row == nil {
		return nil
	}
	if err := docs.DeleteBSO(find.ctx, tenant, row.id); err != nil && !missing(err) {
		return err
	}
	return nil
}
