package restapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"tote/fs"
)

const (
	inventoryDir = "/inventory"
	nameless     = "bin"    // name of a binary that came without one
	md5Limit     = 64 << 20 // longer uploads get their MD5 later, from the core
)

// binaryUpload is one POST to /inventory/binaries on its way.
type binaryUpload struct {
	s      *server
	r      *http.Request
	actor  *fs.Actor
	writer *fs.Writer
	done   func() // leaves the directory
}

// postBinary stores a new file.
func (s *server) postBinary(w http.ResponseWriter, r *http.Request, a *fs.Actor) {
	if !a.HasRole(c8yCreators...) {
		s.failC8y(w, r, c8yForbidden)
		return
	}
	if !isForm(r.Header) {
		s.failC8y(w, r, c8yMediaType)
		return
	}
	u := &binaryUpload{s: s, r: r, actor: a}
	info, err := u.receive(w)
	u.drop()
	if err != nil {
		s.failC8y(w, r, uploadProblem(err))
		return
	}
	s.answerStored(w, r, a, info.Ino())
}

// uploadProblem names what was wrong with a form.
func uploadProblem(err error) error {
	for _, e := range []error{errNoFile, errObject, errFileSize} {
		if errors.Is(err, e) {
			return c8yInvalid(e.Error())
		}
	}
	return err
}

// receive reads the form and commits its file.
func (u *binaryUpload) receive(w http.ResponseWriter) (fs.Info, error) {
	o := u.s.opts
	b, err := newBody(w, u.r, o.MaxFile+o.MaxJSON+maxFrame)
	if err != nil {
		return fs.Info{}, err
	}
	f, err := readForm(u.r.Header, b, o.MaxJSON, o.MaxFile, u.take)
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
	u.writer, err = u.s.fs.NewWriter(u.r.Context(), u.actor, fs.Target{Dir: "/", Name: name, Alias: true})
	if err != nil {
		return err
	}
	if u.r.ContentLength <= md5Limit {
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
	name := lastSegment(given)
	if !validName(name) {
		return "", c8yInvalid("the name is not valid: it must have 1 to 255 bytes and may not be a path")
	}
	return name, nil
}

func (u *binaryUpload) commit(f *form) (fs.Info, error) {
	name, err := uploadName(f)
	if err != nil {
		return fs.Info{}, err
	}
	props, err := memberProps(f.object)
	if err != nil {
		return fs.Info{}, err
	}
	owner := u.actor.User
	if o := f.text("owner"); o != "" && u.actor.HasRole(fs.RoleAdmin, "ROLE_INVENTORY_ADMIN") {
		owner = o
	}
	props = append(props, fs.Property{Name: fs.PropOriginalFileName, Value: fs.JSONString(name)},
		fs.Property{Name: fs.PropUser, Value: fs.JSONString(owner)})
	ctx := context.WithoutCancel(u.r.Context())
	if u.done, err = u.s.ensureDir(ctx, u.actor, inventoryDir); err != nil {
		return fs.Info{}, err
	}
	if err := u.writer.Retarget(ctx, fs.Target{Dir: inventoryDir, Name: name, Alias: true}); err != nil {
		return fs.Info{}, err
	}
	info, _, err := u.writer.Commit(ctx, fs.CommitOptions{ContentType: f.contentType(), Props: props, ExpectSize: f.received})
	return info, err
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
		if name == "" || len(name) > 255 || strings.ContainsRune(name, 0) {
			return nil, c8yInvalid("a member of object has a name that is empty, longer than 255 bytes or not text")
		}
		props = append(props, fs.Property{Space: spaceC8y, Name: name, Value: compact(value)})
	}
	return props, nil
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

// answerStored is the answer to POST and PUT: 201 with the place of the object, and the object for who asked for a body.
func (s *server) answerStored(w http.ResponseWriter, r *http.Request, a *fs.Actor, ino fs.Ino) {
	base := s.base(r)
	w.Header().Set("Location", base+"/inventory/binaries/"+idText(ino))
	if !wantsBody(r) {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusCreated)
		return
	}
	// The file is stored: a client that has closed its sending side is still told so.
	b, err := s.binary(context.WithoutCancel(r.Context()), readAs(a), ino)
	if err != nil {
		w.Header().Del("Location")
		s.failC8y(w, r, err)
		return
	}
	writeC8y(w, r, http.StatusCreated, "managedObject", b.full(base))
}
