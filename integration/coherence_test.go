package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// kept is a file that was stored through some door, and what the other doors have to say about it.
type kept struct {
	path, content string
	attrs         map[string]string // extended attributes behind "user.tote."
}

// apiWrite is one endpoint that stores a file or changes what is known about it.
type apiWrite struct {
	name string
	do   func(t *testing.T, s *server) kept
}

// formBody is a multipart body with an object and a file.
func formBody(t testing.TB, object, name, content string) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	check(t, w.WriteField("object", object))
	part, err := w.CreateFormFile("file", name)
	check(t, err)
	part.Write([]byte(content))
	check(t, w.Close())
	return b.Bytes(), w.FormDataContentType()
}

// post sends a form and gives the id in the answer.
func (s *server) post(t testing.TB, url, object, name, content string) string {
	t.Helper()
	body, contentType := formBody(t, object, name, content)
	out, _, err := s.do("POST", url, body, []int{201}, "Content-Type", contentType, "Accept", "application/json")
	check(t, err)
	var made struct{ ID string }
	check(t, json.Unmarshal(out, &made))
	return made.ID
}

// sign calls an operation of the service and gives one property of the answer.
func (s *server) sign(t testing.TB, operation, id, property string, props map[string]any) string {
	t.Helper()
	r, err := s.bso(operation, id, props)
	check(t, err)
	text, _ := r.Response.BinaryStreamObjects[0].Properties[property].(string)
	return text
}

func (s *server) must(t testing.TB, method, url, body string, status int, header ...string) {
	t.Helper()
	_, _, err := s.do(method, url, []byte(body), []int{status}, header...)
	check(t, err)
}

// blockID is the number of a block as a parameter.
func blockID(id string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(id))) }

