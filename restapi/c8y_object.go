package restapi

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"tote/fs"
)

// spaceC8y holds the members of a managed object; names that start with an underscore are ours and not shown.
const (
	spaceC8y     = "c8y"
	propReplaced = "_revpos" // 1 + number of replacements through this API
)

// binary is a file as the inventory shows it.
type binary struct {
	file    fs.File
	owner   string
	name    string
	typ     string
	content string
	revpos  int
	custom  map[string]json.RawMessage
}

// binaries completes files with their properties, in two queries for all of them.
func (s *server) binaries(ctx context.Context, a *fs.Actor, files []fs.File) ([]binary, error) {
	if len(files) == 0 {
		return nil, nil
	}
	inos := make([]fs.Ino, len(files))
	for i, f := range files {
		inos[i] = f.Info.Ino()
	}
	own, err := s.fs.PropsOf(ctx, a, inos, "")
	if err != nil {
		return nil, err
	}
	members, err := s.fs.PropsOf(ctx, a, inos, spaceC8y)
	if err != nil {
		return nil, err
	}
	out := make([]binary, len(files))
	for i, f := range files {
		out[i] = newBinary(f, own[inos[i]], members[inos[i]])
	}
	return out, nil
}

// binary finds one file by its id.
func (s *server) binary(ctx context.Context, a *fs.Actor, ino fs.Ino) (binary, error) {
	f, err := s.fs.File(ctx, a, ino)
	if err != nil {
		return binary{}, err
	}
	b, err := s.binaries(ctx, a, []fs.File{f})
	if err != nil {
		return binary{}, err
	}
	return b[0], nil
}

func newBinary(f fs.File, own, members []fs.Property) binary {
	b := binary{file: f, name: f.Info.Name(), content: f.Info.ContentType(), revpos: 1, custom: map[string]json.RawMessage{}}
	for _, p := range own {
		switch p.Name {
		case fs.PropUser:
			b.owner = fs.FromJSONString(p.Value)
		case fs.PropOriginalFileName:
			b.name = shownName(b.name, fs.FromJSONString(p.Value))
		case fs.PropContentType:
			b.content = fs.FromJSONString(p.Value)
		}
	}
	for _, p := range members {
		if p.Name == propReplaced {
			b.revpos = max(1, atoi(p.Value))
		}
		if strings.HasPrefix(p.Name, "_") {
			continue
		}
		b.custom[p.Name] = rawJSON(p.Value)
	}
	b.typ = b.content
	if t, ok := b.custom["type"]; ok {
		b.typ = fs.FromJSONString(string(t))
	}
	return b
}

// atoi reads a number that this package wrote; 0 for anything else.
func atoi(v string) int {
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0
	}
	return n
}

// rawJSON gives a property's value as JSON; another face may have put plain text there.
func rawJSON(v string) json.RawMessage {
	if json.Valid([]byte(v)) {
		return json.RawMessage(v)
	}
	return json.RawMessage(fs.JSONString(v))
}

// shownName undoes the alias that a name gets when it was taken in its directory: the API shows the name as it was uploaded. A file that
// somebody renamed shows its new name.
func shownName(inTree, original string) string {
	stem, ext := splitExt(original)
	if strings.HasPrefix(inTree, stem+"@_@") && strings.HasSuffix(inTree, ext) {
		return original
	}
	return inTree
}

// readOnly are the members that a client may send but not set.
var readOnly = []string{"id", "self", "length", "contentType", "c8y_IsBinary", "creationTime", "lastUpdated",
	"childAdditions", "childAssets", "childDevices", "additionParents", "assetParents", "deviceParents"}

// settable tells whether a member of a client's object is kept. Names that start with an underscore (_attachments, _id) belong to the server.
func settable(name string) bool {
	return !slices.Contains(readOnly, name) && !strings.HasPrefix(name, "_")
}

// list is the object as lists show it.
func (b binary) list(base string) map[string]any {
	m := make(map[string]any, len(b.custom)+10)
	for k, v := range b.custom {
		m[k] = v
	}
	info := b.file.Info
	m["id"] = idText(info.Ino())
	m["self"] = base + "/inventory/binaries/" + idText(info.Ino())
	m["name"] = b.name
	m["type"] = b.typ
	if b.owner != "" {
		m["owner"] = b.owner
	}
	m["creationTime"] = c8yTime(info.Created())
	m["lastUpdated"] = c8yTime(lastChange(info))
	m["c8y_IsBinary"] = ""
	m["length"] = info.Size()
	m["contentType"] = b.content
	m["_attachments"] = map[string]any{b.name: b.attachment()}
	return m
}

func (b binary) attachment() map[string]any {
	m := map[string]any{"stub": true, "length": b.file.Info.Size(), "revpos": b.revpos, "content_type": b.content}
	if sum, err := hex.DecodeString(b.file.Version.MD5); err == nil && len(sum) > 0 {
		m["digest"] = "md5-" + base64.StdEncoding.EncodeToString(sum)
	}
	return m
}

// full is the object as an upload's answer shows it, with its relations.
func (b binary) full(base string) map[string]any {
	m := b.list(base)
	object := base + "/inventory/managedObjects/" + idText(b.file.Info.Ino())
	for _, rel := range []string{"childAdditions", "childAssets", "childDevices", "additionParents", "assetParents", "deviceParents"} {
		m[rel] = map[string]any{"self": object + "/" + rel, "references": []any{}}
	}
	return m
}

// lastChange is the later of the times of content and properties. The time of the content alone may be years old: rsync sets it.
func lastChange(info fs.Info) time.Time {
	return time.Unix(0, max(info.Attr().Mtime, info.Attr().Ctime))
}

func c8yTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
