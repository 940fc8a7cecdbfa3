package restapi

import (
	"strings"
	"sync"
	"testing"

	"tote/fs"
)

// The shape of whole answers, byte by byte.
func TestBSO_GoldenAnswers(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ op, body, want string }{
		{"create", `{"binaryStreamObject":{"id":"a","properties":{"objectKey":"k"}}}`,
			`{"request":{"returnRequest":false,"params":{},"requestId":"ID"},"response":{"status":"success","statusDetail":{"message":"create accepted for entity Id : a"},"totalRecords":0}}`},
		{"get", `{"params":{"query":{"id":"none"}}}`,
			`{"request":{"returnRequest":false,"params":{},"requestId":"ID","maxRecords":2000},"response":{"binaryStreamObjects":[],"status":"success","totalRecords":0}}`},
		{"get", `{"params":{"query":{"id":"none"}},"returnRequest":true}`,
			`{"request":{"returnRequest":true,"params":{},"requestId":"ID","maxRecords":2000,"requestPayload":{"params":{"query":{"id":"none"}},"returnRequest":true}},` +
				`"response":{"binaryStreamObjects":[],"status":"success","totalRecords":0}}`},
		{"get", `{"returnRequest":"TRUE"}`,
			`{"request":{"returnRequest":true,"requestId":"ID","requestPayload":{"returnRequest":"TRUE"}},"response":{"status":"error","statusDetail":{"message":"the request is malformed: params.query says nothing",` +
				`"messages":[{"message":"the request is malformed: params.query says nothing","messageCode":"AE001","messageType":"error","messageParams":["params.query says nothing"]}]},"totalRecords":0}}`},
		{"delete", `{"binaryStreamObject":{"id":"a","type":"binarystreamobject","data":{}}}`,
			`{"request":{"returnRequest":false,"params":{},"requestId":"ID"},"response":{"status":"success","statusDetail":{"message":"delete accepted for entity Id : a"},"totalRecords":0}}`},
	} {
		a := r.want(200, r.do("POST", svc+c.op, c.body))
		id := a.json(t)["request"].(map[string]any)["requestId"].(string)
		r.equal(c.op, strings.Replace(a.body, id, "ID", 1), c.want)
	}
}

// Elements of an array stand for themselves, on the façade and on the API.
func TestBSO_Arrays(t *testing.T) {
	r := newRig(t)
	good := `{"binaryStreamObject":{"properties":{"objectKey":"K"}}}`
	for _, c := range []struct {
		body    string
		objects int
		total   int
		code    string // of a failure
	}{
		{"[" + good + "]", 1, 1, ""},
		{"[" + good + "," + good + "," + good + "]", 3, 3, ""},
		{"[5," + good + ",null,\"x\",[]]", 1, 5, ""},
		{`[{"binaryStreamObject":5},` + good + `]`, 1, 2, ""},
		{`[{"binaryStreamObject":{"properties":{"objectKey":"../x"}}},` + good + `]`, 1, 2, ""},
		{`[{"binaryStreamObject":{"properties":{"objectKey":"../x"}}},5]`, 0, 0, "E0042"},
		{"[5]", 0, 0, "AE001"},
		{"[]", 0, 0, "AE001"},
		{"[" + strings.Repeat(good+",", 349) + good + "]", 350, 350, ""},
		{"[" + strings.Repeat(good+",", 350) + good + "]", 0, 0, "AE001"},
		{good, 1, 1, ""},
	} {
		for _, path := range []string{svc, "/data/binarystreamobjectservice/"} {
			m := r.bso(path+"prepareUpload", c.body)
			name := path + c.body[:min(len(c.body), 40)]
			r.equal(name, len(objects(m)), c.objects)
			if c.code == "" {
				r.equal(name+" total", m["totalRecords"], c.total)
				continue
			}
			if path != svc {
				c.code = "RSUI0001"
				r.equal(name+" status", m["status"], "Error")
			}
			r.equal(name+" code", code(m), c.code)
		}
	}
	m := r.ok("/data/binarystreamobjectservice/create", `[{"binaryStreamObject":{"id":"a"}},{"binaryStreamObject":{"id":"b"}}]`)
	r.equal("create", words(m["totalRecords"], m["statusDetail"].(map[string]any)["message"]), "2 create accepted for entity Id : a")
	r.equal("both are there", len(objects(r.ok("get", `{"params":{"query":{"ids":["a","b"]}}}`))), 2)
	m = r.ok("get", `[{"params":{"query":{"id":"a"}}},{"params":{"query":{"ids":["a","b"]}}}]`)
	r.equal("merged", words(len(objects(m)), m["totalRecords"]), "3 2")
}

