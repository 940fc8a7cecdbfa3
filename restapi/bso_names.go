package restapi

import (
	"encoding/json"
	"path"
	"strings"
	"unicode/utf8"

	"tote/fs"
)

const (
	defaultType = "binarystreamobject"
	assetsDir   = "/assets"
	maxKey      = 1024
)

// printable refuses control characters and what is no text.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}

// dotted tells whether a path has a part that leads elsewhere, whichever separator a client's system uses.
func dotted(p string) bool {
	for part := range strings.FieldsFuncSeq(p, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == ".." {
			return true
		}
	}
	return false
}

// validID tells whether a text can be the id of an object.
func validID(id string) bool {
	return id != "" && len(id) <= maxKey && printable(id) && !dotted(id)
}

// validKey tells whether a text can be an object key: a relative path without empty, "." or ".." parts.
func validKey(key string) bool {
	if key == "" || len(key) > maxKey || !printable(key) || strings.Contains(key, `\`) {
		return false
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." || len(part) > 255 {
			return false
		}
	}
	return true
}

const tokenChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// validType tells whether a text can be the type of an object.
func validType(t string) bool {
	return t != "" && len(t) <= 128 && strings.Trim(t, tokenChars) == ""
}

// spellings are the properties whose spelling differs between documents and whose case is lost in headers.
var spellings = []string{fs.PropObjectKey, fs.PropFullObjectPath, fs.PropOriginalFileName, fs.PropUser, fs.PropRole,
	fs.PropOwnershipData, fs.PropMediaAssetID, "ignoreAssetProcessing", "replacementFileName"}

// spelling gives a property its documented spelling.
func spelling(name string) string {
	for _, s := range spellings {
		if strings.EqualFold(s, name) {
			return s
		}
	}
	return name
}

// Names under which an object is kept among the properties of its file.
const (
	propID         = "objectId"
	propType       = "objectType"
	propData       = "objectData"  // data.attributes
	propHeaders    = "blobHeaders" // headers that a download gives back
	propCreatedBy  = "createdBy"
	propCreated    = "createdDate"
	propModifiedBy = "modifiedBy"
	propModified   = "modifiedDate"
)

// serverOwned are the properties, in lower case, that a client may send but not set.
var serverOwned = map[string]bool{
	"contentsize": true, "binarystreamobjectid": true, "createdservice": true, "modifiedservice": true, "createdby": true,
	"modifiedby": true, "createddate": true, "modifieddate": true, "uploadurl": true, "downloadurl": true, "uploadcontinuousurl": true,
	"downloadcontinuousurl": true, "replacementobjectkey": true, "headers": true,
	"objectid": true, "objecttype": true, "objectdata": true, "blobheaders": true,
}

// kept are the properties of a file that filling it anew leaves alone.
var kept = map[string]bool{fs.PropContentType: true, propHeaders: true}

// clientProps takes the properties that a client may set, in their documented spelling.
func clientProps(in map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	out := make(map[string]json.RawMessage, len(in))
	for name, value := range in {
		if serverOwned[strings.ToLower(name)] {
			continue
		}
		if name == "" || len(name) > 255 || !printable(name) {
			return nil, bsoIllegal("the name of a property")
		}
		out[spelling(name)] = json.RawMessage(compact(value))
	}
	p := textOf(out[fs.PropFullObjectPath])
	if dotted(p) || strings.ContainsRune(p, 0) {
		return nil, bsoIllegal("fullObjectPath")
	}
	if _, err := homeOf("", p); err != nil { // or no upload could ever be stored there
		return nil, err
	}
	if !plainHeader(textOf(out[fs.PropContentType])) {
		return nil, bsoIllegal("contentType")
	}
	return out, checkName(out)
}

// checkName refuses an original name that can't become a name in the tree.
func checkName(props map[string]json.RawMessage) error {
	raw, ok := props[fs.PropOriginalFileName]
	if !ok || string(raw) == "null" {
		return nil
	}
	if name := textOf(raw); dotted(name) || !validName(lastSegment(name)) {
		return bsoIllegal("originalFileName")
	}
	return nil
}

// textOf is a property as text: a string without its quotes, anything else as its JSON.
func textOf(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	return fs.FromJSONString(string(raw))
}

// homeOf is the directory where a new object lands: the one of its full path, confined to the tenant's tree. A path in the form of the
// object store, or one of another system, means the default directory.
func homeOf(tenant, fullPath string) (string, error) {
	if fullPath == "" || strings.Contains(fullPath, `\`) {
		return assetsDir, nil
	}
	if rest, ok := strings.CutPrefix(strings.TrimLeft(fullPath, "/"), tenant+"/"+defaultType+"/assets/"); ok {
		fullPath = assetsDir + "/" + rest
	}
	dir, err := fs.CleanPath(path.Dir(path.Clean("/" + fullPath)))
	if err != nil {
		return "", bsoIllegal("fullObjectPath")
	}
	if dir == "/" || dir == "" {
		return assetsDir, nil
	}
	return dir, nil
}

// treeName is the name that a new object shows in the tree.
func treeName(props map[string]json.RawMessage, key string) string {
	if name := lastSegment(textOf(props[fs.PropOriginalFileName])); name != "" {
		return name
	}
	return path.Base(key)
}
