package restapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tote/fs"
)

// words joins values with spaces.
func words(v ...any) string { return strings.TrimSuffix(fmt.Sprintln(v...), "\n") }

func TestCreate_WaitsForBytes(t *testing.T) {
	r := newRig(t)
	r.ok("create", `{"binaryStreamObject":{"id":"late","type":"Poster","properties":{"objectKey":"dir/late.png","originalFileName":"late.png","nested":{"a":[1,null]},"n":5},
		"data":{"attributes":{"color":"red"}}}}`, "x-rdp-userId: ana@shop.test_user")
	o, p := r.one(`{"id":"late"}`)
	if _, has := p["contentSize"]; has {
		t.Error("contentSize without bytes")
	}
	r.equal("data", o["data"], map[string]any{"attributes": map[string]any{"color": "red"}})
	r.equal("created", p["createdBy"], "ana@shop.test_user")
	r.equal("unknown for downloads", code(r.bso("prepareDownload", `{"binaryStreamObject":{"id":"late"}}`)), "E0018")

	r.stored(`{"id":"late","type":"Poster","properties":{"objectKey":"dir/late.png","originalFileName":"late.png","m":6}}`, "bytes")
	o, q := r.one(`{"id":"late"}`)
	for name, want := range map[string]any{"contentSize": 5, "n": 5, "m": 6, "nested": map[string]any{"a": []any{1, nil}}, "createdDate": p["createdDate"],
		"createdBy": "ana@shop.test_user", "modifiedBy": "mira", "objectKey": "dir/late.png"} {
		r.equal(name, q[name], want)
	}
	r.equal("type", o["type"], "Poster")
	r.equal("data stays", o["data"], map[string]any{"attributes": map[string]any{"color": "red"}})
	r.equal("tree", r.cat("/dir/late.png"), "bytes")
	if rows, err := r.db.ListBSO(r.Context(), "rdp", nil, 0, 10); err != nil || len(rows) != 0 {
		t.Errorf("documents are left: %v %v", rows, err)
	}
}

func TestCreate_FlushAndFill(t *testing.T) {
	r := newRig(t)
	r.stored(lamp, "light")
	_, before := r.one(`{"id":"9b6c1f0e"}`)
	r.ok("create", `{"binaryStreamObject":{"id":"9b6c1f0e","type":"BinaryStreamObject","properties":{"objectKey":"lamp@_@9b6c1f0e.png","fullobjectpath":"x/y",
		"mediaAssetid":"m1","createdBy":"evil","contentSize":99,"binarystreamobjectid":"z"}}}`)
	o, p := r.one(`{"id":"9b6c1f0e"}`)
	r.equal("type", o["type"], "BinaryStreamObject")
	for name, want := range map[string]any{"contentSize": 5, "mediaAssetId": "m1", "fullObjectPath": "x/y", "createdBy": before["createdBy"],
		"createdDate": before["createdDate"], "binarystreamobjectid": "9b6c1f0e", "user": nil, "role": nil, "pixels": nil, "originalFileName": "lamp@_@9b6c1f0e.png"} {
		r.equal(name, p[name], want)
	}
	r.equal("bytes", r.do("GET", r.downloadURL(`{"id":"9b6c1f0e"}`), "", "user:").body, "light")
	r.equal("place", r.cat("/catalog/2026/lamp.png"), "light")
}

func TestCreate_WithoutID(t *testing.T) {
	r := newRig(t)
	r.ok("create", `{"binaryStreamObject":{"properties":{"objectKey":"k.bin"}}}`)
	o, _ := r.one(`{"id":"k.bin"}`)
	r.ok("create", `{"binaryStreamObject":{"properties":{"objectKey":"k.bin","a":1}}}`)
	again, p := r.one(`{"id":"k.bin"}`)
	r.equal("id", again["id"], o["id"])
	r.equal("a", p["a"], 1)
	u, _, id := r.uploadURL(`{"properties":{"objectKey":"k.bin"}}`)
	r.equal("prepared id", id, o["id"])
	r.want(201, r.do("PUT", u, "x", "user:"))
	_, p = r.one(`{"id":"` + id + `"}`)
	r.equal("bound", words(p["contentSize"], p["a"]), "1 1")
}

