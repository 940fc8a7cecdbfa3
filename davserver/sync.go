package davserver

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tote/fs"
)

// syncToken is the name of a moment in the history of one collection (RFC 6578 section 3.2): its number and that of the newest change.
const syncToken = "urn:tote:sync:"

func appendSyncToken(b []byte, dir fs.Ino, seq int64) []byte {
	b = strconv.AppendUint(append(b, syncToken...), uint64(dir), 10)
	return strconv.AppendInt(append(b, '-'), seq, 10)
}

// parseSyncToken undoes appendSyncToken for one collection.
func parseSyncToken(v string, dir fs.Ino) (int64, bool) {
	own, ok := strings.CutPrefix(v, syncToken)
	ino, seq, dash := strings.Cut(own, "-")
	n, err := strconv.ParseUint(seq, 10, 63)
	return int64(n), ok && dash && err == nil && ino == strconv.FormatUint(uint64(dir), 10)
}

// badSyncToken tells the client to begin anew.
func badSyncToken() error {
	return refuseXML(http.StatusForbidden, "the sync token is not valid any more", "<D:valid-sync-token/>")
}

// report serves REPORT, of which there is one: sync-collection (RFC 6578), which lists what has changed in a collection since a token.
func (q *request) report() error {
	cur, err := q.stat(q.path)
	if err != nil {
		return err
	}
	if err := q.precheck(&cur); err != nil {
		return err
	}
	body, err := parseXML(q.r.Body)
	if err != nil {
		return err
	}
	if !cur.IsDir() {
		return refuse(http.StatusMethodNotAllowed, "only a collection has reports")
	}
	if body == nil || body.name != dav("sync-collection") {
		return refuseXML(http.StatusForbidden, "this report is not known here", "<D:supported-report/>")
	}
	if d := q.r.Header.Get("Depth"); d != "" && q.depth() != depthZero { // RFC 6578 section 3.2
		return badDepth()
	}
	return q.syncCollection(&cur, body)
}

// syncCollection reads the body of the report and answers it.
func (q *request) syncCollection(cur *fs.Info, body *element) error {
	token, level, prop := body.kid("sync-token"), body.kid("sync-level"), body.kid("prop")
	if token == nil || prop == nil {
		return badXML()
	}
	if level != nil && strings.TrimSpace(level.text()) == "infinite" {
		return refuseXML(http.StatusForbidden, "a report is about one collection", "<D:sync-traversal-supported/>")
	}
	last, err := q.h.fsys.LastChange(q.ctx, q.actor) // before anything is looked at: what comes meanwhile is told again the next time
	if err != nil {
		return err
	}
	w := &wanted{minimal: q.minimal()}
	w.choose(prop)
	p := &propfinder{q: q, want: w, out: newStream(q.w, q.r), left: q.limit(body)}
	if err := p.findLocks(true); err != nil {
		return err
	}
	p.out.buf = append(make([]byte, 0, 4096), multiOpen...)
	if p.left > 0 {
		p.out.w = nil // nothing is sent before it is known to fit
	}
	if err := p.changes(cur, strings.TrimSpace(token.text())); err != nil {
		return p.broken(err)
	}
	p.out.buf = appendSyncToken(append(p.out.buf, "<D:sync-token>"...), cur.Ino(), last)
	p.out.buf = append(append(p.out.buf, "</D:sync-token>"...), multiClose...)
	p.out.w = q.w
	p.out.finish()
	return nil
}

// limit is the most results that the client takes, 0 for any number (RFC 5323 section 5.17).
func (q *request) limit(body *element) int {
	if l := body.kid("limit"); l != nil {
		if n := l.kid("nresults"); n != nil {
			if most, err := strconv.ParseUint(strings.TrimSpace(n.text()), 10, 31); err == nil {
				return int(most)
			}
		}
	}
	return 0
}

// changes writes what has changed since a token, which is everything for none.
func (p *propfinder) changes(cur *fs.Info, token string) error {
	if token == "" {
		return p.list(p.q.path, p.within)
	}
	after, ok := parseSyncToken(token, cur.Ino())
	if !ok {
		return badSyncToken()
	}
	names, err := p.q.h.fsys.ChangedIn(p.q.ctx, p.q.actor, cur.Ino(), after)
	if code(err) == http.StatusConflict {
		return badSyncToken()
	}
	if err != nil {
		return err
	}
	for page := range slices.Chunk(names, deadPage) {
		if err := p.changed(page); err != nil {
			return err
		}
	}
	return nil
}

// within refuses more results than the client takes.
func (p *propfinder) within(infos []fs.Info) error {
	if p.out.w != nil { // any number
		return nil
	}
	if p.left -= len(infos); p.left < 0 {
		return refuseXML(http.StatusInsufficientStorage, "there are more results than the limit", "<D:number-of-matches-within-limits/>")
	}
	return nil
}

// changed writes some names of the collection: what is there with its properties, what is not with 404.
func (p *propfinder) changed(names []string) error {
	var infos []fs.Info
	var gone []string
	for _, n := range names {
		info, err := p.q.stat(childOf(p.q.path, n))
		switch {
		case code(err) == http.StatusNotFound:
			gone = append(gone, n)
		case err != nil:
			return err
		default:
			infos = append(infos, info)
		}
	}
	if err := p.within(make([]fs.Info, len(names))); err != nil {
		return err
	}
	if err := p.entries(p.q.path, p.q.h.listed(infos), true); err != nil {
		return err
	}
	for _, n := range gone {
		b := p.q.h.appendHref(append(p.out.buf, "<D:response><D:href>"...), childOf(p.q.path, n), false)
		p.out.buf = append(appendStatus(append(b, "</D:href>"...), http.StatusNotFound), "</D:response>"...)
	}
	p.out.full()
	return nil
}

func addSyncToken(b []byte, e *entry) []byte {
	last, err := e.q.h.fsys.LastChange(e.q.ctx, e.q.actor)
	if err != nil {
		return b
	}
	return appendSyncToken(b, e.info.Ino(), last)
}

func addReports(b []byte, _ *entry) []byte {
	return append(b, "<D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report>"...)
}
