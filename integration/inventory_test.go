package integration

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// id sends a JSON body and gives the id of what was made.
func (s *server) id(t testing.TB, path, body string) string {
	t.Helper()
	out, _, err := s.do("POST", path, []byte(body), []int{201}, "Content-Type", "application/json", "Accept", "application/json")
	check(t, err)
	var made struct{ ID string }
	check(t, json.Unmarshal(out, &made))
	return made.ID
}

// event makes an object with an event.
func (s *server) event(t testing.TB) (id string) {
	t.Helper()
	source := s.id(t, "/inventory/managedObjects", `{"name":"door"}`)
	return s.id(t, "/event/events", `{"source":{"id":"`+source+`"},"type":"t","text":"x","time":"2026-01-02T03:04:05Z"}`)
}

// TestEventsAreFiles stores an attachment, which is a file for every face at once; what the faces do to it, the event knows.
func TestEventsAreFiles(t *testing.T) {
	s := startServer(t)
	e := s.event(t)
	url := "/event/events/" + e + "/binaries"
	_, _, err := s.do("POST", url, []byte("photo"), []int{201}, "Content-Type", "image/png", "Content-Disposition", `attachment; filename="door 1.png"`)
	check(t, err)
	path := "/events/" + e + "/door 1.png"
	for _, f := range []Face{s.mount(), s.dav()} {
		wantGet(t, f, path, "photo")
	}
	s.listed(t, "door 1.png", 5)
	check(t, s.mount().Put(path, []byte("another photo")))
	out, _, err := s.do("GET", url, nil, []int{200})
	check(t, err)
	wantBytes(t, "the event", out, "another photo")
	check(t, s.mount().Mkdir("/archive"))
	check(t, s.mount().Move(path, "/archive/kept.png", false))
	out, _, err = s.do("GET", "/event/events/"+e, nil, []int{200})
	check(t, err)
	if !strings.Contains(string(out), `"c8y_IsBinary":{"length":13,"name":"kept.png","type":"image/png"}`) {
		t.Errorf("the event is %s", out)
	}
	check(t, s.dav().Remove("/archive/kept.png"))
	_, _, err = s.do("GET", url, nil, []int{404})
	check(t, err)
}

// TestChunksSurviveKill kills the server between the pieces of an attachment, and while one arrives. What was acknowledged is gone on from.
func TestChunksSurviveKill(t *testing.T) {
	s := startServer(t)
	e := s.event(t)
	url := "/event/events/" + e + "/binaries"
	content := make([]byte, 3<<20)
	rand.Read(content)
	send := func(from, to int, length string, want int) http.Header {
		t.Helper()
		_, h, err := s.do("POST", url, content[from:to], []int{want}, "Content-Range", fmt.Sprintf("%d-%d/%s", from, to-1, length), "Content-Type", "image/png")
		check(t, err)
		return h
	}
	send(0, 1<<20, "*", 200)
	s.kill()
	s.start()
	_, _, err := s.do("GET", url, nil, []int{404})
	check(t, err)
	// A piece that is cut off by the kill was never there.
	in, out := io.Pipe()
	answered := make(chan error, 1)
	go func() {
		resp, err := s.request("POST", url, in, "Content-Range", fmt.Sprintf("%d-%d/*", 1<<20, 2<<20-1), "Content-Length", fmt.Sprint(1<<20))
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	_, err = out.Write(content[1<<20 : 1<<20+300_000])
	check(t, err)
	s.kill()
	out.CloseWithError(errors.New("killed"))
	<-answered
	s.start()
	h := send(0x180000, 0x200000, "*", 416)
	if got := h.Get("Range"); got != fmt.Sprintf("bytes=0-%d", 1<<20-1) {
		t.Errorf("to go on from: %q", got)
	}
	send(1<<20, 2<<20, fmt.Sprint(len(content)), 200)
	s.stop()
	s.start()
	send(2<<20, 3<<20, fmt.Sprint(len(content)), 201)
	got, h, err := s.do("GET", url, nil, []int{200})
	check(t, err)
	if !bytes.Equal(got, content) || h.Get("Content-Type") != "image/png" {
		t.Errorf("%d bytes of %s", len(got), h.Get("Content-Type"))
	}
	wantGet(t, s.mount(), "/events/"+e+"/"+e, string(content))
}

// formOf streams a file as a multipart body of known length.
func formOf(name string, size int64, file io.Reader) (body io.Reader, contentType string, length int64) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	w.WriteField("object", `{"name":"`+name+`"}`)
	w.CreateFormFile("file", name)
	tail := "\r\n--" + w.Boundary() + "--\r\n"
	length = int64(head.Len()) + size + int64(len(tail))
	return io.MultiReader(&head, io.LimitReader(file, size), strings.NewReader(tail)), w.FormDataContentType(), length
}

