package restapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tote/fs"
)

const (
	defaultPage = 5
	maxPage     = 2000
	scanPage    = 1000 // files looked at in one go by filters that have no index
)

// c8yPage is the part of a list that a request wants.
type c8yPage struct {
	number   int
	size     int
	elements bool // withTotalElements
}

func (p c8yPage) offset() int { return (p.number - 1) * p.size }

func parsePage(q url.Values) (c8yPage, error) {
	p := c8yPage{number: 1, size: defaultPage, elements: q.Get("withTotalElements") == "true"}
	for name, to := range map[string]*int{"currentPage": &p.number, "pageSize": &p.size} {
		v := q.Get(name)
		if v == "" {
			continue
		}
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 1 {
			return p, c8yInvalid(name + " must be a positive number")
		}
		*to = int(n)
	}
	p.size = min(p.size, maxPage)
	return p, nil
}

// c8yFilter says which binaries a list shows; all that is set must hold.
type c8yFilter struct {
	none     bool     // nothing can match
	inos     []fs.Ino // nil: any
	owner    string
	typ      string // with * as wildcard
	text     string
	fragment string
}

func parseFilter(q url.Values) (c8yFilter, error) {
	f := c8yFilter{owner: q.Get("owner"), typ: q.Get("type"), text: q.Get("text"), fragment: q.Get("fragmentType")}
	if q.Get("query") != "" || q.Get("q") != "" {
		return f, c8yInvalid("the query language is not served for binaries")
	}
	for _, name := range []string{"childAdditionId", "childAssetId", "childDeviceId"} {
		f.none = f.none || q.Get(name) != "" // binaries have no children
	}
	if !q.Has("ids") {
		return f, nil
	}
	f.inos = []fs.Ino{}
	for _, list := range q["ids"] {
		for id := range strings.SplitSeq(list, ",") {
			if ino, ok := binaryID(strings.TrimSpace(id)); ok {
				f.inos = append(f.inos, ino)
			}
		}
	}
	f.none = f.none || len(f.inos) == 0
	return f, nil
}

// query is the part of the filter that the core answers from an index.
func (f c8yFilter) query() fs.FileQuery {
	q := fs.FileQuery{Inos: f.inos}
	if f.owner != "" {
		q.Props = []fs.Property{{Name: fs.PropUser, Value: fs.JSONString(f.owner)}}
	}
	return q
}

// indexed tells whether query says everything.
func (f c8yFilter) indexed() bool { return f.typ == "" && f.text == "" && f.fragment == "" }

// match decides what query left open.
func (f c8yFilter) match(b binary) bool {
	return (f.typ == "" || glob(f.typ, b.typ)) && (f.text == "" || b.hasText(f.text)) && (f.fragment == "" || b.hasFragment(f.fragment))
}

func (b binary) hasText(v string) bool {
	for _, s := range []string{b.name, b.typ, b.owner, b.content} {
		if s == v {
			return true
		}
	}
	for _, raw := range b.custom {
		var s string
		if json.Unmarshal(raw, &s) == nil && s == v {
			return true
		}
	}
	return false
}

func (b binary) hasFragment(name string) bool {
	_, ok := b.custom[name]
	return ok || name == "c8y_IsBinary"
}

// glob matches a text against a pattern where * stands for anything.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, p := range parts[1:last] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[last])
}

// listBinaries answers GET /inventory/binaries. Who may not read sees what he owns.
func (s *server) listBinaries(w http.ResponseWriter, r *http.Request, a *fs.Actor) {
	q := r.URL.Query()
	page, err := parsePage(q)
	if err != nil {
		s.failC8y(w, r, err)
		return
	}
	f, err := parseFilter(q)
	if err != nil {
		s.failC8y(w, r, err)
		return
	}
	if !a.HasRole(c8yReaders...) {
		f.none = f.none || f.owner != "" && f.owner != a.User
		f.owner = a.User
	}
	found, total, err := s.findBinaries(r.Context(), readAs(a), f, page)
	if err != nil {
		s.failC8y(w, r, err)
		return
	}
	base := s.base(r)
	objects := make([]any, len(found))
	for i, b := range found {
		objects[i] = b.list(base)
	}
	writeC8y(w, r, http.StatusOK, "managedObjectCollection", collection(base+"/inventory/binaries", q, page, total, objects))
}

// collection wraps a page of objects. next and prev are left out rather than null: a client follows whatever is there.
func collection(self string, q url.Values, p c8yPage, total int64, objects []any) map[string]any {
	q.Set("pageSize", strconv.Itoa(p.size))
	link := func(number int) string {
		q.Set("currentPage", strconv.Itoa(number))
		return self + "?" + q.Encode()
	}
	pages := (total + int64(p.size) - 1) / int64(p.size)
	stats := map[string]any{"currentPage": p.number, "pageSize": p.size, "totalPages": pages}
	if p.elements {
		stats["totalElements"] = total
	}
	m := map[string]any{"self": link(p.number), "managedObjects": objects, "statistics": stats}
	if int64(p.number) < pages {
		m["next"] = link(p.number + 1)
	}
	if p.number > 1 {
		m["prev"] = link(p.number - 1)
	}
	return m
}

// findBinaries reads one page of what matches, in order of ids, and counts all.
func (s *server) findBinaries(ctx context.Context, a *fs.Actor, f c8yFilter, p c8yPage) ([]binary, int64, error) {
	if f.none {
		return nil, 0, nil
	}
	if !f.indexed() {
		return s.scanBinaries(ctx, a, f, p)
	}
	q := f.query()
	total, err := s.fs.CountFiles(ctx, a, q)
	if err != nil || int64(p.offset()) >= total {
		return nil, total, err
	}
	q.Offset, q.Limit = p.offset(), p.size
	files, err := s.fs.Files(ctx, a, q)
	if err != nil {
		return nil, 0, err
	}
	found, err := s.binaries(ctx, a, files)
	return found, total, err
}

// scanBinaries looks at every file that the index lets through.
func (s *server) scanBinaries(ctx context.Context, a *fs.Actor, f c8yFilter, p c8yPage) ([]binary, int64, error) {
	var found []binary
	total := int64(0)
	q := f.query()
	q.Limit = scanPage
	for {
		files, err := s.fs.Files(ctx, a, q)
		if err != nil {
			return nil, 0, err
		}
		some, err := s.binaries(ctx, a, files)
		if err != nil {
			return nil, 0, err
		}
		for _, b := range some {
			if !f.match(b) {
				continue
			}
			if total++; total > int64(p.offset()) && len(found) < p.size {
				found = append(found, b)
			}
		}
		if len(files) < scanPage {
			return found, total, nil
		}
		q.After = files[len(files)-1].Info.Ino()
	}
}
