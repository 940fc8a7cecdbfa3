package restapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"tote/fs"
)

const eventPath = "/event/events/"

// eventOwn are the members of an event that are kept in places of their own, or belong to the server.
var eventOwn = []string{"id", "self", "creationTime", "lastUpdated", "source", "type", "time", fs.FragmentBinary, fs.FragmentIncomplete}

// eventKey is the name under which changes of an event wait for each other.
func eventKey(id fs.Ino) string { return "event " + idText(id) }

// event finds the event of a request.
func (x *exchange) event() (fs.EventRow, error) {
	return x.s.stores.Events.GetEvent(x.ctx, x.a.Tenant, x.id)
}

// ownsSource tells whether the object that an event is about belongs to the caller.
func (x *exchange) ownsSource(source fs.Ino) (bool, error) {
	m, err := x.s.object(x.ctx, x.a, source)
	if missing(err) {
		return false, nil
	}
	return err == nil && m.ownedBy(x.a), err
}

// readableEvent finds an event that the caller may read.
func (x *exchange) readableEvent() (fs.EventRow, error) {
	return x.eventFor(eventReaders)
}

// changeableEvent finds an event that the caller may change.
func (x *exchange) changeableEvent() (fs.EventRow, error) {
	return x.eventFor(eventWriters)
}

func (x *exchange) eventFor(roles []string) (fs.EventRow, error) {
	e, err := x.event()
	if err != nil || x.a.HasRole(roles...) {
		return e, err
	}
	owns, err := x.ownsSource(e.Source)
	if err == nil && !owns {
		err = c8yForbidden
	}
	return e, err
}

// postEvent makes an event.
func (x *exchange) postEvent() error {
	body, err := x.readObject()
	if err != nil {
		return err
	}
	if _, many := body["events"]; many {
		return c8yInvalid("events are made one at a time")
	}
	e, err := x.newEvent(body)
	if err != nil {
		return err
	}
	if e, err = x.s.stores.Events.AddEvent(x.ctx, e); err != nil {
		return err
	}
	return x.answerEvent(http.StatusCreated, e)
}

// newEvent checks what a client sent.
func (x *exchange) newEvent(body map[string]json.RawMessage) (fs.EventRow, error) {
	e := fs.EventRow{Tenant: x.a.Tenant}
	var source struct{ ID looseID }
	_ = json.Unmarshal(body["source"], &source) // a wrong one has no id
	id, _ := binaryID(string(source.ID))
	if err := x.checkSource(id); err != nil {
		return e, err
	}
	text, err := textMember(body, "text")
	if err != nil {
		return e, err
	}
	if e.Type, err = textMember(body, "type"); err != nil {
		return e, err
	}
	when, err := textMember(body, "time")
	if err != nil {
		return e, err
	}
	for name, v := range map[string]string{"type": e.Type, "text": text, "time": when} {
		if v == "" {
			return e, c8yInvalid("an event needs type, text, time and source.id; " + name + " is missing")
		}
	}
	t, err := parseTime(when)
	if err != nil {
		return e, c8yInvalid("time must be an ISO 8601 time, such as 2026-01-02T03:04:05.678Z")
	}
	members := map[string]json.RawMessage{}
	if err := mergeEvent(members, body); err != nil {
		return e, err
	}
	e.Source, e.Time, e.Doc = id, t.UnixNano(), encodeJSON(members)
	return e, nil
}

// checkSource asks whether the caller may make events of an object, and whether there is one. Who may not is not told which ids exist.
func (x *exchange) checkSource(id fs.Ino) error {
	m, err := x.s.object(x.ctx, x.a, id)
	if err != nil && !missing(err) {
		return err
	}
	if !x.a.HasRole(eventWriters...) && (err != nil || !m.ownedBy(x.a)) {
		return c8yForbidden
	}
	if err != nil {
		return c8yInvalid("source.id must be the id of a managed object")
	}
	return nil
}

// mergeEvent puts the members of a change into those that are there; null removes one. What an event is made with stays.
func mergeEvent(to, change map[string]json.RawMessage) error {
	for name, value := range change {
		if slices.Contains(eventOwn, name) {
			continue
		}
		if err := validMember(name); err != nil {
			return err
		}
		if string(value) == "null" {
			delete(to, name)
		} else {
			to[name] = json.RawMessage(compact(value))
		}
	}
	return nil
}

