package restapi

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// attachments are the bodies that clients send as the attachment of an event.
func attachmentShapes() []shape {
	return append([]shape{
		{client: "raw", types: []string{"text/plain"}, name: "EVENT", content: "text/plain", body: payload},
		{client: "raw JSON is not parsed", types: []string{"application/json"}, name: "EVENT", content: "application/json", body: `{"broken":`},
		{client: "raw without type", name: "EVENT", content: "application/octet-stream", body: payload},
		{client: "raw chunked", types: []string{"image/jpeg"}, name: "EVENT", content: "image/jpeg", body: payload, chunked: true},
		{client: "empty", types: []string{"text/plain"}, name: "EVENT", content: "text/plain", body: ""},
		{client: "c8y/client", types: formType("----fd"), name: "EVENT", content: "application/octet-stream", body: crlf(
			"------fd", `Content-Disposition: form-data; name="file"`, "Content-Type: application/octet-stream", "", payload, "------fd--", "")},
		{client: "go-c8y", types: formType("9f2b"), name: "notes.txt", content: "text/plain; charset=utf-8", chunked: true, body: crlf(
			"--9f2b", `Content-Disposition: form-data; name="file"; filename="notes.txt"`, "Content-Type: text/plain; charset=utf-8", "", payload, "--9f2b--", "")},
		{client: "documents", types: formType("--myBoundary"), name: "photo.jpg", content: "image/jpeg", body: crlf(
			"--myBoundary", `Content-Disposition: form-data; name="photo.jpg"`, "Content-Type: image/jpeg", "", payload, "--myBoundary--", "")},
		{client: "object and file", types: formType("q"), name: "named.bin", content: "a/b", body: crlf(
			"--q", `Content-Disposition: form-data; name="object"`, "", `{"name":"named.bin","type":"c/d"}`,
			"--q", `Content-Disposition: form-data; name="file"; filename="other"`, "Content-Type: a/b", "", payload, "--q--", "")},
	}, shapes...)
}

func TestAttachment_Shapes(t *testing.T) {
	r := newRig(t)
	for _, sh := range attachmentShapes() {
		for _, method := range []string{"POST", "PUT"} {
			t.Run(method+" "+sh.client, func(t *testing.T) {
				source := r.managed(`{}`)
				id := r.event(r.eventBody(source))
				path := "/event/events/" + id + "/binaries"
				var body io.Reader = strings.NewReader(sh.body)
				if sh.chunked {
					body = struct{ io.Reader }{body}
				}
				var h []string
				for _, typ := range sh.types {
					h = append(h, "Content-Type: "+typ)
				}
				a := r.want(201, r.send(method, path, body, h...)) // always answers with a body, Accept or not
				want := sh.body
				if isForm(map[string][]string{"Content-Type": sh.types}) {
					want = payload
				}
				name := sh.name
				if name == "EVENT" || name == "bin" {
					name = id
				}
				r.equal("info", a.json(t), map[string]any{"self": r.url + path, "source": id, "type": sh.content, "length": len(want), "name": name})
				r.equal("location", a.header.Get("Location"), r.url+path)
				got := r.want(200, r.do("GET", path, ""))
				r.equal("bytes", got.body, want)
				r.equal("type", got.header.Get("Content-Type"), sh.content)
				r.equal("disposition", got.header.Get("Content-Disposition"), `attachment; filename="`+name+`"`)
				r.equal("in the tree", r.cat("/events/"+id+"/"+name), want)
				m := r.getJSON("/event/events/" + id)
				r.equal("event", m["c8y_IsBinary"], map[string]any{"name": name, "type": sh.content, "length": len(want)})
				b := r.getJSON("/inventory/binaries?pageSize=2000&text=" + name)["managedObjects"].([]any)
				if len(b) == 0 {
					t.Error("the attachment is no binary of the inventory")
				}
				r.want(204, r.do("DELETE", "/event/events/"+id, ""))
			})
		}
	}
	r.nothing()
}

