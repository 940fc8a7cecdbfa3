package restapi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func (r *rig) eventBody(source string) string {
	return `{"source":{"id":"` + source + `"},"type":"door_Photo","text":"door opened","time":"2026-01-02T03:04:05.678Z"}`
}

// event makes an event and gives its id.
func (r *rig) event(body string, headers ...string) string {
	r.Helper()
	return r.want(201, r.do("POST", "/event/events", body, append(headers, acceptJSON)...)).json(r)["id"].(string)
}

// door makes an object with one event.
func (r *rig) door() (source, event string) {
	r.Helper()
	source = r.managed(`{"name":"door"}`)
	return source, r.event(r.eventBody(source))
}

func TestEvent_Create(t *testing.T) {
	r := newRig(t)
	source := r.managed(`{"name":"door"}`)
	a := r.want(201, r.do("POST", "/event/events", `{"source":{"id":"`+source+`","self":"http://evil"},"type":"door_Photo","text":"door opened","time":"2026-01-02T04:04:05.678901234+01:00",
		"camera":{"no":2},"c8y_IsBinary":{},"c8y_IsIncompleteBinary":{},"id":"7","self":"x","creationTime":"x","lastUpdated":"x"}`, acceptJSON))
	m := a.json(t)
	id := m["id"].(string)
	for name, want := range map[string]any{
		"self": r.url + "/event/events/" + id, "type": "door_Photo", "text": "door opened", "time": "2026-01-02T03:04:05.678Z", "camera": map[string]any{"no": 2},
		"source":       map[string]any{"id": source, "self": r.url + "/inventory/managedObjects/" + source, "name": "door"},
		"c8y_IsBinary": nil, "c8y_IsIncompleteBinary": nil,
	} {
		r.equal(name, m[name], want)
	}
	for _, name := range []string{"creationTime", "lastUpdated"} {
		if !timeText.MatchString(m[name].(string)) {
			t.Errorf("%s is %v", name, m[name])
		}
	}
	r.equal("location", a.header.Get("Location"), m["self"])
	got := r.want(200, r.do("GET", "/event/events/"+id, ""))
	r.equal("type", got.header.Get("Content-Type"), "application/vnd.com.nsn.cumulocity.event+json;ver=0.9;charset=UTF-8")
	r.equal("again", got.json(t), m)
	file := r.upload(`{"name":"camera.cfg"}`, "x", "x")
	byNumber := r.want(201, r.do("POST", "/event/events", strings.Replace(r.eventBody("0"), `"0"`, file, 1), acceptJSON)).json(t)
	r.equal("a file as the source", byNumber["source"].(map[string]any)["name"], "camera.cfg")
}

