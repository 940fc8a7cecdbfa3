package davserver

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/webdav"

	"tote/fs"
)

// maxProp bounds the value of one dead property.
const maxProp = 64 << 10

// proppatch sets and removes properties, all or none, in one transaction with the conditions. A client that asks for a minimal answer gets none when
// all went well (RFC 8144 section 2.2).
func (q *request) proppatch() error {
	cur, err := q.stat(q.path)
	if err != nil {
		return err
	}
	if err := q.precheck(&cur); err != nil {
		return err
	}
	if q.locked() {
		return fs.ErrLocked
	}
	raw, err := io.ReadAll(q.r.Body) // Guard has bounded it
	if err != nil {
		return badXML()
	}
	patches, err := proppatches(raw)
	if err != nil {
		return err
	}
	stats, err := q.patch(&cur, patches)
	if err != nil {
		return err
	}
	if q.minimal() && len(stats) == 1 && stats[0].Status == http.StatusOK {
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	s := newStream(q.w, q.r)
	s.buf = q.h.appendPropstats([]byte(multiOpen), q.h.href(q.path, cur.IsDir()), stats)
	s.buf = append(s.buf, multiClose...)
	s.finish()
	return nil
}

// minimal tells whether the client wants no more than it needs (RFC 8144), and says that it gets that.
func (q *request) minimal() bool {
	for p := range strings.SplitSeq(strings.Join(q.r.Header.Values("Prefer"), ","), ",") {
		p, _, _ = strings.Cut(p, ";")
		if strings.EqualFold(strings.ReplaceAll(strings.TrimSpace(p), `"`, ""), "return=minimal") {
			q.w.Header().Set("Preference-Applied", "return=minimal")
			return true
		}
	}
	return false
}

// proppatches reads <propertyupdate> in document order.
func proppatches(raw []byte) ([]webdav.Proppatch, error) {
	body, err := parseXML(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if body == nil || body.name != dav("propertyupdate") {
		return nil, badXML()
	}
	var patches []webdav.Proppatch
	for k := range body.kids() {
		p := webdav.Proppatch{Remove: k.name == dav("remove")}
		prop := k.kid("prop")
		if !p.Remove && k.name != dav("set") || prop == nil {
			return nil, badXML()
		}
		for e := range prop.kids() {
			one := webdav.Property{XMLName: e.name}
			if !p.Remove {
				one.InnerXML = []byte(e.inner())
			}
			p.Props = append(p.Props, one)
		}
		patches = append(patches, p)
	}
	if len(patches) == 0 {
		return nil, badXML()
	}
	return patches, nil
}

// change is what a PROPPATCH comes down to.
type change struct {
	order []name
	dead  map[name]*fs.Property // nil value: remove
	times map[stamp]int64
	bad   map[name]int // status of what is refused
}

// patch applies all of patches or none. Statuses: 403 for a protected property, 409 for a time that is none, 507 for a value that is too
// long, 424 for the innocent rest.
func (q *request) patch(info *fs.Info, patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	c := change{dead: map[name]*fs.Property{}, times: map[stamp]int64{}, bad: map[name]int{}}
	for _, p := range patches {
		for _, one := range p.Props {
			c.take(one.XMLName, string(one.InnerXML), p.Remove)
		}
	}
	if len(c.bad) > 0 {
		return c.refused(), nil
	}
	if err := q.apply(info, &c); err != nil {
		return nil, err
	}
	return []webdav.Propstat{{Status: http.StatusOK, Props: properties(c.order)}}, nil
}

// take adds one instruction; a later one for the same name wins.
func (c *change) take(n name, inner string, remove bool) {
	if _, dup := c.dead[n]; !dup {
		c.order = append(c.order, n)
	}
	c.dead[n] = nil
	at := stampOf(n)
	switch {
	case at != noStamp && remove, at == noStamp && protected(n):
		c.bad[n] = http.StatusForbidden
	case at != noStamp:
		c.takeTime(n, at, plainText(inner))
	case len(inner) > maxProp:
		c.bad[n] = http.StatusInsufficientStorage
	case !remove:
		p := toProperty(n, inner)
		c.dead[n] = &p
	}
}

// takeTime adds a time.
func (c *change) takeTime(n name, at stamp, value string) {
	ns, err := parseStamp(value)
	if err != nil {
		c.bad[n] = http.StatusConflict
		return
	}
	c.times[at] = ns
}

// refused is the answer when anything was bad.
func (c *change) refused() []webdav.Propstat {
	by := map[int][]name{}
	for _, n := range c.order {
		status := c.bad[n]
		if status == 0 {
			status = webdav.StatusFailedDependency
		}
		by[status] = append(by[status], n)
	}
	var stats []webdav.Propstat
	for _, status := range []int{http.StatusForbidden, http.StatusConflict, http.StatusInsufficientStorage, webdav.StatusFailedDependency} {
		if len(by[status]) == 0 {
			continue
		}
		s := webdav.Propstat{Status: status, Props: properties(by[status])}
		if status == http.StatusForbidden {
			s.XMLError = `<D:cannot-modify-protected-property xmlns:D="DAV:"/>`
		}
		stats = append(stats, s)
	}
	return stats
}

// properties wraps names without values.
func properties(names []name) []webdav.Property {
	props := make([]webdav.Property, len(names))
	for i, n := range names {
		props[i].XMLName = n
	}
	return props
}

// apply writes the properties and times in one transaction.
func (q *request) apply(info *fs.Info, c *change) error {
	p := fs.NodePatch{Cond: q.conds.cond()}
	for _, n := range c.order {
		if stampOf(n) != noStamp {
			continue
		}
		if set := c.dead[n]; set != nil {
			p.Set = append(p.Set, *set)
		} else {
			p.Remove = append(p.Remove, toProperty(n, ""))
		}
	}
	if ns, ok := c.times[modified]; ok {
		p.Mtime = &ns
	}
	if ns, ok := c.times[born]; ok {
		p.Btime = &ns
	}
	return q.h.fsys.PatchNode(q.ctx, q.actor, info.Ino(), p)
}
