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

// propReplaced is 1 + the number of replacements through this API. Members whose names start with an underscore are ours and not shown.
const propReplaced = "_revpos"

// managed is a managed object: a file, which is a binary, or a document.
type managed struct {
	id      fs.Ino
	owner   string
	name    string
	typ     string
	created time.Time
	updated time.Time
	custom  map[string]json.RawMessage

	file    *fs.File // nil for a document
	content string   // content type of the file
	revpos  int
}

// object finds a managed object by its id.
func (s *server) object(ctx context.Context, a *fs.Actor, id fs.Ino) (managed, error) {
	m, err := s.binary(ctx, a, id)
	if !missing(err) {
		return m, err
	}
	row, err := s.stores.Objects.GetManaged(ctx, a.Tenant, id)
	if err != nil {
		return managed{}, err
	}
	return newDocument(row), nil
}

// binary finds a file by its id.
func (s *server) binary(ctx context.Context, a *fs.Actor, id fs.Ino) (managed, error) {
	f, err := s.fs.File(ctx, readAs(a), id)
	if err != nil {
		return managed{}, err
	}
	list, err := s.binaries(ctx, a, []fs.File{f})
	if err != nil {
		return managed{}, err
	}
	return list[0], nil
}

// binaries completes files with their properties, in two queries for all of them.
func (s *server) binaries(ctx context.Context, a *fs.Actor, files []fs.File) ([]managed, error) {
	if len(files) == 0 {
		return nil, nil
	}
	inos := inosOf(files)
	own, err := s.fs.PropsOf(ctx, readAs(a), inos, "")
	if err != nil {
		return nil, err
	}
	members, err := s.fs.PropsOf(ctx, readAs(a), inos, fs.SpaceManaged)
	if err != nil {
		return nil, err
	}
	out := make([]managed, len(files))
	for i, f := range files {
		out[i] = newBinary(f, own[inos[i]], members[inos[i]])
	}
	return out, nil
}

func newBinary(f fs.File, own, members []fs.Property) managed {
	info := f.Info
	m := managed{
		id: info.Ino(), name: info.Name(), created: info.Created(), updated: lastChange(info), custom: map[string]json.RawMessage{},
		file: &f, content: info.ContentType(), revpos: 1,
	}
	for _, p := range own {
		switch p.Name {
		case fs.PropUser:
			m.owner = fs.FromJSONString(p.Value)
		case fs.PropOriginalFileName:
			m.name = shownName(m.name, fs.FromJSONString(p.Value))
		case fs.PropContentType:
			m.content = fs.FromJSONString(p.Value)
		}
	}
	for _, p := range members {
		if p.Name == propReplaced {
			m.revpos = max(1, atoi(p.Value))
		}
		if settable(p.Name) && p.Name != "name" && p.Name != "owner" { // the mount and WebDAV can set others, too
			m.custom[p.Name] = rawJSON(p.Value)
		}
	}
	m.typ = m.content
	if t, ok := m.custom["type"]; ok {
		m.typ = fs.FromJSONString(string(t))
	}
	return m
}

func newDocument(row fs.Managed) managed {
	m := managed{
		id: row.ID, owner: row.Owner, name: row.Name, typ: row.Type, created: time.Unix(0, row.Created), updated: time.Unix(0, row.Updated),
		custom: map[string]json.RawMessage{},
	}
	_ = json.Unmarshal(row.Doc, &m.custom) // written by this package
	return m
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
	return !slices.Contains(readOnly, name) && !fs.Internal(name)
}

// The two APIs that show managed objects; each puts its own path into self.
const (
	asBinary  = "/inventory/binaries/"
	asManaged = "/inventory/managedObjects/"
)

// show is the object as lists show it.
func (m managed) show(base, api string) map[string]any {
	out := make(map[string]any, len(m.custom)+10)
	for k, v := range m.custom {
		out[k] = v
	}
	out["id"] = idText(m.id)
	out["self"] = base + api + idText(m.id)
	for name, v := range map[string]string{"name": m.name, "type": m.typ, "owner": m.owner} {
		if v != "" {
			out[name] = v
		}
	}
	out["creationTime"] = c8yTime(m.created)
	out["lastUpdated"] = c8yTime(m.updated)
	if m.file == nil {
		return out
	}
	out["c8y_IsBinary"] = ""
	out["length"] = m.file.Info.Size()
	out["contentType"] = m.content
	if api == asBinary {
		out["_attachments"] = map[string]any{m.name: m.attachment()}
	}
	return out
}

func (m managed) attachment() map[string]any {
	out := map[string]any{"stub": true, "length": m.file.Info.Size(), "revpos": m.revpos, "content_type": m.content}
	if sum, err := hex.DecodeString(m.file.Version.MD5); err == nil && len(sum) > 0 {
		out["digest"] = "md5-" + base64.StdEncoding.EncodeToString(sum)
	}
	return out
}

// showFull is the object with its relations, as single answers show it.
func (x *exchange) showFull(m managed, api string) (map[string]any, error) {
	out := m.show(x.base, api)
	for k := range kinds {
		children, err := x.references(m.id, k, false)
		if err != nil {
			return nil, err
		}
		parents, err := x.references(m.id, k, true)
		if err != nil {
			return nil, err
		}
		out[k.children()], out[k.parents()] = children, parents
	}
	return out, nil
}

// readable follows the rule of the managed object API: a role, the owner, or everybody for an object that is marked as global.
func (m managed) readable(a *fs.Actor, roles []string) bool {
	_, global := m.custom["c8y_Global"]
	return global || a.HasRole(roles...) || m.ownedBy(a)
}

func (m managed) changeable(a *fs.Actor, roles []string) bool {
	return a.HasRole(roles...) || m.ownedBy(a)
}

func (m managed) ownedBy(a *fs.Actor) bool { return m.owner != "" && m.owner == a.User }

// lastChange is the later of the times of content and properties. The time of the content alone may be years old: rsync sets it.
func lastChange(info fs.Info) time.Time {
	return time.Unix(0, max(info.Attr().Mtime, info.Attr().Ctime))
}

func c8yTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
