package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// bso calls an operation of the Binary Stream Object Service and returns the properties of its object, nil when it gives none.
func bso(t *testing.T, s *serving, op, object string) map[string]any {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/binarystreamobjectservice/"+op,
		strings.NewReader(`{"binaryStreamObject":`+object+`}`)))
	req.Header.Set("Content-Type", "application/json")
	name, password, _ := strings.Cut(admin, ":")
	req.SetBasicAuth(name, password)
	var out struct {
		Response struct {
			Status  string
			Objects []struct{ Properties map[string]any } `json:"binaryStreamObjects"`
		}
	}
	res := must(http.DefaultClient.Do(req))
	defer res.Body.Close()
	body := must(io.ReadAll(res.Body))
	if err := json.Unmarshal(body, &out); err != nil || out.Response.Status != "success" {
		t.Fatalf("%s: %v, %s", op, err, body)
	}
	if len(out.Response.Objects) == 0 {
		return nil
	}
	return out.Response.Objects[0].Properties
}

// plain makes a request without any credentials.
func plain(t *testing.T, method, url, body string, headers any) (int, string) {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))
	list, _ := headers.([]any)
	for _, h := range list {
		for name, value := range h.(map[string]any) {
			req.Header.Set(name, fmt.Sprint(value))
		}
	}
	res := must(http.DefaultClient.Do(req))
	defer res.Body.Close()
	return res.StatusCode, string(must(io.ReadAll(res.Body)))
}

func TestDirectURLs(t *testing.T) {
	g := startS3(t)
	cfg := s3Config(t, g)
	cfg.Remote.DirectURLs = true
	const lamp = `{"id":"9b6c","type":"binarystreamobject","properties":{"objectKey":"dir, 1/lamp@_@9b6c.png","originalFileName":"lamp.png"}}`
	s := startProgram(t, cfg)
	put := func(up map[string]any, content string) {
		t.Helper()
		if status, body := plain(t, "PUT", up["uploadURL"].(string), content, up["headers"]); status != 200 {
			t.Fatalf("PUT %s: %d %s", up["uploadURL"], status, body)
		}
	}
	lookup := func(want string) {
		t.Helper()
		if _, _, body := request(t, "GET", s.URL+"/dav/dir,%201/lamp.png", admin, ""); body != want {
			t.Errorf("the file has %q, want %q", body, want)
		}
	}
	up := bso(t, s, "prepareUpload", lamp)
	url := up["uploadURL"].(string)
	if !strings.HasPrefix(url, g.Endpoint+"/"+g.Bucket+"/") || strings.ContainsAny(url, `, "}`) || strings.Contains(url, g.SecretKey) {
		t.Errorf("upload URL %s", url)
	}
	put(up, "light")
	if status, _, _ := request(t, "GET", s.URL+"/dav/dir,%201/lamp.png", admin, ""); status != 404 {
		t.Errorf("a file before create: %d", status)
	}
	tote(t, "gc", "--data", cfg.Data, "--now").want(t, exitOK) // leaves what waits
	bso(t, s, "create", lamp)
	lookup("light")
	put(up, "late bytes by the same URL")
	lookup("light")
	bso(t, s, "create", lamp)
	lookup("late bytes by the same URL")

	down := bso(t, s, "prepareDownload", lamp)["downloadURL"].(string)
	if status, body := plain(t, "GET", down, "", nil); status != 200 || body != "late bytes by the same URL" || !strings.HasPrefix(down, g.Endpoint) {
		t.Errorf("GET %s: %d %q", down, status, body)
	}
	if n := len(bucketKeys(t, g, "tree/rdp/binarystreamobject/uploads/")); n != 0 {
		t.Errorf("%d uploads wait", n)
	}
	put(up, "nobody wants this")
	if n, err := s.core.sweepUploads(t.Context(), time.Now()); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if n, err := s.core.sweepUploads(t.Context(), time.Now().Add(keepUploads+time.Minute)); n != 1 || err != nil {
		t.Errorf("a day later: swept %d, %v", n, err)
	}
	if strings.Contains(s.Logs.String(), "X-Amz-Signature") {
		t.Error("the log shows a signed URL")
	}
	tote(t, "fsck", "--data", cfg.Data, "--deep").want(t, exitOK)
}
