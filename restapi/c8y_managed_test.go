package restapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// managed makes a managed object and gives its id.
func (r *rig) managed(body string, headers ...string) string {
	r.Helper()
	a := r.want(201, r.do("POST", "/inventory/managedObjects", body, append(headers, acceptJSON, "Content-Type: application/json")...))
	return a.json(r)["id"].(string)
}

func (r *rig) getJSON(path string, headers ...string) map[string]any {
	r.Helper()
	return r.want(200, r.do("GET", path, "", headers...)).json(r)
}

// ids are the ids of a list, joined.
func ids(m map[string]any, key string) string {
	var out []string
	for _, o := range m[key].([]any) {
		out = append(out, o.(map[string]any)["id"].(string))
	}
	return strings.Join(out, " ")
}

func TestManaged_Create(t *testing.T) {
	r := newRig(t)
	a := r.want(201, r.do("POST", "/inventory/managedObjects", `{"name":"door","type":"c8y_Door","c8y_IsDevice":{},"n":[1,{"x":null}],"big":12345678901234567890,
		"id":"9","self":"http://evil","owner":"eve","creationTime":"x","_x":1,"length":5,"childAssets":{},"gone":null}`, acceptJSON))
	m := a.json(t)
	id := m["id"].(string)
	for name, want := range map[string]any{
		"name": "door", "type": "c8y_Door", "owner": "mira", "c8y_IsDevice": map[string]any{}, "n": []any{1, map[string]any{"x": nil}},
		"self": r.url + "/inventory/managedObjects/" + id, "_x": nil, "length": nil, "gone": nil, "c8y_IsBinary": nil,
		"childAssets": map[string]any{"self": r.url + "/inventory/managedObjects/" + id + "/childAssets", "references": []any{}},
	} {
		r.equal(name, m[name], want)
	}
	if !strings.Contains(a.body, `"big":12345678901234567890`) {
		t.Errorf("a large number changed: %s", a.body)
	}
	for _, name := range []string{"creationTime", "lastUpdated"} {
		if !timeText.MatchString(m[name].(string)) {
			t.Errorf("%s is %v", name, m[name])
		}
	}
	r.equal("location", a.header.Get("Location"), m["self"])
	got := r.want(200, r.do("GET", "/inventory/managedObjects/"+id, ""))
	r.equal("type", got.header.Get("Content-Type"), "application/vnd.com.nsn.cumulocity.managedObject+json;ver=0.9;charset=UTF-8")
	r.equal("again", got.json(t), m)
	r.equal("owner by an admin", r.getJSON("/inventory/managedObjects/" + r.managed(`{"owner":"eve"}`, "user: inva"))["owner"], "eve")
	for _, id := range []string{id, r.managed(`{}`)} {
		r.want(404, r.do("GET", "/inventory/binaries/"+id, "")) // not a binary
		r.want(404, r.do("PUT", "/inventory/binaries/"+id, "x"))
		r.want(404, r.do("DELETE", "/inventory/binaries/"+id, ""))
	}
}

// A change asks for its answer by sending Accept; without it the answer is empty.
func TestManaged_AcceptRule(t *testing.T) {
	r := newRig(t)
	id := r.managed(`{}`)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/inventory/managedObjects", `{}`, 201}, {"PUT", "/inventory/managedObjects/" + id, `{"a":1}`, 200}, {"PUT", "/inventory/managedObjects/" + id, `{"id":"1"}`, 200},
		{"POST", "/inventory/managedObjects/" + id + "/childAssets", `{"name":"c"}`, 201}, {"POST", "/event/events", r.eventBody(id), 201},
	} {
		for accept, empty := range map[string]bool{"X: y": true, "Accept:": true, "Accept: */*": false, acceptJSON: false} {
			a := r.want(c.status, r.do(c.method, c.path, c.body, accept))
			if (a.body == "") != empty || empty && a.header.Get("Content-Length") != "0" {
				t.Errorf("%s %s with %s: %v %q", c.method, c.path, accept, a.header, a.body)
			}
			if (a.header.Get("Location") != "") != (c.status == 201) {
				t.Errorf("%s %s: Location is %q", c.method, c.path, a.header.Get("Location"))
			}
		}
	}
}

