package restapi

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"tote/fs"
)

// A get without ids walks through objects and keeps what matches. Where the question names a type or a property that is kept as it is, an index
// leads to the files that can match.

// maxVariants is how many spellings of the types of a question are looked up one by one.
const maxVariants = 64

// candidates walks through the objects that a question can be about, and perhaps others.
func (c *call) candidates(q *bsoQuery) (iter.Seq2[*object, error], error) {
	find := c.find()
	if key, ok := q.keyWanted(); ok {
		return find.about(key), nil
	}
	if props, ok := q.indexed(); ok {
		return find.objects(props), nil
	}
	types, ok, err := c.typesWanted(q)
	if err != nil {
		return nil, err
	}
	if ok {
		return find.objects(types), nil
	}
	return find.objects(nil), nil
}

// about walks through the objects that have a key.
func (f finder) about(key string) iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		found, err := f.sharing(key)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, o := range found {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// keyWanted finds a criterion that names the key.
func (q *bsoQuery) keyWanted() (string, bool) {
	for _, criterion := range q.Filters.Properties {
		for name, test := range criterion {
			if key := textOf(test["eq"]); strings.EqualFold(name, fs.PropObjectKey) && key != "" {
				return key, true
			}
		}
	}
	return "", false
}

// computed are the properties, in lower case, that an object shows although its file does not have them, or has otherwise.
var computed = map[string]bool{"objectkey": true, "originalfilename": true, "fullobjectpath": true}

// indexed finds a criterion about a property that files keep as it is, and gives the forms that its value can have there.
func (q *bsoQuery) indexed() ([]fs.Property, bool) {
	for _, criterion := range q.Filters.Properties {
		for name, test := range criterion {
			low := strings.ToLower(name)
			want, ok := test["eq"]
			if !ok || computed[low] || serverOwned[low] {
				continue
			}
			return valueForms(spelling(name), compact(want)), true
		}
	}
	return nil, false
}

// valueForms are a value and what equals it: "5" and 5.
func valueForms(name, value string) []fs.Property {
	forms := []fs.Property{{Name: name, Value: value}}
	text := fs.FromJSONString(value)
	if text == value { // no string
		return append(forms, fs.Property{Name: name, Value: fs.JSONString(text)})
	}
	if json.Valid([]byte(text)) {
		forms = append(forms, fs.Property{Name: name, Value: text})
	}
	return forms
}

// typesWanted finds the spellings in which files have the types of a question; false when files without a type can match, or there are too many.
func (c *call) typesWanted(q *bsoQuery) ([]fs.Property, bool, error) {
	for _, t := range q.Filters.Types {
		if anyType(t) || strings.EqualFold(t, defaultType) {
			return nil, false, nil
		}
	}
	if len(q.Filters.Types) == 0 {
		return nil, false, nil
	}
	values, err := c.s.fs.PropValues(c.ctx, propType, 10*maxVariants)
	if err != nil || len(values) == 10*maxVariants {
		return nil, false, err
	}
	props := []fs.Property{}
	for _, v := range values {
		if slices.ContainsFunc(q.Filters.Types, func(t string) bool { return strings.EqualFold(t, fs.FromJSONString(v)) }) {
			props = append(props, fs.Property{Name: propType, Value: v})
		}
	}
	return props, len(props) <= maxVariants, nil
}

// objects walks through every object in order of creation, as far as files and documents each are in that order. What has none of the given
// properties may be left out; nil means all.
func (f finder) objects(props []fs.Property) iter.Seq2[*object, error] {
	all := []iter.Seq2[*object, error]{f.rows()}
	if props == nil {
		all = append(all, f.files(nil))
	}
	for _, p := range props {
		all = append(all, f.files([]fs.Property{p}))
	}
	for len(all) > 1 {
		all = append(all[2:], merged(all[0], all[1]))
	}
	return all[0]
}

// merged walks through two sequences in order of creation.
func merged(first, second iter.Seq2[*object, error]) iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		nextA, stopA := iter.Pull2(first)
		defer stopA()
		nextB, stopB := iter.Pull2(second)
		defer stopB()
		a, aerr, aok := nextA()
		b, berr, bok := nextB()
		for aok || bok {
			if aerr != nil || berr != nil {
				yield(nil, cmp.Or(aerr, berr))
				return
			}
			if bok && (!aok || before(b, a)) {
				if !yield(b, nil) {
					return
				}
				b, berr, bok = nextB()
				continue
			}
			if !yield(a, nil) {
				return
			}
			a, aerr, aok = nextA()
		}
	}
}

// before orders objects: files by their numbers, which is how they come, documents by the time they were made.
func before(a, b *object) bool {
	if a.inFile && b.inFile {
		return a.ino() < b.ino()
	}
	return cmp.Or(a.created.at.Compare(b.created.at), cmp.Compare(a.id, b.id)) < 0
}

// files walks through the objects that are files with certain properties, by number.
func (f finder) files(props []fs.Property) iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		q := fs.FileQuery{Props: props, Limit: scanPage}
		for {
			files, err := f.s.fs.Files(f.ctx, f.actor, q)
			var props map[fs.Ino][]fs.Property
			if err == nil && len(files) > 0 {
				props, err = f.s.fs.PropsOf(f.ctx, f.actor, inosOf(files), "")
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, file := range files {
				if !yield(fileObject(file, props[file.Info.Ino()]), nil) {
					return
				}
			}
			if len(files) < scanPage {
				return
			}
			q.After = files[len(files)-1].Info.Ino()
		}
	}
}

func inosOf(files []fs.File) []fs.Ino {
	inos := make([]fs.Ino, len(files))
	for i, f := range files {
		inos[i] = f.Info.Ino()
	}
	return inos
}

// rows walks through the objects that are documents, in order of creation. Only what orders them is held.
func (f finder) rows() iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		ids, err := f.rowIDs()
		if err != nil {
			yield(nil, err)
			return
		}
		for _, r := range ids {
			o, err := f.liveRow(r.id)
			if o == nil && err == nil {
				continue
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

type rowID struct {
	created int64
	id      string
}

func (f finder) rowIDs() ([]rowID, error) {
	var ids []rowID
	for offset := 0; ; offset += scanPage {
		rows, err := f.s.docs.ListBSO(f.ctx, f.actor.Tenant, nil, offset, scanPage)
		if err != nil {
			return nil, err
		}
		for _, b := range rows {
			ids = append(ids, rowID{b.Created, b.ID})
		}
		if len(rows) < scanPage {
			break
		}
	}
	slices.SortFunc(ids, func(a, b rowID) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id))
	})
	return ids, nil
}

// liveRow gives nil for a document that has gone, or that an upload has turned into properties of a file but could not remove any more.
func (f finder) liveRow(id string) (*object, error) {
	b, err := f.s.docs.GetBSO(f.ctx, f.actor.Tenant, id)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if b.Ino == 0 {
		if _, err := f.byProp(propID, b.ID); !missing(err) {
			return nil, err
		}
	}
	return f.row(b)
}
