package davserver

import (
	"bytes"
	"io"
	"net/http"

	"golang.org/x/net/webdav"

	"tote/fs"
)

// maxProp bounds the value of one dead property.
const maxProp = 64 << 10

// proppatch is x/net/webdav's, with two exceptions: the conditions are checked here, and a body that names DAV:getlastmodified is answered
// here, because x/net protects that property before it asks the file. Both ways end in patch.
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
	if mentions(patches, dav("getlastmodified")) {
		return q.ownProppatch(&cur, patches)
	}
	q.r.Body = io.NopCloser(bytes.NewReader(raw))
	return q.library()
}

// ownProppatch answers without the library.
func (q *request) ownProppatch(cur *fs.Info, patches []webdav.Proppatch) error {
	stats, err := q.patch(cur, patches)
	if err != nil {
		return err
	}
	s := stream{w: q.w, code: http.StatusMultiStatus, buf: []byte(multiOpen)}
	s.buf = q.h.appendPropstats(s.buf, q.h.href(q.path, cur.IsDir()), stats)
	s.buf = append(s.buf, multiClose...)
	s.finish()
	return nil
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

// mentions tells whether n is set or removed.
func mentions(patches []webdav.Proppatch, n name) bool {
	for _, p := range patches {
		for _, one := range p.Props {
			if one.XMLName == n {
				return true
			}
		}
	}
	return false
}

// change is what a PROPPATCH comes down to.
type change struct {
	order []name
	dead  map[name]*fs.Property // nil value: remove
	mtime int64                 // 0: keep
	bad   map[name]int          // status of what is refused
}

// patch applies all of patches or none. Statuses: 403 for a protected property, 409 for a time that is none, 507 for a value that is too
// long, 424 for the innocent rest.
func (q *request) patch(info *fs.Info, patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	c := change{dead: map[name]*fs.Property{}, bad: map[name]int{}}
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
	mtime, isTime, err := settable(n, plainText(inner))
	switch {
	case isTime && remove, !isTime && protected(n):
		c.bad[n] = http.StatusForbidden
	case isTime && err != nil:
		c.bad[n] = http.StatusConflict
	case isTime:
		c.mtime = mtime
	case len(inner) > maxProp:
		c.bad[n] = http.StatusInsufficientStorage
	case !remove:
		p := toProperty(n, inner)
		c.dead[n] = &p
	}
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

// apply writes the dead properties in one transaction; the time, which cannot fail for the file's sake once they went in, follows.
func (q *request) apply(info *fs.Info, c *change) error {
	var set, remove []fs.Property
	for _, n := range c.order {
		if _, isTime, _ := settable(n, ""); isTime {
			continue
		}
		if p := c.dead[n]; p != nil {
			set = append(set, *p)
		} else {
			remove = append(remove, toProperty(n, ""))
		}
	}
	if len(set)+len(remove) > 0 {
		if err := q.h.fsys.PatchProps(q.ctx, q.actor, info.Ino(), set, remove); err != nil {
			return err
		}
	}
	if c.mtime == 0 {
		return nil
	}
	_, err := q.h.fsys.SetAttr(q.ctx, q.actor, info.Ino(), fs.SetAttr{Mtime: &c.mtime}, nil)
	return err
}