// getEvent answers GET of one event.
func (x *exchange) getEvent() error {
	e, err := x.readableEvent()
	if err != nil {
		return err
	}
	shown, err := x.showEvents([]fs.EventRow{e})
	if err != nil {
		return err
	}
	writeC8y(x.w, x.r, http.StatusOK, "event", shown[0])
	return nil
}

// putEvent changes text and fragments.
func (x *exchange) putEvent() error {
	if _, err := x.changeableEvent(); err != nil {
		return err
	}
	body, err := x.readObject()
	if err != nil {
		return err
	}
	if raw, given := body["text"]; given {
		if text, err := textMember(body, "text"); err != nil || text == "" || string(raw) == "null" {
			return c8yInvalid("text must be a text")
		}
	}
	e, err := x.s.stores.Events.ChangeEvent(x.ctx, x.a.Tenant, x.id, func(e *fs.EventRow) error {
		members := eventMembers(*e)
		if err := mergeEvent(members, body); err != nil {
			return err
		}
		e.Doc = encodeJSON(members)
		return x.s.checkDoc(e.Doc)
	})
	if err != nil {
		return err
	}
	return x.answerEvent(http.StatusOK, e)
}

func eventMembers(e fs.EventRow) map[string]json.RawMessage {
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(e.Doc, &members) // written by this package
	return members
}

// answerEvent answers a change of an event.
func (x *exchange) answerEvent(status int, e fs.EventRow) error {
	shown, err := x.showEvents([]fs.EventRow{e})
	if err != nil {
		return err
	}
	if status == http.StatusCreated {
		x.w.Header().Set("Location", x.base+eventPath+idText(e.ID))
	}
	return x.changed(status, "event", shown[0])
}

// showEvents gives events as clients see them. Sources and attachments of all are looked up at once.
func (x *exchange) showEvents(events []fs.EventRow) ([]map[string]any, error) {
	ids := map[fs.Ino]bool{}
	for _, e := range events {
		ids[e.Source] = true
		if e.File != 0 {
			ids[e.File] = true
		}
	}
	found, err := x.lookup(slices.Collect(maps.Keys(ids)))
	if err != nil {
		return nil, err
	}
	objects := map[fs.Ino]managed{}
	for _, m := range found {
		objects[m.id] = m
	}
	out := make([]map[string]any, len(events))
	for i, e := range events {
		out[i] = x.showEvent(e, objects)
	}
	return out, nil
}

func (x *exchange) showEvent(e fs.EventRow, objects map[fs.Ino]managed) map[string]any {
	out := map[string]any{}
	for k, v := range eventMembers(e) {
		out[k] = v
	}
	source := map[string]any{"id": idText(e.Source), "self": x.base + asManaged + idText(e.Source)}
	if m := objects[e.Source]; m.name != "" {
		source["name"] = m.name
	}
	out["id"], out["self"], out["source"] = idText(e.ID), x.base+eventPath+idText(e.ID), source
	out["type"], out["time"] = e.Type, c8yTime(time.Unix(0, e.Time))
	out["creationTime"], out["lastUpdated"] = c8yTime(time.Unix(0, e.Created)), c8yTime(time.Unix(0, e.Updated))
	if b, ok := objects[e.File]; ok && b.file != nil {
		out[fs.FragmentBinary] = map[string]any{"name": b.name, "type": b.content, "length": b.file.Info.Size()}
	} else if p := x.s.alive(e.Partial); p != nil {
		out[fs.FragmentIncomplete] = map[string]any{"range": p.Range}
	}
	return out
}

// deleteEvent removes an event with its attachment.
func (x *exchange) deleteEvent() error {
	e, err := x.changeableEvent()
	if err != nil {
		return err
	}
	if err := x.removeEvent(e.ID); err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// removeEvent deletes the attachment first: a crash leaves an event without one, never a file that belongs to nothing. Pieces go last, when no event
// knows of them; those that a crash leaves are found at the next start.
func (x *exchange) removeEvent(id fs.Ino) error {
	defer x.s.locks.lock(x.a.Tenant, eventKey(id))()
	e, err := x.s.stores.Events.GetEvent(x.ctx, x.a.Tenant, id)
	if err != nil {
		return err
	}
	if err := x.dropAttachment(e); err != nil {
		return err
	}
	if err := x.s.stores.Events.DeleteEvent(x.ctx, x.a.Tenant, id); err != nil {
		return err
	}
	return x.s.dropDraft(x.ctx, x.a.Tenant, id)
}
