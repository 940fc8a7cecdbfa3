package davserver

import (
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"
)

// httpTime is the form of Last-Modified and getlastmodified.
func httpTime(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// parentOf is the collection that holds p; the root holds itself.
func parentOf(p string) string { return path.Dir(p) }

// childOf is the path of an entry of dir.
func childOf(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// below tells whether p lies in the tree under dir, dir itself excluded.
func below(p, dir string) bool {
	return p != dir && (dir == "/" || strings.HasPrefix(p, dir+"/"))
}

// printable replaces what a page cannot show.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
