package integration

import (
	"strings"
	"testing"

	"tote/objstore/s3store/s3proxy"
)

// TestS3DirectURLs lets clients of the binary stream object service bring bytes to S3 themselves, and get them from there: none pass the server. The
// file that create makes of them is there on all doors. Without the flag the URLs are the server's own.
func TestS3DirectURLs(t *testing.T) {
	s, p := startProxied(t, withArgs("--direct-urls"))
	for name, data := range map[string][]byte{
		"small": []byte("small"), "empty": {}, "large": randomBytes(2*s3Part+17, 1),
	} {
		t.Run(name, func(t *testing.T) {
			object := map[string]any{"objectKey": name + "@_@1.bin", "fullObjectPath": "direct/" + name + ".bin", "originalFileName": name + ".bin"}
			url, header, err := s.uploadURL(name, object)
			check(t, err)
			if !strings.HasPrefix(url, p.URL()) {
				t.Errorf("prepareUpload gives %.60s, which is not in the store", url)
			}
			_, _, err = s.do("PUT", url, data, []int{200}, header...)
			check(t, err)
			p.Forget()
			_, err = s.bso("create", name, object)
			check(t, err)
			if n := count(p, s3proxy.GetObject, s3proxy.PutObject, s3proxy.UploadPart); n.Up+n.Down > 0 {
				t.Errorf("create moved bytes: %+v", p.Counts())
			}
			for _, f := range s.faces() {
				if f.Name() != "rest" { // which would go the direct way, too
					wantContent(t, f, "/direct/"+name+".bin", data)
				}
			}
			url, err = s.downloadURL(name + "@_@1.bin")
			check(t, err)
			if !strings.HasPrefix(url, p.URL()) {
				t.Errorf("prepareDownload gives %.60s, which is not in the store", url)
			}
			got, _, err := s.do("GET", url, nil, []int{200})
			if err != nil || sum(got) != sum(data) {
				t.Errorf("the download: %v, %s", err, difference(got, data))
			}
		})
	}
	t.Run("not created", func(t *testing.T) {
		url, header, err := s.uploadURL("forgotten", map[string]any{"objectKey": "forgotten.bin", "fullObjectPath": "direct/forgotten.bin"})
		check(t, err)
		_, _, err = s.do("PUT", url, []byte("x"), []int{200}, header...)
		check(t, err)
		s.gc()
		_, err = s.bso("create", "forgotten", map[string]any{"objectKey": "forgotten.bin", "fullObjectPath": "direct/forgotten.bin"})
		check(t, err)
		wantGet(t, s.dav(), "/direct/forgotten.bin", "x")
	})
	s.settled()
}

// TestS3OwnURLs wants URLs to lead to the server unless somebody asked for others.
func TestS3OwnURLs(t *testing.T) {
	needS3(t)
	s := startServer(t)
	url, _, err := s.uploadURL("", map[string]any{"objectKey": "own.bin"})
	check(t, err)
	if !strings.HasPrefix(url, s.base+"/blobs/") {
		t.Errorf("prepareUpload gives %.60s", url)
	}
}