func TestAttachment_Life(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	event, path := "/event/events/"+id, "/event/events/"+id+"/binaries"
	a := r.want(404, r.do("GET", path, ""))
	r.equal("no attachment", a.json(t)["error"], "Not Found")
	r.equal("no attachment", r.want(404, r.do("DELETE", path, "")).json(t)["error"], "Not Found")
	r.want(404, r.do("HEAD", path, ""))
	before := r.getJSON(event)
	r.want(201, r.do("POST", path, "one", "Content-Type: text/plain", `Content-Disposition: attachment; filename="door.txt"`))
	dup := r.want(409, r.do("POST", path, "two", "Content-Type: text/plain"))
	r.equal("error", dup.json(t)["error"], "Duplicate")
	r.want(409, r.do("POST", path, "0123", "Content-Range: 0-3/4"))
	m := r.getJSON(event)
	if m["lastUpdated"].(string) < before["lastUpdated"].(string) || m["c8y_IsBinary"] == nil {
		t.Errorf("event is %v", m)
	}
	first := r.want(200, r.do("GET", path, ""))
	r.equal("bytes", first.body, "one")
	put := r.want(201, r.do("PUT", path, "other", "Content-Type: text/x")).json(t)
	r.equal("the name stays, the type changes", put, map[string]any{"self": r.url + path, "source": id, "type": "text/x", "length": 5, "name": "door.txt"})
	second := r.want(200, r.do("GET", path, ""))
	if second.header.Get("ETag") == first.header.Get("ETag") || second.body != "other" {
		t.Errorf("replaced: %v %s", second.header, second.body)
	}
	put = r.want(201, r.do("PUT", path, "third", `Content-Disposition: attachment; filename="new.bin"`)).json(t)
	r.equal("a new name", put["name"], "new.bin")
	r.equal("default type", put["type"], "application/octet-stream")
	r.equal("tree", r.tree(), []string{"/events/", "/events/" + id + "/", "/events/" + id + "/new.bin"})
	b := r.getJSON("/inventory/binaries")["managedObjects"].([]any)[0].(map[string]any)
	r.equal("revision", b["_attachments"].(map[string]any)["new.bin"].(map[string]any)["revpos"], 3)
	r.equal("empty answer", r.want(204, r.do("DELETE", path, "", acceptJSON)).body, "")
	r.want(404, r.do("GET", path, ""))
	r.equal("event after", r.getJSON(event)["c8y_IsBinary"], nil)
	r.nothing()
	r.want(201, r.do("PUT", path, "made by PUT"))
	r.equal("made by PUT", r.want(200, r.do("GET", path, "")).body, "made by PUT")
	r.want(204, r.do("DELETE", event, ""))
	r.nothing()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
		a := r.want(404, r.do(method, path, "x"))
		if method != "HEAD" {
			r.equal(method, a.json(t)["error"], "event/Not Found")
		}
	}
	r.want(404, r.do("POST", path, "0123", "Content-Range: 0-3/4"))
}

func TestAttachment_Ranges(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	path := "/event/events/" + id + "/binaries"
	r.want(201, r.do("POST", path, ten))
	tag := r.do("HEAD", path, "").header.Get("ETag")
	for _, c := range rangeCases {
		a := r.want(c.status, r.do("GET", path, "", "Range: "+c.header))
		r.equal(c.header+" range", a.header.Get("Content-Range"), c.crange)
		if c.status == 416 {
			r.equal("error", a.json(t)["error"], "event/Invalid Range")
			continue
		}
		r.equal(c.header, a.body, c.body)
		r.equal("etag", a.header.Get("ETag"), tag)
		h := r.want(c.status, r.do("HEAD", path, "", "Range: "+c.header))
		if h.body != "" || h.header.Get("Content-Length") != fmt.Sprint(len(c.body)) {
			t.Errorf("HEAD %s: %v %q", c.header, h.header, h.body)
		}
	}
}

