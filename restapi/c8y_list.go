package restapi

import (
	"cmp"
	"container/heap"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"tote/fs"
)

const (
	listLimit  = time.Minute // for a list that has to look at every object
	countAhead = 500         // objects behind the first page that are looked at for a number of pages that nobody asked for
)

// listing answers one list of managed objects.
type listing struct {
	x      *exchange
	walker walker
	page   c8yPage
	self   string // without parameters
	key    string // of the collection
	show   func(managed) any
}

// listBinaries answers GET /inventory/binaries. Who may not read sees what he owns. The number of pages is told without being asked for, unless many
// objects would have to be looked at for it.
func (x *exchange) listBinaries() error {
	return x.listObjects(asBinary, c8yReaders)
}

// listManaged answers GET /inventory/managedObjects.
func (x *exchange) listManaged() error {
	return x.listObjects(asManaged, objectReaders)
}

func (x *exchange) listObjects(api string, roles []string) error {
	q := x.r.URL.Query()
	page, err := parsePage(q)
	if err != nil {
		return err
	}
	page.courtesy = !page.wantsTotal() && api == asBinary
	page.pages = page.pages || api == asBinary
	f, err := x.filter(q, api == asBinary)
	if err != nil {
		return err
	}
	f.restrict(x.a, roles)
	l := &listing{x: x, page: page, self: x.base + api[:len(api)-1], key: "managedObjects", walker: walker{x, f}}
	l.show = func(m managed) any { return m.show(x.base, api) }
	return l.answer(q, "managedObjectCollection")
}

// answer finds the page and sends it.
func (l *listing) answer(q url.Values, token string) error {
	ctx, cancel := context.WithTimeout(l.x.ctx, listLimit)
	defer cancel()
	l.x.ctx = ctx
	find := l.find
	if l.walker.filter.query.ordered() {
		find = l.findOrdered
	}
	f, err := find()
	if err != nil {
		return err
	}
	writeC8y(l.x.w, l.x.r, http.StatusOK, token, l.x.collection(l.self, l.key, q, l.page, f))
	return nil
}

// find reads one page in the order of ids.
func (l *listing) find() (found, error) {
	out := found{total: -1}
	filter := l.walker.filter
	cheap := !filter.scans() && !filter.picks()
	var err error
	switch {
	case cheap && l.page.wantsTotal() && !filter.binaries && filter.owner != "" && l.page.at != "" && l.page.total >= 0:
		out.total = l.page.total // counting takes longer than a page
	case cheap && l.page.wantsTotal():
		if out.total, err = l.count(); err != nil {
			return out, err
		}
	}
	after, skip := l.begin()
	if cheap && out.total >= 0 && l.page.at == "" && int64(skip) >= out.total {
		return out, nil
	}
	if cheap && filter.binaries && skip > 0 {
		err = l.findAt(&out, skip)
		return out, err
	}
	counting := !cheap && l.page.wantsTotal() && l.page.total < 0 && !(l.page.courtesy && l.page.at != "")
	if !cheap && !counting {
		out.total = l.page.total
	}
	p := pager{listing: l, out: &out, skip: skip, counting: counting}
	err = p.run(after)
	return out, err
}

// begin is where the page begins: behind an object when the client came by our link, else after a number of them.
func (l *listing) begin() (after fs.Ino, skip int) {
	if id, err := strconv.ParseUint(l.page.at, 10, 63); err == nil {
		return fs.Ino(id), 0
	}
	return 0, l.page.offset()
}

// count asks the indexes for the number of all objects.
func (l *listing) count() (int64, error) {
	x, f := l.x, l.walker.filter
	if f.none {
		return 0, nil
	}
	q := fs.FileQuery{}
	if f.owner != "" {
		q.Props = []fs.Property{{Name: fs.PropUser, Value: fs.JSONString(f.owner)}}
	}
	n, err := x.s.fs.CountFiles(x.ctx, readAs(x.a), q)
	if err != nil || f.binaries {
		return n, err
	}
	rows, err := x.s.stores.Objects.CountManaged(x.ctx, f.rows(x.a.Tenant))
	return n + rows, err
}

// findAt reads a page of files that begins after a number of them, which the core can skip by itself.
func (l *listing) findAt(out *found, skip int) error {
	x, f := l.x, l.walker.filter
	if f.none {
		return nil
	}
	q := fs.FileQuery{Offset: skip, Limit: l.page.size + 1}
	if f.owner != "" {
		q.Props = []fs.Property{{Name: fs.PropUser, Value: fs.JSONString(f.owner)}}
	}
	files, err := x.s.fs.Files(x.ctx, readAs(x.a), q)
	if err != nil {
		return err
	}
	batch := make([]hit, len(files))
	for i := range files {
		batch[i].file = &files[i]
	}
	p := pager{listing: l, out: out}
	_, err = p.take(batch)
	return err
}

// pager fills one page from batches.
type pager struct {
	*listing
	out      *found
	skip     int
	counting bool // goes on to the end for the total
	seen     int64
	ahead    int // objects behind the page that were looked at
}

func (p *pager) run(after fs.Ino) error {
	size := scanPage
	if !p.walker.filter.scans() {
		size = min(size, p.page.size+1)
		if p.skip > scanPage {
			size = maxPage // only numbers are looked at
		}
	}
	for batch, err := range p.walker.batches(after, size) {
		if err != nil {
			return err
		}
		done, err := p.take(batch)
		if err != nil {
			return err
		}
		if p.out.more {
			p.ahead += len(batch)
		}
		if done || p.page.courtesy && p.ahead > countAhead {
			return nil
		}
	}
	if p.counting {
		p.out.total = p.seen
	}
	return nil
}