// endless is a source of bytes that don't repeat within a megabyte.
type endless struct{ block []byte }

func newEndless() *endless {
	e := &endless{make([]byte, 1<<20+13)}
	rand.Read(e.block)
	return e
}

func (e *endless) Read(p []byte) (int, error) { return copy(p, e.block), nil }

// upload posts a form and returns the id.
func (s *server) upload(t testing.TB, name string, size int64) (id string) {
	t.Helper()
	body, contentType, length := formOf(name, size, newEndless())
	resp, err := s.request("POST", "/inventory/binaries", body, "Content-Type", contentType, "Content-Length", fmt.Sprint(length), "Accept", "application/json")
	check(t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	check(t, err)
	var made struct {
		ID     string
		Length int64
	}
	check(t, json.Unmarshal(out, &made))
	if resp.StatusCode != 201 || made.Length != size {
		t.Fatalf("upload: %s %s", resp.Status, out)
	}
	return made.ID
}

// fetch reads a whole file.
func (s *server) fetch(t testing.TB, url string, size int64) {
	t.Helper()
	resp, err := s.request("GET", url, nil)
	check(t, err)
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	check(t, err)
	if n != size {
		t.Fatalf("%s gives %d bytes of %d", url, n, size)
	}
}

// TestGiBUpload sends 1 GiB as a form: the server needs hardly more memory than before. How fast that is beside WebDAV is measured by the benchmark.
func TestGiBUpload(t *testing.T) {
	const size = 1 << 30
	s := startServer(t)
	small := s.upload(t, "small", 1<<20) // code and pools that every upload needs
	s.fetch(t, binaryURL(small), 1<<20)
	before := s.memoryPeak()
	id := s.upload(t, "large.bin", size)
	more := s.memoryPeak() - before
	t.Logf("%d MiB more memory", more>>20)
	if more > 64<<20 && len(raceFlags) == 0 {
		t.Errorf("an upload of 1 GiB took %d MiB more memory", more>>20)
	}
	s.fetch(t, binaryURL(id), size)
}

// TestTenantsSeeNothingOfEachOther sends a thousand requests of one tenant about what another one has, over every face. None may succeed.
func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	r := startForPeople(t)
	r.addUser(r.tenant, "boss", "admin")
	s := r.server
	check(t, s.dav().Put("/secret.txt", []byte("secret of rdp")))
	check(t, s.dav().Mkdir("/dir"))
	check(t, s.dav().Put("/dir/f", []byte("secret of rdp")))
	e := s.event(t)
	_, _, err := s.do("POST", "/event/events/"+e+"/binaries", []byte("secret of rdp"), []int{201})
	check(t, err)
	ids := []string{s.listed(t, "secret.txt", 13), s.listed(t, "f", 13), e, "1"}
	blob, header, err := s.uploadURL("secret-blob", map[string]any{"objectKey": "secret-blob.txt"})
	check(t, err)
	s.must(t, "PUT", blob, "secret of rdp", 201, header...)
	before := tree(t, s.mnt)
	f := foreigner{peopleRig: r, rnd: mathrand.New(mathrand.NewPCG(1, 2)), users: []string{r.tenant + "/boss", r.tenant + "/" + r.user}, ids: ids, event: e}
	f.sign(t)
	sent := map[string]int{}
	for range 1000 {
		face, status, success, what := f.try(t)
		if sent[face]++; success || status == 401 || status == 429 || status >= 500 {
			t.Errorf("%s: %d", what, status)
		}
	}
	t.Logf("1000 requests, of each kind %v", sent)
	for _, url := range []string{"/inventory/binaries?pageSize=100", "/inventory/managedObjects?pageSize=100", "/event/events?pageSize=100"} {
		if _, answer := r.as(t, f.users[0], "GET", url, "", "X: y"); strings.Contains(answer, `"id"`) {
			t.Errorf("%s lists %.300s", url, answer)
		}
	}
	if _, answer := r.as(t, f.users[0], "PROPFIND", "/dav/", "", "Depth: 1"); strings.Count(answer, "<D:response>") != 1 {
		t.Errorf("WebDAV lists %.500s", answer)
	}
	if status, answer := r.as(t, f.users[0], "PUT", "/dav/secret.txt", "t1's own", "X: y"); status != 201 {
		t.Errorf("a file of the same name: %d %s", status, answer)
	}
	sameTree(t, "the other tenant", tree(t, s.mnt), before)
}

// foreigner sends requests of one tenant about what another one has.
type foreigner struct {
	*peopleRig
	rnd    *mathrand.Rand
	users  []string
	ids    []string // of the other tenant
	event  string
	signed []string // URLs that the foreigner was given for his own containers
}

