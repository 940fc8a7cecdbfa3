package restapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// blockURL is where a block goes.
func blockURL(u, id string) string {
	return u + "&comp=block&blockid=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(id)))
}

// blockList is the XML of a list: "a" means the latest block a, "C:a" the committed and "U:a" the uncommitted one.
func blockList(ids ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><BlockList>`)
	for _, id := range ids {
		tag := "Latest"
		if rest, ok := strings.CutPrefix(id, "C:"); ok {
			tag, id = "Committed", rest
		} else if rest, ok := strings.CutPrefix(id, "U:"); ok {
			tag, id = "Uncommitted", rest
		}
		fmt.Fprintf(&b, "<%s>%s</%s>\n", tag, base64.StdEncoding.EncodeToString([]byte(id)), tag)
	}
	return b.String() + "</BlockList>"
}

func (r *rig) putBlocks(u string, blocks ...string) {
	r.Helper()
	for _, b := range blocks {
		r.want(201, r.do("PUT", blockURL(u, b[:1]), b, "user:"))
	}
}

func (r *rig) commit(u string, ids ...string) answer {
	r.Helper()
	return r.do("PUT", u+"&comp=blocklist", blockList(ids...), "user:")
}

func TestBlocks_RoundTrip(t *testing.T) {
	for _, kind := range []string{"filestore", "memstore"} {
		r := newRigKind(t, kind)
		u, send, id := r.uploadURL(lamp)
		a := r.want(201, r.do("PUT", blockURL(u, "b"), "bbb", "user:", "Content-MD5: "+sum64("bbb"), "x-ms-client-request-id: c-1"))
		for name, want := range map[string]string{"Content-Length": "0", "Content-MD5": sum64("bbb"), "x-ms-request-server-encrypted": "false", "x-ms-client-request-id": "c-1",
			"ETag": "", "x-ms-version": "2021-12-02"} {
			r.equal(name, a.header.Get(name), want)
		}
		r.putBlocks(u, "c first", "a", "c22")
		r.blobError(404, "BlobNotFound", r.do("GET", r.containerURL("rdp-media-assets", "lamp@_@9b6c1f0e.png"), "", "user:"))
		r.equal("no object yet", len(objects(r.ok("get", `{"params":{"query":{"id":"9b6c1f0e"}}}`))), 0)
		r.nothing()

		list := blockList("a", "b", "U:c", "b")
		a = r.want(201, r.do("PUT", u+"&comp=blocklist", list, append(send, "user:", "x-ms-blob-content-type: image/png", "Content-MD5: "+sum64(list),
			"x-ms-blob-content-md5: "+sum64("abbbc22bbb"), "Content-Type: application/xml")...))
		r.equal("md5 of the list", a.header.Get("Content-MD5"), sum64(list))
		_, p := r.one(`{"id":"` + id + `"}`)
		for name, want := range map[string]any{"contentSize": 10, "originalFileName": "lamp.png", "role": "vendor", "pixels": 640, "blobBlocks": nil} {
			r.equal(name, p[name], want)
		}
		d := r.want(200, r.do("GET", r.downloadURL(lamp), "", "user:"))
		r.equal("bytes", d.body, "abbbc22bbb")
		r.equal("headers", words(d.header.Get("ETag") == a.header.Get("ETag"), d.header.Get("Content-Type"), d.header.Get("Content-Disposition"), d.header.Get("Content-MD5")),
			"true image/png attachment; filename=lamp.png "+sum64("abbbc22bbb"))
		r.equal("tree", r.cat("/catalog/2026/lamp.png"), "abbbc22bbb")
		r.blobError(400, "InvalidBlockList", r.commit(u, "U:a"))
	}
}

// containerURL is a download URL of any key.
func (r *rig) containerURL(container, key string) string {
	r.Helper()
	_, urlOf := r.continuous("downloadContinuous", `{"type":"binarystreamobject"}`)
	return strings.Replace(urlOf(key), "rdp-media-assets", container, 1)
}

// Blocks of the present version can be used again, as long as nobody else wrote the file.
func TestBlocks_Committed(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	r.putBlocks(u, "a1", "b1", "c1")
	r.want(201, r.commit(u, "a", "b", "c"))
	r.putBlocks(u, "b22")
	r.want(201, r.commit(u, "c", "C:b", "b", "C:a", "U:b"))
	r.equal("bytes", r.cat("/assets/k.txt"), "c1b1b22a1b22")
	r.want(201, r.commit(u, "a", "c"))
	r.equal("bytes", r.cat("/assets/k.txt"), "a1c1")
	r.blobError(400, "InvalidBlockList", r.commit(u, "b"))
	r.put("/assets/k.txt", "xxxx")
	r.blobError(400, "InvalidBlockList", r.commit(u, "a"))
	r.equal("bytes", r.cat("/assets/k.txt"), "xxxx")
	r.want(201, r.commit(u))
	r.equal("empty", r.cat("/assets/k.txt"), "")
}

func TestBlocks_Refused(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxFile = 100 })
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"new/dir/k.txt"}}`)
	r.putBlocks(u, "a"+strings.Repeat("x", 60), "b"+strings.Repeat("x", 60))
	for _, id := range []string{"", "!", "YQ", "YQ===", strings.Repeat("YWFh", 22)} {
		r.blobError(400, "InvalidBlockId", r.do("PUT", u+"&comp=block&blockid="+url.QueryEscape(id), "x", "user:"))
	}
	r.blobError(400, "InvalidBlockId", r.do("PUT", u+"&comp=block", "x", "user:"))
	r.blobError(400, "Md5Mismatch", r.do("PUT", blockURL(u, "c"), "x", "user:", "Content-MD5: "+sum64("y")))
	r.blobError(400, "InvalidHeaderValue", r.do("PUT", blockURL(u, "c"), "x", "user:", "Content-MD5: y"))
	r.blobError(413, "RequestBodyTooLarge", r.do("PUT", blockURL(u, "c"), strings.Repeat("x", 101), "user:"))
	for code, list := range map[string][]string{
		"InvalidBlockList": {blockList("c"), blockList("a", "b", "c"), blockList("C:a")},
		"InvalidBlockId":   {"<BlockList><Latest>!</Latest></BlockList>", "<BlockList><Latest></Latest></BlockList>", "<BlockList><Latest>" + strings.Repeat("A", 1<<20) + "</Latest></BlockList>"},
		"InvalidXmlDocument": {"", "x", "<a/>", "<BlockList>", "<BlockList><Latest>YQ==", "<BlockList>x</BlockList>", "<BlockList><Newest>YQ==</Newest></BlockList>",
			"<BlockList/><BlockList/>", "<BlockList/>x", "<BlockList><Latest><b/></Latest></BlockList>", `<!DOCTYPE a [<!ENTITY e "x">]><BlockList><Latest>&e;</Latest></BlockList>`,
			`<?xml version="1.0" encoding="utf-16"?><BlockList/>`, strings.Repeat("<BlockList>", 10000), "{}", "\x00"},
		"BlockListTooLong": {"<BlockList>" + strings.Repeat("<Latest>YQ==</Latest>", 50001) + "</BlockList>"},
	} {
		for _, text := range list {
			r.blobError(400, code, r.do("PUT", u+"&comp=blocklist", text, "user:"))
		}
	}
	check := func(status int, code string, headers ...string) {
		t.Helper()
		r.blobError(status, code, r.do("PUT", u+"&comp=blocklist", blockList("a"), append(headers, "user:")...))
	}
	r.blobError(413, "RequestBodyTooLarge", r.commit(u, "a", "b"))
	r.blobError(413, "RequestBodyTooLarge", r.do("PUT", u+"&comp=blocklist", "<BlockList>"+strings.Repeat(" ", 9<<20), "user:"))
	check(400, "Md5Mismatch", "x-ms-blob-content-md5: "+sum64("y"))
	check(400, "Md5Mismatch", "Content-MD5: "+sum64("y"))
	check(400, "MetadataTooLarge", "x-ms-meta-a: "+strings.Repeat("x", 8192))
	check(412, "ConditionNotMet", `If-Match: "x"`)
	r.nothing()
	r.want(201, r.commit(u, "a")) // none of it used the blocks up
	check(409, "BlobAlreadyExists", "If-None-Match: *")
	r.equal("bytes", len(r.cat("/new/dir/k.txt")), 61)
}

