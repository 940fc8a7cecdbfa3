package restapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"tote/fs"
)

const (
	inventoryDir = "/inventory"
	nameless     = "bin"    // name of a binary that came without one
	md5Limit     = 64 << 20 // longer uploads get no MD5: computing it would take longer than all the rest
)

// binaryUpload is one POST to /inventory/binaries on its way.
type binaryUpload struct {
	x      *exchange
	writer *fs.Writer
	done   func() // leaves the directory
}

// postBinary stores a new file.
func (x *exchange) postBinary() error {
	if !x.a.HasRole(c8yCreators...) {
		return c8yForbidden
	}
	if !isForm(x.r.Header) {
		return c8yMediaType
	}
	u := &binaryUpload{x: x}
	info, err := u.receive()
	u.drop()
	if err != nil {
		return err
	}
	return x.answerStored(info.Ino())
}

// receive reads the form and commits its file.
func (u *binaryUpload) receive() (fs.Info, error) {
	o := u.x.s.opts
	b, err := newBody(u.x.w, u.x.r, o.MaxFile+o.MaxJSON+maxFrame)
	if err != nil {
		return fs.Info{}, err
	}
	f, err := readForm(u.x.r.Header, b, o.MaxJSON, o.MaxFile, u.take)
	if err != nil {
		return fs.Info{}, err
	}
	return u.commit(f)
}

// take streams the file into the core. The object may still follow, so the name is a guess, and the directory is made only for a form that is
// whole: until then the file is on its way to the root.
func (u *binaryUpload) take(f *form, bytes io.Reader) error {
	u.drop()
	name, err := uploadName(f)
	if err != nil {
		return err
	}
	u.writer, err = u.x.s.fs.NewWriter(u.x.ctx, writeAs(u.x.a), fs.Target{Dir: "/", Name: name, Alias: true})
	if err != nil {
		return err
	}
	if u.x.r.ContentLength <= md5Limit {
		u.writer.WantMD5()
	}
	_, err = u.writer.ReadFrom(bytes)
	return err
}

// uploadName is the name in the tree: the last part of whatever path the client gave.
func uploadName(f *form) (string, error) {
	given := f.givenName()
	if given == "" {
		return nameless, nil
	}
	return fileName(given)
}

// fileName reduces a name that a client gave to what a file can be called.
func fileName(given string) (string, error) {
	name := lastSegment(given)
	if !validName(name) {
		return "", c8yInvalid("the name is not valid: it must have 1 to 255 bytes and may not be a path")
	}
	return name, nil
}

func (u *binaryUpload) commit(f *form) (fs.Info, error) {
	x := u.x
	name, err := uploadName(f)
	if err != nil {
		return fs.Info{}, err
	}
	props, err := memberProps(f.object)
	if err != nil {
		return fs.Info{}, err
	}
	props = append(props, fs.Property{Name: fs.PropOriginalFileName, Value: fs.JSONString(name)},
		fs.Property{Name: fs.PropUser, Value: fs.JSONString(x.ownerOf(f.text("owner")))})
	if u.done, err = x.s.ensureDir(x.ctx, writeAs(x.a), inventoryDir); err != nil {
		return fs.Info{}, err
	}
	if err := u.writer.Retarget(x.ctx, fs.Target{Dir: inventoryDir, Name: name, Alias: true}); err != nil {
		return fs.Info{}, err
	}
	info, _, err := u.writer.Commit(x.ctx, fs.CommitOptions{ContentType: f.contentType(), Props: props, ExpectSize: f.received})
	return info, err
}

// ownerOf is whom a new object belongs to: who makes it, unless an administrator says otherwise.
func (x *exchange) ownerOf(wanted string) string {
	if wanted != "" && x.a.HasRole(owners...) {
		return wanted
	}
	return x.a.User
}

// drop leaves no trace of what was taken and not committed.
func (u *binaryUpload) drop() {
	if u.writer != nil {
		u.writer.Abort()
	}
	if u.done != nil {
		u.done()
	}
	u.writer, u.done = nil, nil
}

// memberProps keeps the members of a client's object that are its own. name and owner have places of their own.
func memberProps(object map[string]json.RawMessage) ([]fs.Property, error) {
	var props []fs.Property
	for name, value := range object {
		if name == "name" || name == "owner" || !settable(name) || string(value) == "null" {
			continue
		}
		if err := validMember(name); err != nil {
			return nil, err
		}
		props = append(props, fs.Property{Space: fs.SpaceManaged, Name: name, Value: compact(value)})
	}
	return props, nil
}

// validMember refuses names of members that the store of properties can't hold.
func validMember(name string) error {
	if name == "" || len(name) > 255 || strings.ContainsRune(name, 0) {
		return c8yInvalid("a member has a name that is empty, longer than 255 bytes or not text")
	}
	return nil
}

// compact gives valid JSON one spelling; strings get the one that the core looks for.
func compact(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil && len(value) > 0 && value[0] == '"' {
		return fs.JSONString(s)
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return string(value)
	}
	return b.String()
}

// answerStored is the answer to POST and PUT of a binary.
func (x *exchange) answerStored(id fs.Ino) error {
	place := x.base + asBinary + idText(id)
	if !wantsBody(x.r) {
		return x.created(place, "", nil)
	}
	b, err := x.s.binary(x.ctx, x.a, id)
	if err != nil {
		return err
	}
	full, err := x.showFull(b, asBinary)
	if err != nil {
		return err
	}
	return x.created(place, "managedObject", full)
}

// created answers 201 with the place of the object, and with the object when the request asked for a body.
func (x *exchange) created(place, token string, v any) error {
	x.w.Header().Set("Location", place)
	return x.changed(http.StatusCreated, token, v)
}

// changed answers a change, with a body when the request asked for one.
func (x *exchange) changed(status int, token string, v any) error {
	if !wantsBody(x.r) {
		x.w.Header().Set("Content-Length", "0")
		x.w.WriteHeader(status)
		return nil
	}
	writeC8y(x.w, x.r, status, token, v)
	return nil
}
