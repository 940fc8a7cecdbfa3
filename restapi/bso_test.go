package restapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const svc = "/api/binarystreamobjectservice/"

// bso calls an operation and gives its response member; the call itself must have HTTP status 200.
func (r *rig) bso(op, body string, headers ...string) map[string]any {
	r.Helper()
	if !strings.HasPrefix(op, "/") {
		op = svc + op
	}
	a := r.want(200, r.do("POST", op, body, append([]string{"Content-Type: application/json"}, headers...)...))
	return a.json(r)["response"].(map[string]any)
}

// ok is bso for a call that must succeed.
func (r *rig) ok(op, body string, headers ...string) map[string]any {
	r.Helper()
	m := r.bso(op, body, headers...)
	if m["status"] != "success" {
		r.Fatalf("%s: %v", op, m)
	}
	return m
}

// objects are the objects in a response.
func objects(m map[string]any) []map[string]any {
	var out []map[string]any
	list, _ := m["binaryStreamObjects"].([]any)
	for _, o := range list {
		out = append(out, o.(map[string]any))
	}
	return out
}

// one is the only object that get finds, with its properties.
func (r *rig) one(query string, headers ...string) (object, props map[string]any) {
	r.Helper()
	found := objects(r.ok("get", `{"params":{"query":`+query+`,"fields":{"attributes":["_ALL"]}}}`, headers...))
	if len(found) != 1 {
		r.Fatalf("get %s found %v", query, found)
	}
	return found[0], found[0]["properties"].(map[string]any)
}

// code is the code of a failure.
func code(m map[string]any) string {
	d, _ := m["statusDetail"].(map[string]any)
	list, _ := d["messages"].([]any)
	if len(list) == 0 {
		return fmt.Sprint(d["code"])
	}
	return list[0].(map[string]any)["messageCode"].(string)
}

// uploadURL prepares an upload and gives the URL and the headers to send.
func (r *rig) uploadURL(object string, headers ...string) (url string, send []string, id string) {
	r.Helper()
	o := objects(r.ok("prepareUpload", `{"binaryStreamObject":`+object+`}`, headers...))[0]
	p := o["properties"].(map[string]any)
	for _, h := range p["headers"].([]any) {
		for name, value := range h.(map[string]any) {
			send = append(send, name+": "+value.(string))
		}
	}
	return p["uploadURL"].(string), send, o["id"].(string)
}

// stored uploads an object in full and gives its id.
func (r *rig) stored(object, content string) string {
	r.Helper()
	url, send, id := r.uploadURL(object)
	r.want(201, r.do("PUT", url, content, append(send, "user:")...))
	return id
}

func (r *rig) downloadURL(object string, headers ...string) string {
	r.Helper()
	return objects(r.ok("prepareDownload", `{"binaryStreamObject":`+object+`}`, headers...))[0]["properties"].(map[string]any)["downloadURL"].(string)
}

const lamp = `{"id":"9b6c1f0e","type":"binarystreamobject","properties":{"objectKey":"lamp@_@9b6c1f0e.png","fullObjectPath":"catalog/2026/lamp@_@9b6c1f0e.png",
	"originalFileName":"lamp.png","user":"ana@shop.test","role":"vendor","ownershipData":"ShopA","ignoreAssetProcessing":true,"pixels":640},"data":{}}`