// blocksLeft counts the blocks on the disk.
func (r *rig) blocksLeft() (n int) {
	r.Helper()
	err := filepath.WalkDir(filepath.Join(r.dir, "staging", "pieces"), func(_ string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // made when it is needed
		}
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return n
}

func TestBlocks_Leave(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	r.putBlocks(u, "a1", "b1", "c1")
	r.equal("waiting", r.blocksLeft(), 3)
	r.want(201, r.commit(u, "a"))
	r.equal("after the list", r.blocksLeft(), 0)
	r.putBlocks(u, "a1", "b1")
	r.want(201, r.do("PUT", u, "whole", "user:"))
	r.equal("after a whole blob", r.blocksLeft(), 0)
	r.blobError(400, "InvalidBlockList", r.commit(u, "b"))
	r.putBlocks(u, "a1", "b1")
	r.clock(7*24*time.Hour - time.Minute)
	if err := r.fs.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.equal("in time", r.blocksLeft(), 2)
	r.clock(7*24*time.Hour + time.Minute)
	if err := r.fs.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.equal("after a week", r.blocksLeft(), 0)
	r.equal("bytes", r.cat("/assets/k.txt"), "whole")
}

// Blocks come in parallel; two lists at once each make a whole blob or none.
func TestBlocks_Concurrent(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	for range 5 {
		var wg sync.WaitGroup
		for _, id := range "abcdefgh" {
			wg.Go(func() { r.want(201, r.do("PUT", blockURL(u, string(id)), strings.Repeat(string(id), 9000), "user:")) })
		}
		wg.Wait()
		lists := [][]string{{"U:a", "U:b", "U:c"}, {"U:h", "U:g"}, {"U:d"}, {"U:e", "U:f"}}
		wins := make(chan string, len(lists))
		for _, l := range lists {
			wg.Go(func() {
				switch a := r.commit(u, l...); a.status {
				case 201:
					wins <- strings.ReplaceAll(strings.Join(l, ""), "U:", "")
				case 400:
					r.equal("loser", a.header.Get("x-ms-error-code"), "InvalidBlockList")
				default:
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		wg.Wait()
		close(wins)
		r.equal("winners", len(wins), 1)
		want := ""
		for _, id := range <-wins {
			want += strings.Repeat(string(id), 9000)
		}
		if got := r.cat("/assets/k.txt"); got != want {
			t.Fatalf("got %d bytes %.10s, want %d %.10s", len(got), got, len(want), want)
		}
	}
	r.equal("left", r.blocksLeft(), 0)
}

// A block that was cut off replaces nothing.
func TestBlocks_Cut(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	r.putBlocks(u, "a whole one")
	for _, extra := range []string{"Content-Length: 20", "Transfer-Encoding: chunked"} {
		body := "a half"
		if strings.HasPrefix(extra, "T") {
			body = "6\r\na half\r\n"
		}
		if got := r.raw(head("PUT", target(blockURL(u, "a")), extra) + "\r\n" + body); got != 400 {
			t.Errorf("%s: a cut block answered %d", extra, got)
		}
	}
	list := blockList("a")
	if got := r.raw(head("PUT", target(u+"&comp=blocklist"), fmt.Sprintf("Content-Length: %d", len(list)+1)) + "\r\n" + list); got != 400 {
		t.Errorf("a cut list answered %d", got)
	}
	r.nothing()
	r.want(201, r.commit(u, "a"))
	r.equal("bytes", r.cat("/assets/k.txt"), "a whole one")
}

// Deleting the object between two blocks, or between blocks and list, takes nothing from the upload.
func TestBlocks_DeleteMeanwhile(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	r.want(201, r.do("PUT", u, "old", "user:"))
	r.putBlocks(u, "a1")
	r.ok("delete", `{"binaryStreamObject":{"id":"i"}}`)
	r.putBlocks(u, "b1")
	r.want(201, r.commit(u, "b", "a"))
	r.equal("bytes", r.cat("/assets/k.txt"), "b1a1")
	o, _ := r.one(`{"id":"i"}`)
	r.equal("id", o["id"], "i")
}

func TestBlocks_OtherTenant(t *testing.T) {
	r := newRig(t)
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	r.putBlocks(u, "a1")
	v, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`, "user: other/mira", "x-rdp-tenantId: other")
	r.blobError(400, "InvalidBlockList", r.commit(v, "a"))
	r.want(201, r.commit(u, "a"))
}
