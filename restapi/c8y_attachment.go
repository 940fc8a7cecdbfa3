package restapi

import (
	"mime"
	"net/http"
	"strconv"

	"tote/fs"
)

const eventsDir = "/events"

// attachmentDir is where the attachment of an event is put.
func attachmentDir(event fs.Ino) string { return eventsDir + "/" + idText(event) }

// getAttachment answers GET and HEAD with the bytes.
func (x *exchange) getAttachment() error {
	e, err := x.event()
	if err != nil {
		return err
	}
	if !x.a.HasRole(eventReaders...) {
		return c8yForbidden
	}
	b, err := x.s.binary(x.ctx, x.a, e.File)
	if missing(err) {
		return c8yNoAttachment
	}
	if err != nil {
		return err
	}
	return x.sendFile(b)
}

// postAttachment stores the attachment of an event that has none, as a whole or one piece of it.
func (x *exchange) postAttachment() error {
	if text := x.r.Header.Get("Content-Range"); text != "" {
		return x.postChunk(text)
	}
	e, err := x.changeableEvent()
	if err != nil {
		return err
	}
	if e.File != 0 {
		return c8yDuplicate // before a long body is read
	}
	return x.storeAttachment(e, false)
}

// putAttachment replaces the attachment, or makes it.
func (x *exchange) putAttachment() error {
	e, err := x.changeableEvent()
	if err != nil {
		return err
	}
	return x.storeAttachment(e, true)
}

// storeAttachment receives a whole body.
func (x *exchange) storeAttachment(e fs.EventRow, replace bool) error {
	p := &replacement{x: x, target: fs.Target{Dir: "/", Name: idText(e.ID), Alias: true}, max: x.s.opts.MaxAttachment}
	defer p.drop()
	o, err := p.receive()
	if err != nil {
		return err
	}
	name, err := p.givenName()
	if err != nil {
		return err
	}
	return x.attach(attaching{writer: p.writer, options: o, name: name, replace: replace})
}

// givenName is the name that a body brings, "" for none.
func (p *replacement) givenName() (string, error) {
	given := dispositionName(p.x.r.Header)
	if p.form != nil && p.form.givenName() != "" {
		given = p.form.givenName()
	}
	if given == "" {
		return "", nil
	}
	return fileName(given)
}

// dispositionName is the name in the Content-Disposition of a raw body, "" for none.
func dispositionName(h http.Header) string {
	_, p, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	return p["filename"]
}

// attaching is an attachment whose bytes are all there.
type attaching struct {
	writer  *fs.Writer
	options fs.CommitOptions
	name    string // "" keeps the old one
	owner   string // "" is the caller
	replace bool
	piece   bool // the last one of several: its draft is in the caller's hands
}

// attach makes bytes the attachment of the request's event and answers. The file says itself which event it belongs to, in the transaction that
// makes it; that two uploads don't both become the attachment is for the lock.
func (x *exchange) attach(at attaching) error {
	defer x.s.locks.lock(x.a.Tenant, eventKey(x.id))()
	e, err := x.event() // as it is now: the body may have taken long
	if err != nil {
		return err
	}
	if e.File != 0 && !at.replace {
		return c8yDuplicate
	}
	var file fs.Ino
	if e.File != 0 {
		file, err = x.replaceAttachment(e, at)
	} else {
		file, err = x.addAttachment(at)
	}
	if err != nil {
		return err
	}
	if err := x.attached(at.piece); err != nil {
		return err
	}
	return x.answerAttachment(file)
}

// addAttachment commits a new file.
func (x *exchange) addAttachment(at attaching) (fs.Ino, error) {
	name, owner := at.name, at.owner
	if name == "" {
		name = idText(x.id)
	}
	if owner == "" {
		owner = x.a.User
	}
	dir := attachmentDir(x.id)
	done, err := x.s.ensureDir(x.ctx, writeAs(x.a), dir)
	if err != nil {
		return 0, err
	}
	defer done()
	if err := at.writer.Retarget(x.ctx, fs.Target{Dir: dir, Name: name, Alias: true}); err != nil {
		return 0, err
	}
	at.options.Props = []fs.Property{
		{Space: fs.SpaceManaged, Name: fs.PropEvent, Value: idText(x.id)},
		{Name: fs.PropOriginalFileName, Value: fs.JSONString(name)},
		{Name: fs.PropUser, Value: fs.JSONString(owner)},
	}
	info, _, err := at.writer.Commit(x.ctx, at.options)
	return info.Ino(), err
}

// replaceAttachment commits other bytes, under another name when there is one.
func (x *exchange) replaceAttachment(e fs.EventRow, at attaching) (fs.Ino, error) {
	b, err := x.s.binary(x.ctx, x.a, e.File)
	if err != nil {
		return 0, err
	}
	if err := at.writer.Retarget(x.ctx, fs.Target{Ino: b.id}); err != nil {
		return 0, err
	}
	at.options.Props = []fs.Property{{Space: fs.SpaceManaged, Name: propReplaced, Value: strconv.Itoa(b.revpos + 1)}}
	if _, _, err = at.writer.Commit(x.ctx, at.options); err != nil {
		return 0, err
	}
	if at.name != "" && at.name != b.name {
		err = x.renameFile(b.id, at.name)
	}
	return b.id, err
}

// attached notes the change in the event and drops pieces that came before.
func (x *exchange) attached(inside bool) error {
	_, err := x.s.stores.Events.ChangeEvent(x.ctx, x.a.Tenant, x.id, func(e *fs.EventRow) error {
		e.Partial = nil
		return nil
	})
	if err != nil {
		return err
	}
	if inside {
		return x.s.stores.Drafts.Drop(idText(x.id))
	}
	return x.s.dropDraft(x.ctx, x.a.Tenant, x.id)
}

// answerAttachment tells what was stored. Unlike others this answer always has a body.
func (x *exchange) answerAttachment(file fs.Ino) error {
	b, err := x.s.binary(x.ctx, x.a, file)
	if err != nil {
		return err
	}
	info := x.attachmentInfo(b.content)
	info["name"], info["length"] = b.name, b.file.Info.Size()
	x.w.Header().Set("Location", x.attachmentURL())
	writeC8y(x.w, x.r, http.StatusCreated, "event", info)
	return nil
}

func (x *exchange) attachmentURL() string { return x.base + eventPath + idText(x.id) + "/binaries" }

func (x *exchange) attachmentInfo(content string) map[string]any {
	return map[string]any{"self": x.attachmentURL(), "source": idText(x.id), "type": content}
}

// deleteAttachment removes the file. The event stays.
func (x *exchange) deleteAttachment() error {
	if _, err := x.changeableEvent(); err != nil {
		return err
	}
	defer x.s.locks.lock(x.a.Tenant, eventKey(x.id))()
	e, err := x.event()
	if err == nil && e.File == 0 {
		err = c8yNoAttachment
	}
	if err == nil {
		err = x.dropAttachment(e)
	}
	if err == nil {
		err = x.attached(false)
	}
	if err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// dropAttachment removes the file of an event with the directory that was made for it. The caller holds the event's lock.
func (x *exchange) dropAttachment(e fs.EventRow) error {
	if e.File != 0 {
		if err := x.s.fs.DeleteFile(x.ctx, writeAs(x.a), e.File, nil); err != nil && !missing(err) {
			return err
		}
		x.s.removeEmpty(x.ctx, x.a.Tenant, attachmentDir(e.ID))
	}
	return nil
}