func TestBSO_PrepareUploadShape(t *testing.T) {
	r := newRig(t, func(o *Options) { o.PublicURL = "https://files.example.net" })
	a := r.want(200, r.do("POST", svc+"prepareUpload", `{"binaryStreamObject":`+lamp+`,"returnRequest":"true","clientState":{},"hotline":1}`,
		"x-rdp-userRoles: [\"admin\",\"vendor\"]", "x-rdp-clientid: studio", "X-RDP-USERID: ana@shop.test_user", "x-rdp-ownershipData: ShopA"))
	m := a.json(t)
	req := m["request"].(map[string]any)
	r.equal("echo", req["returnRequest"], true)
	if req["requestPayload"].(map[string]any)["hotline"] != 1.0 {
		t.Errorf("payload is %v", req["requestPayload"])
	}
	if ok, _ := regexp.MatchString(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`, req["requestId"].(string)); !ok {
		t.Errorf("request id is %v", req["requestId"])
	}
	res := m["response"].(map[string]any)
	r.equal("total", res["totalRecords"], 1)
	o := objects(res)[0]
	r.equal("id", o["id"], "9b6c1f0e")
	r.equal("tenant", o["systemInfo"], map[string]any{"tenantId": "rdp"})
	data := o["data"].(map[string]any)
	if len(data) != 1 || !reflect.DeepEqual(data["properties"], o["properties"]) {
		t.Errorf("data is %v", data)
	}
	p := o["properties"].(map[string]any)
	got := map[string]string{}
	for _, h := range p["headers"].([]any) {
		for k, v := range h.(map[string]any) {
			got[k] = v.(string)
		}
	}
	want := map[string]string{
		"x-ms-blob-type": "BlockBlob", "x-ms-blob-content-disposition": "attachment; filename=lamp.png",
		"x-ms-meta-binarystreamobjectid": "9b6c1f0e", "x-ms-meta-type": "binarystreamobject", "x-ms-meta-x_rdp_tenantid": "rdp",
		"x-ms-meta-x_rdp_clientid": "studio", "x-ms-meta-x_rdp_userid": "ana@shop.test_user", "x-ms-meta-x_rdp_userroles": `["admin","vendor"]`,
		"x-ms-meta-x_rdp_ownershipdata": "ShopA", "x-ms-meta-originalfilename": "lamp.png", "x-ms-meta-fullObjectPath": "catalog/2026/lamp@_@9b6c1f0e.png",
		"x-ms-meta-user": "ana@shop.test", "x-ms-meta-role": "vendor", "x-ms-meta-ownershipData": "ShopA", "x-ms-meta-ignoreAssetProcessing": "true", "x-ms-meta-pixels": "640",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("headers are\n%v, want\n%v", got, want)
	}
	u := p["uploadURL"].(string)
	if ok, _ := regexp.MatchString(`^https://files\.example\.net/blobs/rdp-media-assets/lamp@_@9b6c1f0e\.png\?sig=[\w-]{43}&se=\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\dZ&sv=2017-07-29&rscd=attachment%3B%20filename%3Dlamp\.png&sp=acw&sr=b&si=[\w-]+$`, u); !ok {
		t.Errorf("URL is %s", u)
	}
	r.nothing()
}

