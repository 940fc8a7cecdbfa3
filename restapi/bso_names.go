package restapi

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
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
		if part == "" || part == "." || part == ".." {
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
	fs.PropOwnershipData, fs.PropMediaAssetID, "ignoreAssetProcessing", propReplacement}

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

// propReplacement is what stands for the name of each file in the headers of uploadContinuous.
const propReplacement = "replacementFileName"

// serverOwned are the properties, in lower case, that a client may send but not set.
var serverOwned = map[string]bool{
	"contentsize": true, "binarystreamobjectid": true, "createdservice": true, "modifiedservice": true, "createdby": true,
	"modifiedby": true, "createddate": true, "modifieddate": true, "uploadurl": true, "downloadurl": true, "uploadcontinuousurl": true,
	"downloadcontinuousurl": true, "replacementobjectkey": true, "headers": true,
	"objectid": true, "objecttype": true, "objectdata": true, "blobheaders": true, "blobblocks": true,
}

// kept are the properties of a file that filling it anew leaves alone.
var kept = map[string]bool{fs.PropContentType: true, propHeaders: true, propBlocks: true}

// clientProps takes the properties that a client may set, in their documented spelling. Where a request has two spellings of one, the
// documented one counts.
func clientProps(in map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	out := make(map[string]json.RawMessage, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if serverOwned[strings.ToLower(name)] {
			continue
		}
		if name == "" || len(name) > 255 || !printable(name) {
			return nil, bsoIllegal("the name of a property")
		}
		documented := spelling(name)
		if _, both := in[documented]; both && name != documented {
			continue
		}
		out[documented] = json.RawMessage(compact(in[name]))
	}
	for _, name := range []string{fs.PropFullObjectPath, fs.PropOriginalFileName, propReplacement} {
		if p := textOf(out[name]); dotted(p) || strings.ContainsRune(p, 0) {
			return nil, bsoIllegal(name)
		}
	}
	if !plainHeader(textOf(out[fs.PropContentType])) {
		return nil, bsoIllegal("contentType")
	}
	return out, nil
}

// textOf is a property as text: a string without its quotes, anything else as its JSON.
func textOf(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	return fs.FromJSONString(string(raw))
}

// homeOf is the directory where a new object lands: the one of its full path, confined to the tenant's tree. A path in the form of the
// object store, one of another system, or one that the tree can't hold, means the default directory: to clients it is only a text.
func homeOf(tenant, fullPath string) string {
	if fullPath == "" || strings.Contains(fullPath, `\`) {
		return assetsDir
	}
	if rest, ok := strings.CutPrefix(strings.TrimLeft(fullPath, "/"), tenant+"/"+defaultType+"/assets/"); ok {
		fullPath = assetsDir + "/" + rest
	}
	dir, err := fs.CleanPath(path.Dir(path.Clean("/" + fullPath)))
	if err != nil || dir == "/" || dir == "" {
		return assetsDir
	}
	return dir
}

// originalOr is the name of a client's file, without a path of its disk: the one it gave, else the end of the key.
func originalOr(given, key string) string {
	if name := lastSegment(given); name != "" {
		return name
	}
	return path.Base(key)
}

// treeName makes a file's name fit into the tree: a long one is cut before its extension.
func treeName(name string) string {
	const most = 255
	if len(name) <= most {
		return name
	}
	stem, ext := splitExt(name)
	if len(ext) > most/4 {
		stem, ext = name, ""
	}
	return strings.ToValidUTF8(stem[:most-len(ext)], "") + ext
}