// The façade has its own shape for failures that come with HTTP 200, and the common one for the others.
func TestBSO_FacadeFailures(t *testing.T) {
	r := newRig(t)
	const path = "/data/binarystreamobjectservice/get"
	for _, c := range []struct {
		method, body, header string
		status               int
		code                 string
	}{
		{"POST", `{}`, "X: y", 200, "RSUI0001"},
		{"POST", `{}`, "x-rdp-tenantId: other", 200, "RSUI0001"},
		{"POST", `{`, "X: y", 400, "AE001"},
		{"POST", `{"x":"` + strings.Repeat("y", 1<<20) + `"}`, "X: y", 413, "AE001"},
		{"GET", ``, "X: y", 405, "AE001"},
		{"POST", `{}`, "user:", 401, "GE001"},
	} {
		a := r.want(c.status, r.do(c.method, path, c.body, c.header))
		r.equal(c.body[:min(len(c.body), 20)], code(a.json(t)["response"].(map[string]any)), c.code)
	}
}

// Two spellings of one property: the documented one counts, whatever the order.
func TestCreate_Spellings(t *testing.T) {
	r := newRig(t)
	for range 5 {
		r.ok("create", `{"binaryStreamObject":{"id":"a","properties":{"FULLOBJECTPATH":"x","fullObjectPath":"right","fullobjectpath":"y","MEDIAassetid":"m","ObjectKey":"k","OriginalFilename":"n","IGNOREassetprocessing":"true"}}}`)
		_, p := r.one(`{"id":"a"}`)
		for name, want := range map[string]any{"fullObjectPath": "right", "fullobjectpath": nil, "mediaAssetId": "m", "objectKey": "k", "originalFileName": "n", "ignoreAssetProcessing": "true"} {
			r.equal(name, p[name], want)
		}
	}
}