func TestCreate_SeveralObjectsOfOneKey(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"A","properties":{"objectKey":"k.bin","mark":"a"}}`, "bytes")
	r.ok("create", `{"binaryStreamObject":{"id":"B","properties":{"objectKey":"k.bin","mark":"b"}}}`)
	r.equal("by key", len(objects(r.ok("get", `{"params":{"query":{"id":"k.bin"}}}`))), 2)
	for _, id := range []string{"A", "B"} {
		_, p := r.one(`{"id":"` + id + `"}`)
		r.equal("mark", p["mark"], strings.ToLower(id))
		r.equal("size", p["contentSize"], 5)
	}
	r.ok("delete", `{"binaryStreamObject":{"id":"A"}}`)
	_, p := r.one(`{"id":"B"}`)
	r.equal("heir", words(p["mark"], p["contentSize"]), "b 5")
	r.equal("bytes", r.do("GET", r.downloadURL(`{"id":"B"}`), "", "user:").body, "bytes")
	r.ok("delete", `{"binaryStreamObject":{"id":"B"}}`)
	r.nothing()
}

func TestCreate_MovesToAnotherKey(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"A","properties":{"objectKey":"one.bin","mark":"a"}}`, "one")
	r.stored(`{"id":"B","properties":{"objectKey":"two.bin","mark":"b"}}`, "two!")
	r.ok("create", `{"binaryStreamObject":{"id":"A","properties":{"objectKey":"three.bin"}}}`)
	_, p := r.one(`{"id":"A"}`)
	r.equal("waits", words(p["objectKey"], p["contentSize"]), "three.bin <nil>")
	r.ok("create", `{"binaryStreamObject":{"id":"A","properties":{"objectKey":"two.bin"}}}`)
	_, p = r.one(`{"id":"A"}`)
	r.equal("shares", words(p["objectKey"], p["contentSize"]), "two.bin 4")
	left, p := r.one(`{"id":"one.bin"}`)
	r.equal("left file", words(p["objectKey"], p["contentSize"], p["mark"]), "one.bin 3 <nil>")
	if left["id"] == "A" {
		t.Error("the old file kept the id")
	}
	r.ok("create", `{"binaryStreamObject":{"id":"A","properties":{"objectKey":"one.bin"}}}`)
	_, p = r.one(`{"id":"A"}`)
	r.equal("back", words(p["objectKey"], p["contentSize"]), "one.bin 3")
}

func TestUpdate(t *testing.T) {
	r := newRig(t)
	r.stored(lamp, "light")
	r.ok("create", `{"binaryStreamObject":{"id":"doc","properties":{"objectKey":"d","a":1,"b":2},"data":{"attributes":{"x":1,"y":2}}}}`)
	for _, id := range []string{"doc", "9b6c1f0e"} {
		m := r.ok("update", `{"binaryStreamObject":{"id":"`+id+`","properties":{"role":"boss","b":null,"contentSize":77},"data":{"attributes":{"y":3,"z":4,"x":null}}}}`)
		r.equal("message", m["statusDetail"].(map[string]any)["message"], "update accepted for entity Id : "+id)
		o, p := r.one(`{"id":"` + id + `"}`)
		r.equal("role", p["role"], "boss")
		r.equal("b", p["b"], nil)
		r.equal("data", o["data"], map[string]any{"attributes": map[string]any{"y": 3, "z": 4}})
		if id == "doc" {
			r.equal("a", p["a"], 1)
		} else {
			r.equal("kept", words(p["pixels"], p["ownershipData"], p["contentSize"], o["type"]), "640 ShopA 5 binarystreamobject")
		}
	}
	r.equal("unknown", code(r.bso("update", `{"binaryStreamObject":{"id":"none"}}`)), "E0018")
}

func TestDelete_RemovesBytesAndDocument(t *testing.T) {
	r := newRig(t)
	r.stored(lamp, "light")
	u := r.downloadURL(lamp)
	m := r.ok("delete", `{"binaryStreamObject":{"id":"9b6c1f0e","type":"binarystreamobject","data":{}}}`)
	r.equal("message", m["statusDetail"].(map[string]any)["message"], "delete accepted for entity Id : 9b6c1f0e")
	r.want(404, r.do("GET", u, "", "user:"))
	r.equal("get", len(objects(r.ok("get", `{"params":{"query":{"id":"9b6c1f0e"}}}`))), 0)
	r.ok("create", `{"binaryStreamObject":{"id":"doc","properties":{"objectKey":"d"}}}`)
	r.ok("delete", `{"binaryStreamObject":{"id":"d"}}`)
	r.equal("again", code(r.bso("delete", `{"binaryStreamObject":{"id":"doc"}}`)), "E0018")
	r.stored(lamp, "again")
	r.equal("key used again", r.do("GET", r.downloadURL(lamp), "", "user:").body, "again")
}

