package davserver

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/webdav"
)

// The frame of every XML answer. Windows ignores elements without a prefix, so DAV: is always D.
const (
	xmlHeader  = `<?xml version="1.0" encoding="utf-8"?>` + "\n"
	xmlType    = "application/xml; charset=utf-8"
	multiOpen  = xmlHeader + `<D:multistatus xmlns:D="DAV:">`
	multiClose = "</D:multistatus>\n"
)

// appendText escapes s for the content of an element. What XML cannot hold at all (control characters, broken UTF-8) becomes U+FFFD; hrefs
// carry the exact bytes.
func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			b = appendASCII(b, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == 0xFFFE || r == 0xFFFF {
			r = utf8.RuneError
		}
		b = utf8.AppendRune(b, r)
		i += n
	}
	return b
}

// appendASCII is appendText for one byte below 0x80.
func appendASCII(b []byte, c byte) []byte {
	switch c {
	case '<':
		return append(b, "&lt;"...)
	case '>':
		return append(b, "&gt;"...)
	case '&':
		return append(b, "&amp;"...)
	case '\r': // a parser would make a line feed of it
		return append(b, "&#13;"...)
	case '\t', '\n':
		return append(b, c)
	}
	if c < 0x20 {
		return append(b, "\uFFFD"...)
	}
	return append(b, c)
}

// appendAttr escapes s for an attribute value in double quotes, where a parser would make spaces of tabs and line feeds.
func appendAttr(b []byte, s string) []byte {
	from := len(b)
	b = appendText(b, s)
	if !bytes.ContainsAny(b[from:], "\"\t\n") {
		return b
	}
	value := string(b[from:])
	return append(b[:from], strings.NewReplacer(`"`, "&#34;", "\t", "&#9;", "\n", "&#10;").Replace(value)...)
}

// appendEscapedPath percent-encodes a path with upper-case digits. Only characters that are safe in a URL path, in XML and in HTML stay.
func appendEscapedPath(b []byte, p string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(p) {
		c := p[i]
		if plainInPath(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// plainInPath lists the characters that appendEscapedPath leaves alone.
func plainInPath(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '/', '-', '_', '.', '~', '!', '$', '(', ')', '*', '+', ',', ';', '=', ':', '@':
		return true
	}
	return false
}

// appendStart opens the start tag of a name, without its '>'. Names outside DAV: get the prefix P declared on the spot, so that an
// element in no namespace inside of them stays in none.
func appendStart(b []byte, n name) []byte {
	switch n.Space {
	case davNS:
		b = append(append(b, "<D:"...), n.Local...)
		return append(b, ` xmlns:D="DAV:"`...)
	case "":
		return append(append(b, '<'), n.Local...)
	}
	b = append(append(b, "<P:"...), n.Local...)
	b = append(b, ` xmlns:P="`...)
	return append(appendAttr(b, n.Space), '"')
}

// appendEnd closes what appendStart opened.
func appendEnd(b []byte, n name) []byte {
	switch n.Space {
	case davNS:
		b = append(b, "</D:"...)
	case "":
		b = append(b, "</"...)
	default:
		b = append(b, "</P:"...)
	}
	return append(append(b, n.Local...), '>')
}

// appendProp writes one property below <D:multistatus>, where D is declared already.
func appendProp(b []byte, n name, inner string) []byte {
	if n.Space == davNS {
		b = append(append(b, "<D:"...), n.Local...)
	} else {
		b = appendStart(b, n)
	}
	if inner == "" {
		return append(b, "/>"...)
	}
	b = append(append(b, '>'), inner...)
	return appendEnd(b, n)
}

// appendStatus writes the status line of a propstat or a response.
func appendStatus(b []byte, code int) []byte {
	b = append(b, "<D:status>HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(append(b, ' '), webdav.StatusText(code)...)
	return append(b, "</D:status>"...)
}