// apiWrites is every endpoint that writes.
func apiWrites() []apiWrite {
	binary := map[string]string{"user": adminUser, "c8y.colour": "red", "c8y.size": `{"w":1}`}
	const object = `{"name":"NAME","colour":"red","size":{"w":1}}`
	named := func(name string) string { return strings.ReplaceAll(object, "NAME", name) }
	return []apiWrite{
		{"inventory POST", func(t *testing.T, s *server) kept {
			s.post(t, "/inventory/binaries", named("posted.txt"), "x", "posted")
			return kept{"/inventory/posted.txt", "posted", binary}
		}},
		{"inventory PUT", func(t *testing.T, s *server) kept {
			id := s.post(t, "/inventory/binaries", named("put.txt"), "x", "old")
			s.must(t, "PUT", binaryURL(id), "replaced", 201, "Content-Type", "text/plain")
			return kept{"/inventory/put.txt", "replaced", binary}
		}},
		{"managed object PUT", func(t *testing.T, s *server) kept {
			id := s.post(t, "/inventory/binaries", named("before.txt"), "x", "renamed")
			s.must(t, "PUT", "/inventory/managedObjects/"+id, `{"name":"after.txt","colour":"blue","size":null}`, 200, "Content-Type", "application/json")
			return kept{"/inventory/after.txt", "renamed", map[string]string{"c8y.colour": "blue", "c8y.size": ""}}
		}},
		{"Put Blob", func(t *testing.T, s *server) kept {
			url, header, err := s.uploadURL("blob-1", map[string]any{"objectKey": "blob@_@1.txt", "fullObjectPath": "shop/blob.txt", "originalFileName": "blob.txt", "user": "ana", "role": "vendor", "extra": "more"})
			check(t, err)
			s.must(t, "PUT", url, "a blob", 201, header...)
			return kept{"/shop/blob.txt", "a blob", map[string]string{"objectKey": "blob@_@1.txt", "user": "ana", "role": "vendor", "extra": "more", "originalFileName": "blob.txt"}}
		}},
		{"Put Block List", func(t *testing.T, s *server) kept {
			url, header, err := s.uploadURL("blob-2", map[string]any{"objectKey": "list.txt", "role": "vendor"})
			check(t, err)
			s.must(t, "PUT", url+"&comp=block&blockid="+blockID("a"), "two ", 201)
			s.must(t, "PUT", url+"&comp=block&blockid="+blockID("b"), "blocks", 201)
			list := "<BlockList><Latest>" + base64.StdEncoding.EncodeToString([]byte("a")) + "</Latest><Latest>" + base64.StdEncoding.EncodeToString([]byte("b")) + "</Latest></BlockList>"
			s.must(t, "PUT", url+"&comp=blocklist", list, 201, header...)
			return kept{"/assets/list.txt", "two blocks", map[string]string{"objectKey": "list.txt", "role": "vendor"}}
		}},
		{"uploadContinuous", func(t *testing.T, s *server) kept {
			u := s.sign(t, "uploadContinuous", "", "uploadContinuousURL", map[string]any{"role": "vendor"})
			s.must(t, "PUT", strings.Replace(u, "replacementObjectKey", "continuous.txt", 1), "one of many", 201, "x-ms-blob-type", "BlockBlob")
			return kept{"/assets/continuous.txt", "one of many", map[string]string{"objectKey": "continuous.txt"}}
		}},
		{"create", func(t *testing.T, s *server) kept {
			check(t, s.mount().Mkdir("/created"))
			check(t, s.mount().Put("/created/created.txt", []byte("was a file")))
			ino, err := s.mount().Ino("/created/created.txt")
			check(t, err)
			id := strconv.FormatUint(ino, 10)
			_, err = s.bso("create", id, map[string]any{"objectKey": s.streamObject(t, "/created/created.txt", id)["objectKey"], "role": "vendor", "mediaAssetId": "m"})
			check(t, err)
			return kept{"/created/created.txt", "was a file", map[string]string{"role": "vendor", "mediaAssetId": "m"}}
		}},
		{"create before the bytes", func(t *testing.T, s *server) kept {
			_, err := s.bso("create", "waits", map[string]any{"objectKey": "waits.txt", "role": "vendor", "later": "kept"})
			check(t, err)
			url, header, err := s.uploadURL("waits", map[string]any{"objectKey": "waits.txt"})
			check(t, err)
			s.must(t, "PUT", url, "came later", 201, header...)
			return kept{"/assets/waits.txt", "came later", map[string]string{"objectKey": "waits.txt"}}
		}},
		{"update", func(t *testing.T, s *server) kept {
			url, header, err := s.uploadURL("updated", map[string]any{"objectKey": "updated.txt", "role": "vendor", "extra": "more"})
			check(t, err)
			s.must(t, "PUT", url, "bytes stay", 201, header...)
			_, err = s.bso("update", "updated", map[string]any{"role": "buyer", "extra": nil, "new": "one"})
			check(t, err)
			return kept{"/assets/updated.txt", "bytes stay", map[string]string{"role": "buyer", "new": "one", "extra": ""}}
		}},
		{"event POST", func(t *testing.T, s *server) kept {
			e := s.event(t)
			s.must(t, "POST", "/event/events/"+e+"/binaries", "raw", 201, "Content-Type", "text/plain", "Content-Disposition", `attachment; filename="raw.txt"`)
			return kept{"/events/" + e + "/raw.txt", "raw", map[string]string{"user": adminUser}}
		}},
		{"event POST of a form", func(t *testing.T, s *server) kept {
			e := s.event(t)
			s.post(t, "/event/events/"+e+"/binaries", `{"name":"formed.txt"}`, "x", "in a form")
			return kept{"/events/" + e + "/formed.txt", "in a form", map[string]string{"user": adminUser}}
		}},
		{"event POST of pieces", func(t *testing.T, s *server) kept {
			e := s.event(t)
			s.must(t, "POST", "/event/events/"+e+"/binaries", "0123", 200, "Content-Range", "0-3/*", "Content-Disposition", `attachment; filename="pieces.txt"`)
			s.must(t, "POST", "/event/events/"+e+"/binaries", "456789", 201, "Content-Range", "bytes 4-9/10")
			return kept{"/events/" + e + "/pieces.txt", "0123456789", map[string]string{"user": adminUser}}
		}},
		{"event PUT", func(t *testing.T, s *server) kept {
			e := s.event(t)
			s.must(t, "PUT", "/event/events/"+e+"/binaries", "first", 201, "Content-Disposition", `attachment; filename="evput.txt"`)
			s.must(t, "PUT", "/event/events/"+e+"/binaries", "second", 201)
			return kept{"/events/" + e + "/evput.txt", "second", map[string]string{"user": adminUser}}
		}},
	}
}

// TestStoredIsEverywhere stores a file through every endpoint that writes: it is at once a file on the mount and in WebDAV, with its properties, a binary
// of the inventory and a binary stream object.
func TestStoredIsEverywhere(t *testing.T) {
	s := startServer(t)
	for _, w := range apiWrites() {
		t.Run(w.name, func(t *testing.T) { s.wantEverywhere(t, w.do(t, s)) })
	}
}

