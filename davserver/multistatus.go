package davserver

import (
	"net/http"
	"slices"

	"golang.org/x/net/webdav"
)

// entry writes one <D:response>.
func (p *propfinder) entry(e *entry) {
	b := append(p.out.buf, "<D:response><D:href>"...)
	b = p.q.h.appendHref(b, e.path, e.info.IsDir())
	b = append(b, "</D:href>"...)
	start := len(b)
	b = append(b, "<D:propstat><D:prop>"...)
	none := len(b)
	p.miss = p.miss[:0]
	for i := range p.want.live {
		b = p.live(b, &p.want.live[i], e)
	}
	if p.want.all || p.want.names {
		b = p.allDead(b, e)
	}
	for _, n := range p.want.dead {
		b = p.namedDead(b, n, e)
	}
	missing := len(p.miss) > 0 && !p.want.minimal
	switch {
	case len(b) > none:
		b = appendStatus(append(b, "</D:prop>"...), http.StatusOK)
		b = append(b, "</D:propstat>"...)
	case missing:
		b = b[:start]
	default: // a response has one propstat at least
		b = appendStatus(append(b[:start], "<D:propstat><D:prop/>"...), http.StatusOK)
		b = append(b, "</D:propstat>"...)
	}
	if missing {
		b = append(append(b, "<D:propstat><D:prop>"...), p.miss...)
		b = appendStatus(append(b, "</D:prop>"...), http.StatusNotFound)
		b = append(b, "</D:propstat>"...)
	}
	p.out.buf = append(b, "</D:response>"...)
}

// live writes one live property, or notes that the resource lacks it.
func (p *propfinder) live(b []byte, l *liveProp, e *entry) []byte {
	if !l.of(e) {
		if !p.want.all && !p.want.names {
			p.miss = appendProp(p.miss, l.name, "")
		}
		return b
	}
	if p.want.all && !l.named && l.dull != nil && l.dull(e) {
		return b
	}
	if p.want.names {
		return appendProp(b, l.name, "")
	}
	if l.name.Space != davNS {
		return appendProp(b, l.name, string(l.add(nil, e)))
	}
	b = append(append(b, "<D:"...), l.name.Local...)
	b = append(b, '>')
	at := len(b)
	if b = l.add(b, e); len(b) == at {
		return append(b[:at-1], "/>"...)
	}
	return appendEnd(b, l.name)
}

// allDead writes all dead properties; the core's own are left to those who name them.
func (p *propfinder) allDead(b []byte, e *entry) []byte {
	for _, d := range e.dead {
		n, inner, ok := fromProperty(d)
		if !ok || n == displayName || ownSpace(n.Space) && !p.want.names || slices.Contains(p.want.dead, n) {
			continue
		}
		if p.want.names {
			inner = ""
		}
		b = appendProp(b, n, inner)
	}
	return b
}

// namedDead writes one dead property, or notes that it is not there.
func (p *propfinder) namedDead(b []byte, n name, e *entry) []byte {
	for _, d := range e.dead {
		if got, inner, ok := fromProperty(d); ok && got == n {
			return appendProp(b, n, inner)
		}
	}
	p.miss = appendProp(p.miss, n, "")
	return b
}

// appendPropstats writes the answer to a PROPPATCH.
func (h *handler) appendPropstats(b []byte, href string, stats []webdav.Propstat) []byte {
	b = append(append(append(b, "<D:response><D:href>"...), href...), "</D:href>"...)
	for _, s := range stats {
		b = append(b, "<D:propstat><D:prop>"...)
		for _, pr := range s.Props {
			b = appendProp(b, pr.XMLName, "")
		}
		b = appendStatus(append(b, "</D:prop>"...), s.Status)
		if s.XMLError != "" {
			b = append(append(append(b, "<D:error>"...), s.XMLError...), "</D:error>"...)
		}
		b = append(b, "</D:propstat>"...)
	}
	return append(b, "</D:response>"...)
}
