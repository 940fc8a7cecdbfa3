package restapi

import (
	"encoding/json"
	"path"
	"time"

	"tote/fs"
)

// object is a binary stream object: a file with its properties, or a document of its own.
type object struct {
	id       string
	typ      string
	key      string
	props    map[string]json.RawMessage // what clients set, without objectKey
	data     map[string]json.RawMessage // data.attributes
	created  stamp
	modified stamp
	file     *fs.File // nil without bytes
	inFile   bool     // kept in the properties of file, else in a document
	owned    bool     // has an objectId of its own rather than the default
	hasKey   bool     // has an objectKey of its own rather than the default
}

// ino is the number of the object's file, 0 without one.
func (o *object) ino() fs.Ino {
	if o.file == nil {
		return 0
	}
	return o.file.Info.Ino()
}

// owner is the user whom the object belongs to.
func (o *object) owner() string { return textOf(o.props[fs.PropUser]) }

// stamp is who did something when.
type stamp struct {
	by string
	at time.Time
}

// fileObject reads the object that a file is.
func fileObject(f fs.File, props []fs.Property) *object {
	info := f.Info
	o := &object{
		id: idText(info.Ino()), typ: defaultType, key: defaultKey(f), file: &f, inFile: true,
		props:   map[string]json.RawMessage{},
		created: stamp{at: info.Created()}, modified: stamp{at: info.ModTime()},
	}
	for _, p := range props {
		if p.Space != "" {
			continue
		}
		switch p.Name {
		case propID:
			o.id, o.owned = fs.FromJSONString(p.Value), true
		case propType:
			o.typ = fs.FromJSONString(p.Value)
		case fs.PropObjectKey:
			o.key, o.hasKey = fs.FromJSONString(p.Value), true
		case propData:
			_ = json.Unmarshal([]byte(p.Value), &o.data) // written by properties below
		case propCreatedBy:
			o.created.by = fs.FromJSONString(p.Value)
		case propModifiedBy:
			o.modified.by = fs.FromJSONString(p.Value)
		case propCreated:
			o.created.at = parseBSOTime(fs.FromJSONString(p.Value), o.created.at)
		case propModified:
			o.modified.at = later(parseBSOTime(fs.FromJSONString(p.Value), o.modified.at), o.modified.at)
		case propHeaders, propBlocks:
		default:
			o.props[p.Name] = rawJSON(p.Value)
		}
	}
	return o
}

// defaultKey is the key of a file that no client gave one: the name of its newest version's object.
func defaultKey(f fs.File) string {
	if f.Version.Key == "" {
		return idText(f.Info.Ino())
	}
	return fs.ObjectName(f.Version)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// document is the JSON of an object without a file of its own.
type document struct {
	Properties map[string]json.RawMessage `json:"properties"`
	Attributes map[string]json.RawMessage `json:"attributes,omitempty"`
	CreatedBy  string                     `json:"createdBy"`
	ModifiedBy string                     `json:"modifiedBy"`
}

func rowObject(b BSO, f *fs.File) *object {
	var d document
	_ = json.Unmarshal(b.Doc, &d) // written by row below
	if d.Properties == nil {
		d.Properties = map[string]json.RawMessage{}
	}
	return &object{
		id: b.ID, typ: b.Type, key: b.ObjectKey, props: d.Properties, data: d.Attributes, file: f, owned: true, hasKey: true,
		created: stamp{d.CreatedBy, time.Unix(0, b.Created).Truncate(time.Millisecond)}, modified: stamp{d.ModifiedBy, time.Unix(0, b.Modified)},
	}
}

// row is the object as a document.
func (o *object) row(tenant string) BSO {
	return BSO{
		Tenant: tenant, ID: o.id, Type: o.typ, ObjectKey: o.key, Ino: o.ino(),
		Doc:     encodeJSON(document{o.props, o.data, o.created.by, o.modified.by}),
		Created: o.created.at.UnixNano(), Modified: o.modified.at.UnixNano(),
	}
}

// properties is the object as properties of its file.
func (o *object) properties() []fs.Property {
	str := func(name, v string) fs.Property { return fs.Property{Name: name, Value: fs.JSONString(v)} }
	out := []fs.Property{
		str(propID, o.id), str(propType, o.typ), str(fs.PropObjectKey, o.key),
		str(propCreatedBy, o.created.by), str(propCreated, bsoTime(o.created.at)),
		str(propModifiedBy, o.modified.by), str(propModified, bsoTime(o.modified.at)),
	}
	for name, value := range o.props {
		out = append(out, fs.Property{Name: name, Value: string(value)})
	}
	if len(o.data) > 0 {
		out = append(out, fs.Property{Name: propData, Value: string(encodeJSON(o.data))})
	}
	return out
}

// output is the object as get shows it; attributes selects members of data, nil leaves data out.
func (o *object) output(attributes []string) bsoOut {
	p := make(map[string]any, len(o.props)+12)
	for name, value := range o.props {
		p[name] = value
	}
	p[fs.PropObjectKey] = o.key
	fill(p, fs.PropOriginalFileName, o.originalName())
	fill(p, fs.PropFullObjectPath, o.fullPath())
	if o.file != nil {
		p["contentSize"] = o.file.Info.Size()
	}
	p["binarystreamobjectid"] = o.id
	p["createdService"], p["modifiedService"] = bsoServiceName, bsoServiceName
	p[propCreatedBy], p[propModifiedBy] = o.created.by, o.modified.by
	p[propCreated], p[propModified] = bsoTime(o.created.at), bsoTime(o.modified.at)
	out := bsoOut{ID: o.id, Type: o.typ, Properties: p}
	if picked := o.attributes(attributes); len(picked) > 0 {
		out.Data = map[string]any{"attributes": picked}
	}
	return out
}

const bsoServiceName = "binaryStreamObjectService"

func fill(m map[string]any, name, value string) {
	if _, ok := m[name]; !ok {
		m[name] = value
	}
}

func (o *object) originalName() string {
	if v, ok := o.props[fs.PropOriginalFileName]; ok {
		return textOf(v)
	}
	if o.file != nil && !o.owned {
		return o.file.Info.Name()
	}
	return path.Base(o.key)
}

// fullPath is the client's, else for a file of another face the full name of its object, else the key.
func (o *object) fullPath() string {
	if v, ok := o.props[fs.PropFullObjectPath]; ok {
		return textOf(v)
	}
	if o.file != nil && !o.owned && o.file.Version.Key != "" {
		return o.file.Version.Key
	}
	return o.key
}

func (o *object) attributes(names []string) map[string]json.RawMessage {
	picked := map[string]json.RawMessage{}
	for _, n := range names {
		if n == "_ALL" {
			return o.data
		}
		if v, ok := o.data[n]; ok {
			picked[n] = v
		}
	}
	return picked
}

// property is any property as get would show it, for criteria and sorting.
func (o *object) property(name string) (json.RawMessage, bool) {
	all := o.output(nil).Properties
	v, ok := all[spelling(name)]
	if !ok {
		return nil, false
	}
	return encodeJSON(v), true
}

const bsoTimeLayout = "2006-01-02T15:04:05.000-0700"

func bsoTime(t time.Time) string { return t.UTC().Format(bsoTimeLayout) }

func parseBSOTime(v string, otherwise time.Time) time.Time {
	if t, err := time.Parse(bsoTimeLayout, v); err == nil {
		return t
	}
	return otherwise
}
