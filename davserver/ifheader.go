package davserver

import (
	"context"
	"net/http"
	"strings"

	"tote/fs"
)

// ifList is one parenthesised list of the If header (RFC 4918 section 10.4): all of its conditions must hold on one resource.
type ifList struct {
	path  string // of the resource; foreign when it is on another server
	conds []ifCond
}

// ifCond is a state token or an entity tag, perhaps negated.
type ifCond struct {
	not   bool
	token string
	etag  string // with its quotes, empty for a token
}

// maxIfLists bounds the lists of one header, each of which may ask the database about another resource.
const maxIfLists = 100

// badIf is the answer to an If header that does not follow the grammar.
func badIf() error { return refuse(http.StatusBadRequest, "the If header is not valid") }

// ifParser reads the header left to right.
type ifParser struct {
	h    *handler
	r    *http.Request
	path string // untagged lists are about the request's own resource
	rest string
}

// parseIf reads If; tagged and untagged lists do not mix, but clients that mix them mean the obvious.
func (h *handler) parseIf(r *http.Request, path string) ([]ifList, error) {
	p := ifParser{h: h, r: r, path: path, rest: strings.Join(r.Header.Values("If"), " ")}
	var lists []ifList
	for p.skip(); p.rest != ""; p.skip() {
		switch p.rest[0] {
		case '<':
			tag, ok := p.until('>')
			if !ok {
				return nil, badIf()
			}
			var err error
			if p.path, err = h.resolve(r, tag); err != nil {
				return nil, err
			}
		case '(':
			l, ok := p.list()
			if !ok {
				return nil, badIf()
			}
			if lists = append(lists, l); len(lists) > maxIfLists {
				return nil, badIf()
			}
		default:
			return nil, badIf()
		}
	}
	if len(lists) == 0 && len(r.Header.Values("If")) > 0 {
		return nil, badIf()
	}
	return lists, nil
}

// list reads "( [Not] <token> [Not] ["etag"] … )".
func (p *ifParser) list() (ifList, bool) {
	l := ifList{path: p.path}
	p.rest = p.rest[1:]
	for {
		p.skip()
		if strings.HasPrefix(p.rest, ")") {
			p.rest = p.rest[1:]
			return l, len(l.conds) > 0
		}
		c, ok := p.cond()
		if !ok {
			return l, false
		}
		l.conds = append(l.conds, c)
	}
}

// cond reads one condition.
func (p *ifParser) cond() (c ifCond, ok bool) {
	if len(p.rest) >= 3 && strings.EqualFold(p.rest[:3], "Not") {
		c.not = true
		p.rest = p.rest[3:]
		p.skip()
	}
	switch {
	case strings.HasPrefix(p.rest, "<"):
		c.token, ok = p.until('>')
		return c, ok && c.token != ""
	case strings.HasPrefix(p.rest, "["):
		c.etag, ok = p.until(']')
		return c, ok && c.etag != ""
	}
	return c, false
}

// until takes what is between the first byte and end.
func (p *ifParser) until(end byte) (string, bool) {
	i := strings.IndexByte(p.rest, end)
	if i < 0 {
		return "", false
	}
	s := p.rest[1:i]
	p.rest = p.rest[i+1:]
	return s, true
}

func (p *ifParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t") }

// fact is what an If header may ask about a resource.
type fact struct {
	etag   string          // "" when it is absent
	tokens map[string]bool // of the locks that cover it
}

// learn looks up the resources that the If header names. The ETag of the request's own resource is asked again inside the transaction.
func (c *conditions) learn(ctx context.Context, fsys *fs.FS, a *fs.Actor) error {
	c.facts = make(map[string]fact, len(c.lists))
	for _, l := range c.lists {
		if _, known := c.facts[l.path]; known || l.path == foreign {
			continue
		}
		f := fact{tokens: map[string]bool{}}
		locks, err := fsys.Locks(ctx, a, l.path)
		if err != nil && code(err) != http.StatusNotFound {
			return err
		}
		for _, k := range locks {
			f.tokens[k.Token] = true
		}
		if info, err := fsys.Stat(ctx, a, l.path); err == nil {
			f.etag = info.ETag()
		}
		c.facts[l.path] = f
	}
	return nil
}

// listsHold tells whether any list is true. cur is the request's own resource as it is now, nil when absent.
func (c *conditions) listsHold(cur *fs.Info) bool {
	for _, l := range c.lists {
		f := c.facts[l.path]
		if l.path == c.path {
			f.etag = ""
			if cur != nil {
				f.etag = cur.ETag()
			}
		}
		if l.holds(f) {
			return true
		}
	}
	return false
}

// holds tells whether all conditions are true.
func (l ifList) holds(f fact) bool {
	for _, c := range l.conds {
		ok := f.tokens[c.token]
		if c.etag != "" {
			ok = c.etag == f.etag // strong comparison: a weak tag never equals ours
		}
		if ok == c.not {
			return false
		}
	}
	return true
}
