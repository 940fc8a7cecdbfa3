package restapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzSignedURL (SAS parsing) never grants what was not signed, and grants again what it signed itself.
func FuzzSignedURL(f *testing.F) {
	s := &server{opts: Options{SigningKey: []byte("0123456789abcdef0123456789abcdef"), URLLife: time.Hour, Skew: time.Minute, Now: time.Now}}
	good := s.signedURL("http://x", grant{perms: permUpload, scope: scopeBlob, container: "rdp-media-assets", key: "a b@_@1.png", rscd: "attachment; filename=a"}, claims{Tenant: "rdp"})
	f.Add(good, "c", "k", "rscd")
	f.Add("http://x/blobs/c/k?sig=AAAA&se=2026-01-01T00:00:00Z&sv=2017-07-29&sp=acw&sr=c&si=e30", "c", "k/..", "\n")
	f.Add("http://x/blobs/c/k?sig=%zz&sig=&si="+strings.Repeat("A", 100), "", "", "")
	f.Fuzz(func(t *testing.T, text, container, key, rscd string) {
		if u, err := url.Parse(text); err == nil {
			c, k, _ := strings.Cut(strings.TrimPrefix(u.Path, "/blobs/"), "/")
			g, _, err := s.verify(u.Query(), c, k)
			v, _ := url.Parse(good)
			if err == nil && signedPart(u) != signedPart(v) {
				t.Errorf("%s grants %+v", text, g)
			}
		}
		if !validKey(key) || !validType(container) {
			return
		}
		u, err := url.Parse(s.signedURL("http://x", grant{perms: permDownload, scope: scopeBlob, container: container, key: key, rscd: rscd}, claims{Tenant: "rdp", User: rscd}))
		if err != nil {
			t.Fatal(err)
		}
		c, k, _ := strings.Cut(strings.TrimPrefix(u.Path, "/blobs/"), "/")
		if g, _, err := s.verify(u.Query(), c, k); err != nil || g.key != key || g.container != container || g.rscd != rscd {
			t.Errorf("%s gives %+v, %v", u, g, err)
		}
		if _, _, err := s.verify(u.Query(), c, k+"x"); err == nil {
			t.Errorf("%s grants another key", u)
		}
	})
}

// FuzzBlockList reads any XML without a panic; what it takes has only ids of blocks.
func FuzzBlockList(f *testing.F) {
	for _, text := range []string{blockList("a", "C:b", "U:c"), "<BlockList/>", "<BlockList><Latest>YQ==</Latest><!-- x --></BlockList>\n", "\ufeff<BlockList></BlockList>",
		`<!DOCTYPE a [<!ENTITY e "x">]><BlockList><Latest>&e;</Latest></BlockList>`, "<a><b></a></b>", "<BlockList><Latest>" + strings.Repeat("A", 400)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseBlockList(strings.NewReader(text))
		if err != nil && list != nil {
			t.Error("a list beside an error")
		}
		for _, ref := range list {
			if ref.id == "" || len(ref.id) > maxBlockID {
				t.Errorf("id %q", ref.id)
			}
		}
	})
}

// FuzzServiceBody sends any body to any operation: the answer is always an envelope, and never a failure of ours.
func FuzzServiceBody(f *testing.F) {
	r := newRig(f)
	r.stored(lamp, "light")
	for i, body := range []string{
		`{"binaryStreamObject":` + lamp + `}`, `[{"binaryStreamObject":{"id":"x"}},5,{}]`, `{"params":{"query":{"id":"9b6c1f0e","filters":{"typesCriterion":["ALL"],"propertiesCriterion":[{"role":{"eq":"x"}}]}},"sort":{"properties":[{"role":"_DESC"}]},"options":{"from":"1"}}}`,
		`{"binaryStreamObject":{"id":"y","type":"t","properties":{"objectKey":"a/b","fullobjectpath":"x\\y","z":[1,{"a":null}]},"data":{"attributes":{"q":1}}},"returnRequest":"true"}`,
		"", "null", "[]", "\xff", `{"binaryStreamObject":{"id":"\u0000"}}`, `{"binaryStreamObject":{"properties":{"objectKey":"..","":1}}}`, strings.Repeat("[", 70),
	} {
		f.Add(uint8(i), body)
	}
	names := []string{"prepareUpload", "uploadContinuous", "prepareDownload", "downloadContinuous", "create", "update", "get", "delete"}
	h := login(r.handler)
	f.Fuzz(func(t *testing.T, op uint8, body string) {
		path := []string{"/api/", "/data/", "/rdp/api/"}[int(op)/len(names)%3] + "binarystreamobjectservice/" + names[int(op)%len(names)]
		req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		req.SetBasicAuth("mira", "")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		var answer struct {
			Response *struct{ Status string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Response == nil || answer.Response.Status == "" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if w.Code != 200 && w.Code != 400 && w.Code != 413 || strings.Contains(w.Body.String(), `"E000`) {
			t.Errorf("%s %q: %d %s", path, body, w.Code, w.Body)
		}
	})
}
