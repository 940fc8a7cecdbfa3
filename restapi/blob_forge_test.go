package restapi

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// signedPart is what a URL grants, as the server reads it: two URLs with the same are the same credential.
func signedPart(u *url.URL) string {
	q := u.Query()
	container, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/blobs/"), "/")
	if q.Get("sr") == scopeContainer {
		key = "" // any key of the container
	}
	parts := []string{container, key}
	for _, name := range []string{"sig", "se", "sv", "sp", "sr", "rscd", "si"} {
		parts = append(parts, q.Get(name))
	}
	return strings.Join(parts, "\n")
}

// forge changes a URL at random: one byte, a part, a parameter, or a part of another valid URL.
func forge(rng *rand.Rand, valid []string) string {
	text := valid[rng.IntN(len(valid))]
	at := strings.Index(text, "/blobs/") + len("/blobs/")
	i := at + rng.IntN(len(text)-at)
	switch rng.IntN(6) {
	case 0:
		return text[:i] + string(rune(33+rng.IntN(94))) + text[i+1:]
	case 1:
		return text[:i] + text[min(len(text), i+1+rng.IntN(8)):]
	case 2:
		return text[:i] + string(rune(33+rng.IntN(94))) + text[i:]
	}
	u, _ := url.Parse(text)
	other, _ := url.Parse(valid[rng.IntN(len(valid))])
	q := u.Query()
	names := []string{"sig", "se", "sv", "sp", "sr", "rscd", "si"}
	name := names[rng.IntN(len(names))]
	switch rng.IntN(4) {
	case 0:
		q.Set(name, other.Query().Get(name))
	case 1:
		q.Del(name)
	case 2:
		q.Set(name, []string{"", "acw", "rl", "racwdl", "c", "b", "2099-01-01T00:00:00Z", "2017-07-29", "\n", q.Get(name) + "\n"}[rng.IntN(10)])
	default:
		u.Path = other.Path
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Ten thousand forged URLs, none of which grants anything.
func TestBlob_Forged(t *testing.T) {
	r := newRig(t)
	r.stored(`{"id":"a","properties":{"objectKey":"a.txt"}}`, "aaa")
	r.stored(`{"id":"b","type":"other","properties":{"objectKey":"dir/b.txt"}}`, "bbb")
	var valid []string
	for _, object := range []string{`{"id":"a","properties":{"objectKey":"a.txt"}}`, `{"id":"b","type":"other","properties":{"objectKey":"dir/b.txt","originalFileName":"b c.txt"}}`} {
		u, _, _ := r.uploadURL(object)
		_, up := r.continuous("uploadContinuous", object)
		_, down := r.continuous("downloadContinuous", object)
		valid = append(valid, u, r.downloadURL(object), up("a.txt"), down("a.txt"), up("dir/b.txt"), down("dir/b.txt"))
	}
	r.clock(time.Hour + 2*time.Minute)
	expired := slices.Clone(valid)
	for _, text := range expired {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
			r.want(403, r.do(method, text, "", "user:"))
		}
	}
	r.clock(0)
	known := map[string]bool{}
	for _, text := range valid {
		u, _ := url.Parse(text)
		known[signedPart(u)] = true
	}
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	before := fmt.Sprint(r.tree(), r.cat("/assets/a.txt"), r.cat("/dir/b.txt"))
	for n := 0; n < 10_000; {
		text := forge(rng, valid)
		u, err := url.Parse(text)
		if err != nil || !strings.HasPrefix(u.Path, "/blobs/") || known[signedPart(u)] {
			continue
		}
		n++
		method := []string{"GET", "HEAD", "PUT"}[rng.IntN(3)]
		req := httptest.NewRequestWithContext(t.Context(), method, "/", strings.NewReader("evil"))
		req.URL = u
		w := httptest.NewRecorder()
		r.handler.ServeHTTP(w, req)
		if w.Code != 403 {
			t.Fatalf("seed %d: %s %s answered %d", seed, method, text, w.Code)
		}
	}
	t.Log("10000 forged URLs, 0 of them granted anything")
	r.equal("nothing changed", fmt.Sprint(r.tree(), r.cat("/assets/a.txt"), r.cat("/dir/b.txt")), before)
	r.equal("blocks", r.blocksLeft(), 0)
}
