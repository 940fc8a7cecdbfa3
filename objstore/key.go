package objstore

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// MaxKey is the length of the longest key, in bytes.
	MaxKey = 1024
	// MaxSegment is the length of the longest last segment that VersionKey makes, in bytes: what file systems
	// hold in one name.
	MaxSegment = 255

	maxExt  = 32    // longer "extensions" are no extensions
	mark    = "@_@" // between the stem and the GUID of a version
	verPath = "/binarystreamobject/assets/"
)

// ValidKey checks a key: 1 to MaxKey bytes of valid UTF-8 without control bytes and backslashes, in segments
// divided by single slashes, none of them empty, "." or "..". Every error is an ErrKey.
func ValidKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrKey)
	case len(key) > MaxKey:
		return fmt.Errorf("%w: %.40q… is longer than %d bytes", ErrKey, key, MaxKey)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: %q is not UTF-8", ErrKey, key)
	case strings.ContainsFunc(key, badRune):
		return fmt.Errorf("%w: %q has a control byte or a backslash", ErrKey, key)
	}
	for seg := range strings.SplitSeq(key, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return fmt.Errorf("%w: %q has an empty, \".\" or \"..\" segment", ErrKey, key)
		}
	}
	return nil
}

func badRune(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }

// VersionKey makes the key of one version of a file from the file's name and the version's GUID:
// tenant/binarystreamobject/assets/stem@_@guid.ext. The stem is escaped, and shortened where the key or its
// last segment would be too long; tenant and guid are taken as they are and must be safe and short.
func VersionKey(tenant, name, guid string) string {
	stem, ext := splitExt(name)
	dir := tenant + verPath
	tail := mark + guid + escape(ext)
	room := min(MaxSegment, MaxKey-len(dir)) - len(tail)
	return dir + shorten(escape(stem), room) + tail
}

// SplitVersionName takes the last segment of a version's key apart. The last "@_@" counts, since a file's own
// name may hold one; stem and ext are returned as they stand, escaped where VersionKey escaped them.
func SplitVersionName(name string) (stem, guid, ext string, ok bool) {
	i := strings.LastIndex(name, mark)
	if i < 0 {
		return "", "", "", false
	}
	stem, guid = name[:i], name[i+len(mark):]
	if dot := strings.IndexByte(guid, '.'); dot >= 0 {
		guid, ext = guid[:dot], guid[dot:]
	}
	if guid == "" {
		return "", "", "", false
	}
	return stem, guid, ext, true
}

// splitExt divides a name before its last dot. A dot file has no extension, nor has a name whose extension is
// too long to be one or would hide the mark from SplitVersionName.
func splitExt(name string) (stem, ext string) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || len(name)-i > maxExt || strings.Contains(name[i:], mark) {
		return name, ""
	}
	return name[:i], name[i:]
}

// shorten cuts an escaped string to at most room bytes without splitting a rune or a %XX.
func shorten(s string, room int) string {
	if len(s) <= room {
		return s
	}
	end := 0
	for end < len(s) {
		step := 3
		if s[end] != '%' {
			_, step = utf8.DecodeRuneInString(s[end:])
		}
		if end+step > room {
			break
		}
		end += step
	}
	return s[:end]
}

// EscapeName makes one safe key segment of any file name by percent-encoding what a key can't hold: control
// characters, '/', '\', '%', bytes that are not UTF-8, and what S3 calls unsafe. "." and ".." become "%2E"
// and "%2E%2E". The result may be up to three times as long as the name; the empty name stays empty.
func EscapeName(name string) string {
	if name == "." || name == ".." {
		return strings.Repeat("%2E", len(name))
	}
	return escape(name)
}

func escape(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if !mustEscape(r, n) {
			b.WriteString(name[i : i+n])
			i += n
			continue
		}
		for end := i + n; i < end; i++ {
			b.WriteByte('%')
			b.WriteByte(hex[name[i]>>4])
			b.WriteByte(hex[name[i]&15])
		}
	}
	return b.String()
}

// mustEscape says whether a rune of n bytes has to be escaped. U+FFFE and U+FFFF are among them because the XML
// in which stores list their keys can't carry them.
func mustEscape(r rune, n int) bool {
	switch {
	case r == utf8.RuneError && n == 1:
		return true
	case r < 0x20, r >= 0x7f && r <= 0x9f, r == 0xfffe, r == 0xffff:
		return true
	}
	return strings.ContainsRune("/\\%^`><{}[]#|\"~", r)
}

// UnescapeName is the inverse of EscapeName. A '%' without two hex digits behind it is an ErrKey.
func UnescapeName(segment string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(segment); i++ {
		if segment[i] != '%' {
			b.WriteByte(segment[i])
			continue
		}
		if i+2 >= len(segment) || unhex(segment[i+1]) < 0 || unhex(segment[i+2]) < 0 {
			return "", fmt.Errorf("%w: %q has a '%%' without two hex digits", ErrKey, segment)
		}
		b.WriteByte(byte(unhex(segment[i+1])<<4 | unhex(segment[i+2])))
		i += 2
	}
	return b.String(), nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
