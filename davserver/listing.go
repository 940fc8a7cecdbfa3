package davserver

import (
	"bytes"
	"html"
	"net/http"
	"strconv"
	"time"

	"tote/fs"
)

// Bounds of the page that a browser sees.
const (
	listPage    = 1000
	listEntries = 10000
)

// getCollection answers GET and HEAD on a collection with a plain page. Clients that look at a folder before they enter it (lftp,
// LibreOffice, several libraries) need the 200; nobody needs more than the links.
func (q *request) getCollection() error {
	cur, err := q.stat(q.path)
	if err != nil {
		return err
	}
	if q.conds.match != nil && !matches(q.conds.match, &cur, false) {
		return fs.ErrPrecondition
	}
	page, err := q.listing()
	if err != nil {
		return err
	}
	head := q.w.Header()
	safeContent(head)
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Length", strconv.Itoa(len(page)))
	head.Set("Cache-Control", "no-cache")
	head.Set("ETag", cur.ETag())
	head.Set("Last-Modified", httpTime(cur.ModTime()))
	q.w.WriteHeader(http.StatusOK)
	if q.r.Method != http.MethodHead {
		_, _ = q.w.Write(page) // a client that left does not need it
	}
	return nil
}

// listing renders the page. Links are absolute, because the URL may have come without its slash.
func (q *request) listing() ([]byte, error) {
	var b bytes.Buffer
	title := html.EscapeString(printable(q.path))
	b.WriteString("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>" + title + "</title></head><body>\n<h1>" + title + "</h1>\n<table>\n")
	if q.path != "/" {
		q.row(&b, parentOf(q.path), "..", nil)
	}
	after, left := uint64(0), listEntries
	for left > 0 {
		infos, next, err := q.h.fsys.List(q.ctx, q.actor, q.path, after, min(left, listPage))
		if err != nil {
			return nil, err
		}
		for _, i := range q.h.listed(infos) {
			q.row(&b, childOf(q.path, i.Name()), i.Name(), &i)
		}
		left -= len(infos)
		if after = next; next == 0 {
			break
		}
	}
	b.WriteString("</table>\n")
	if after != 0 {
		b.WriteString("<p>More entries are not shown here; open the folder with a WebDAV client.</p>\n")
	}
	b.WriteString("</body></html>\n")
	return b.Bytes(), nil
}

// row writes one line; nil info is the way up.
func (q *request) row(b *bytes.Buffer, path, name string, info *fs.Info) {
	dir := info == nil || info.IsDir()
	b.WriteString(`<tr><td><a href="` + q.h.href(path, dir) + `">` + html.EscapeString(printable(name)))
	if dir {
		b.WriteByte('/')
	}
	b.WriteString("</a></td>")
	if info != nil {
		size := ""
		if !dir {
			size = strconv.FormatInt(info.Size(), 10)
		}
		b.WriteString("<td align=\"right\">" + size + "</td><td>" + info.ModTime().UTC().Format(time.DateTime) + "</td>")
	}
	b.WriteString("</tr>\n")
}
