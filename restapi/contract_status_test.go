package restapi

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tote/fs"
)

// stage is a small tree in which every operation has something to do.
type stage struct {
	*rig
	file, locked, doc, parent, child string // managed objects; locked is locked by somebody else, child a child asset of parent
	event, bare, stuck               string // events with an attachment, without, with a locked one
	download, upload                 string // signed URLs of old.txt, and to make a file
}

// Limits of a stage, small so that they can be passed.
const (
	stageFile = 4 << 10
	stageJSON = 1 << 10
)

func newStage(t *testing.T) *stage {
	s := &stage{rig: newRig(t, func(o *Options) { o.MaxFile, o.MaxAttachment, o.MaxJSON = stageFile, stageFile, stageJSON })}
	s.file = idText(s.put("/x/file.txt", "0123456789").Ino())
	s.locked = idText(s.put("/x/locked.txt", "locked").Ino())
	s.doc, s.parent, s.child = s.managed(`{"name":"doc"}`), s.managed(`{"name":"parent"}`), s.managed(`{"name":"child"}`)
	s.link(s.parent, "childAssets", s.child)
	s.event, s.bare, s.stuck = s.rig.event(s.eventBody(s.doc)), s.rig.event(s.eventBody(s.doc)), s.rig.event(s.eventBody(s.doc))
	for _, e := range []string{s.event, s.stuck} {
		s.want(201, s.do("POST", "/event/events/"+e+"/binaries", "0123456789"))
	}
	for _, path := range []string{"/x/locked.txt", "/events/" + s.stuck + "/" + s.stuck} {
		l := fs.Lock{Path: path, Expires: s.now().Add(time.Hour)}
		if _, err := s.fs.AddLock(t.Context(), &fs.Actor{Tenant: "rdp", User: "root", Roles: users["root"], Origin: "dav"}, l, nil); err != nil {
			t.Fatal(err)
		}
	}
	g := grant{scope: scopeBlob, container: "rdp-media-assets"}
	s.stored(`{"properties":{"objectKey":"old.txt"}}`, "0123456789")
	g.perms, g.key = permDownload, "old.txt"
	s.download = s.signed(g)
	g.perms, g.key = permUpload, "new.txt"
	s.upload = s.signed(g)
	return s
}

// block puts a file where a tenant's uploads go.
func (s *stage) block(tenant string) {
	w, err := s.fs.NewWriter(s.Context(), fs.System(tenant, "core"), fs.Target{Path: inventoryDir})
	if err != nil {
		s.Fatal(err)
	}
	io.WriteString(w, "in the way")
	if _, _, err := w.Commit(s.Context(), fs.CommitOptions{ExpectSize: -1}); err != nil {
		s.Fatal(err)
	}
}

// ask is a request and the status it gets.
type ask struct {
	status            int
	method, url, body string
	headers           []string
}

// asks are all that are not the same for every operation, by operationId. The first one that succeeds is also sent without a login, by somebody
// without roles, and while too many log in.
func (s *stage) asks() map[string][]ask {
	all := map[string][]ask{}
	for _, part := range []map[string][]ask{s.binaryAsks(), s.managedAsks(), s.eventAsks(), s.attachmentAsks(), s.loginAsks(), s.blobAsks()} {
		maps.Copy(all, part)
	}
	for _, form := range []struct{ prefix, suffix string }{{"/api/", ""}, {"/rdp/api/", "InTenant"}, {"/data/", "OfPage"}} {
		for name, body := range map[string]string{
			"prepareUpload": `{"binaryStreamObject":{"id":"a"}}`, "uploadContinuous": `{"binaryStreamObject":{}}`,
			"prepareDownload": `{"binaryStreamObject":{"id":"` + s.file + `"}}`, "downloadContinuous": `{"binaryStreamObject":{}}`,
			"create": `{"binaryStreamObject":{"id":"a"}}`, "update": `{"binaryStreamObject":{"id":"` + s.file + `","properties":{"a":1}}}`,
			"get": `{"params":{"query":{"id":"` + s.file + `"}}}`, "delete": `{"binaryStreamObject":{"id":"` + s.file + `"}}`,
		} {
			url := form.prefix + bsoService + "/" + name
			all[name+form.suffix] = []ask{{status: 200, method: "POST", url: url, body: body}, {status: 400, method: "POST", url: url, body: "{"}, {status: 413, method: "POST", url: url, body: longJSON}}
		}
	}
	return all
}

