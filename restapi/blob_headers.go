package restapi

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"tote/fs"
)

// storedHeaders are the headers of an upload that a download gives back, kept as the property blobHeaders.
type storedHeaders struct {
	Disposition string            `json:"contentDisposition,omitempty"`
	Cache       string            `json:"cacheControl,omitempty"`
	Encoding    string            `json:"contentEncoding,omitempty"`
	Language    string            `json:"contentLanguage,omitempty"`
	Meta        map[string]string `json:"meta,omitempty"` // names without x-ms-meta-, in lower case
}

// write sets the headers of a download. Metadata names are not brought into the form of headers, because libraries give them to programs as
// they are: in the spelling of the property that came of them, else in lower case.
func (st storedHeaders) write(h http.Header, o *object) {
	for name, v := range map[string]string{"Cache-Control": st.Cache, "Content-Encoding": st.Encoding, "Content-Language": st.Language} {
		if v != "" {
			h.Set(name, headerText(v))
		}
	}
	for name, v := range st.Meta {
		if headerName(name) || strings.HasPrefix(name, "x_rdp") {
			h["x-ms-meta-"+o.metaName(name)] = []string{headerText(v)}
		}
	}
}

// metaName is the spelling of a metadata entry.
func (o *object) metaName(name string) string {
	for prop := range o.props {
		if prop != fs.PropOriginalFileName && strings.EqualFold(prop, name) && headerName(prop) {
			return prop
		}
	}
	return name
}

// storedHeaders reads what came with the bytes of a file.
func (s *server) storedHeaders(f finder, ino fs.Ino) (storedHeaders, error) {
	var st storedHeaders
	props, err := s.fs.Props(f.ctx, f.actor, ino)
	for _, p := range props {
		if p.Space == "" && p.Name == propHeaders {
			_ = json.Unmarshal([]byte(p.Value), &st) // written by us; anything else means none
		}
	}
	return st, err
}

// headersOf takes from a request what is kept. A client that was told to replace the placeholder in the disposition and did not has given no
// disposition.
func headersOf(h http.Header) (storedHeaders, error) {
	st := storedHeaders{
		Disposition: h.Get("x-ms-blob-content-disposition"), Cache: h.Get("x-ms-blob-cache-control"),
		Encoding: h.Get("x-ms-blob-content-encoding"), Language: h.Get("x-ms-blob-content-language"), Meta: map[string]string{},
	}
	if st.Disposition == shortAttachment(placeholderName) {
		st.Disposition = ""
	}
	size := 0
	for name, values := range h {
		if short, ok := cutPrefixFold(name, "x-ms-meta-"); ok {
			if short == "" {
				return st, blobMetaName
			}
			v := strings.Join(values, ",")
			st.Meta[strings.ToLower(short)] = v
			size += len(short) + len(v)
		}
	}
	if size > maxMetadata {
		return st, blobMetadata
	}
	return st, nil
}

// announcedMD5 are the digests that the named headers announce. Some clients send empty ones.
func announcedMD5(h http.Header, names ...string) ([][]byte, error) {
	var sums [][]byte
	for _, name := range names {
		v := h.Get(name)
		if v == "" {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(v)
		if err != nil || len(sum) != 16 {
			return nil, blobHeader
		}
		sums = append(sums, sum)
	}
	return sums, nil
}