// TestWrittenIsEverywhere writes files on the mount and in WebDAV, with properties.
func TestWrittenIsEverywhere(t *testing.T) {
	s := startServer(t)
	attrs := map[string]string{"role": "vendor", "c8y.colour": "red"}
	check(t, s.mount().Mkdir("/d"))
	check(t, s.mount().Put("/d/mount.txt", []byte("by the mount")))
	for name, v := range attrs {
		check(t, unix.Setxattr(s.mount().at("/d/mount.txt"), "user.tote."+name, []byte(v), 0))
	}
	s.wantEverywhere(t, kept{"/d/mount.txt", "by the mount", attrs})
	check(t, s.dav().Put("/d/dav.txt", []byte("by WebDAV")))
	patch := `<propertyupdate xmlns="DAV:"><set><prop><role xmlns="urn:tote:properties">vendor</role><colour xmlns="urn:tote:members">red</colour></prop></set></propertyupdate>`
	s.must(t, "PROPPATCH", davURL("/d/dav.txt"), patch, 207, "Content-Type", "application/xml")
	s.wantEverywhere(t, kept{"/d/dav.txt", "by WebDAV", attrs})
	check(t, s.mount().Move("/d/dav.txt", "/d/moved.txt", false))
	s.wantEverywhere(t, kept{"/d/moved.txt", "by WebDAV", attrs})
	check(t, s.mount().Remove("/d/moved.txt"))
	out, _, err := s.do("GET", "/inventory/binaries?pageSize=100", nil, []int{200})
	check(t, err)
	if bytes.Contains(out, []byte("moved.txt")) {
		t.Errorf("the inventory lists a file that went: %s", out)
	}
	// What the server keeps to itself can't be set.
	if err := unix.Setxattr(s.mount().at("/d/mount.txt"), "user.tote.c8y._event", []byte("1"), 0); err != unix.EPERM {
		t.Errorf("setxattr of _event: %v", err)
	}
	out, _, err = s.do("PROPPATCH", davURL("/d/mount.txt"), []byte(strings.ReplaceAll(patch, "colour", "_event")), []int{207}, "Content-Type", "application/xml")
	check(t, err)
	if !bytes.Contains(out, []byte("403")) {
		t.Errorf("PROPPATCH of _event: %s", out)
	}
}

// wantEverywhere asks every door about a file.
func (s *server) wantEverywhere(t *testing.T, k kept) {
	t.Helper()
	wantGet(t, s.mount(), k.path, k.content)
	wantGet(t, s.dav(), k.path, k.content)
	ino, err := s.mount().Ino(k.path)
	check(t, err)
	id := strconv.FormatUint(ino, 10)
	name := k.path[strings.LastIndexByte(k.path, '/')+1:]
	if got := s.listed(t, name, int64(len(k.content))); got != id {
		t.Errorf("the inventory lists %s as %s, not %s", name, got, id)
	}
	out, _, err := s.do("GET", "/inventory/managedObjects/"+id, nil, []int{200})
	check(t, err)
	var members map[string]any
	check(t, json.Unmarshal(out, &members))
	object := s.streamObject(t, k.path, id)
	if object["contentSize"] != float64(len(k.content)) {
		t.Errorf("get says that %s has %v bytes", k.path, object["contentSize"])
	}
	for attr, want := range k.attrs {
		s.wantAttr(t, k.path, attr, want)
		got, member := object[attr], false
		if attr, member = strings.CutPrefix(attr, "c8y."); member {
			got = members[attr]
		}
		if text := asText(got); text != want {
			t.Errorf("%s: REST says that %s is %q, want %q", k.path, attr, text, want)
		}
	}
}

// streamObject finds the properties of a file in the binary stream object service.
func (s *server) streamObject(t *testing.T, path, id string) map[string]any {
	t.Helper()
	key, err := s.rest().key(path, id)
	check(t, err)
	r, err := s.bsoCall("get", map[string]any{"params": map[string]any{"query": map[string]any{"id": key}}})
	check(t, err)
	i := slices.IndexFunc(r.Response.BinaryStreamObjects, func(o bsoObject) bool { return o.Properties["objectKey"] == key || o.ID == key })
	if i < 0 {
		t.Fatalf("get does not find %s by %s: %+v", path, key, r.Response)
	}
	return r.Response.BinaryStreamObjects[i].Properties
}

// wantAttr asks mount and WebDAV for one property.
func (s *server) wantAttr(t *testing.T, path, attr, want string) {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := unix.Lgetxattr(s.mount().at(path), "user.tote."+attr, buf)
	if got := string(buf[:max(n, 0)]); got != want || err != nil && (want != "" || err != unix.ENODATA) {
		t.Errorf("%s: on the mount %s is %q, %v, want %q", path, attr, got, err, want)
	}
	ns := "urn:tote:properties"
	name, member := strings.CutPrefix(attr, "c8y.")
	if member {
		ns = "urn:tote:members"
	}
	body := fmt.Sprintf(`<propfind xmlns="DAV:"><prop><%s xmlns=%q/></prop></propfind>`, name, ns)
	out, _, err := s.do("PROPFIND", davURL(path), []byte(body), []int{207}, "Depth", "0", "Content-Type", "application/xml")
	check(t, err)
	shown := ">" + strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(want) + "</"
	if want == "" {
		shown = "404"
	}
	if got := strings.ReplaceAll(string(out), "&#34;", `"`); !strings.Contains(got, shown) {
		t.Errorf("%s: WebDAV does not say that %s is %q: %s", path, attr, want, out)
	}
}

// asText is a JSON value as the doors without JSON show it.
func asText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, _ := json.Marshal(v)
	return string(b)
}