var (
	longJSON  = `{"text":"` + strings.Repeat("x", stageJSON) + `"}`
	longFile  = strings.Repeat("x", stageFile+1)
	formOf    = []string{"Content-Type: multipart/form-data; boundary=b"}
	goodForm  = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nbytes\r\n--b--\r\n"
	cutForm   = strings.TrimSuffix(goodForm, "\r\n--b--\r\n")
	emptyForm = "--b\r\nContent-Disposition: form-data; name=\"object\"\r\n\r\n{}\r\n--b--\r\n"
	longForm  = strings.Replace(goodForm, "bytes", longFile, 1)
	otherTag  = []string{`If-Match: "other"`}
)

const noID = "/999999"

// downloads are the asks of GET and HEAD of a file.
func downloads(method, url, missing string) []ask {
	return []ask{
		{200, method, url, "", nil}, {206, method, url, "", []string{"Range: bytes=2-3"}}, {304, method, url, "", []string{"If-None-Match: *"}},
		{404, method, missing, "", nil}, {412, method, url, "", otherTag}, {416, method, url, "", []string{"Range: bytes=99-"}},
	}
}

func (s *stage) binaryAsks() map[string][]ask {
	list, one, locked := "/inventory/binaries", "/inventory/binaries/"+s.file, "/inventory/binaries/"+s.locked
	return map[string][]ask{
		"listBinaries": {{200, "GET", list, "", nil}, {422, "GET", list + "?pageSize=0", "", nil}},
		"uploadBinary": {
			{201, "POST", list, goodForm, formOf}, {400, "POST", list, cutForm, formOf}, {409, "POST", list, goodForm, append(formOf, "user: other/mira")},
			{413, "POST", list, longForm, formOf}, {415, "POST", list, "text", []string{"Content-Type: text/plain"}}, {422, "POST", list, emptyForm, formOf},
		},
		"downloadBinary": downloads("GET", one, list+noID),
		"statBinary":     downloads("HEAD", one, list+noID),
		"replaceBinary": {
			{201, "PUT", one, "new", nil}, {400, "PUT", one, cutForm, formOf}, {404, "PUT", list + noID, "new", nil}, {423, "PUT", locked, "new", nil},
			{412, "PUT", one, "new", otherTag}, {413, "PUT", one, longFile, nil}, {422, "PUT", one, emptyForm, formOf},
		},
		"deleteBinary": {{412, "DELETE", one, "", otherTag}, {404, "DELETE", list + noID, "", nil}, {423, "DELETE", locked, "", nil}, {204, "DELETE", one, "", nil}},
	}
}

func (s *stage) managedAsks() map[string][]ask {
	list := "/inventory/managedObjects"
	one, kin := list+"/"+s.doc, list+"/"+s.parent+"/childAssets"
	wrong := func(method, url string) []ask {
		return []ask{{400, method, url, "{", nil}, {413, method, url, longJSON, nil}, {422, method, url, "[]", nil}}
	}
	return map[string][]ask{
		"listManagedObjects":  {{200, "GET", list, "", nil}, {422, "GET", list + "?query=(", "", nil}},
		"createManagedObject": append(wrong("POST", list), ask{201, "POST", list, `{"name":"a"}`, nil}),
		"getManagedObject":    {{200, "GET", one, "", nil}, {404, "GET", list + noID, "", nil}},
		"changeManagedObject": append(wrong("PUT", one), ask{200, "PUT", one, `{"a":1}`, nil}, ask{404, "PUT", list + noID, "{}", nil},
			ask{423, "PUT", list + "/" + s.locked, `{"name":"b.txt"}`, nil}),
		"deleteManagedObject": {{409, "DELETE", list + "/" + s.parent, "", nil}, {423, "DELETE", list + "/" + s.locked, "", nil}, {404, "DELETE", list + noID, "", nil}, {204, "DELETE", one, "", nil}},
		"listChildren":        {{200, "GET", kin, "", nil}, {404, "GET", list + noID + "/childAssets", "", nil}, {422, "GET", kin + "?pageSize=x", "", nil}},
		"addChildren": append(wrong("POST", kin), ask{201, "POST", kin, `{"managedObject":{"id":"` + s.doc + `"}}`, nil},
			ask{404, "POST", list + noID + "/childAssets", "{}", nil}),
		"getChild":    {{200, "GET", kin + "/" + s.child, "", nil}, {404, "GET", kin + "/" + s.doc, "", nil}},
		"removeChild": {{204, "DELETE", kin + "/" + s.child, "", nil}, {404, "DELETE", kin + "/" + s.doc, "", nil}},
	}
}

