package restapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

const (
	defaultPage = 5
	maxPage     = 2000
	maxAnswer   = 32 << 20 // bytes of the objects of one page
)

// pageCursor is the parameter of our next links that says where the page begins. Clients that count pages themselves leave it out.
const pageCursor = "pageCursor"

// c8yPage is the part of a list that a request wants.
type c8yPage struct {
	number   int
	size     int
	pages    bool // withTotalPages
	elements bool // withTotalElements
	courtesy bool // the number of pages is told without being asked for
	at       string
	total    int64 // known from the page before, -1 for not known
}

func (p c8yPage) offset() int { return (p.number - 1) * p.size }

// wantsTotal tells whether everything has to be counted.
func (p c8yPage) wantsTotal() bool { return p.pages || p.elements }

func parsePage(q url.Values) (c8yPage, error) {
	p := c8yPage{number: 1, size: defaultPage, pages: q.Get("withTotalPages") == "true", elements: q.Get("withTotalElements") == "true", total: -1}
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
	p.take(q.Get(pageCursor))
	return p, nil
}

// take reads a cursor. One that was made for another page, because the client changed the numbers in our link, does not count.
func (p *c8yPage) take(cursor string) {
	var number, size int
	var total int64
	head, at, ok := strings.Cut(cursor, "~")
	if !ok || len(at) > 64 {
		return
	}
	if n, err := fmt.Sscanf(head, "%d.%d.%d", &number, &size, &total); n != 3 || err != nil || number != p.number || size != p.size {
		return
	}
	p.at, p.total = at, max(total, -1)
}

// cursor makes the one of the next page, which begins behind at.
func (p c8yPage) cursor(at string) string {
	return fmt.Sprintf("%d.%d.%d~%s", p.number+1, p.size, p.total, at)
}

// found is one page of results.
type found struct {
	items [][]byte // JSON
	bytes int
	more  bool   // there are some behind it
	at    string // where the next page begins, "" when only its number says so
	total int64  // -1: not counted
}

// add takes one result as JSON.
func (f *found) add(v any) error {
	item := encodeJSON(v)
	f.items = append(f.items, item)
	if f.bytes += len(item); f.bytes > maxAnswer {
		return c8yInvalid("this page has more than 32 MiB; ask for a smaller pageSize")
	}
	return nil
}

// collection wraps a page of results. next and prev are left out rather than null: a client follows whatever is there.
func (x *exchange) collection(self, key string, q url.Values, p c8yPage, f found) map[string]any {
	q.Set("pageSize", strconv.Itoa(p.size))
	link := func(number int, cursor string) string {
		q.Set("currentPage", strconv.Itoa(number))
		q.Del(pageCursor)
		if cursor != "" {
			q.Set(pageCursor, cursor)
		}
		return self + "?" + q.Encode()
	}
	items := make([]json.RawMessage, len(f.items))
	for i, item := range f.items {
		items[i] = item
	}
	stats := map[string]any{"currentPage": p.number, "pageSize": p.size}
	if f.total >= 0 && p.pages {
		stats["totalPages"] = (f.total + int64(p.size) - 1) / int64(p.size)
	}
	if f.total >= 0 && p.elements {
		stats["totalElements"] = f.total
	}
	out := map[string]any{"self": link(p.number, q.Get(pageCursor)), key: items, "statistics": stats}
	if f.more {
		cursor := ""
		if p.total = f.total; f.at != "" {
			cursor = p.cursor(f.at)
		}
		out["next"] = link(p.number+1, cursor)
	}
	if p.number > 1 {
		out["prev"] = link(p.number-1, "")
	}
	return out
}