// Files of other faces are objects with ids and keys that stay usable.
func TestGet_FindsEveryFile(t *testing.T) {
	r := newRig(t)
	info := r.put("/docs/tote bag.png", "bag")
	id := idText(info.Ino())
	o, p := r.one(`{"id":"` + id + `"}`)
	r.equal("identity", words(o["id"], o["type"]), id+" binarystreamobject")
	r.equal("name", p["originalFileName"], "tote bag.png")
	key := p["objectKey"].(string)
	if !strings.Contains(key, "@_@") || !strings.HasPrefix(p["fullObjectPath"].(string), "rdp/binarystreamobject/assets/") {
		t.Errorf("properties are %v", p)
	}
	for _, q := range []string{`{"id":"` + id + `"}`, `{"properties":{"objectKey":` + quote(key) + `}}`, `{"properties":{"objectKey":` + quote(p["fullObjectPath"].(string)) + `}}`} {
		a := r.want(200, r.do("GET", r.downloadURL(q), "", "user:"))
		r.equal("bytes", a.body+" "+a.header.Get("Content-Type"), "bag image/png")
	}
	r.put("/docs/tote bag.png", "newer bag")
	again, _ := r.one(`{"id":"` + id + `"}`)
	r.equal("id after a change", again["id"], id)
	old, p := r.one(`{"id":` + quote(key) + `}`)
	r.equal("old key", words(old["id"], p["contentSize"]), id+" 9")

	u, send, _ := r.uploadURL(`{"properties":{"objectKey":` + quote(key) + `}}`)
	r.want(201, r.do("PUT", u, "from the api", append(send, "user:")...))
	r.equal("same file", r.cat("/docs/tote bag.png"), "from the api")
	_, p = r.one(`{"id":"` + id + `"}`)
	r.equal("key is kept now", p["objectKey"], key)

	r.ok("update", `{"binaryStreamObject":{"id":"`+id+`","properties":{"role":"x"}}}`)
	r.ok("delete", `{"binaryStreamObject":{"id":"`+id+`"}}`)
	if _, err := r.fs.Stat(r.Context(), sys(), "/docs/tote bag.png"); fs.Errno(err) == 0 {
		t.Error("the file is still there")
	}
}