func (f *foreigner) pick(list ...string) string { return list[f.rnd.IntN(len(list))] }

// sign has URLs made, of one blob and of containers.
func (f *foreigner) sign(t *testing.T) {
	t.Helper()
	for op, property := range map[string]string{"prepareUpload": "uploadURL", "uploadContinuous": "uploadContinuousURL", "downloadContinuous": "downloadContinuousURL"} {
		status, answer := f.as(t, f.users[0], "POST", "/api/binarystreamobjectservice/"+op, `{"binaryStreamObject":{"type":"binarystreamobject","properties":{"objectKey":"own.txt"}}}`, "X: y")
		var m bsoReply
		check(t, json.Unmarshal([]byte(answer), &m))
		if status != 200 || len(m.Response.BinaryStreamObjects) != 1 {
			t.Fatalf("%s: %d %s", op, status, answer)
		}
		f.signed = append(f.signed, m.Response.BinaryStreamObjects[0].Properties[property].(string))
	}
}

// try sends one request.
func (f *foreigner) try(t *testing.T) (face string, status int, success bool, what string) {
	t.Helper()
	id, user := f.pick(f.ids...), f.pick(f.users...)
	method, url, body := f.pick("GET", "HEAD", "DELETE", "PUT", "POST"), "", f.pick("", "{}", `{"text":"x"}`, `{"name":"mine"}`, `{"managedObject":{"id":"`+id+`"}}`)
	header := f.pick("X: y", "x-rdp-tenantId: rdp", "Content-Range: 0-0/*", "Range: bytes=0-", "X-HTTP-METHOD: DELETE")
	switch face = f.pick("bso", "blobs", "inventory", "events", "managed objects", "dav"); face {
	case "bso":
		method, url = "POST", f.pick("/api/", "/rdp/api/", "/data/")+"binarystreamobjectservice/"+f.pick("get", "prepareDownload", "update", "delete")
		name := f.pick(id, "secret-blob", "secret-blob.txt", "secret.txt")
		body = `{"binaryStreamObject":{"id":"` + name + `","properties":{"role":"x"}},"params":{"query":{"ids":["` + name + `"],"filters":{"typesCriterion":["ALL"]}}}}`
		if strings.HasSuffix(url, "/delete") || f.rnd.IntN(2) == 0 {
			body = strings.Replace(body, `"properties":{"role":"x"}`, `"data":{}`, 1)
		}
	case "blobs":
		url = strings.NewReplacer("own.txt", "secret-blob.txt", "replacementObjectKey", "secret-blob.txt", f.tenant+"-media-assets", f.pick("rdp-media-assets", f.tenant+"-media-assets", "rdp-binarystreamobject")).Replace(f.pick(f.signed...))
		url = strings.TrimPrefix(url, f.base)
		if method == "POST" || method == "PUT" && !strings.Contains(url, "/rdp-") { // his own blob of the same name
			method = "GET"
		}
	case "inventory":
		url = "/inventory/binaries/" + id
	case "events":
		url = "/event/events/" + id + f.pick("", "/binaries")
	case "managed objects":
		url = "/inventory/managedObjects/" + id + f.pick("", "/childAdditions", "/childAssets/"+f.pick(f.ids...))
	case "dav":
		method = f.pick("GET", "HEAD", "DELETE", "PROPFIND", "COPY", "MOVE", "PROPPATCH")
		url = "/dav" + f.pick("/secret.txt", "/dir/f", "/dir/", "/events/"+f.event+"/"+f.event, "/../rdp/secret.txt", "/%2e%2e/secret.txt")
		header = f.pick("Depth: 1", "Destination: "+f.base+"/dav/mine")
	}
	status, answer := f.as(t, user, method, url, body, header)
	success = strings.Contains(answer, "secret of rdp") || status < 400 && face != "bso"
	if face == "bso" && strings.Contains(strings.ToLower(answer), `"status":"success"`) {
		success = !strings.HasSuffix(url, "/get") || !strings.Contains(answer, `"binaryStreamObjects":[]`)
	}
	return face, status, success, fmt.Sprintf("%s %s %s as %s, %s: %.300s", method, url, body, user, header, answer)
}

// as sends a request as another user.
func (r *peopleRig) as(t testing.TB, user, method, url, body, header string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, r.base+url, strings.NewReader(body))
	check(t, err)
	req.SetBasicAuth(user, r.password)
	name, value, _ := strings.Cut(header, ": ")
	req.Header.Set(name, value)
	if strings.Contains(url, "/api/") {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.client.Do(req)
	check(t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, string(out)
}