// What an objectKey or an id leads to, in the documented order.
func TestPrepareDownload_Resolution(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"one","properties":{"objectKey":"key","fullObjectPath":"path/of/one"}}`, "by key")
	r.stored(`{"id":"key","properties":{"objectKey":"other","fullObjectPath":"key2"}}`, "by id")
	r.stored(`{"id":"three","properties":{"objectKey":"key3","fullObjectPath":"deep/path"}}`, "by path")
	r.ok("create", `{"binaryStreamObject":{"id":"waits","properties":{"objectKey":"deep/path"}}}`) // has no bytes: passed over
	r.ok("create", `{"binaryStreamObject":{"id":"shares","properties":{"objectKey":"key3"}}}`)
	for _, c := range []struct{ object, want string }{
		{`{"properties":{"objectKey":"key"}}`, "by key"},
		{`{"id":"key"}`, "by key"}, // a key before an id
		{`{"id":"one"}`, "by key"},
		{`{"id":"whatever","properties":{"objectKey":"other"}}`, "by id"},
		{`{"properties":{"objectKey":"path/of/one"}}`, "by key"},
		{`{"properties":{"objectKey":"deep/path"}}`, "by path"},
		{`{"id":"deep/path"}`, "by path"},
		{`{"id":"shares"}`, "by path"},
		{`{"id":"key2"}`, "by id"},
	} {
		r.equal(c.object, r.do("GET", r.downloadURL(c.object), "", "user:").body, c.want)
	}
	for _, object := range []string{`{"id":"waits"}`, `{"id":"none"}`, `{"id":"one","properties":{"objectKey":"none"}}`} {
		m := r.bso("prepareDownload", `{"binaryStreamObject":`+object+`}`)
		r.equal(object, code(m), "E0018")
		if _, has := m["binaryStreamObjects"]; has {
			t.Errorf("%s shows objects", object)
		}
	}
	o := objects(r.ok("prepareDownload", `{"binaryStreamObject":{"properties":{"objectKey":"key"}}}`))[0]
	if len(o["id"].(string)) != 36 {
		t.Errorf("no new id: %v", o["id"])
	}
}

// A client may number its objects. Files that nobody gave an id go by their inode's number, and must not be taken for them.
func TestBSO_NumbersAsIDs(t *testing.T) {
	r := newRig(t)
	n := idText(r.put("/docs/a.txt", "not yours").Ino())
	ino, _ := binaryID(n)
	if err := r.fs.PatchProps(t.Context(), sys(), ino, []fs.Property{{Name: "mark", Value: `"kept"`}}, nil); err != nil {
		t.Fatal(err)
	}
	r.stored(`{"id":"`+n+`","properties":{"objectKey":"mine.txt"}}`, "mine")
	_, p := r.one(`{"id":"` + n + `"}`)
	r.equal("uploaded", words(p["objectKey"], p["contentSize"]), "mine.txt 4")
	r.ok("delete", `{"binaryStreamObject":{"id":"`+n+`"}}`)
	r.ok("create", `{"binaryStreamObject":{"id":"`+n+`","properties":{"objectKey":"later.txt"}}}`)
	r.stored(`{"id":"`+n+`","properties":{"objectKey":"later.txt"}}`, "later")
	_, p = r.one(`{"id":"` + n + `"}`)
	r.equal("created first", words(p["objectKey"], p["contentSize"]), "later.txt 5")
	r.equal("the file", r.cat("/docs/a.txt"), "not yours")
	props, err := r.fs.Props(t.Context(), sys(), ino)
	if err != nil || len(props) != 1 || props[0].Name != "mark" {
		t.Errorf("its properties are %v, %v", props, err)
	}
}

// Everything that can happen to one object at once. In the end there is one object or none, one file or none, and no document beside a file.
func TestBSO_Storm(t *testing.T) {
	r := newRig(t)
	var work sync.WaitGroup
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k"}}`)
	v, _, _ := r.uploadURL(`{"id":"j","properties":{"objectKey":"k"}}`)
	do := func(f func() answer) {
		for range 25 {
			if a := f(); a.status >= 500 || strings.Contains(a.body, `"E000`) {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
	}
	for _, f := range []func() answer{
		func() answer { return r.do("PUT", u, "one", "user:") },
		func() answer { return r.do("PUT", v, "other", "user:") },
		func() answer {
			return r.do("POST", svc+"create", `{"binaryStreamObject":{"id":"i","properties":{"objectKey":"k","a":1}}}`)
		},
		func() answer {
			return r.do("POST", svc+"create", `{"binaryStreamObject":{"id":"i","properties":{"objectKey":"k2"}}}`)
		},
		func() answer {
			return r.do("POST", svc+"update", `{"binaryStreamObject":{"id":"i","properties":{"b":2}}}`)
		},
		func() answer { return r.do("POST", svc+"delete", `{"binaryStreamObject":{"id":"i"}}`) },
		func() answer {
			return r.do("POST", svc+"delete", `{"binaryStreamObject":{"properties":{"objectKey":"k"}}}`)
		},
		func() answer { return r.do("POST", svc+"get", `{"params":{"query":{"ids":["i","j","k"]}}}`) },
	} {
		work.Go(func() { do(f) })
	}
	work.Wait()
	r.want(201, r.do("PUT", u, "end", "user:"))
	r.equal("bytes", r.cat("/assets/k"), "end")
	for _, key := range []string{"k", "k2", "i", "j"} {
		for range 3 {
			r.do("POST", svc+"delete", `{"binaryStreamObject":{"id":"`+key+`"}}`)
		}
	}
	if rows, err := r.db.ListBSO(t.Context(), "rdp", nil, 0, 10); err != nil || len(rows) != 0 {
		t.Errorf("documents are left: %v %v", rows, err)
	}
	r.nothing()
}
