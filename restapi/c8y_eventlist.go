package restapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tote/fs"
)

// eventQuery reads the filters of a list of events. none tells that nothing can match.
func (x *exchange) eventQuery(q url.Values) (out fs.EventQuery, none bool, err error) {
	out = fs.EventQuery{Tenant: x.a.Tenant, Type: q.Get("type"), Fragment: q.Get("fragmentType")}
	if v := q.Get("source"); v != "" {
		id, ok := binaryID(v)
		out.Source, none = id, !ok
	}
	if out.Value = q.Get("fragmentValue"); out.Value != "" && out.Fragment == "" {
		return out, none, c8yInvalid("fragmentValue needs fragmentType")
	}
	for prefix, to := range map[string]*fs.Span{"date": &out.Time, "created": &out.Created, "lastUpdated": &out.Updated} {
		if *to, err = parseSpan(q, prefix+"From", prefix+"To"); err != nil {
			return out, none, err
		}
	}
	return out, none, nil
}

// listEvents answers GET /event/events. Who may not read events sees those of the objects he owns.
func (x *exchange) listEvents() error {
	q := x.r.URL.Query()
	page, err := parsePage(q)
	if err != nil {
		return err
	}
	query, none, err := x.eventQuery(q)
	if err != nil {
		return err
	}
	query.Oldest = q.Get("revert") == "true" && (query.Time.From != nil || query.Time.To != nil)
	if !x.a.HasRole(eventReaders...) {
		query.Owner = x.a.User
	}
	ctx, cancel := context.WithTimeout(x.ctx, listLimit)
	defer cancel()
	x.ctx = ctx
	f := found{total: -1}
	if !none {
		if f, err = x.findEvents(query, page); err != nil {
			return err
		}
	} else if page.wantsTotal() {
		f.total = 0
	}
	writeC8y(x.w, x.r, http.StatusOK, "eventCollection", x.collection(x.base+"/event/events", "events", q, page, f))
	return nil
}

// findEvents reads one page.
func (x *exchange) findEvents(q fs.EventQuery, page c8yPage) (found, error) {
	f := found{total: -1}
	var err error
	if page.wantsTotal() {
		if f.total, err = x.s.stores.Events.CountEvents(x.ctx, q); err != nil {
			return f, err
		}
	}
	if q.After = placeOf(page.at); q.After == nil {
		q.Offset = page.offset()
	}
	for left := page.size + 1; left > 0; {
		q.Limit = min(left, scanPage)
		rows, err := x.s.stores.Events.EventList(x.ctx, q)
		if err != nil || len(rows) == 0 {
			return f, err
		}
		last := rows[len(rows)-1]
		q.After, q.Offset = &fs.EventPlace{Time: last.Time, ID: last.ID}, 0
		if left -= len(rows); left == 0 {
			f.more = true
			rows = rows[:len(rows)-1]
		}
		if err := x.addEvents(&f, rows); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (x *exchange) addEvents(f *found, rows []fs.EventRow) error {
	shown, err := x.showEvents(rows)
	if err != nil {
		return err
	}
	for i, e := range rows {
		f.at = strconv.FormatInt(e.Time, 10) + "_" + idText(e.ID)
		if err := f.add(shown[i]); err != nil {
			return err
		}
	}
	return nil
}

// placeOf reads where a page begins, nil when the cursor says nothing.
func placeOf(at string) *fs.EventPlace {
	when, id, ok := strings.Cut(at, "_")
	t, err := strconv.ParseInt(when, 10, 64)
	n, known := binaryID(id)
	if !ok || err != nil || !known {
		return nil
	}
	return &fs.EventPlace{Time: t, ID: n}
}

// deleteEvents removes all events that match, with their attachments. A request that could mean every event of the tenant is refused.
func (x *exchange) deleteEvents() error {
	q := x.r.URL.Query()
	narrow := false
	for _, name := range []string{"source", "dateFrom", "dateTo", "createdFrom", "createdTo"} {
		narrow = narrow || q.Get(name) != ""
	}
	query, none, err := x.eventQuery(q)
	if err == nil && !narrow {
		err = c8yInvalid("give source, dateFrom, dateTo, createdFrom or createdTo: all events at once are not deleted")
	}
	if err == nil && !x.a.HasRole(eventWriters...) {
		err = x.needOwnSource(query.Source)
	}
	if err != nil {
		return err
	}
	if !none {
		if err := x.removeEvents(query); err != nil {
			return err
		}
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// needOwnSource lets who has no role delete the events of an object of his own.
func (x *exchange) needOwnSource(source fs.Ino) error {
	owns, err := x.ownsSource(source)
	if err == nil && !owns {
		err = c8yForbidden
	}
	return err
}

func (x *exchange) removeEvents(q fs.EventQuery) error {
	q.Limit = scanPage
	for {
		rows, err := x.s.stores.Events.EventList(x.ctx, q)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, e := range rows {
			if err := x.removeEvent(e.ID); err != nil && !missing(err) {
				return err
			}
		}
		last := rows[len(rows)-1]
		q.After = &fs.EventPlace{Time: last.Time, ID: last.ID}
	}
}