func (s *stage) eventAsks() map[string][]ask {
	list, one := "/event/events", "/event/events/"+s.event
	wrong := func(method, url string) []ask {
		return []ask{{400, method, url, "{", nil}, {413, method, url, longJSON, nil}, {422, method, url, "[]", nil}}
	}
	return map[string][]ask{
		"listEvents":   {{200, "GET", list, "", nil}, {422, "GET", list + "?dateFrom=x", "", nil}},
		"createEvent":  append(wrong("POST", list), ask{201, "POST", list, s.eventBody(s.doc), nil}),
		"deleteEvents": {{204, "DELETE", list + "?source=" + s.parent, "", nil}, {422, "DELETE", list, "", nil}},
		"getEvent":     {{200, "GET", one, "", nil}, {404, "GET", list + noID, "", nil}},
		"changeEvent":  append(wrong("PUT", one), ask{200, "PUT", one, `{"text":"b"}`, nil}, ask{404, "PUT", list + noID, "{}", nil}),
		"deleteEvent":  {{204, "DELETE", one, "", nil}, {404, "DELETE", list + noID, "", nil}},
	}
}

func (s *stage) attachmentAsks() map[string][]ask {
	list := "/event/events/"
	full, bare, stuck, none := list+s.event+"/binaries", list+s.bare+"/binaries", list+s.stuck+"/binaries", "/event/events"+noID+"/binaries"
	return map[string][]ask{
		"downloadAttachment": downloads("GET", full, bare),
		"statAttachment":     downloads("HEAD", full, bare),
		"uploadAttachment": {
			{400, "POST", bare, cutForm, formOf}, {404, "POST", none, "x", nil}, {409, "POST", full, "x", nil}, {413, "POST", bare, longFile, nil},
			{200, "POST", bare, "ab", []string{"Content-Range: 0-1/*"}}, {416, "POST", bare, "ab", []string{"Content-Range: 7-8/*"}},
			{422, "POST", bare, "ab", []string{"Content-Range: x"}}, {201, "POST", bare, "cd", []string{"Content-Range: bytes 2-3/4"}},
		},
		"replaceAttachment": {
			{201, "PUT", full, "new", nil}, {400, "PUT", full, cutForm, formOf}, {404, "PUT", none, "x", nil}, {423, "PUT", stuck, "x", nil},
			{413, "PUT", full, longFile, nil}, {422, "PUT", full, emptyForm, formOf},
		},
		"deleteAttachment": {{204, "DELETE", full, "", nil}, {404, "DELETE", bare, "", nil}, {423, "DELETE", stuck, "", nil}},
	}
}

func (s *stage) loginAsks() map[string][]ask {
	form := []string{"Content-Type: application/x-www-form-urlencoded", "user:"}
	login := func(url string) []ask {
		return []ask{
			{200, "POST", url, "grant_type=PASSWORD&username=mira&password=right", form}, {400, "POST", url, "grant_type=%zz", form},
			{401, "POST", url, "grant_type=PASSWORD&username=mira&password=wrong", form}, {422, "POST", url, "grant_type=CODE", form},
			{429, "POST", url, "grant_type=PASSWORD&username=busy&password=x", form},
		}
	}
	out := map[string][]ask{
		"loginForToken": login("/tenant/oauth/token"), "loginForCookies": login("/tenant/oauth"),
		"logout":            {{200, "POST", "/user/logout", "", nil}},
		"changeCurrentUser": {{200, "PUT", "/user/currentUser", "{}", []string{"Accept: */*"}}},
	}
	for id, url := range map[string]string{
		"loginOptions": "/tenant/loginOptions", "currentUser": "/user/currentUser", "currentTenant": "/tenant/currentTenant",
		"systemVersion": "/tenant/system/options/system/version", "platform": "/platform", "inventoryRoot": "/inventory", "eventRoot": "/event",
	} {
		out[id] = []ask{{200, "GET", url, "", nil}, {200, "HEAD", url, "", nil}}
	}
	return out
}

