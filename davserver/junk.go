package davserver

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"tote/fs"
)

// Junk says what becomes of the files that desktops leave behind wherever they look: "._" followed by a name, .DS_Store, Thumbs.db and desktop.ini.
// Refusing them would make a whole copy fail.
type Junk int

// What can become of them.
const (
	JunkKeep Junk = iota // they are files like any other
	JunkHide             // they are kept and served by name, and listed nowhere over WebDAV
	JunkDrop             // they seem to be taken, and are not kept; those that are there are as with JunkHide
)

// ParseJunk reads keep, hide or drop.
func ParseJunk(s string) (Junk, error) {
	i := slices.Index([]string{"keep", "hide", "drop"}, s)
	if i < 0 {
		return JunkKeep, fmt.Errorf("%q is not keep, hide or drop", s)
	}
	return Junk(i), nil
}

// isJunk tells whether a name is one of those.
func isJunk(name string) bool {
	return strings.HasPrefix(name, "._") || name == ".DS_Store" || strings.EqualFold(name, "Thumbs.db") || strings.EqualFold(name, "desktop.ini")
}

// listed is infos without what is hidden.
func (h *handler) listed(infos []fs.Info) []fs.Info {
	if h.opts.Junk == JunkKeep {
		return infos
	}
	return slices.DeleteFunc(infos, func(i fs.Info) bool { return isJunk(i.Name()) && !i.IsDir() })
}

// drops tells whether the request's resource is not to be kept.
func (q *request) drops() bool { return q.h.opts.Junk == JunkDrop && isJunk(path.Base(q.path)) }

// drop takes a body to nowhere.
func (q *request) drop() error {
	body := &bodyReader{r: q.r.Body}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return body.blame(err)
	}
	q.w.WriteHeader(http.StatusCreated)
	return nil
}