func TestManaged_BodyErrors(t *testing.T) {
	r := newRig(t)
	id := r.managed(`{}`)
	for _, path := range []string{"POST /inventory/managedObjects", "PUT /inventory/managedObjects/" + id, "POST /inventory/managedObjects/" + id + "/childAdditions", "POST /event/events"} {
		method, path, _ := strings.Cut(path, " ")
		for body, want := range map[string]int{
			`{"a":`: 400, "": 400, "\xff": 400, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100): 400, `{"a":1}{}`: 400,
			`[]`: 422, `null`: 422, `"x"`: 422, `{"":1}`: 422, `{"a\u0000":1}`: 422, `{"` + strings.Repeat("n", 256) + `":1}`: 422,
			`{"a":"` + strings.Repeat("x", 1<<20) + `"}`: 413,
		} {
			if strings.Contains(path, "/event/") && strings.HasPrefix(body, `{"`) && want == 422 {
				body = strings.Replace(r.eventBody(id), "{", body[:len(body)-1]+",", 1)
			}
			a := r.do(method, path, body, acceptJSON)
			if a.status != want {
				t.Errorf("%s %s with %.40q: %d, want %d: %s", method, path, body, a.status, want, a.body)
			}
		}
	}
	r.want(413, r.send("POST", "/inventory/managedObjects", struct{ *strings.Reader }{strings.NewReader(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`)}))
	for _, body := range []string{`{"name":5}`, `{"type":{}}`, `{"owner":[]}`} {
		r.want(422, r.do("POST", "/inventory/managedObjects", body))
		r.want(422, r.do("PUT", "/inventory/managedObjects/"+id, body))
	}
	r.want(201, r.do("POST", "/inventory/managedObjects", `{}`, "Content-Type: application/vnd.com.nsn.cumulocity.managedobject+json;ver=0.9"))
}

func TestManaged_Update(t *testing.T) {
	r := newRig(t)
	id := r.managed(`{"name":"a","type":"t","x":1,"y":{"deep":true}}`)
	path := "/inventory/managedObjects/" + id
	before := r.getJSON(path)
	r.equal("heartbeat", r.want(200, r.do("PUT", path, `{"id":"`+id+`"}`, acceptJSON)).body, `{"id":"`+id+`"}`)
	m := r.want(200, r.do("PUT", path, `{"name":"b","x":null,"y":{"other":1},"z":"new","owner":"eve","id":"5","creationTime":"no"}`, acceptJSON)).json(t)
	for name, want := range map[string]any{"id": id, "name": "b", "type": "t", "x": nil, "y": map[string]any{"other": 1}, "z": "new", "owner": "mira", "creationTime": before["creationTime"]} {
		r.equal(name, m[name], want)
	}
	r.equal("owner", r.want(200, r.do("PUT", path, `{"owner":"eve"}`, acceptJSON, "user: inva")).json(t)["owner"], "eve")
	r.equal("type", r.want(200, r.do("PUT", path, `{"type":null}`, acceptJSON)).json(t)["type"], nil)
	r.want(404, r.do("PUT", "/inventory/managedObjects/4711", `{}`))
	r.want(200, r.do("PUT", path, `{"a1":"`+strings.Repeat("x", 600<<10)+`"}`))
	r.want(413, r.do("PUT", path, `{"a2":"`+strings.Repeat("x", 600<<10)+`"}`)) // documents don't grow without end
}

// A binary is a managed object with the same id; each API shows its own self.
func TestManaged_Binary(t *testing.T) {
	r := newRig(t)
	id := r.upload(`{"name":"plan.pdf","type":"c8y_Plan","c8y_Global":{},"custom_attribute":false}`, "x", "hello")
	path := "/inventory/managedObjects/" + id
	m := r.getJSON(path)
	b := r.getJSON("/inventory/binaries?ids=" + id)["managedObjects"].([]any)[0].(map[string]any)
	r.equal("self", m["self"], r.url+path)
	r.equal("self of the binary", b["self"], r.url+"/inventory/binaries/"+id)
	for _, name := range []string{"id", "name", "type", "owner", "creationTime", "lastUpdated", "c8y_IsBinary", "length", "contentType", "c8y_Global", "custom_attribute"} {
		r.equal(name, m[name], b[name])
		if m[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	r.equal("attachments", m["_attachments"], nil)
	tag := r.do("HEAD", "/inventory/binaries/"+id, "").header.Get("ETag")
	u := r.want(200, r.do("PUT", path, `{"name":"new.pdf","type":"c8y_New","custom_attribute":null,"more":[1],"length":9,"contentType":"x/y"}`, acceptJSON)).json(t)
	for name, want := range map[string]any{"name": "new.pdf", "type": "c8y_New", "custom_attribute": nil, "more": []any{1}, "length": 5, "contentType": "text/plain"} {
		r.equal(name, u[name], want)
	}
	if u["lastUpdated"] == m["lastUpdated"] && u["lastUpdated"].(string) < m["lastUpdated"].(string) {
		t.Error("lastUpdated went back")
	}
	r.equal("tree", r.cat("/inventory/new.pdf"), "hello")
	got := r.do("GET", "/inventory/binaries/"+id, "")
	r.equal("bytes", got.body, "hello")
	r.equal("disposition", got.header.Get("Content-Disposition"), `attachment; filename="new.pdf"`)
	r.equal("etag", got.header.Get("ETag"), tag)
	r.equal("type falls back", r.want(200, r.do("PUT", path, `{"type":null}`, acceptJSON)).json(t)["type"], "text/plain")
	r.want(204, r.do("DELETE", path, ""))
	r.want(404, r.do("GET", "/inventory/binaries/"+id, ""))
	r.want(404, r.do("GET", path, ""))
	r.nothing()
}

func TestManaged_BinaryRenames(t *testing.T) {
	r := newRig(t)
	taken, id := r.upload(`{"name":"a.txt"}`, "x", "one"), r.upload(`{"name":"b.txt"}`, "x", "two")
	r.equal("a taken name", r.want(200, r.do("PUT", "/inventory/managedObjects/"+id, `{"name":"a.txt"}`, acceptJSON)).json(t)["name"], "a.txt")
	r.equal("first", r.cat("/inventory/a.txt"), "one")
	r.equal("second", r.do("GET", "/inventory/binaries/"+id, "").body, "two")
	r.equal("a path", r.want(200, r.do("PUT", "/inventory/managedObjects/"+taken, `{"name":"x/y/c.txt"}`, acceptJSON)).json(t)["name"], "c.txt")
	for _, name := range []string{"..", "a/", strings.Repeat("n", 256)} {
		r.want(422, r.do("PUT", "/inventory/managedObjects/"+id, `{"name":"`+name+`"}`))
	}
	r.want(200, r.do("PUT", "/inventory/managedObjects/"+id, `{"name":"`+strings.Repeat("n", 255)+`"}`))
	// As on another face.
	f := r.put("/docs/of mira.txt", "x")
	r.want(200, r.do("PUT", "/inventory/managedObjects/"+idText(f.Ino()), `{"name":"moved.txt","note":"n"}`))
	r.equal("moved", r.cat("/docs/moved.txt"), "x")
}

func TestManaged_Delete(t *testing.T) {
	r := newRig(t)
	id := r.managed(`{"name":"x"}`)
	a := r.want(204, r.do("DELETE", "/inventory/managedObjects/"+id, "", acceptJSON))
	r.equal("body", a.body, "")
	for _, m := range []string{"GET", "PUT", "DELETE"} {
		r.want(404, r.do(m, "/inventory/managedObjects/"+id, "{}"))
	}
}

func TestManaged_Cascade(t *testing.T) {
	for _, c := range []struct {
		name, query string
		kind        string
		status      int
		childGone   bool
		binary      bool
	}{
		{"additions don't hold", "", "childAdditions", 204, false, true},
		{"additions stay", "?cascade=false", "childAdditions", 204, false, false},
		{"binary additions go", "?cascade=true", "childAdditions", 204, true, true},
		{"binary additions go by force", "?forceCascade=true", "childAdditions", 204, true, true},
		{"other additions stay", "?cascade=true", "childAdditions", 204, false, false},
		{"assets hold", "", "childAssets", 409, false, false},
		{"devices hold", "?withDeviceUser=true", "childDevices", 409, false, false},
		{"assets go", "?cascade=true", "childAssets", 204, true, false},
		{"devices go", "?forceCascade=true", "childDevices", 204, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			parent, child := r.managed(`{}`), ""
			if c.binary {
				child = r.upload(`{}`, "f", "x")
			} else {
				child = r.managed(`{}`)
			}
			r.link(parent, c.kind, child)
			a := r.want(c.status, r.do("DELETE", "/inventory/managedObjects/"+parent+c.query, ""))
			if c.status == 409 {
				r.equal("error", a.json(t)["error"], "inventory/conflict")
			}
			want := 200
			if c.childGone {
				want = 404
			}
			r.want(want, r.do("GET", "/inventory/managedObjects/"+child, ""))
		})
	}
}

// A whole hierarchy goes at once, rings included, and nothing of it when a part may not.
func TestManaged_CascadeDeep(t *testing.T) {
	r := newRig(t)
	a, b, c := r.managed(`{"owner":"owner"}`, "user: inva"), r.managed(`{"owner":"owner"}`, "user: inva"), r.managed(`{"owner":"other"}`, "user: inva")
	file := r.upload(`{}`, "f", "x", "user: owner")
	r.link(a, "childAssets", b)
	r.link(b, "childAssets", a)
	r.link(b, "childAdditions", file)
	r.link(b, "childDevices", c)
	r.want(403, r.do("DELETE", "/inventory/managedObjects/"+a+"?cascade=true", "", "user: owner"))
	for _, id := range []string{a, b, c, file} {
		r.want(200, r.do("GET", "/inventory/managedObjects/"+id, ""))
	}
	r.want(204, r.do("DELETE", "/inventory/managedObjects/"+a+"?cascade=true", ""))
	for _, id := range []string{a, b, c, file} {
		r.want(404, r.do("GET", "/inventory/managedObjects/"+id, ""))
	}
	r.nothing()
}

func (r *rig) link(parent, kind, child string) {
	r.Helper()
	r.want(201, r.do("POST", "/inventory/managedObjects/"+parent+"/"+kind, `{"managedObject":{"id":"`+child+`"}}`))
}

func TestManaged_Children(t *testing.T) {
	r := newRig(t)
	p, c, file := r.managed(`{"name":"parent"}`), r.managed(`{"name":"child"}`), r.upload(`{"name":"f"}`, "f", "x")
	base := "/inventory/managedObjects/" + p + "/childAdditions"
	a := r.want(201, r.do("POST", base, `{"managedObject":{"id":"`+c+`"}}`, acceptJSON, "Content-Type: application/vnd.com.nsn.cumulocity.managedObjectReference+json"))
	ref := map[string]any{"self": r.url + base + "/" + c, "managedObject": map[string]any{"id": c, "name": "child", "self": r.url + "/inventory/managedObjects/" + c}}
	r.equal("reference", a.json(t), ref)
	r.equal("location", a.header.Get("Location"), r.url+base+"/"+c)
	r.want(201, r.do("POST", base, `{"references":[{"managedObject":{"id":"`+file+`"}},{"managedObject":{"id":`+c+`}}]}`, acceptJSON))
	made := r.want(201, r.do("POST", base, `{"name":"new one","type":"x","references":[],"managedObject":5}`, acceptJSON, "Content-Type: application/vnd.com.nsn.cumulocity.managedObject+json;ver=0.9"))
	fresh := made.json(t)["id"].(string)
	r.equal("location of the new one", made.header.Get("Location"), r.url+"/inventory/managedObjects/"+fresh)
	r.equal("its parent", len(made.json(t)["additionParents"].(map[string]any)["references"].([]any)), 1)

	m := r.getJSON(base + "?withTotalPages=true")
	var names []string
	for _, o := range m["references"].([]any) {
		names = append(names, o.(map[string]any)["managedObject"].(map[string]any)["name"].(string))
	}
	r.equal("children", names, []string{"child", "f", "new one"})
	r.equal("statistics", m["statistics"], map[string]any{"currentPage": 1, "pageSize": 5, "totalPages": 1})
	r.equal("self of the list", m["self"], r.url+base+"?currentPage=1&pageSize=5&withTotalPages=true")
	two := r.getJSON(base + "?pageSize=2")
	r.equal("page", len(two["references"].([]any)), 2)
	r.equal("next page", len(r.getJSON(two["next"].(string))["references"].([]any)), 1)

	r.equal("shown in the parent", len(r.getJSON("/inventory/managedObjects/" + p)["childAdditions"].(map[string]any)["references"].([]any)), 3)
	parents := r.getJSON("/inventory/managedObjects/" + file)["additionParents"].(map[string]any)
	r.equal("shown in the child", parents["references"].([]any)[0].(map[string]any)["managedObject"].(map[string]any)["name"], "parent")
	r.equal("one", r.getJSON(base + "/" + c)["managedObject"].(map[string]any)["id"], c)
	r.want(404, r.do("GET", base+"/4711", ""))
	r.want(404, r.do("GET", "/inventory/managedObjects/"+p+"/childAssets/"+c, ""))
	r.want(204, r.do("DELETE", base+"/"+c, ""))
	r.want(404, r.do("DELETE", base+"/"+c, ""))
	r.want(200, r.do("GET", "/inventory/managedObjects/"+c, "")) // the child itself stays

	r.want(204, r.do("DELETE", "/inventory/binaries/"+file, ""))
	r.want(204, r.do("DELETE", "/inventory/managedObjects/"+fresh, ""))
	r.equal("references vanish", r.getJSON(base)["references"], []any{})
	r.equal("in the parent too", r.getJSON("/inventory/managedObjects/" + p)["childAdditions"].(map[string]any)["references"], []any{})
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/inventory/managedObjects/4711/childAdditions", "", 404}, {"POST", "/inventory/managedObjects/4711/childAdditions", "{}", 404},
		{"GET", "/inventory/managedObjects/4711/childAdditions/1", "", 404}, {"DELETE", "/inventory/managedObjects/4711/childAdditions/1", "", 404},
		{"POST", base, `{"managedObject":{"id":"4711"}}`, 422}, {"POST", base, `{"managedObject":{"id":"x"}}`, 422}, {"POST", base, `{"managedObject":{}}`, 422},
		{"POST", base, `{"managedObject":5}`, 422}, {"POST", base, `{"references":[]}`, 422}, {"POST", base, `{"references":[{"managedObject":{"id":"` + p + `"}}]}`, 422},
	} {
		if a := r.do(c.method, c.path, c.body); a.status != c.status {
			t.Errorf("%s %s %s: %d, want %d", c.method, c.path, c.body, a.status, c.status)
		}
	}
}

// many makes objects of several kinds: documents and files by turns.
func (r *rig) many() map[string]string {
	out := map[string]string{}
	add := func(name, id string) { out[name] = id }
	add("dev", r.managed(`{"name":"dev","type":"c8y_Linux","c8y_IsDevice":{},"hw":{"serial":"A1","cores":4},"tags":["a","b"],"c8y_Global":{}}`))
	add("file1", r.upload(`{"name":"file1.txt","type":"c8y_Dump","rank":3}`, "x", "one"))
	add("asset", r.managed(`{"name":"asset","type":"c8y_Asset","rank":1.5,"note":"hello"}`, "user: root"))
	add("file2", r.upload(`{"name":"file2.bin","on":true,"rank":10}`, "x", "one", "user: root"))
	add("plain", r.managed(`{"name":"it's","odd.name":"dotted","n":null}`))
	r.link(out["dev"], "childAdditions", out["file1"])
	r.link(out["asset"], "childAssets", out["plain"])
	r.link(out["asset"], "childDevices", out["dev"])
	return out
}

func TestManaged_ListFilters(t *testing.T) {
	r := newRig(t)
	id := r.many()
	now := url.QueryEscape(r.getJSON("/inventory/managedObjects/" + id["dev"])["creationTime"].(string))
	for _, c := range []struct{ query, want string }{
		{"", "dev file1 asset file2 plain"},
		{"type=c8y_Asset", "asset"}, {"type=c8y_*", "dev file1 asset"}, {"type=text/plain", "file2"}, {"type=", "dev file1 asset file2 plain"},
		{"owner=root", "asset file2"}, {"owner=mira&type=c8y_*", "dev file1"}, {"owner=eve", ""},
		{"text=hello", "asset"}, {"text=A1", "dev"}, {"text=b", "dev"}, {"text=file1.txt", "file1"}, {"text=none", ""},
		{"fragmentType=c8y_IsDevice", "dev"}, {"fragmentType=c8y_IsBinary", "file1 file2"}, {"fragmentType=rank&owner=root", "asset file2"}, {"fragmentType=id", "dev file1 asset file2 plain"},
		{"ids=" + id["plain"] + "," + id["dev"] + ",99999,x", "dev plain"}, {"ids=" + id["plain"] + "&ids=" + id["file1"], "file1 plain"}, {"ids=", ""},
		{"ids=" + id["plain"] + "," + id["file2"] + "&owner=root", "file2"},
		{"childAdditionId=" + id["file1"], "dev"}, {"childAssetId=" + id["plain"], "asset"}, {"childDeviceId=" + id["dev"], "asset"}, {"childDeviceId=" + id["plain"], ""},
		{"childAssetId=" + id["plain"] + "&childDeviceId=" + id["dev"], "asset"}, {"childAssetId=x", ""}, {"childAssetId=" + id["plain"] + "&ids=" + id["dev"], ""},
		{"onlyRoots=true", "asset file2"}, {"onlyRoots=true&type=c8y_*", "asset"},
		{"withParents=true&withChildren=false&withChildrenCount=true&withGroups=true&skipChildrenNames=true&withLatestValues=true", "dev file1 asset file2 plain"},

		{"query=name eq 'dev'", "dev"}, {"query=$filter=name eq 'dev'", "dev"}, {"query=$filter=(name eq 'file*')", "file1 file2"}, {"query=name eq '*e*'", "dev file1 asset file2"},
		{"query=has(c8y_IsBinary) and (name eq 'file*')", "file1 file2"}, {"query=has(c8y_IsBinary) and not has(rank)", ""}, {"query=not(has(c8y_IsBinary))", "dev asset plain"},
		{"query=hasany(c8y_IsDevice,note)", "dev asset"}, {"query=has('odd.name')", "plain"}, {"query=odd.name eq 'dotted'", "plain"},
		{"query=rank gt 1.5", "file1 file2"}, {"query=rank ge 1.5 and rank lt 10", "file1 asset"}, {"query=rank le 3 or on eq true", "file1 asset file2"}, {"query=rank eq '3'", ""}, {"query=on eq false", ""},
		{"query=hw.serial eq 'A1' and hw.cores eq 4", "dev"}, {"query=hw.none eq 'x'", ""}, {"query=name.x eq 'y'", ""}, {"query=tags eq 'b'", "dev"},
		{"query=rank ge 3f and rank lt 1.1e1d", "file1 file2"}, {"query=text eq 'a\\(b\\)\\[\\]\\\\'", ""},
		{"query=name eq 'it''s'", "plain"}, {"query=note eq null", "dev file1 file2 plain"}, {"query=not note eq null", "asset"}, {"query=type eq null", "plain"},
		{"query=name gt 'dev' and name lt 'file1.txu'", "file1"}, {"query=owner eq 'root' AND Not Has(on)", "asset"},
		{"query=length gt 0 and contentType eq 'text/*'", "file1 file2"}, {"query=creationTime.date ge '" + now + "'", "dev file1 asset file2 plain"}, {"query=creationTime lt '2020-01-01'", ""}, {"query=lastUpdated.date lt '2020-01-01T00:00:00%2B02:00'", ""},
		{"q=name eq '*'", "dev"}, {"q=$orderby=name", "dev"}, {"q=has(note)", ""}, {"query=has(hw)&q=has(tags)", "dev"}, {"query=has(note)&type=c8y_Asset&owner=root", "asset"},
		{"query=$orderby=name", "asset dev file1 file2 plain"}, {"query=$orderby=name desc", "plain file2 file1 dev asset"}, {"query=$filter=has(rank) $orderby=rank desc", "file2 file1 asset"},
		{"query=has(rank)+$orderby=owner asc, rank asc", "file1 asset file2"}, {"query=$orderby=rank", "dev plain asset file1 file2"},
	} {
		m := r.getJSON("/inventory/managedObjects?pageSize=50&" + strings.ReplaceAll(c.query, " ", "%20"))
		var want []string
		for name := range strings.FieldsSeq(c.want) {
			want = append(want, id[name])
		}
		if got := ids(m, "managedObjects"); got != strings.Join(want, " ") {
			t.Errorf("%s: %s, want %s %s", c.query, got, want, c.want)
		}
		_, total := m["statistics"].(map[string]any)["totalPages"]
		if total {
			t.Errorf("%s: the number of pages without asking", c.query)
		}
	}
}

// However a list is filtered, its pages together are the whole of it, by links and by numbers, and their counts are right.
func TestManaged_ListPages(t *testing.T) {
	r := newRig(t)
	r.many()
	for _, q := range []string{"", "fragmentType=rank", "type=c8y_*", "owner=mira", "onlyRoots=true", "query=has(name)", "query=$orderby=name%20desc", "query=has(rank)%20$orderby=rank", "fragmentType=c8y_IsBinary", "ids=1,2,3,4,5,6,7,8,9,1030,1031"} {
		for _, api := range []string{"/inventory/managedObjects?", "/inventory/binaries?"} {
			all := r.getJSON(api + q + "&pageSize=2000")
			want := strings.Fields(ids(all, "managedObjects"))
			for size := 1; size <= 3; size++ {
				var linked, numbered []string
				pages := 0
				for next, number := fmt.Sprintf("%s%s&pageSize=%d&withTotalPages=true&withTotalElements=true", api, q, size), 1; next != ""; number++ {
					m := r.getJSON(next)
					linked = append(linked, strings.Fields(ids(m, "managedObjects"))...)
					stats := m["statistics"].(map[string]any)
					r.equal(next+" page", stats["currentPage"], number)
					r.equal(next+" elements", stats["totalElements"], len(want))
					r.equal(next+" pages", stats["totalPages"], (len(want)+size-1)/size)
					plain := r.getJSON(fmt.Sprintf("%s%s&pageSize=%d&currentPage=%d", api, q, size, number))
					numbered = append(numbered, strings.Fields(ids(plain, "managedObjects"))...)
					next, _ = m["next"].(string)
					pages++
				}
				if !slices.Equal(linked, want) || !slices.Equal(numbered, want) || pages != max(1, (len(want)+size-1)/size) {
					t.Errorf("%s%s by %d: by links %v, by numbers %v, want %v; %d pages", api, q, size, linked, numbered, want, pages)
				}
			}
		}
	}
}

// A link that a client changed, or made up, is as good as a plain number.
func TestManaged_ListCursor(t *testing.T) {
	r := newRig(t)
	id := r.many()
	first := r.getJSON("/inventory/managedObjects?pageSize=2")
	next := first["next"].(string)
	if !strings.Contains(next, "currentPage=2") || !strings.Contains(next, "pageCursor=") {
		t.Fatalf("next is %s", next)
	}
	r.want(204, r.do("DELETE", "/inventory/managedObjects/"+id["dev"]+"?cascade=true", "")) // takes file1 along
	r.equal("nothing is skipped behind a deletion", ids(r.getJSON(next), "managedObjects"), id["asset"]+" "+id["file2"])
	r.equal("another number", ids(r.getJSON(strings.Replace(next, "currentPage=2", "currentPage=1", 1)), "managedObjects"), id["asset"]+" "+id["file2"])
	for _, cursor := range []string{"", "x", "~", "2.2.-1~x", "2.2.-1~-5", "2.2.9~99999999999999999999", "9.9.9~5", "2.2~5", strings.Repeat("9", 5000)} {
		m := r.getJSON("/inventory/managedObjects?pageSize=2&currentPage=2&pageCursor=" + cursor)
		r.equal("cursor "+cursor, ids(m, "managedObjects"), id["plain"])
	}
	r.equal("prev has none", strings.Contains(r.getJSON(next)["prev"].(string), "pageCursor"), false)
}

func TestManaged_QueryErrors(t *testing.T) {
	r := newRig(t)
	for _, q := range []string{
		"name", "name eq", "name eq x", "name is 'x'", "eq 'x'", "(name eq 'x'", "name eq 'x')", "name eq 'x", "has()", "has(a,b)", "hasany()", "bygroupid(5)", "isinhierarchyof(5)",
		"name eq 'x' or", "and", "not", "name gt null", "$orderby=", "$orderby=name up", "$filter name eq 'x'", "name eq 'x' name eq 'y'", "name & x", "\x00", strings.Repeat("(", 100),
		strings.Repeat("not ", 100) + "has(x)", "$orderby=" + strings.Repeat("a,", 9) + "a", strings.Repeat("x", 17<<10), "has(c8y_IsBinary", "name eq -", "5 eq 5",
	} {
		for _, name := range []string{"query", "q"} {
			a := r.want(422, r.do("GET", "/inventory/managedObjects?"+name+"="+url.QueryEscape(q), ""))
			r.equal(q, a.json(t)["error"], "inventory/Invalid Data")
		}
	}
	a := r.want(422, r.do("GET", "/inventory/managedObjects?pageSize=2000&currentPage=11&query=$orderby=name", ""))
	r.equal("deep order", a.json(t)["error"], "inventory/Unprocessable Entity")
}

// One page can't make the server hold more than it can.
func TestManaged_HugePage(t *testing.T) {
	r := newRig(t)
	doc := `{"a":"` + strings.Repeat("x", 1000_000) + `"}`
	for range 40 {
		r.managed(doc)
	}
	r.want(422, r.do("GET", "/inventory/managedObjects?pageSize=40", ""))
	n := 0
	for next := "/inventory/managedObjects?pageSize=15"; next != ""; {
		var m struct {
			ManagedObjects []struct{ ID string }
			Next           string
		}
		if err := json.Unmarshal([]byte(r.want(200, r.do("GET", next, "")).body), &m); err != nil {
			t.Fatal(err)
		}
		n, next = n+len(m.ManagedObjects), m.Next
	}
	r.equal("objects", n, 40)
}