// TestBSO_URLIsCutOutOfText follows the scripts that cut the URL out of the printed map at commas and braces.
func TestBSO_URLIsCutOutOfText(t *testing.T) {
	r := newRig(t)
	for _, key := range []string{"a b.png", "a,b.png", `a"b.png`, "a}b.png", "uploadURL=x.png", "ü#?%.png", "d/e&f+g=h.png"} {
		u, _, _ := r.uploadURL(`{"properties":{"objectKey":` + quote(key) + `,"originalFileName":` + quote("n,"+lastSegment(key)) + `}}`)
		if strings.ContainsAny(u, `, "}`) || strings.Contains(u, "uploadURL=") {
			t.Errorf("%s gives %s", key, u)
		}
		r.want(201, r.do("PUT", u, key, "user:"))
		r.equal("bytes", r.want(200, r.do("GET", r.downloadURL(`{"properties":{"objectKey":`+quote(key)+`}}`), "", "user:")).body, key)
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// T1: the replay of a delivery pipeline, which sends its own headers and always the same id.
func TestBSO_T1Pipeline(t *testing.T) {
	r := newRig(t)
	as := []string{"x-rdp-version: 8.1", "x-rdp-tenantId: rdp", "x-rdp-clientId: rdpclient", "x-rdp-userId: ops@acme.test", "x-rdp-userRoles: systemadmin"}
	for _, pack := range []string{"pack.zip", "pack2.zip", "pack.zip", "pack2.zip"} {
		res := r.ok("prepareUpload", `{"binaryStreamObject":{"id":"guid","type":"seedDataStream","properties":{"objectKey":"`+pack+`","originalFileName":"`+pack+`"}}}`, as...)
		u := objects(res)[0]["data"].(map[string]any)["properties"].(map[string]any)["uploadURL"].(string)
		a := r.want(201, r.do("PUT", u, "zip of "+pack, "user:", "x-ms-meta-x_rdp_userroles: systemadmin", "x-ms-meta-x_rdp_tenantid: other",
			"x-ms-meta-originalfilename: "+pack, "x-ms-blob-content-disposition: attachment; filename="+pack, "x-ms-meta-type: disposition",
			"x-ms-meta-x_rdp_clientid: rdpclient", "x-ms-meta-x_rdp_userid: evil@acme.test", "x-ms-meta-binarystreamobjectid: guid",
			"x-ms-blob-type: BlockBlob", "Content-Type: application/zip"))
		r.equal("body", a.body, "")
	}
	o, p := r.one(`{"id":"guid"}`)
	r.equal("type", o["type"], "seedDataStream")
	for name, want := range map[string]any{"contentSize": 15, "objectKey": "pack.zip", "originalFileName": "pack.zip", "fullObjectPath": "pack.zip",
		"user": "ops@acme.test", "role": "systemadmin", "binarystreamobjectid": "guid", "createdBy": "ops@acme.test", "type": "disposition",
		"createdService": "binaryStreamObjectService"} {
		r.equal(name, p[name], want)
	}
	if ok, _ := regexp.MatchString(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$`, p["createdDate"].(string)); !ok {
		t.Errorf("createdDate is %v", p["createdDate"])
	}
	second, _ := r.one(`{"id":"pack2.zip"}`)
	if second["id"] == "guid" {
		t.Error("the second pack took the id of the first")
	}
	r.equal("objects", len(objects(r.ok("get", `{"params":{"query":{"filters":{"typesCriterion":["SEEDDATASTREAM"]}}}}`))), 2)
	r.equal("tree", r.tree(), []string{"/assets/", "/assets/pack.zip", "/assets/pack2.zip"})
}

// T2: both places of the result hold the same, and data nothing else; for downloads too.
func TestBSO_T2BothShapes(t *testing.T) {
	r := newRig(t)
	r.stored(lamp, "light")
	for _, op := range []string{"prepareUpload", "prepareDownload"} {
		o := objects(r.ok(op, `{"binaryStreamObject":`+lamp+`}`))[0]
		data := o["data"].(map[string]any)
		if len(data) != 1 || !reflect.DeepEqual(data["properties"], o["properties"]) {
			t.Errorf("%s: %v", op, o)
		}
	}
}

// T3: the façade takes arrays, and the id for the key.
func TestBSO_T3Facade(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"guid","type":"seedDataStream","properties":{"objectKey":"pack.zip","originalFileName":"pack.zip"}}`, "zip")
	const path = "/data/binarystreamobjectservice/prepareDownload"
	res := r.ok(path, `[{"binaryStreamObject":{"id":"pack.zip","type":"binarystreamobject","properties":{"objectKey":"wrong"},"data":{}}}]`)
	u := objects(res)[0]["properties"].(map[string]any)["downloadURL"].(string)
	a := r.want(200, r.do("GET", u, "", "user:"))
	r.equal("bytes", a.body, "zip")
	r.equal("disposition", a.header.Get("Content-Disposition"), "attachment; filename=pack.zip")

	res = r.ok(path, `[{"binaryStreamObject":{"id":"none"}},{"binaryStreamObject":{"id":"pack.zip"}},{"binaryStreamObject":{"id":"pack.zip"}}]`)
	r.equal("merged", len(objects(res)), 2)
	r.equal("total", res["totalRecords"], 3)
	res = r.ok(path, `{"binaryStreamObject":{"id":"pack.zip"}}`)
	r.equal("single", len(objects(res)), 1)
	a = r.want(200, r.do("POST", path, `[{"binaryStreamObject":{"id":"none"}}]`))
	r.equal("failure", a.body, `{"response":{"status":"Error","statusDetail":{"code":"RSUI0001","message":"object 'none' of type 'binarystreamobject' does not exist","messageType":"Error"}}}`)
	res = r.bso("prepareDownload", `[{"binaryStreamObject":{"id":"none"}},{"binaryStreamObject":{"id":"pack.zip"}}]`)
	r.equal("array on /api", len(objects(res)), 1)
}

// T5: the tenant as first segment of the path, with a time stamp in the query.
func TestBSO_T5TenantForms(t *testing.T) {
	r := newRig(t)
	const body = `{"params":{"query":{"id":"x"}}}`
	for _, c := range []struct {
		path, header string
		code         string
	}{
		{"/rdp/api/binarystreamobjectservice/get?timeStamp=2026-01-01T00:00:00.000Z", "", ""},
		{"/rdp/api/BinaryStreamObjectService/GET", "x-rdp-tenantid: rdp", ""},
		{"/api/binaryStreamObjectService/Get/", "x-rdp-tenantId: rdp", ""},
		{"/other/api/binarystreamobjectservice/get", "", "PD001"},
		{"/api/binarystreamobjectservice/get", "x-rdp-tenantId: other", "PD001"},
		{"/rdp/api/binarystreamobjectservice/get", "x-rdp-tenantId: other", "PD001"},
		{"/..%2frdp/api/binarystreamobjectservice/get", "", "404"},
	} {
		h := c.header
		if h == "" {
			h = "X: y"
		}
		if c.code == "404" {
			r.want(404, r.do("POST", c.path, body, h))
			continue
		}
		m := r.bso(c.path, body, h)
		if c.code == "" {
			r.equal(c.path, m["status"], "success")
			continue
		}
		r.equal(c.path, code(m), c.code)
		r.equal("message copy", m["statusDetail"].(map[string]any)["message"] != "", true)
	}
}

// T6: the storage trigger registers what was uploaded.
func TestBSO_T6Trigger(t *testing.T) {
	r := newRig(t)
	const body = `{"clientAttributes":{"taskId":{"values":[{"locale":"en-US","source":"internal","value":"t1"}]}},"binaryStreamObject":{"id":"b1",
		"type":"binarystreamobject","properties":{"objectKey":"sub/b1.png","originalFileName":"b1.png","contentSize":5,"user":"u"},"data":{}}}`
	m := r.ok("/rdp/api/binarystreamobjectservice/create?timeStamp=2026-01-02T03:04:05.678Z", body)
	r.equal("message", m["statusDetail"].(map[string]any)["message"], "create accepted for entity Id : b1")
	r.equal("total", m["totalRecords"], 0)
	if _, has := m["binaryStreamObjects"]; has {
		t.Error("create shows objects")
	}
	_, p := r.one(`{"id":"b1"}`)
	if _, has := p["contentSize"]; has {
		t.Error("contentSize without bytes")
	}
}

// T8: a connector asks with a constant id and another spelling of the type.
func TestBSO_T8Connector(t *testing.T) {
	r := newRig(t)
	r.stored(lamp, "light")
	m := r.ok("prepareDownload", `{"binaryStreamObject":{"id":"const","type":"BinaryStreamObject","properties":{"objectKey":"lamp@_@9b6c1f0e.png","originalFileName":"lamp.png"}},"returnRequest":false,"params":{}}`)
	o := objects(m)[0]
	r.equal("id and type", fmt.Sprint(o["id"], o["type"]), "constBinaryStreamObject")
	p := o["properties"].(map[string]any)
	if _, has := p["headers"]; has || p["objectKey"] != "lamp@_@9b6c1f0e.png" {
		t.Errorf("properties are %v", p)
	}
	r.equal("bytes", r.do("GET", p["downloadURL"].(string), "", "user:").body, "light")
}

func TestBSO_Routes(t *testing.T) {
	r := newRig(t)
	for _, m := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		a := r.want(405, r.do(m, svc+"get", ""))
		r.equal("allow", a.header.Get("Allow"), "POST")
	}
	for _, p := range []string{svc + "nothing", svc, "/api/adminservice/deploytenantseed", "/api/x", "/api", "/data/x/get", "/rdp/api/requesttrackingservice/get",
		svc + "get/more"} {
		a := r.want(404, r.do("POST", p, "{}"))
		r.equal(p, a.json(t)["response"].(map[string]any)["status"], "error")
	}
	for _, c := range []struct {
		body   string
		status int
		code   string
	}{
		{"", 400, "AE001"}, {"{", 400, "AE001"}, {`{"a":1}x`, 400, "AE001"}, {"\xff", 400, "AE001"},
		{strings.Repeat("[", 80) + strings.Repeat("]", 80), 400, "AE001"},
		{`{"x":"` + strings.Repeat("y", 1<<20) + `"}`, 413, "AE001"},
		{"[]", 200, "AE001"}, {"5", 200, "AE001"}, {"[5]", 200, "AE001"}, {"{}", 200, "AE001"}, {`{"binaryStreamObject":5}`, 200, "AE001"},
		{"[" + strings.Repeat("{},", 350) + "{}]", 200, "AE001"},
		{`{"binaryStreamObject":{"id":7}}`, 200, "AE001"}, {`{"binaryStreamObject":{}}`, 200, "AE001"},
	} {
		a := r.want(c.status, r.do("POST", svc+"prepareUpload", c.body))
		r.equal(c.body[:min(len(c.body), 20)], code(a.json(t)["response"].(map[string]any)), c.code)
	}
	a := r.send("POST", svc+"prepareUpload", struct{ *strings.Reader }{strings.NewReader(`{"x":"` + strings.Repeat("y", 1<<20) + `"}`)})
	r.want(413, a)
}

func TestBSO_GoldenError(t *testing.T) {
	r := newRig(t)
	a := r.want(200, r.do("POST", svc+"delete", `{"binaryStreamObject":{"id":"x","type":"binarystreamobject"}}`))
	id := a.json(t)["request"].(map[string]any)["requestId"].(string)
	r.equal("body", a.body, `{"request":{"returnRequest":false,"requestId":"`+id+`"},"response":{"status":"error","statusDetail":{"message":"object 'x' of type 'binarystreamobject' does not exist",`+
		`"messages":[{"message":"object 'x' of type 'binarystreamobject' does not exist","messageCode":"E0018","messageType":"error","messageParams":["x","binarystreamobject"]}]},"totalRecords":0}}`)
	a = r.want(200, r.do("POST", "/other"+svc+"get", "{}"))
	id = a.json(t)["request"].(map[string]any)["requestId"].(string)
	if !strings.Contains(a.body, `"messageParams":["`+id+`","tenant"]`) {
		t.Errorf("body is %s", a.body)
	}
	r.equal("type", a.header.Get("Content-Type"), "application/json;charset=UTF-8")
}

func TestBSO_Roles(t *testing.T) {
	r := newRig(t)
	r.stored(lamp, "light")
	for user, may := range map[string]string{"mira": "gcud", "root": "gcud", "reader": "g", "nobody": "", "invr": "g", "inva": "cud", "invc": "c", "binr": "g", "bina": "cud", "evr": "", "eva": ""} {
		for op, letter := range map[string]string{"get": "g", "prepareDownload": "g", "prepareUpload": "c", "create": "c", "update": "u", "delete": "d"} {
			body := `{"binaryStreamObject":` + lamp + `,"params":{"query":{"id":"9b6c1f0e"}}}`
			if op == "create" || op == "delete" {
				body = `{"binaryStreamObject":{"id":"new-` + user + op + `"}}`
				if op == "delete" {
					r.ok("create", body)
				}
			}
			m := r.bso(op, body, "user: "+user)
			if got := m["status"] == "success"; got != strings.Contains(may, letter) {
				t.Errorf("%s %s: %v", user, op, m)
			} else if !got {
				r.equal(user+op, code(m), "PD001")
			}
		}
	}
}

func TestHandles(t *testing.T) {
	for path, want := range map[string]bool{"/inventory/binaries": true, "/inventory": true, "/api/x": true, "/data/x/y": true, "/acme/api/x/y": true, "/blobs/c/k": true,
		"/": false, "/dav/api/x": false, "/acme/x": false, "/healthz": false, "/event/events": true, "/tenant/currentTenant": true, "/platform": true} {
		if got := Handles(path); got != want {
			t.Errorf("Handles(%s) is %v", path, got)
		}
	}
	req, _ := http.NewRequest("PUT", "http://x/blobs/c/k", nil)
	if !Public(req) {
		t.Error("a signed URL asks for a login")
	}
}
