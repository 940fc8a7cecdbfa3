package restapi

import "strings"

// attachment is the Content-Disposition of a download (RFC 6266). The plain form holds only characters that no parser stumbles over; when
// that changed the name, the exact one follows in the extended form.
func attachment(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f || strings.ContainsRune(`"\;%`, r) {
			return '_'
		}
		return r
	}, name)
	v := `attachment; filename="` + plain + `"`
	if plain != name {
		v += "; filename*=UTF-8''" + extended(name)
	}
	return v
}

// extended percent-encodes everything but the attr-chars of RFC 8187.
func extended(name string) string {
	name = strings.ToValidUTF8(name, "_")
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString(percent(c))
	}
	return b.String()
}

const hexDigits = "0123456789ABCDEF"

func percent(c byte) string { return string([]byte{'%', hexDigits[c>>4], hexDigits[c&15]}) }

// shortAttachment is the form in the headers of prepareUpload: unquoted when the name allows it, as the clients' scripts expect.
func shortAttachment(name string) string {
	if name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`|~@") == "" {
		return "attachment; filename=" + name
	}
	return attachment(name)
}

// headerText makes a value legal in a header of a browser: what is not printable ASCII is percent-encoded.
func headerText(v string) string {
	var b strings.Builder
	for i := range len(v) {
		if c := v[i]; c < ' ' || c >= 0x7f {
			b.WriteString(percent(c))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// lastSegment reduces a name that came with a path of the client's disk to its last part; both kinds of separators count.
func lastSegment(name string) string {
	return name[strings.LastIndexAny(name, `/\`)+1:]
}

// validName tells whether the core can hold a name.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 && !strings.ContainsAny(name, "/\x00")
}
