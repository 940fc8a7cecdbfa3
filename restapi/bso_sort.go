package restapi

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"strings"

	"tote/fs"
)

const (
	maxSorted   = 200_000 // objects that a get can bring into an order of its own
	maxSortText = 256     // bytes of a value that count for the order
)

// sortKey is what is held of an object while others are looked at: enough to order it, and to find it again.
type sortKey struct {
	kind int // nothing, number or text, in this order
	num  float64
	text string
	id   string
	ino  fs.Ino // of an object that is a file, else 0
}

// keyOf reads the value of one property.
func keyOf(o *object, by string) sortKey {
	k := sortKey{id: o.id}
	if o.inFile {
		k.ino = o.ino()
	}
	v, ok := o.property(by)
	switch {
	case !ok:
	case json.Unmarshal(v, &k.num) == nil && string(v) != "null":
		k.kind = 1
	default:
		k.kind, k.text = 2, fs.FromJSONString(string(v))
		k.text = strings.Clone(k.text[:min(len(k.text), maxSortText)])
	}
	return k
}

// compare orders by value, then by id; down turns the values round.
func (k sortKey) compare(other sortKey, down bool) int {
	n := cmp.Or(cmp.Compare(k.kind, other.kind), cmp.Compare(k.num, other.num), cmp.Compare(k.text, other.text))
	if down {
		n = -n
	}
	return cmp.Or(n, cmp.Compare(k.id, other.id))
}

// sorted brings what was found into the order that was asked for and gives a page of it. Only the keys of all objects are held; those of the page are read
// again, and one that has gone meanwhile is left out.
func (c *call) sorted(in iter.Seq2[*object, error], by string, down bool, from, limit int) ([]*object, error) {
	var keys []sortKey
	for o, err := range in {
		if err != nil {
			return nil, err
		}
		if len(keys) == maxSorted {
			return nil, bsoMalformed("too many objects to sort, narrow the query")
		}
		keys = append(keys, keyOf(o, by))
	}
	slices.SortFunc(keys, func(a, b sortKey) int { return a.compare(b, down) })
	from = min(from, len(keys))
	var page []*object
	for _, k := range keys[from:min(len(keys), from+limit)] {
		o, err := c.find().again(k)
		if missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		page = append(page, o)
	}
	return page, nil
}

// again finds the object of a key.
func (f finder) again(k sortKey) (*object, error) {
	if k.ino == 0 {
		row, err := f.s.docs.GetBSO(f.ctx, f.actor.Tenant, k.id)
		if err != nil {
			return nil, err
		}
		return f.row(row)
	}
	file, err := f.s.fs.File(f.ctx, f.actor, k.ino)
	if err != nil {
		return nil, err
	}
	return f.file(file)
}

// sortOf reads the order that a request asks for: one property with _ASC or _DESC.
func sortOf(req *bsoRequest) (by string, down bool) {
	if len(req.Params.Sort.Properties) == 0 {
		return "", false
	}
	for name, order := range req.Params.Sort.Properties[0] {
		if name != "sortType" {
			return name, strings.EqualFold(order, "_DESC")
		}
	}
	return "", false
}
