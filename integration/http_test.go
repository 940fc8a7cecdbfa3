package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// statusError is an answer that is not the one that was wanted.
type statusError struct {
	method, path string
	status       int
	body         string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.method, e.path, e.status, tail(strings.TrimSpace(e.body), 300))
}

// statuses says with which answers an HTTP face may tell what the core calls errno.
var statuses = map[syscall.Errno][]int{
	syscall.ENOENT:       {404, 409}, // 409: a parent is missing
	syscall.EEXIST:       {405, 409, 412},
	syscall.ENOTDIR:      {404, 405, 409},
	syscall.EISDIR:       {404, 405, 409},
	syscall.ENOTEMPTY:    {409},
	syscall.EINVAL:       {400, 403, 404, 409, 422},
	syscall.ENAMETOOLONG: {400, 404, 414, 422},
	syscall.EBUSY:        {403, 423},
	syscall.EACCES:       {401, 403},
	syscall.EPERM:        {403, 405},
}

// isErrno tells whether err says errno, in whatever language the door has.
func isErrno(err error, errno syscall.Errno) bool {
	var status *statusError
	if errors.As(err, &status) {
		return slices.Contains(statuses[errno], status.status)
	}
	return errors.Is(err, errno)
}

// escape makes a URL path of a tree path.
func escape(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// request sends a request as admin. header holds names and values in turn. url may be absolute, else it is below the server's address.
func (s *server) request(method, url string, body io.Reader, header ...string) (*http.Response, error) {
	signed := strings.HasPrefix(url, "http://")
	if !signed {
		url = s.base + url
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	if !signed {
		req.SetBasicAuth(adminUser, adminPassword)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Content-Length" {
			fmt.Sscan(header[i+1], &req.ContentLength)
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	return s.client.Do(req)
}

// do sends a request and reads the whole answer; any status but those wanted is a *statusError.
func (s *server) do(method, url string, body []byte, want []int, header ...string) ([]byte, http.Header, error) {
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(body)
	}
	resp, err := s.request(method, url, in, header...)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if !slices.Contains(want, resp.StatusCode) {
		return nil, nil, &statusError{method, url, resp.StatusCode, string(out)}
	}
	return out, resp.Header, err
}

// bsoReply is the part of the binary stream object service's envelope that tests look at.
type bsoReply struct {
	Response struct {
		Status       string
		StatusDetail struct {
			Message  string
			Messages []struct{ Message, MessageCode string }
		}
		BinaryStreamObjects []bsoObject
		TotalRecords        int
	}
}

type bsoObject struct {
	ID         string
	Type       string
	Properties map[string]any
}

// bsoStatus gives the service's codes the HTTP status they stand for: the envelope always comes with 200.
var bsoStatus = map[string]int{
	"E0018": 404, "PD001": 403, "AE001": 422, "E0038": 422, "E0042": 400, "E0002": 507, "E0001": 500, "GE001": 401,
}

// bso calls an operation of the binary stream object service with one object.
func (s *server) bso(operation, id string, properties map[string]any) (*bsoReply, error) {
	object := map[string]any{"type": "binarystreamobject"}
	if id != "" {
		object["id"] = id
	}
	if properties != nil {
		object["properties"] = properties
	}
	return s.bsoCall(operation, map[string]any{"binaryStreamObject": object})
}

func (s *server) bsoCall(operation string, request map[string]any) (*bsoReply, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	path := "/api/binarystreamobjectservice/" + operation
	out, _, err := s.do("POST", path, body, []int{200}, "Content-Type", "application/json")
	if err != nil {
		return nil, err
	}
	var r bsoReply
	if err := json.Unmarshal(out, &r); err != nil {
		return nil, err
	}
	if r.Response.Status == "success" {
		return &r, nil
	}
	status := 500
	if m := r.Response.StatusDetail.Messages; len(m) > 0 {
		status = bsoStatus[m[0].MessageCode]
	}
	return nil, &statusError{"POST", path, status, string(out)}
}

// uploadURL asks for a place to upload to, and the headers that go with it.
func (s *server) uploadURL(id string, properties map[string]any) (url string, header []string, err error) {
	r, err := s.bso("prepareUpload", id, properties)
	if err != nil {
		return "", nil, err
	}
	if len(r.Response.BinaryStreamObjects) != 1 {
		return "", nil, fmt.Errorf("prepareUpload gave %d objects", len(r.Response.BinaryStreamObjects))
	}
	p := r.Response.BinaryStreamObjects[0].Properties
	list, _ := p["headers"].([]any)
	for _, h := range list {
		for name, value := range h.(map[string]any) {
			header = append(header, name, fmt.Sprint(value))
		}
	}
	url, _ = p["uploadURL"].(string)
	if url == "" {
		return "", nil, errors.New("prepareUpload gave no uploadURL")
	}
	return url, header, nil
}

// downloadURL asks for a signed URL of an object's bytes. id is an object key or, for a file without a key of its own, its number.
func (s *server) downloadURL(id string) (string, error) {
	r, err := s.bso("prepareDownload", id, nil)
	if err != nil {
		return "", err
	}
	if len(r.Response.BinaryStreamObjects) != 1 {
		return "", fmt.Errorf("prepareDownload gave %d objects", len(r.Response.BinaryStreamObjects))
	}
	url, _ := r.Response.BinaryStreamObjects[0].Properties["downloadURL"].(string)
	if url == "" {
		return "", errors.New("prepareDownload gave no downloadURL")
	}
	return url, nil
}