// Whatever is wrong with an upload leaves what was there.
func TestAttachment_Refused(t *testing.T) {
	form := func(lines ...string) string { return crlf(append(append([]string{"--q"}, lines...), "--q--", "")...) }
	file := []string{`Content-Disposition: form-data; name="file"; filename="f"`, "", "data"}
	for _, method := range []string{"POST", "PUT"} {
		for name, c := range map[string]struct {
			status int
			body   string
			typ    string
			raw    bool
		}{
			"too large":             {413, strings.Repeat("x", 2001), "text/plain", false},
			"too large, in chunks":  {413, strings.Repeat("x", 2001), "text/plain", true},
			"large form":            {413, form(file[0], "", strings.Repeat("x", 2001)), "multipart/form-data; boundary=q", false},
			"no closing delimiter":  {400, form(file...)[:40], "multipart/form-data; boundary=q", false},
			"no boundary":           {400, form(file...), "multipart/form-data", false},
			"no file":               {422, form(`Content-Disposition: form-data; name="object"`, "", "{}"), "multipart/form-data; boundary=q", false},
			"bad object":            {422, form(append([]string{`Content-Disposition: form-data; name="object"`, "", "[]", "--q"}, file...)...), "multipart/form-data; boundary=q", false},
			"filesize":              {422, form(append([]string{`Content-Disposition: form-data; name="filesize"`, "", "5", "--q"}, file...)...), "multipart/form-data; boundary=q", false},
			"name that leads away":  {422, form(append([]string{`Content-Disposition: form-data; name="object"`, "", `{"name":".."}`, "--q"}, file...)...), "multipart/form-data; boundary=q", false},
			"name that is too long": {422, form(append([]string{`Content-Disposition: form-data; name="object"`, "", `{"name":"` + strings.Repeat("n", 256) + `"}`, "--q"}, file...)...), "multipart/form-data; boundary=q", false},
		} {
			t.Run(method+" "+name, func(t *testing.T) {
				r := newRig(t, func(o *Options) { o.MaxAttachment = 2000 })
				_, id := r.door()
				path := "/event/events/" + id + "/binaries"
				if method == "PUT" {
					r.want(201, r.do("POST", path, "old"))
				}
				var body io.Reader = strings.NewReader(c.body)
				if c.raw {
					body = struct{ io.Reader }{body}
				}
				a := r.want(c.status, r.send(method, path, body, "Content-Type: "+c.typ))
				if a.json(t)["error"] == "" {
					t.Error("no error")
				}
				if method == "PUT" {
					r.equal("kept", r.do("GET", path, "").body, "old")
					return
				}
				r.want(404, r.do("GET", path, ""))
				r.nothing()
			})
		}
	}
}

func TestAttachment_Limit(t *testing.T) {
	if (Options{}).withDefaults(newRig(t).fs).MaxAttachment != 52_428_800 {
		t.Error("the limit is not 50 MiB")
	}
	r := newRig(t, func(o *Options) { o.MaxAttachment = 100 })
	for n, want := range map[int]int{99: 201, 100: 201, 101: 413} {
		_, id := r.door()
		r.want(want, r.do("POST", "/event/events/"+id+"/binaries", strings.Repeat("x", n)))
	}
}

