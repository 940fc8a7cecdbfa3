package restapi

import (
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
)

const (
	maxRecords = 2000
	maxIDs     = 10_000 // that one get may ask for
)

// get finds objects. Nothing found is a success.
func (c *call) get(req *bsoRequest) (bsoResult, error) {
	if !c.actor.HasRole(bsoReaders...) {
		return bsoResult{}, bsoDenied("role")
	}
	q := req.Params.Query
	if q == nil || q.ID == "" && len(q.IDs) == 0 && q.Name == "" && len(q.Filters.Types) == 0 && len(q.Filters.Properties) == 0 {
		return bsoResult{}, bsoMalformed("params.query says nothing")
	}
	if len(q.IDs) > maxIDs {
		return bsoResult{}, bsoMalformed("params.query.ids has more than " + strconv.Itoa(maxIDs))
	}
	limit := int(req.Params.Options.Max)
	if limit == 0 {
		limit = int(req.Params.Options.Total)
	}
	if limit < 1 || limit > maxRecords {
		limit = maxRecords
	}
	found, err := c.search(req, max(0, int(req.Params.Options.From)), limit)
	if err != nil {
		return bsoResult{}, err
	}
	out := make([]bsoOut, len(found))
	for i, o := range found {
		out[i] = o.output(req.Params.Fields.Attributes)
	}
	return bsoResult{objects: &out, total: len(out), maxRecords: limit}, nil
}

// search gives one page of what matches and is for the caller.
func (c *call) search(req *bsoRequest, from, limit int) ([]*object, error) {
	q := req.Params.Query
	ids := q.IDs
	if q.ID != "" {
		ids = append([]string{q.ID}, ids...)
	}
	found, err := c.named(ids), error(nil)
	if len(ids) == 0 {
		found, err = c.candidates(q)
	}
	if err != nil {
		return nil, err
	}
	visible, err := c.visible(req)
	if err != nil {
		return nil, err
	}
	found = filtered(found, func(o *object) (bool, error) {
		if !q.match(o) {
			return false, nil
		}
		return visible(o)
	})
	if by, down := sortOf(req); by != "" {
		return c.sorted(found, by, down, from, limit)
	}
	return pageOf(found, from, limit)
}

// filtered leaves out what keep does not want, and ends with the first error.
func filtered(in iter.Seq2[*object, error], keep func(*object) (bool, error)) iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		for o, err := range in {
			ok := true
			if err == nil {
				ok, err = keep(o)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if ok && !yield(o, nil) {
				return
			}
		}
	}
}

// pageOf takes limit objects after the first from ones.
func pageOf(in iter.Seq2[*object, error], from, limit int) ([]*object, error) {
	var page []*object
	for o, err := range in {
		if err != nil {
			return nil, err
		}
		if from--; from >= 0 {
			continue
		}
		if page = append(page, o); len(page) == limit {
			break
		}
	}
	return page, nil
}

// named finds objects by id, or by key where no object has the id. Each shows once.
func (c *call) named(ids []string) iter.Seq2[*object, error] {
	return func(yield func(*object, error) bool) {
		f, seen := c.find(), map[string]bool{}
		for _, id := range ids {
			found := make([]*object, 1)
			var err error
			if found[0], err = f.byID(id); missing(err) {
				found, err = f.sharing(id)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, o := range found {
				if !seen[o.id] {
					seen[o.id] = true
					if !yield(o, nil) {
						return
					}
				}
			}
		}
	}
}

// match applies the criteria that are not ids.
func (q *bsoQuery) match(o *object) bool {
	return q.matchType(o) && (q.Name == "" || q.Name == o.originalName()) && q.matchProps(o)
}

func (q *bsoQuery) matchType(o *object) bool {
	return len(q.Filters.Types) == 0 || slices.ContainsFunc(q.Filters.Types, func(t string) bool {
		return anyType(t) || strings.EqualFold(t, o.typ)
	})
}

func anyType(t string) bool { return strings.EqualFold(t, "_ALL") || strings.EqualFold(t, "ALL") }

// matchProps compares properties for equality; a comparison that is not known holds for nothing.
func (q *bsoQuery) matchProps(o *object) bool {
	for _, criterion := range q.Filters.Properties {
		for name, test := range criterion {
			want, ok := test["eq"]
			have, there := o.property(name)
			if !ok || !there || !sameJSON(want, have) {
				return false
			}
		}
	}
	return true
}

// sameJSON compares values; a string equals whatever is written like it ("5" and 5).
func sameJSON(a, b json.RawMessage) bool {
	return textOf(json.RawMessage(compact(a))) == textOf(json.RawMessage(compact(b)))
}
