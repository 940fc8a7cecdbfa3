package meta

import (
	"context"
	"math"
	"strings"
	"syscall"
)

// Event is an event of the event API. Times are ns.
type Event struct {
	ID      Ino // made by AddEvent
	Tenant  string
	Source  Ino
	Type    string
	Time    int64
	Created int64
	Updated int64
	Doc     []byte // JSON object of the other members

	File    Ino      // its complete attachment, 0 for none
	Partial *Partial // its attachment that is not complete, nil for none
}

// Partial is an attachment that arrives in pieces.
type Partial struct {
	Received int64  // bytes
	Length   int64  // announced, -1 while it is not
	Range    string // of the newest piece
	Name     string
	Type     string
	Owner    string
	Updated  int64
}

// EventQuery selects events of a tenant. Zero values mean any; times are from From on and before To.
type EventQuery struct {
	Tenant   string
	Source   Ino
	Type     string
	Time     Span
	Created  Span
	Updated  Span
	Fragment string // has this member
	Value    string // and it is this text
	Owner    string // of the source
	Oldest   bool   // ordered by time and number ascending, else descending

	After  *EventPlace // only behind it
	Offset int
	Limit  int
}

// Span is a range of times in ns. To is not part of it; nil means no end.
type Span struct{ From, To *int64 }

// EventPlace is where an event stands in the order of a list.
type EventPlace struct {
	Time int64
	ID   Ino
}

// What an event has when it has an attachment.
const (
	FragmentBinary     = "c8y_IsBinary"
	FragmentIncomplete = "c8y_IsIncompleteBinary"
)

// attachmentOf finds the file of event e. A file that the same number in another tenant was put on is none.
const attachmentOf = `(SELECT min(p.ino) FROM props p CROSS JOIN nodes n ON n.ino = p.ino CROSS JOIN tenants t ON t.id = n.tenant
	WHERE p.space = 'c8y' AND p.name = '_event' AND p.value = CAST(e.id AS TEXT) AND n.nlink > 0 AND t.name = e.tenant)`

const (
	eventCols = "e.id, e.tenant, e.source, e.type, e.time, e.created, e.updated, e.doc, " + attachmentOf + `,
		i.event, i.received, i.length, i.range, i.name, i.type, i.owner, i.updated`
	eventFrom = " FROM events e LEFT JOIN partials i ON i.event = e.id "
)

func scanEvent(r row) Event {
	e := Event{
		ID: Ino(r.int(0)), Tenant: r.text(1), Source: Ino(r.int(2)), Type: r.text(3), Time: r.int(4), Created: r.int(5), Updated: r.int(6),
		Doc: []byte(r.text(7)), File: Ino(r.int(8)),
	}
	if r.int(9) != 0 {
		e.Partial = &Partial{
			Received: r.int(10), Length: r.int(11), Range: r.text(12), Name: r.text(13), Type: r.text(14), Owner: r.text(15), Updated: r.int(16),
		}
	}
	return e
}