func (s *stage) blobAsks() map[string][]ask {
	gone := s.signed(grant{perms: permDownload, scope: scopeBlob, container: "rdp-media-assets", key: "gone"})
	old := s.signed(grant{perms: permUpload, scope: scopeBlob, container: "rdp-media-assets", key: "old.txt"})
	down := append(downloads("GET", s.download, gone), ask{400, "GET", s.download + "&comp=list", "", nil}, ask{403, "GET", s.upload, "", nil})
	head := append(downloads("HEAD", s.download, gone), ask{400, "HEAD", s.download + "&comp=list", "", nil}, ask{403, "HEAD", s.upload, "", nil})
	for _, asks := range [][]ask{down, head} {
		asks[2].headers = []string{"If-Modified-Since: " + s.now().Add(time.Hour).UTC().Format(http.TimeFormat)}
	}
	return map[string][]ask{
		"downloadBlob": down,
		"statBlob":     slices.DeleteFunc(head, func(a ask) bool { return a.status == 206 || a.status == 416 }), // a range does not count
		"uploadBlob": {
			{201, "PUT", s.upload, "bytes", nil}, {201, "PUT", s.upload + "&comp=block&blockid=YQ==", "bytes", nil}, {400, "PUT", s.upload + "&comp=tier", "", nil},
			{403, "PUT", s.download, "bytes", nil}, {409, "PUT", old, "bytes", []string{"If-None-Match: *"}}, {411, "PUT", s.upload, "", nil},
			{412, "PUT", old, "bytes", otherTag}, {413, "PUT", s.upload, longFile, nil},
		},
		"deleteBlob":    {{403, "DELETE", s.download, "", nil}},
		"preflightBlob": {{200, "OPTIONS", s.download, "", []string{"Access-Control-Request-Headers: x-ms-blob-type"}}},
	}
}

// unasked are described statuses that no request of a test can get.
var unasked = map[string]string{
	"deleteManagedObject 422": "more than 10,000 objects would go",
}

// TestDescribedStatuses asks every operation for every status that is described. What the answers hold is compared with the description by the rig.
func TestDescribedStatuses(t *testing.T) {
	c := theContract(t)
	for path, methods := range c.operations() {
		for method, op := range methods {
			id, _ := op.value["operationId"].(string)
			t.Run(id, func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				s.block("other")
				got := map[string]bool{}
				for _, a := range s.complete(op, s.asks()[id]) {
					if p, m := s.routeOf(a); p != path || m != method && a.method != "HEAD" {
						t.Errorf("%s %s is %s %s, not %s %s", a.method, a.url, m, p, method, path)
					}
					s.sent(a)
					got[strconv.Itoa(a.status)] = true
				}
				responses, _ := c.step(op, "responses")
				for status := range responses.value {
					if !got[status] && status != "5XX" && unasked[id+" "+status] == "" {
						t.Errorf("no request of this test gets the described status %s", status)
					}
				}
			})
		}
	}
}

// complete adds what is the same for all operations that need a login.
func (s *stage) complete(op node, asks []ask) []ask {
	responses, _ := op.value["responses"].(map[string]any)
	i := slices.IndexFunc(asks, func(a ask) bool { return a.status < 300 })
	if i < 0 {
		return asks
	}
	out := slices.Clone(asks)
	for status, user := range map[int]string{401: "", 403: "nobody", 429: "busy"} {
		given := slices.ContainsFunc(asks, func(a ask) bool { return a.status == status })
		if _, described := responses[strconv.Itoa(status)]; described && !given {
			a := asks[i]
			a.status, a.headers = status, append(slices.Clone(a.headers), "user: "+user)
			out = slices.Insert(out, 0, a) // before something is deleted
		}
	}
	return out
}

// sent makes a request and wants its status. 411 is for a request without a length, which a library does not make.
func (s *stage) sent(a ask) {
	s.Helper()
	if a.status == http.StatusLengthRequired {
		s.equal("status", s.raw(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", a.method, strings.TrimPrefix(a.url, s.url))), a.status)
		return
	}
	if got := s.do(a.method, a.url, a.body, a.headers...); got.status != a.status {
		s.Errorf("%s %s: %d, want %d\n%s", a.method, a.url, got.status, a.status, got.body)
	}
}

// routeOf is the route of a request.
func (s *stage) routeOf(a ask) (path, method string) {
	req, err := http.NewRequest(a.method, "http://x"+strings.TrimPrefix(a.url, s.url), nil)
	if err != nil {
		s.Fatal(err)
	}
	return routeOf(s.api.s, req)
}