// An attachment is an ordinary file: it can be moved, renamed and deleted by another face, and the event knows.
func TestAttachment_IsAFile(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	path := "/event/events/" + id + "/binaries"
	r.want(201, r.do("POST", path, "photo", "Content-Type: image/png", `Content-Disposition: attachment; filename="p.png"`))
	ctx := t.Context()
	if _, err := r.fs.MkdirAll(ctx, sys(), "/archive"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.fs.Move(ctx, sys(), "/events/"+id+"/p.png", "/archive/kept.png", false, nil); err != nil {
		t.Fatal(err)
	}
	r.equal("moved", r.want(200, r.do("GET", path, "")).body, "photo")
	r.equal("renamed", r.getJSON("/event/events/" + id)["c8y_IsBinary"], map[string]any{"name": "kept.png", "type": "image/png", "length": 5})
	r.want(201, r.do("PUT", path, "again"))
	r.equal("replaced where it is", r.cat("/archive/kept.png"), "again")
	if _, err := r.fs.Copy(ctx, sys(), "/archive/kept.png", "/archive/copy.png", false, true, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.fs.RemoveAll(ctx, sys(), "/archive/kept.png", nil); err != nil {
		t.Fatal(err)
	}
	r.want(404, r.do("GET", path, "")) // a copy is not the attachment
	r.equal("event", r.getJSON("/event/events/" + id)["c8y_IsBinary"], nil)
	r.want(201, r.do("POST", path, "new"))
	names, numbers := listed(t, r.do("GET", "/inventory/binaries", ""))
	r.want(204, r.do("DELETE", "/inventory/binaries/"+numbers[slices.Index(names, id)], "")) // it goes by the number of its event
	r.want(404, r.do("GET", path, ""))
	r.want(204, r.do("DELETE", "/event/events/"+id, ""))
}

// Nobody makes a file the attachment of an event by setting properties.
func TestAttachment_CanNotBeForged(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	for _, user := range []string{"mira", "other/root"} {
		file := r.upload(`{"_event":`+id+`,"c8y_Event":`+id+`}`, "f", "forged", "user: "+user)
		r.want(200, r.do("PUT", "/inventory/managedObjects/"+file, `{"_event":`+id+`}`, "user: "+user))
		r.do("POST", "/api/binarystreamobjectservice/update", `{"binaryStreamObject":{"id":"`+file+`","properties":{"_event":"`+id+`","c8y:_event":"`+id+`"}}}`, "user: "+user)
	}
	r.want(404, r.do("GET", "/event/events/"+id+"/binaries", ""))
	r.equal("event", r.getJSON("/event/events/" + id)["c8y_IsBinary"], nil)
}

// Two at once: one becomes the attachment, the other is told.
func TestAttachment_Race(t *testing.T) {
	r := newRig(t)
	for range 10 {
		_, id := r.door()
		path := "/event/events/" + id + "/binaries"
		var wg sync.WaitGroup
		statuses := make([]int, 6)
		for i := range statuses {
			wg.Go(func() {
				statuses[i] = r.do("POST", path, strings.Repeat(fmt.Sprint(i), 1000)).status
			})
		}
		wg.Wait()
		won := 0
		for i, s := range statuses {
			switch s {
			case 201:
				won++
				r.equal("bytes", r.do("GET", path, "").body, strings.Repeat(fmt.Sprint(i), 1000))
			case 409:
			default:
				t.Errorf("status %d", s)
			}
		}
		r.equal("winners", won, 1)
		r.equal("files", len(regexp.MustCompile(`/events/`+id+`/\d`).FindAllString(strings.Join(r.tree(), " "), -1)), 1)
	}
}

// An upload and the deletion of its event don't leave a file behind.
func TestAttachment_RaceWithDelete(t *testing.T) {
	r := newRig(t)
	for range 10 {
		_, id := r.door()
		path := "/event/events/" + id
		var wg sync.WaitGroup
		wg.Go(func() { r.do("POST", path+"/binaries", "data") })
		wg.Go(func() { r.do("PUT", path+"/binaries", "data") })
		wg.Go(func() { r.do("POST", path+"/binaries", "0123", "Content-Range: 0-3/*") })
		wg.Go(func() { r.do("DELETE", path, "") })
		wg.Wait()
		r.do("DELETE", path, "")
		r.want(404, r.do("GET", path, ""))
	}
	r.nothing()
	r.noDrafts()
}

func (r *rig) noDrafts() {
	r.Helper()
	if names, err := r.drafts.Names(); err != nil || len(names) != 0 {
		r.Errorf("drafts left: %v, %v", names, err)
	}
}

// A reader sees the old bytes or the new ones while they are replaced.
func TestAttachment_ParallelPutAndGet(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	path := "/event/events/" + id + "/binaries"
	r.want(201, r.do("PUT", path, strings.Repeat("0", 100_000)))
	stop := time.Now().Add(time.Second)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			for n := 0; time.Now().Before(stop); n++ {
				r.want(201, r.do("PUT", path, strings.Repeat(fmt.Sprint((n+i)%10), 100_000)))
			}
		})
		wg.Go(func() {
			for time.Now().Before(stop) {
				a := r.want(200, r.do("GET", path, ""))
				if len(a.body) != 100_000 || strings.Trim(a.body, a.body[:1]) != "" {
					t.Error("a mixture")
				}
			}
		})
	}
	wg.Wait()
}