// AddEvent makes an event and gives it its number and times.
func (db *DB) AddEvent(ctx context.Context, e Event, d Durability) (Event, error) {
	err := db.update(ctx, d, func(t *tx) error {
		e.ID, e.Created, e.Updated = t.newIno(), t.now, t.now
		return t.run("INSERT INTO events (id, tenant, source, type, time, created, updated, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			e.ID, e.Tenant, e.Source, e.Type, e.Time, e.Created, e.Updated, string(e.Doc))
	})
	return e, err
}

// event returns an event of a tenant, or ENOENT.
func (c *conn) event(tenant string, id Ino) (Event, error) {
	r, ok, err := c.one("SELECT "+eventCols+eventFrom+"WHERE e.id = +?", id)
	if err == nil && (!ok || r.text(1) != tenant) {
		err = syscall.ENOENT
	}
	if err != nil {
		return Event{}, err
	}
	return scanEvent(r), nil
}

// GetEvent returns an event, or ENOENT.
func (db *DB) GetEvent(ctx context.Context, tenant string, id Ino) (e Event, err error) {
	err = db.read(ctx, func(c *conn) error {
		e, err = c.event(tenant, id)
		return err
	})
	return e, err
}

// ChangeEvent lets change edit the document of an event and its partial attachment, in one transaction. The event counts as changed even when change
// does nothing.
func (db *DB) ChangeEvent(ctx context.Context, tenant string, id Ino, change func(*Event) error, d Durability) (e Event, err error) {
	err = db.update(ctx, d, func(t *tx) error {
		if e, err = t.event(tenant, id); err != nil {
			return err
		}
		if err := change(&e); err != nil {
			return err
		}
		e.Updated = t.now
		if err := t.run("UPDATE events SET doc = ?, updated = ? WHERE id = ?", string(e.Doc), e.Updated, id); err != nil {
			return err
		}
		return t.putPartial(id, e.Partial)
	})
	return e, err
}

func (t *tx) putPartial(event Ino, p *Partial) error {
	if p == nil {
		return t.run("DELETE FROM partials WHERE event = ?", event)
	}
	return t.run(`INSERT OR REPLACE INTO partials (event, received, length, range, name, type, owner, updated)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, event, p.Received, p.Length, p.Range, p.Name, p.Type, p.Owner, p.Updated)
}

// DeleteEvent removes an event with its partial attachment, or returns ENOENT. A complete attachment is a file and stays.
func (db *DB) DeleteEvent(ctx context.Context, tenant string, id Ino, d Durability) error {
	return db.delete(ctx, d, "DELETE FROM events WHERE id = ? AND tenant = ?", id, tenant)
}

// OldPartials returns the events whose partial attachment has not grown since a time.
func (db *DB) OldPartials(ctx context.Context, before int64, limit int) ([]Event, error) {
	return list(ctx, db, scanEvent, "SELECT "+eventCols+" FROM partials i CROSS JOIN events e ON e.id = i.event WHERE i.updated < +? ORDER BY i.updated LIMIT ?",
		before, limit)
}

// EventList returns events in the order of the query. Like ManagedList it may return fewer than there are, but never none when there are some.
func (db *DB) EventList(ctx context.Context, q EventQuery) ([]Event, error) {
	where, args := q.where()
	order := " ORDER BY e.time DESC, e.id DESC"
	if q.Oldest {
		order = " ORDER BY e.time, e.id"
	}
	return bounded(ctx, db, scanEvent, func(e Event) int { return len(e.Doc) },
		"SELECT "+eventCols+eventFrom+"WHERE "+where+order+" LIMIT ? OFFSET ?", append(args, q.Limit, max(q.Offset, 0))...)
}

// CountEvents returns how many events a query finds, regardless of its place and limit.
func (db *DB) CountEvents(ctx context.Context, q EventQuery) (int64, error) {
	q.After = nil
	where, args := q.where()
	return db.number(ctx, "SELECT count(*)"+eventFrom+"WHERE "+where, args...)
}

// where builds the condition from fixed pieces, so that there are few different texts: what can use an index is left out when it is not asked for,
// the rest is bound to values that let everything pass.
func (q EventQuery) where() (string, []any) {
	var b strings.Builder
	b.WriteString("e.tenant = +?")
	args := []any{q.Tenant}
	if q.Source != 0 {
		b.WriteString(" AND e.source = +?")
		args = append(args, q.Source)
	}
	if q.Type != "" {
		b.WriteString(" AND e.type = +?")
		args = append(args, q.Type)
	}
	from, to := q.Time.bounds()
	if q.After != nil {
		from, to = q.behind(from, to)
	}
	b.WriteString(` AND e.time >= +? AND e.time < +? AND e.created >= +? AND e.created < +? AND e.updated >= +? AND e.updated < +?`)
	args = append(args, from, to)
	for _, s := range []Span{q.Created, q.Updated} {
		from, to := s.bounds()
		args = append(args, from, to)
	}
	if q.After != nil {
		b.WriteString(map[bool]string{true: " AND (e.time, e.id) > (+?, +?)", false: " AND (e.time, e.id) < (+?, +?)"}[q.Oldest])
		args = append(args, q.After.Time, q.After.ID)
	}
	text, more := q.fragment()
	b.WriteString(text)
	args = append(args, more...)
	if q.Owner != "" {
		b.WriteString(` AND (EXISTS (SELECT 1 FROM managed m WHERE m.id = e.source AND m.tenant = e.tenant AND m.owner = ?) OR EXISTS
			(SELECT 1 FROM props p WHERE p.ino = e.source AND p.space = '' AND p.name = 'user' AND p.value = ?))`)
		args = append(args, q.Owner, jsonText(q.Owner))
	}
	return b.String(), args
}

// fragment is the condition about a member of the document, or about the attachment, which is not in it.
func (q EventQuery) fragment() (string, []any) {
	switch {
	case q.Fragment == "":
		return "", nil
	case q.Fragment == FragmentBinary || q.Fragment == FragmentIncomplete:
		if q.Value != "" {
			return " AND 0", nil // they are no text
		}
		if q.Fragment == FragmentBinary {
			return " AND " + attachmentOf + " IS NOT NULL", nil
		}
		return " AND i.event IS NOT NULL AND " + attachmentOf + " IS NULL", nil
	case q.Value == "":
		return " AND EXISTS (SELECT 1 FROM json_each(e.doc) j WHERE j.key = ?)", []any{q.Fragment}
	}
	return " AND EXISTS (SELECT 1 FROM json_each(e.doc) j WHERE j.key = ? AND j.type = 'text' AND j.value = ?)", []any{q.Fragment, q.Value}
}

// behind narrows a span to what can be behind the place, which lets an index begin there.
func (q EventQuery) behind(from, to int64) (int64, int64) {
	if q.Oldest {
		return max(from, q.After.Time), to
	}
	if q.After.Time < math.MaxInt64 {
		to = min(to, q.After.Time+1)
	}
	return from, to
}

// bounds replaces open ends.
func (s Span) bounds() (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if s.From != nil {
		from = *s.From
	}
	if s.To != nil {
		to = *s.To
	}
	return from, to
}
