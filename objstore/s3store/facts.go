package s3store

import (
	"encoding/base64"
	"strings"

	"tote/objstore"
)

// factPrefix is what the names of facts have in front among the user metadata of objects.
const factPrefix = "tote-"

// writeFacts makes user metadata of facts, or nil.
func writeFacts(facts map[string]string) (map[string]string, error) {
	if err := objstore.CheckFacts(facts); err != nil || len(facts) == 0 {
		return nil, err
	}
	named := make(map[string]string, len(facts))
	for name, value := range facts {
		named[factPrefix+name] = value
	}
	return objstore.FitFacts(named, encodeFact), nil
}

// readFacts is the inverse. Values that are not of our making are left out.
func readFacts(meta map[string]string) map[string]string {
	facts := map[string]string{}
	for name, value := range meta {
		name, ok := strings.CutPrefix(strings.ToLower(name), factPrefix)
		if !ok {
			continue
		}
		if plain, err := decodeFact(value); err == nil {
			facts[name] = plain
		}
	}
	return facts
}

// encodeFact makes a header value of any text: percent-encoded, so that people can read it, or in base64 behind a
// colon where that would make it more than twice as long. It is never empty, because some servers drop empty values.
func encodeFact(value string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(value) {
		c := value[i]
		if plainByte(c) && (c != ' ' || i > 0 && i < len(value)-1 && value[i-1] != ' ') {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	if b.Len() == 0 || b.Len() > 2*len(value) {
		return ":" + base64.RawStdEncoding.EncodeToString([]byte(value))
	}
	return b.String()
}

// plainByte excludes what signing, proxies and servers are known to change in headers: runs and ends of spaces,
// commas, which divide values, and the marks of encoded words.
func plainByte(c byte) bool {
	return c >= 0x20 && c < 0x7f && strings.IndexByte(`%:,="?`, c) < 0
}

func decodeFact(value string) (string, error) {
	if coded, ok := strings.CutPrefix(value, ":"); ok {
		raw, err := base64.RawStdEncoding.DecodeString(coded)
		return string(raw), err
	}
	return objstore.UnescapeName(value)
}