func TestEvent_CreateErrors(t *testing.T) {
	r := newRig(t)
	source, event := r.door()
	full := map[string]string{"source": `{"id":"` + source + `"}`, "type": `"t"`, "text": `"x"`, "time": `"2026-01-02T03:04:05Z"`}
	body := func(change, value string) string {
		var parts []string
		for name, v := range full {
			if name == change {
				v = value
			}
			if v != "" {
				parts = append(parts, `"`+name+`":`+v)
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	r.want(201, r.do("POST", "/event/events", body("", "")))
	for name := range full {
		for _, v := range []string{"", "null", `""`, "5", "{}", "[]"} {
			a := r.want(422, r.do("POST", "/event/events", body(name, v)))
			r.equal("error", a.json(t)["error"], "event/Unprocessable Entity")
		}
	}
	for _, id := range []string{`"4711"`, `"x"`, `"` + event + `"`, `"-1"`} {
		r.want(422, r.do("POST", "/event/events", body("source", `{"id":`+id+`}`)))
	}
	for _, when := range []string{"yesterday", "2026-13-01", "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"} {
		r.want(422, r.do("POST", "/event/events", body("time", `"`+when+`"`)))
	}
	r.want(422, r.do("POST", "/event/events", `{"events":[`+body("", "")+`]}`))
}

func TestEvent_Update(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	path := "/event/events/" + id
	before := r.getJSON(path)
	m := r.want(200, r.do("PUT", path, `{"text":"closed","camera":{"no":3},"gone":null,"source":{"id":"1"},"type":"x","time":"2020-01-01","id":"5","c8y_IsBinary":{}}`, acceptJSON)).json(t)
	for name, want := range map[string]any{"text": "closed", "camera": map[string]any{"no": 3}, "source": before["source"], "type": "door_Photo", "time": before["time"], "id": id, "c8y_IsBinary": nil} {
		r.equal(name, m[name], want)
	}
	r.equal("removed", r.want(200, r.do("PUT", path, `{"camera":null}`, acceptJSON)).json(t)["camera"], nil)
	for _, body := range []string{`{"text":null}`, `{"text":""}`, `{"text":5}`} {
		r.want(422, r.do("PUT", path, body))
	}
	r.want(404, r.do("PUT", "/event/events/4711", `{"text":"x"}`))
	r.want(404, r.do("DELETE", "/event/events/4711", ""))
	r.equal("empty answer", r.want(204, r.do("DELETE", path, "", acceptJSON)).body, "")
	r.want(404, r.do("GET", path, ""))
}

// A source that is deleted leaves its events, without a name.
func TestEvent_SourceGoes(t *testing.T) {
	r := newRig(t)
	source, id := r.door()
	r.want(204, r.do("DELETE", "/inventory/managedObjects/"+source, ""))
	r.equal("source", r.getJSON("/event/events/" + id)["source"], map[string]any{"id": source, "self": r.url + "/inventory/managedObjects/" + source})
}

// days makes five events on five days, each an hour later than the day before.
func (r *rig) days() (sources, events []string) {
	sources = []string{r.managed(`{"name":"a"}`), r.managed(`{"name":"b"}`, "user: root")}
	for i := range 5 {
		fragment := ""
		switch i {
		case 1:
			fragment = `,"frag":"v"`
		case 3:
			fragment = `,"frag":{"x":1}`
		}
		events = append(events, r.event(fmt.Sprintf(`{"source":{"id":"%s"},"type":"t%d","text":"e%d","time":"2026-01-0%dT0%d:00:00Z"%s}`, sources[i%2], i%3, i, i+1, i, fragment)))
	}
	return sources, events
}

func TestEvent_ListFilters(t *testing.T) {
	r := newRig(t)
	sources, e := r.days()
	r.want(201, r.do("POST", "/event/events/"+e[2]+"/binaries", "x"))
	r.want(200, r.do("POST", "/event/events/"+e[4]+"/binaries", "0123", "Content-Range: 0-3/*"))
	created := url.QueryEscape(r.getJSON("/event/events/" + e[0])["creationTime"].(string))
	for _, c := range []struct{ query, want string }{
		{"", "4 3 2 1 0"},
		{"source=" + sources[0], "4 2 0"}, {"source=4711", ""}, {"source=x", ""},
		{"type=t1", "4 1"}, {"type=t1&source=" + sources[1], "1"}, {"type=t9", ""},
		{"dateFrom=2026-01-02", "4 3 2 1"}, {"dateTo=2026-01-03T02:00:00Z", "1 0"}, {"dateFrom=2026-01-03T02:00:00.000Z&dateTo=2026-01-05", "3 2"},
		{"dateFrom=2026-01-03T03:00:00%2B01:00", "4 3 2"}, {"dateFrom=2026-01-03T03:00:00+01:00", "4 3 2"}, {"dateFrom=2026-01-03T02:00:00.000000001Z", "4 3"}, {"dateTo=1970-01-01", ""},
		{"dateFrom=2026-01-02&revert=true", "1 2 3 4"}, {"dateTo=2026-01-04&revert=true", "0 1 2"}, {"revert=true", "4 3 2 1 0"}, {"dateFrom=2026-01-02&revert=false", "4 3 2 1"},
		{"createdFrom=" + created, "4 3 2 1 0"}, {"createdFrom=2100-01-01", ""}, {"createdTo=2100-01-01&type=t0", "3 0"}, {"createdTo=2020-01-01", ""},
		{"lastUpdatedFrom=2100-01-01", ""}, {"lastUpdatedTo=2100-01-01", "4 3 2 1 0"},
		{"fragmentType=frag", "3 1"}, {"fragmentType=frag&fragmentValue=v", "1"}, {"fragmentType=frag&fragmentValue=w", ""}, {"fragmentType=text", "4 3 2 1 0"}, {"fragmentType=none", ""},
		{"fragmentType=c8y_IsBinary", "2"}, {"fragmentType=c8y_IsIncompleteBinary", "4"},
		{"withSourceAssets=true&withSourceDevices=true&withSourceChildren=true&withSourceAdditions=true", "4 3 2 1 0"},
	} {
		m := r.getJSON("/event/events?pageSize=50&" + c.query)
		var want []string
		for i := range strings.FieldsSeq(c.want) {
			want = append(want, e[i[0]-'0'])
		}
		r.equal(c.query, ids(m, "events"), strings.Join(want, " "))
	}
	for _, q := range []string{"dateFrom=x", "dateTo=1", "createdFrom=now", "createdTo=x", "lastUpdatedFrom=x", "lastUpdatedTo=x", "fragmentValue=v", "pageSize=0", "currentPage=x"} {
		a := r.want(422, r.do("GET", "/event/events?"+q, ""))
		r.equal(q, a.json(t)["error"], "event/Unprocessable Entity")
	}
	r.equal("type", r.do("GET", "/event/events", "").header.Get("Content-Type"), "application/vnd.com.nsn.cumulocity.eventCollection+json;ver=0.9;charset=UTF-8")
}

func TestEvent_ListPages(t *testing.T) {
	r := newRig(t)
	_, e := r.days()
	slices.Reverse(e)
	for _, q := range []string{"", "dateFrom=2026-01-01&revert=true"} {
		want := slices.Clone(e)
		if q != "" {
			slices.Reverse(want)
		}
		for size := 1; size <= 6; size++ {
			var linked, numbered []string
			for next, number := fmt.Sprintf("/event/events?pageSize=%d&withTotalPages=true&withTotalElements=true&%s", size, q), 1; next != ""; number++ {
				m := r.getJSON(next)
				linked = append(linked, strings.Fields(ids(m, "events"))...)
				r.equal("statistics", m["statistics"], map[string]any{"currentPage": number, "pageSize": size, "totalPages": (5 + size - 1) / size, "totalElements": 5})
				plain := r.getJSON(fmt.Sprintf("/event/events?pageSize=%d&currentPage=%d&%s", size, number, q))
				numbered = append(numbered, strings.Fields(ids(plain, "events"))...)
				if _, has := m["prev"]; has != (number > 1) {
					t.Errorf("prev on page %d: %v", number, has)
				}
				next, _ = m["next"].(string)
			}
			if !slices.Equal(linked, want) || !slices.Equal(numbered, want) {
				t.Errorf("by %d %s: by links %v, by numbers %v, want %v", size, q, linked, numbered, want)
			}
		}
	}
}

func TestEvent_DeleteMany(t *testing.T) {
	for query, left := range map[string]string{
		"source=%s": "3 1", "dateFrom=2026-01-03": "1 0", "dateTo=2026-01-03": "4 3 2", "source=%s&type=t0": "4 3 2 1", "dateFrom=2000-01-01&fragmentType=frag": "4 2 0",
		"createdFrom=2000-01-01": "", "createdTo=2000-01-01": "4 3 2 1 0", "dateTo=1970-01-01": "4 3 2 1 0", "source=x": "4 3 2 1 0", "source=4711": "4 3 2 1 0",
		"dateFrom=2000-01-01&fragmentType=frag&fragmentValue=v": "4 3 2 0", "dateFrom=2000-01-01&lastUpdatedTo=2000-01-01": "4 3 2 1 0",
	} {
		t.Run(query, func(t *testing.T) {
			r := newRig(t)
			sources, e := r.days()
			r.want(201, r.do("POST", "/event/events/"+e[3]+"/binaries", "x"))
			if strings.Contains(query, "%s") {
				query = fmt.Sprintf(query, sources[0])
			}
			r.want(204, r.do("DELETE", "/event/events?"+query, ""))
			var want []string
			for i := range strings.FieldsSeq(left) {
				want = append(want, e[i[0]-'0'])
			}
			r.equal("left", ids(r.getJSON("/event/events?pageSize=50"), "events"), strings.Join(want, " "))
			if !strings.Contains(left, "3") {
				r.nothing()
			}
		})
	}
	r := newRig(t)
	for _, q := range []string{"", "?type=t", "?fragmentType=x", "?dateFrom=", "?lastUpdatedFrom=2000-01-01", "?dateFrom=x", "?dateFrom=2000-01-01&fragmentValue=x"} {
		r.want(422, r.do("DELETE", "/event/events"+q, ""))
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-02": "2026-01-02T00:00:00Z", "2026-01-02T03:04:05Z": "2026-01-02T03:04:05Z", "2026-01-02T03:04:05": "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678901234Z": "2026-01-02T03:04:05.678901234Z",
		"2026-01-02T03:04:05+02:00": "2026-01-02T01:04:05Z", "2026-01-02T03:04:05 02:00": "2026-01-02T01:04:05Z", "2026-01-02T03:04:05-0130": "2026-01-02T04:34:05Z", "2026-01-02T03:04": "2026-01-02T03:04:00Z",
		"2026-01-02 03:04:05": "2026-01-02T03:04:05Z", " 2026-01-02 ": "2026-01-02T00:00:00Z", "2026-01-02T03:04:05.5+00": "2026-01-02T03:04:05.5Z", "20260102T030405Z": "2026-01-02T03:04:05Z",
		"1969-12-31T23:59:59Z": "1969-12-31T23:59:59Z", "": "", "now": "", "2026": "", "2026-1-2": "", "2026-01-02T25:00:00Z": "", "0000-01-01": "", "9999-12-31": "",
	} {
		got, err := parseTime(text)
		if err != nil && want != "" || err == nil && got.UTC().Format("2006-01-02T15:04:05.999999999Z07:00") != want {
			t.Errorf("%q is %v, %v, want %s", text, got, err, want)
		}
	}
}
