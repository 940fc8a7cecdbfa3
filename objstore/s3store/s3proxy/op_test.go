package s3proxy

import (
	"net/http"
	"testing"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		method, url, source string
		want                Op
	}{
		{"GET", "/b/k", "", GetObject},
		{"GET", "/b/k/with/slashes?x-id=GetObject", "", GetObject},
		{"GET", "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0", "", GetObject},
		{"GET", "/b/k?partNumber=1", "", GetObject},
		{"HEAD", "/b/k", "", HeadObject},
		{"PUT", "/b/k?x-id=PutObject", "", PutObject},
		{"PUT", "/b/k", "/b/other", CopyObject},
		{"DELETE", "/b/k", "", DeleteObject},
		{"POST", "/b/k?uploads", "", CreateMultipartUpload},
		{"POST", "/b/k?uploads=", "", CreateMultipartUpload},
		{"PUT", "/b/k?partNumber=1&uploadId=u", "", UploadPart},
		{"PUT", "/b/k?partNumber=1&uploadId=u", "/b/other", UploadPartCopy},
		{"POST", "/b/k?uploadId=u", "", CompleteMultipartUpload},
		{"DELETE", "/b/k?uploadId=u", "", AbortMultipartUpload},
		{"GET", "/b/k?uploadId=u", "", ListParts},
		{"GET", "/b", "", ListObjects},
		{"GET", "/b/?list-type=2&prefix=uploads", "", ListObjects},
		{"GET", "/b?uploads", "", ListMultipartUploads},
		{"POST", "/b?delete", "", DeleteObjects},
		{"HEAD", "/b", "", HeadBucket},
		{"PUT", "/b", "", CreateBucket},
		{"DELETE", "/b/", "", DeleteBucket},
		{"GET", "/", "", Other},
		{"GET", "/b?location", "", Other},
		{"PUT", "/b/k?tagging", "", Other},
		{"GET", "/b/k?attributes", "", Other},
		{"POST", "/b/k", "", Other},
		{"POST", "/b", "", Other},
		{"PATCH", "/b/k?uploadId=u", "", Other},
		{"OPTIONS", "/b", "", Other},
	} {
		r, err := http.NewRequest(c.method, "http://host"+c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.source != "" {
			r.Header.Set("X-Amz-Copy-Source", c.source)
		}
		if got := Classify(r); got != c.want {
			t.Errorf("%s %s is %s, want %s", c.method, c.url, got, c.want)
		}
	}
}
