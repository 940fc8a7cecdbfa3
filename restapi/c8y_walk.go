package restapi

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strings"

	"tote/fs"
)

const scanPage = 250 // objects looked at in one go

// walker goes through managed objects in the order of their numbers.
type walker struct {
	x      *exchange
	filter c8yFilter
}

// hit is an object that may match: a file or a row.
type hit struct {
	file *fs.File
	row  *fs.Managed
}

func (h hit) id() fs.Ino {
	if h.file != nil {
		return h.file.Info.Ino()
	}
	return h.row.ID
}

// batches gives what the stores find behind a number, some at a time. What they have no index for is left to match.
func (w walker) batches(after fs.Ino, size int) iter.Seq2[[]hit, error] {
	if w.filter.none {
		return func(func([]hit, error) bool) {}
	}
	if w.filter.picks() {
		return w.picked(after, size)
	}
	if w.filter.binaries {
		return w.fileBatches(after, size)
	}
	return w.merged(after, size)
}

// picked goes through objects that are named one by one.
func (w walker) picked(after fs.Ino, size int) iter.Seq2[[]hit, error] {
	page := w.filter.page
	if page == nil {
		page = w.filter.pageOfIDs
	}
	return func(yield func([]hit, error) bool) {
		for {
			ids, err := page(after, size)
			if err == nil && len(ids) == 0 {
				return
			}
			var batch []hit
			if err == nil {
				batch, err = w.pick(ids)
			}
			if !yield(batch, err) || err != nil {
				return
			}
			after = ids[len(ids)-1]
		}
	}
}

func (f c8yFilter) pageOfIDs(after fs.Ino, limit int) ([]fs.Ino, error) {
	i, _ := slices.BinarySearch(f.ids, after+1)
	return f.ids[i:min(i+limit, len(f.ids))], nil
}

// pick finds those of some ids that exist.
func (w walker) pick(ids []fs.Ino) ([]hit, error) {
	x := w.x
	files, err := x.s.fs.Files(x.ctx, readAs(x.a), fs.FileQuery{Inos: ids})
	if err != nil {
		return nil, err
	}
	var out []hit
	for i := range files {
		out = append(out, hit{file: &files[i]})
	}
	if w.filter.binaries || len(files) == len(ids) {
		return out, nil
	}
	q := fs.ManagedQuery{Tenant: x.a.Tenant, IDs: ids, Limit: len(ids)}
	for {
		rows, err := x.s.stores.Objects.ManagedList(x.ctx, q)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			break
		}
		for i := range rows {
			out = append(out, hit{row: &rows[i]})
		}
		q.After = rows[len(rows)-1].ID
	}
	slices.SortFunc(out, func(a, b hit) int { return cmp.Compare(a.id(), b.id()) })
	return out, nil
}

// merged goes through files and rows side by side.
func (w walker) merged(after fs.Ino, size int) iter.Seq2[[]hit, error] {
	return func(yield func([]hit, error) bool) {
		nextFile, stopFiles := iter.Pull2(w.files(after, size))
		defer stopFiles()
		nextRow, stopRows := iter.Pull2(w.rows(after, size))
		defer stopRows()
		f, ferr, fok := nextFile()
		r, rerr, rok := nextRow()
		var batch []hit
		for fok || rok {
			if ferr != nil || rerr != nil {
				yield(nil, errors.Join(ferr, rerr))
				return
			}
			if fok && (!rok || f.id() < r.id()) {
				batch = append(batch, f)
				f, ferr, fok = nextFile()
			} else {
				batch = append(batch, r)
				r, rerr, rok = nextRow()
			}
			if len(batch) == size {
				if !yield(batch, nil) {
					return
				}
				batch = nil
			}
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

// fileBatches goes through files alone, a query for each batch.
func (w walker) fileBatches(after fs.Ino, size int) iter.Seq2[[]hit, error] {
	return func(yield func([]hit, error) bool) {
		q := fs.FileQuery{After: after, Limit: size}
		if w.filter.owner != "" {
			q.Props = []fs.Property{{Name: fs.PropUser, Value: fs.JSONString(w.filter.owner)}}
		}
		for {
			files, err := w.x.s.fs.Files(w.x.ctx, readAs(w.x.a), q)
			if err != nil {
				yield(nil, err)
				return
			}
			batch := make([]hit, len(files))
			for i := range files {
				batch[i].file = &files[i]
			}
			if !yield(batch, nil) || len(files) < size {
				return
			}
			q.After = files[len(files)-1].Info.Ino()
		}
	}
}

// files goes through files one by one.
func (w walker) files(after fs.Ino, size int) iter.Seq2[hit, error] {
	return func(yield func(hit, error) bool) {
		for batch, err := range w.fileBatches(after, size+1) { // the one that merged looks at beyond a full batch
			if err != nil {
				yield(hit{}, err)
				return
			}
			for _, h := range batch {
				if !yield(h, nil) {
					return
				}
			}
		}
	}
}

func (w walker) rows(after fs.Ino, size int) iter.Seq2[hit, error] {
	return func(yield func(hit, error) bool) {
		q := w.filter.rows(w.x.a.Tenant)
		q.After, q.Limit = after, size
		for {
			rows, err := w.x.s.stores.Objects.ManagedList(w.x.ctx, q)
			if err != nil {
				yield(hit{}, err)
				return
			}
			if len(rows) == 0 {
				return
			}
			for i := range rows {
				if !yield(hit{row: &rows[i]}, nil) {
					return
				}
			}
			q.After = rows[len(rows)-1].ID
		}
	}
}

// rows is the part of the filter that the store of managed objects has indexes for.
func (f c8yFilter) rows(tenant string) fs.ManagedQuery {
	q := fs.ManagedQuery{Tenant: tenant, Owner: f.owner}
	if !strings.Contains(f.typ, "*") {
		q.Type = f.typ
	}
	return q
}

// complete adds what is needed to show and to match.
func (w walker) complete(batch []hit) ([]managed, error) {
	var files []fs.File
	for _, h := range batch {
		if h.file != nil {
			files = append(files, *h.file)
		}
	}
	binaries, err := w.x.s.binaries(w.x.ctx, w.x.a, files)
	if err != nil {
		return nil, err
	}
	out := make([]managed, 0, len(batch))
	for _, h := range batch {
		if h.row != nil {
			out = append(out, newDocument(*h.row))
			continue
		}
		out = append(out, binaries[0])
		binaries = binaries[1:]
	}
	return out, nil
}