// take adds what of a batch belongs to the page; done says that nothing more is wanted.
func (p *pager) take(batch []hit) (done bool, err error) {
	if p.walker.filter.scans() {
		return p.takeMatching(batch)
	}
	drop := min(p.skip, len(batch))
	p.skip -= drop
	p.seen += int64(len(batch))
	batch = batch[drop:]
	room := p.page.size - len(p.out.items)
	if len(batch) > room {
		p.out.more = true
		batch = batch[:room]
	}
	for part := range slices.Chunk(batch, 100) {
		objects, err := p.walker.complete(part)
		if err != nil {
			return false, err
		}
		for _, m := range objects {
			if err := p.add(m); err != nil {
				return false, err
			}
		}
	}
	return p.out.more && !p.counting, nil
}

func (p *pager) add(m managed) error {
	p.out.at = idText(m.id)
	return p.out.add(p.show(m))
}

func (p *pager) takeMatching(batch []hit) (done bool, err error) {
	objects, err := p.walker.complete(batch)
	if err != nil {
		return false, err
	}
	for _, m := range objects {
		ok, err := p.walker.matches(m)
		if err != nil {
			return false, err
		}
		if !ok {
			continue
		}
		if p.seen++; p.skip > 0 {
			p.skip--
			continue
		}
		if len(p.out.items) < p.page.size {
			if err := p.add(m); err != nil {
				return false, err
			}
			continue
		}
		if p.out.more = true; !p.counting {
			return true, nil
		}
	}
	return false, nil
}

// matches decides what the stores left open.
func (w walker) matches(m managed) (bool, error) {
	if !w.filter.match(m) {
		return false, nil
	}
	if !w.filter.roots {
		return true, nil
	}
	for k := range kinds {
		parents, err := w.x.s.stores.Relations.Parents(w.x.ctx, fs.Relation{Tenant: w.x.a.Tenant, Kind: fs.Kind(k), Child: m.id}, 1)
		if err != nil || len(parents) > 0 {
			return false, err
		}
	}
	return true, nil
}

// maxOrdered is how far into an ordered list a page may lie: as many objects are held to find it.
const maxOrdered = 20_000

// findOrdered reads one page in the order that the query wants.
func (l *listing) findOrdered() (found, error) {
	out := found{total: -1}
	end := l.page.offset() + l.page.size
	if end > maxOrdered {
		return out, c8yInvalid("an ordered list can be read up to object 20000; use a filter")
	}
	first := &best{query: l.walker.filter.query, max: end + 1}
	seen := int64(0)
	for batch, err := range l.walker.batches(0, scanPage) {
		if err != nil {
			return out, err
		}
		objects, err := l.walker.complete(batch)
		if err != nil {
			return out, err
		}
		for _, m := range objects {
			ok, err := l.walker.matches(m)
			if err != nil {
				return out, err
			}
			if ok {
				seen++
				first.offer(m)
			}
		}
	}
	if l.page.wantsTotal() {
		out.total = seen
	}
	out.more = seen > int64(end)
	ids := first.ids()
	err := l.showAll(&out, ids[min(l.page.offset(), len(ids)):min(end, len(ids))])
	return out, err
}

// showAll adds objects in a given order.
func (l *listing) showAll(out *found, ids []fs.Ino) error {
	for part := range slices.Chunk(ids, 100) {
		objects, err := l.x.lookup(part)
		if err != nil {
			return err
		}
		for _, id := range part {
			i := slices.IndexFunc(objects, func(m managed) bool { return m.id == id })
			if i < 0 {
				continue // it went meanwhile
			}
			if err := out.add(l.show(objects[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// best keeps the first objects of an order: their ids and what orders them, the last one on top.
type best struct {
	query *query
	max   int
	list  []ranked
}

type ranked struct {
	id   fs.Ino
	keys []any
}

func (b *best) Len() int           { return len(b.list) }
func (b *best) Less(i, j int) bool { return b.compare(b.list[i], b.list[j]) > 0 }
func (b *best) Swap(i, j int)      { b.list[i], b.list[j] = b.list[j], b.list[i] }

// Push implements heap.Interface.
func (b *best) Push(v any) { b.list = append(b.list, v.(ranked)) }

// Pop implements heap.Interface.
func (b *best) Pop() any {
	last := b.list[len(b.list)-1]
	b.list = b.list[:len(b.list)-1]
	return last
}

func (b *best) compare(x, y ranked) int {
	return cmp.Or(b.query.compareKeys(x.keys, y.keys), cmp.Compare(x.id, y.id))
}

func (b *best) offer(m managed) {
	r := ranked{m.id, b.query.keys(m)}
	if len(b.list) == b.max {
		if b.compare(r, b.list[0]) >= 0 {
			return
		}
		heap.Pop(b)
	}
	heap.Push(b, r)
}

// ids are the objects in order.
func (b *best) ids() []fs.Ino {
	slices.SortFunc(b.list, b.compare)
	ids := make([]fs.Ino, len(b.list))
	for i, r := range b.list {
		ids[i] = r.id
	}
	return ids
}