func TestGet_FileWithoutContent(t *testing.T) {
	r := newRig(t)
	root, err := r.fs.Stat(r.Context(), sys(), "/")
	if err != nil {
		t.Fatal(err)
	}
	attr, err := r.fs.Mknod(r.Context(), sys(), root.Ino(), "touched", 0o100644, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, p := r.one(`{"id":"` + idText(attr.Ino) + `"}`)
	r.equal("size and key", words(p["contentSize"], p["objectKey"]), "0 "+idText(attr.Ino))
	a := r.want(200, r.do("GET", r.downloadURL(`{"id":"`+idText(attr.Ino)+`"}`), "", "user:"))
	r.equal("bytes", a.body, "")
	r.want(200, r.do("GET", "/inventory/binaries/"+idText(attr.Ino), ""))
}

func TestGet_Queries(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"a","type":"One","properties":{"objectKey":"ka","originalFileName":"n1","size":3,"tag":"x"}}`, "aaa")
	r.ok("create", `{"binaryStreamObject":{"id":"b","type":"two","properties":{"objectKey":"kb","originalFileName":"n1","size":20,"tag":"x"},"data":{"attributes":{"p":1,"q":2}}}}`)
	r.stored(`{"id":"c","type":"one","properties":{"objectKey":"kc","originalFileName":"n2","size":100}}`, "ccc")
	for _, c := range []struct{ params, want string }{
		{`"query":{"id":"a"}`, "a"},
		{`"query":{"id":"kb"}`, "b"},
		{`"query":{"ids":["c","kb","none","b"]}`, "c b"},
		{`"query":{"ids":["c","b"],"filters":{"typesCriterion":["ONE"]}}`, "c"},
		{`"query":{"name":"n1"}`, "a b"},
		{`"query":{"filters":{"typesCriterion":["one"]}}`, "a c"},
		{`"query":{"filters":{"typesCriterion":["_ALL"]}}`, "a b c"},
		{`"query":{"filters":{"typesCriterion":["none"]}}`, ""},
		{`"query":{"filters":{"propertiesCriterion":[{"tag":{"eq":"x"}}]}}`, "a b"},
		{`"query":{"filters":{"propertiesCriterion":[{"tag":{"eq":"x"}},{"size":{"eq":"20"}}]}}`, "b"},
		{`"query":{"filters":{"propertiesCriterion":[{"objectKey":{"eq":"kc"}}]}}`, "c"},
		{`"query":{"filters":{"propertiesCriterion":[{"tag":{"like":"x"}}]}}`, ""},
		{`"query":{"filters":{"typesCriterion":["ALL"]}},"options":{"maxRecords":2}`, "a b"},
		{`"query":{"filters":{"typesCriterion":["ALL"]}},"options":{"totalRecords":"1","from":1}`, "b"},
		{`"query":{"filters":{"typesCriterion":["ALL"]}},"options":{"from":9}`, ""},
		{`"query":{"filters":{"typesCriterion":["ALL"]}},"sort":{"properties":[{"size":"_DESC","sortType":"_NUMERIC"}]}`, "c b a"},
		{`"query":{"filters":{"typesCriterion":["ALL"]}},"sort":{"properties":[{"createdDate":"_DESC","sortType":"_STRING"}]},"options":{"maxRecords":1,"from":1}`, "b"},
		{`"query":{"ids":["c","a"]},"sort":{"properties":[{"size":"_ASC"}]}`, "a c"},
	} {
		m := r.ok("get", `{"params":{`+c.params+`}}`)
		var ids []string
		for _, o := range objects(m) {
			ids = append(ids, o["id"].(string))
		}
		r.equal(c.params, strings.Join(ids, " "), c.want)
		r.equal("total", m["totalRecords"], len(ids))
		if m["binaryStreamObjects"] == nil {
			t.Errorf("%s: no array", c.params)
		}
	}
	a := r.do("POST", svc+"get", `{"params":{"query":{"id":"a"},"options":{"maxRecords":5000}}}`)
	r.equal("maxRecords", a.json(t)["request"].(map[string]any)["maxRecords"], 2000)
	for fields, want := range map[string]string{`["_ALL"]`: "map[attributes:map[p:1 q:2]]", `["q","zz"]`: "map[attributes:map[q:2]]", `[]`: "<nil>"} {
		o := objects(r.ok("get", `{"params":{"query":{"id":"b"},"fields":{"attributes":`+fields+`}}}`))[0]
		r.equal(fields, o["data"], want)
	}
	for _, bad := range []string{`{}`, `{"params":{}}`, `{"params":{"query":{}}}`} {
		r.equal(bad, code(r.bso("get", bad)), "AE001")
	}
}

func TestGet_ManyObjectsInOrder(t *testing.T) {
	r := newRig(t)
	var want []string
	for i := range 30 {
		id := fmt.Sprintf("o%02d", i)
		want = append(want, id)
		if i%3 == 0 {
			r.ok("create", `{"binaryStreamObject":{"id":"`+id+`"}}`)
			continue
		}
		r.stored(`{"id":"`+id+`"}`, id)
	}
	var got []string
	for from := 0; ; from += 7 {
		found := objects(r.ok("get", fmt.Sprintf(`{"params":{"query":{"filters":{"typesCriterion":["_ALL"]}},"options":{"maxRecords":7,"from":%d}}}`, from)))
		for _, o := range found {
			got = append(got, o["id"].(string))
		}
		if len(found) == 0 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("ids are %v", got)
	}
}

// A document that an upload turned into a file's properties, but could not remove, is not shown next to the file.
func TestGet_LeftOverDocument(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"a","properties":{"objectKey":"ka"}}`, "aaa")
	row := (&object{id: "a", typ: defaultType, key: "ka"}).row("rdp")
	if err := (documents{r.db}).PutBSO(r.Context(), row, nil); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{`{"id":"a"}`, `{"id":"ka"}`, `{"filters":{"typesCriterion":["ALL"]}}`} {
		_, p := r.one(q)
		r.equal(q, p["contentSize"], 3)
	}
}

