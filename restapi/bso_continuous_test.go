package restapi

import (
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// continuous prepares a URL for many files, and gives the function that makes the URL of one.
func (r *rig) continuous(op, object string, headers ...string) (p map[string]any, urlOf func(key string) string) {
	r.Helper()
	o := objects(r.ok(op, `{"binaryStreamObject":`+object+`}`, headers...))[0]
	data := o["data"].(map[string]any)
	p = o["properties"].(map[string]any)
	if len(data) != 1 || !reflect.DeepEqual(data["properties"], o["properties"]) {
		r.Errorf("data is %v", data)
	}
	text := p[op+"URL"].(string)
	if strings.Count(text, "replacementObjectKey") != 1 {
		r.Errorf("the placeholder is not once in %s", text)
	}
	return p, func(key string) string { return strings.ReplaceAll(text, "replacementObjectKey", escapePath(key)) }
}

func TestUploadContinuous_Shape(t *testing.T) {
	r := newRig(t)
	for body, name := range map[string]string{
		`{"id":"guid","type":"binaryStreamObject"}`: "replacementFileName",
		`{"type":"Poster","properties":{"objectKey":"x/y","replacementFileName":"shot.png","originalFileName":"o","fullObjectPath":"a/b","ignoreAssetProcessing":true}}`: "shot.png",
	} {
		o := objects(r.ok("uploadContinuous", `{"binaryStreamObject":`+body+`}`, "x-rdp-userId: ana@shop.test"))[0]
		if _, err := uuid.Parse(o["id"].(string)); err != nil {
			t.Errorf("id is %v", o["id"])
		}
		r.equal("tenant", o["systemInfo"], map[string]any{"tenantId": "rdp"})
		p, _ := r.continuous("uploadContinuous", body)
		r.equal("key", p["replacementObjectKey"], "replacementObjectKey")
		r.equal("name", p["replacementFileName"], name)
		headers := map[string]string{}
		for _, h := range p["headers"].([]any) {
			for k, v := range h.(map[string]any) {
				headers[k] = v.(string)
			}
		}
		r.equal("disposition", headers["x-ms-blob-content-disposition"], "attachment; filename="+name)
		r.equal("type", headers["x-ms-blob-type"], "BlockBlob")
		for _, unwanted := range []string{"x-ms-meta-originalfilename", "x-ms-meta-fullObjectPath", "x-ms-meta-replacementFileName", "x-ms-meta-objectKey"} {
			if v, has := headers[unwanted]; has {
				t.Errorf("%s: %s is about one file", unwanted, v)
			}
		}
		u, _ := url.Parse(p["uploadContinuousURL"].(string))
		q := u.Query()
		r.equal("query", words(q.Get("sp"), q.Get("sr"), q.Get("sv"), q.Has("rscd")), "acw c 2017-07-29 false")
	}
	r.nothing()
}

// T4: one URL, many files; each becomes an object of its own although all come with the same headers.
func TestUploadContinuous_T4(t *testing.T) {
	r := newRig(t)
	p, urlOf := r.continuous("uploadContinuous", `{"type":"Shot","properties":{"ignoreAssetProcessing":true}}`)
	var send []string
	for _, h := range p["headers"].([]any) {
		for k, v := range h.(map[string]any) {
			send = append(send, k+": "+v.(string))
		}
	}
	r.want(201, r.do("PUT", urlOf("one.bin"), "1", append(send, "user:")...))
	r.want(201, r.do("PUT", urlOf("two.bin"), "22", append(send, "user:")...))
	r.want(201, r.do("PUT", urlOf("two.bin"), "222", append(send, "user:")...))
	r.want(201, r.do("PUT", urlOf("dir/three.bin"), "3", append(send, "user:", "x-ms-meta-originalfilename: Three Men.bin")...))
	found := objects(r.ok("get", `{"params":{"query":{"filters":{"typesCriterion":["shot"]}}}}`))
	seen := map[any]bool{}
	for _, o := range found {
		seen[o["id"]] = true
	}
	r.equal("objects", len(found), 3)
	r.equal("ids", len(seen), 3)
	_, props := r.one(`{"id":"two.bin"}`)
	r.equal("second", words(props["contentSize"], props["ignoreAssetProcessing"], props["originalFileName"]), "3 true two.bin")
	r.equal("tree", r.tree(), []string{"/assets/", "/assets/one.bin", "/assets/two.bin", "/dir/", "/dir/Three Men.bin"})
	a := r.do("GET", r.downloadURL(`{"properties":{"objectKey":"one.bin"}}`), "", "user:")
	r.equal("disposition", a.header.Get("Content-Disposition"), `attachment; filename="one.bin"`)
	r.blobError(400, "InvalidResourceName", r.do("PUT", urlOf("replacementObjectKey"), "x", "user:"))
}

func TestUploadContinuous_Concurrent(t *testing.T) {
	r := newRig(t)
	_, urlOf := r.continuous("uploadContinuous", `{"type":"Shot"}`)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			key := strings.Repeat("k", i%12+1)
			if a := r.do("PUT", urlOf(key), key, "user:"); a.status != 201 {
				t.Errorf("status is %d: %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	seen := map[any]bool{}
	for _, o := range objects(r.ok("get", `{"params":{"query":{"filters":{"typesCriterion":["Shot"]}}}}`)) {
		seen[o["id"]] = true
	}
	r.equal("objects", len(seen), 12)
}

func TestDownloadContinuous(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"a","properties":{"objectKey":"dir/a.txt"}}`, "aaa")
	r.stored(`{"id":"b","type":"secret","properties":{"objectKey":"b.txt"}}`, "bbb")
	p, urlOf := r.continuous("downloadContinuous", `{"type":"binaryStreamObject"}`)
	if _, has := p["headers"]; has {
		t.Error("a download has headers")
	}
	r.equal("bytes", r.want(200, r.do("GET", urlOf("dir/a.txt"), "", "user:")).body, "aaa")
	r.want(200, r.do("HEAD", urlOf("dir/a.txt"), "", "user:"))
	for _, key := range []string{"none", "replacementObjectKey", "b.txt"} { // b.txt is in another container
		r.blobError(404, "BlobNotFound", r.do("GET", urlOf(key), "", "user:"))
	}
	r.blobError(403, "AuthorizationPermissionMismatch", r.do("PUT", urlOf("dir/a.txt"), "x", "user:"))
	u, _ := url.Parse(urlOf("dir/a.txt"))
	r.blobError(403, "AuthenticationFailed", r.do("GET", "/blobs/rdp-secret/b.txt?"+u.RawQuery, "", "user:"))
	_, urlOf = r.continuous("downloadContinuous", `{"type":"Secret"}`)
	r.equal("bytes", r.want(200, r.do("GET", urlOf("b.txt"), "", "user:")).body, "bbb")
}

// The URL of a container reaches no object of another one, although keys are one name space.
func TestUploadContinuous_StaysInItsContainer(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"b","type":"secret","properties":{"objectKey":"b.txt"}}`, "bbb")
	_, urlOf := r.continuous("uploadContinuous", `{"type":"other"}`)
	r.blobError(403, "AuthorizationFailure", r.do("PUT", urlOf("b.txt"), "x", "user:"))
	r.blobError(403, "AuthorizationFailure", r.do("PUT", urlOf("b.txt")+"&comp=block&blockid=YQ%3D%3D", "x", "user:"))
	r.equal("bytes", r.cat("/assets/b.txt"), "bbb")
	for _, c := range []struct{ op, who string }{{"uploadContinuous", "reader"}, {"downloadContinuous", "nobody"}, {"uploadContinuous", "nobody"}} {
		r.equal(c.op, code(r.bso(c.op, `{"binaryStreamObject":{"type":"x"}}`, "user: "+c.who)), "PD001")
	}
	for _, op := range []string{"uploadContinuous", "downloadContinuous"} {
		r.equal("no object", code(r.bso(op, `{}`)), "AE001")
		r.equal("bad type", code(r.bso(op, `{"binaryStreamObject":{"type":"a b"}}`)), "E0042")
	}
}
