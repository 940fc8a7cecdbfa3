package restapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestDefaults are the documented limits.
func TestDefaults(t *testing.T) {
	r := newRig(t)
	o := (Options{}).withDefaults(r.fs)
	r.equal("limits", words(o.MaxFile, o.MaxAttachment, o.MaxJSON, o.URLLife, o.Skew), "5368709120 52428800 1048576 1h0m0s 1m0s")
	file := "/inventory/binaries/" + idText(r.put("/a", "old").Ino())
	target := strings.TrimPrefix(r.signed(grant{perms: permUpload, scope: scopeBlob, container: "rdp-media-assets", key: "new"}), r.url)
	for _, c := range []struct{ method, target string }{{"PUT", target}, {"PUT", target + "&comp=block&blockid=YQ=="}, {"PUT", file}} {
		r.equal("5 GiB and a byte", r.raw(head(c.method, c.target, "Content-Length: 5368709121")+"\r\nx"), 413)
		if strings.Contains(c.target, "block") {
			continue // one of 5 GiB is longer than a block may be
		}
		r.equal("5 GiB that end early", r.raw(head(c.method, c.target, "Content-Length: 5368709120")+"\r\nx"), 400)
	}
	r.equal("block of 4000 MiB and a byte", r.raw(head("PUT", target+"&comp=block&blockid=YQ==", "Content-Length: 4194304001")+"\r\nx"), 413)
	r.equal("block of 4000 MiB that ends early", r.raw(head("PUT", target+"&comp=block&blockid=YQ==", "Content-Length: 4194304000")+"\r\nx"), 400)
	r.equal("content", r.cat("/a"), "old")
}

// TestBlob_Expiry lets a URL live for an hour, and a minute more for clocks that differ.
func TestBlob_Expiry(t *testing.T) {
	r := newRig(t)
	r.stored(`{"properties":{"objectKey":"k"}}`, "bytes")
	u := r.downloadURL(`{"properties":{"objectKey":"k"}}`)
	for ahead, want := range map[time.Duration]int{0: 200, 59 * time.Minute: 200, time.Hour + 30*time.Second: 200, time.Hour + 62*time.Second: 403, 24 * time.Hour: 403} {
		r.clock(ahead)
		if a := r.do("GET", u, "", "user:"); a.status != want {
			t.Errorf("after %v: %d, want %d", ahead, a.status, want)
		}
	}
}

// TestBlob_FinishesAfterExpiry begins an upload while its URL works, and goes on when it does not any more.
func TestBlob_FinishesAfterExpiry(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"properties":{"objectKey":"k"}}`)
	target, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", target.RequestURI())
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil) // the server reads the body now, so it has taken the URL
	if err != nil || res.StatusCode != http.StatusContinue {
		t.Fatal(res, err)
	}
	r.clock(2 * time.Hour)
	io.WriteString(c, "bytes")
	if res, err = http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatal(res, err)
	}
	res.Body.Close()
	r.want(403, r.do("PUT", u, "late", "user:"))
	r.equal("content", r.cat("/assets/k"), "bytes")
}

// TestBlob_ForeignParameters are sent by libraries along with the signed ones, and change nothing.
func TestBlob_ForeignParameters(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"properties":{"objectKey":"k"}}`)
	r.want(201, r.do("PUT", u+"&timeout=30&restype=container&snapshot=x&sdkv=1", "bytes", "user:"))
	d := r.downloadURL(`{"properties":{"objectKey":"k"}}`)
	r.equal("content", r.want(200, r.do("GET", d+"&timeout=901&snapshot=", "", "user:")).body, "bytes")
}

// TestBSO_Types takes any type token, gives back its spelling and names the container after it.
func TestBSO_Types(t *testing.T) {
	r := newRig(t)
	for typ, container := range map[string]string{
		"binarystreamobject": "rdp-media-assets", "BinaryStreamObject": "rdp-media-assets", "seedDataStream": "rdp-seed-data", "SEEDDATASTREAM": "rdp-seed-data",
		"app-shopify-report": "rdp-app-shopify-report", "imageRendition": "rdp-imagerendition", "a_B-9": "rdp-a_b-9", strings.Repeat("t", 128): "rdp-" + strings.Repeat("t", 128),
	} {
		o := objects(r.ok("prepareUpload", `{"binaryStreamObject":{"type":"`+typ+`","properties":{"objectKey":"of `+typ+`"}}}`))[0]
		r.equal("type", o["type"], typ)
		u := o["properties"].(map[string]any)["uploadURL"].(string)
		if !strings.HasPrefix(u, r.url+"/blobs/"+container+"/") {
			t.Errorf("type %s: %s", typ, u)
		}
		r.want(201, r.do("PUT", u, "x", "user:"))
		_, p := r.one(`{"filters":{"typesCriterion":["` + strings.ToUpper(typ) + `"],"propertiesCriterion":[{"objectKey":{"eq":"of ` + typ + `"}}]}}`)
		r.equal("found by its type", p["objectKey"], "of "+typ)
	}
}