func TestBSO_FileGoesOnAnotherFace(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"A","properties":{"objectKey":"k.bin"}}`, "bytes")
	r.ok("create", `{"binaryStreamObject":{"id":"B","properties":{"objectKey":"k.bin"}}}`)
	if err := r.fs.RemoveAll(r.Context(), sys(), "/assets/k.bin", nil); err != nil {
		t.Fatal(err)
	}
	r.equal("objects", len(objects(r.ok("get", `{"params":{"query":{"filters":{"typesCriterion":["ALL"]}}}}`))), 0)
}

func TestPrepareUpload_IllegalNames(t *testing.T) {
	r := newRig(t)
	for _, bad := range []string{"", "/abs", "a//b", "a/", "./a", "a/./b", "..", "../x", "a/../b", "a/..", `a\b`, `..\x`, "a\x00b", "a\nb", "a\x7fb", "a\u0085b",
		strings.Repeat("k", 1025)} {
		object := `{"properties":{"objectKey":` + quote(bad) + `}}`
		for _, op := range []string{"prepareUpload", "prepareDownload", "create", "update", "delete"} {
			m := r.bso(op, `{"binaryStreamObject":`+object+`}`)
			if c := code(m); c != "E0042" && !(bad == "" && c == "AE001") {
				t.Errorf("%s objectKey %q: %v", op, bad, m)
			}
		}
	}
	for _, bad := range []string{"../x", "a/../../b", "/../x", `..\..\x`, `C:\a\..\b`, "a\x00/b"} {
		for _, op := range []string{"prepareUpload", "create"} {
			m := r.bso(op, `{"binaryStreamObject":{"id":"i","properties":{"objectKey":"k","fullObjectPath":`+quote(bad)+`}}}`)
			r.equal(op+" fullObjectPath "+bad[:min(len(bad), 20)], code(m), "E0042")
		}
	}
	for _, bad := range []string{"..", "a/..", `..\x`, "../x", "a\x00b"} {
		m := r.bso("prepareUpload", `{"binaryStreamObject":{"id":"i","properties":{"objectKey":"k","originalFileName":`+quote(bad)+`}}}`)
		r.equal("originalFileName "+bad[:min(len(bad), 20)], code(m), "E0042")
	}
	for _, bad := range []string{"a/../b", "..", "a\nb", strings.Repeat("i", 1025)} {
		m := r.bso("create", `{"binaryStreamObject":{"id":`+quote(bad)+`,"properties":{"objectKey":"k"}}}`)
		r.equal("id "+bad[:min(len(bad), 20)], code(m), "E0042")
	}
	for _, bad := range []string{"a/b", "..", "x y", "ü", strings.Repeat("t", 129)} {
		m := r.bso("create", `{"binaryStreamObject":{"id":"i","type":`+quote(bad)+`}}`)
		r.equal("type "+bad[:min(len(bad), 20)], code(m), "E0042")
	}
	m := r.bso("prepareUpload", `{"binaryStreamObject":{"id":"i","properties":{"big":"`+strings.Repeat("x", 9000)+`"}}}`)
	r.equal("too many headers", code(m), "AE001")
	r.nothing()
}

func TestPlaces(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ props, want string }{
		{`"objectKey":"k1.bin"`, "/assets/k1.bin"},
		{`"objectKey":"k2.bin","originalFileName":"Name 2.bin"`, "/assets/Name 2.bin"},
		{`"objectKey":"d/e/k3.bin"`, "/d/e/k3.bin"},
		{`"objectKey":"rdp/binarystreamobject/assets/k4.bin"`, "/assets/k4.bin"},
		{`"objectKey":"rdp/binarystreamobject/assets/sub/k5.bin"`, "/assets/sub/k5.bin"},
		{`"objectKey":"k6","fullObjectPath":"/x//./y/k6"`, "/x/y/k6"},
		{`"objectKey":"k7","fullObjectPath":"C:\\Users\\me\\k7"`, "/assets/k7"},
		{`"objectKey":"k8","fullObjectPath":"k8","originalFileName":"C:\\Users\\me\\k8.txt"`, "/assets/k8.txt"},
		{`"objectKey":"inventory/k9"`, "/inventory/k9"},
	} {
		r.stored(`{"properties":{`+c.props+`}}`, c.props)
		r.equal(c.props, r.cat(c.want), c.props)
	}
}
