package davserver

import (
	"strings"
	"testing"
)

// msProps is what Windows sets on every file that it copies.
const msProps = `<Z:Win32CreationTime xmlns:Z="urn:schemas-microsoft-com:">Tue, 14 Nov 2023 22:13:20 GMT</Z:Win32CreationTime>` +
	`<Z:Win32LastAccessTime xmlns:Z="urn:schemas-microsoft-com:">Tue, 14 Nov 2023 22:13:20 GMT</Z:Win32LastAccessTime>` +
	`<Z:Win32LastModifiedTime xmlns:Z="urn:schemas-microsoft-com:">Tue, 14 Nov 2023 22:13:20 GMT</Z:Win32LastModifiedTime>` +
	`<Z:Win32FileAttributes xmlns:Z="urn:schemas-microsoft-com:">00000020</Z:Win32FileAttributes>`

// TestFlowWindowsCopy: Explorer reserves the name, locks it, writes, sets times, unlocks.
func TestFlowWindowsCopy(t *testing.T) {
	s := newShare(t)
	s.want(200, "OPTIONS", "/dav/", "", "X-Anonymous: yes")
	s.want(207, "PROPFIND", "/dav", "", "Depth: 0")
	s.want(404, "PROPFIND", "/dav/a.doc", "", "Depth: 0")
	s.want(201, "PUT", "/dav/a.doc", "")
	token := s.lock("/dav/a.doc", "Timeout: Second-3600")
	held := "If: (<" + token + ">)"
	s.want(207, "PROPPATCH", "/dav/a.doc", `<D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>`+msProps+
		`</D:prop></D:set></D:propertyupdate>`, held)
	s.want(200, "HEAD", "/dav/a.doc", "")
	s.want(204, "PUT", "/dav/a.doc", "content", held)
	got := s.proppatch("/dav/a.doc", msProps, held)
	if got.code != 207 || strings.Count(got.body, "HTTP/1.1 200 OK") != 1 || strings.Contains(got.body, "HTTP/1.1 4") {
		t.Errorf("PROPPATCH: %d\n%s", got.code, got.body)
	}
	s.want(204, "UNLOCK", "/dav/a.doc", "", "Lock-Token: <"+token+">")
	contains(t, s.propfind("/dav/a.doc", "0", "<D:getlastmodified/>").body, "Tue, 14 Nov 2023 22:13:20 GMT")

	token = s.lock("/dav/a.doc") // and with a DELETE in between
	s.want(204, "DELETE", "/dav/a.doc", "", "If: (<"+token+">)")
	s.want(201, "PUT", "/dav/a.doc", "again")
}

// TestFlowOfficeSave: Office writes a temporary file and moves it over the original.
func TestFlowOfficeSave(t *testing.T) {
	s := newShare(t)
	s.put("/dav/report.docx", "first")
	orig := s.lock("/dav/report.docx")
	s.want(200, "LOCK", "/dav/report.docx", "", "If: (<"+orig+">)", "Timeout: Second-600")
	s.want(201, "PUT", "/dav/tmp1.tmp", "second")
	tmp := s.lock("/dav/tmp1.tmp")
	s.want(423, "MOVE", "/dav/tmp1.tmp", "", "Destination: {base}/dav/report.docx", "If: (<"+tmp+">)")
	s.want(201, "MOVE", "/dav/report.docx", "", "Destination: {base}/dav/old.tmp", "If: (<"+orig+">)", "Overwrite: T")
	s.want(201, "MOVE", "/dav/tmp1.tmp", "", "Destination: {base}/dav/report.docx", "If: (<"+tmp+">)", "Overwrite: F")
	s.want(204, "DELETE", "/dav/old.tmp", "")
	s.holds("/dav/report.docx", "second")
}

// TestFlowOfficeMove: the locked temporary file moves to a free and to a taken name with its own token only.
func TestFlowOfficeMove(t *testing.T) {
	s := newShare(t)
	s.put("/dav/tmp", "second")
	token := s.lock("/dav/tmp")
	s.want(201, "MOVE", "/dav/tmp", "", "Destination: {base}/dav/report", "If: (<"+token+">)", "Overwrite: F")
	s.put("/dav/tmp", "third")
	token = s.lock("/dav/tmp")
	s.want(204, "MOVE", "/dav/tmp", "", "Destination: {base}/dav/report", "If: (<"+token+">)", "Overwrite: T")
	s.holds("/dav/report", "third")
	s.want(204, "PUT", "/dav/report", "the lock did not come along")
}

// TestFlowFinderSave: a Mac puts an empty file, locks it and sends the body in chunks.
func TestFlowFinderSave(t *testing.T) {
	s := newShare(t)
	s.want(404, "PROPFIND", "/dav/._a.txt", "", "Depth: 0")
	s.want(201, "PUT", "/dav/a.txt", "")
	token := s.lock("/dav/a.txt", "Timeout: Second-600", "Depth: 0")
	held := "If: (<" + token + ">)"
	got := s.send("PUT", "/dav/a.txt", struct{ *strings.Reader }{strings.NewReader("hello")}, held, "X-Expected-Entity-Length: 5")
	if got.code != 204 || got.Get("ETag") == "" || got.Get("Last-Modified") == "" {
		t.Fatalf("PUT: %d %v", got.code, got.Header)
	}
	s.want(204, "UNLOCK", "/dav/a.txt", "", "Lock-Token: <"+token+">")
	s.want(201, "PUT", "/dav/._a.txt", "AppleDouble")
	s.want(201, "MOVE", "/dav/a.txt", "", "Destination: {base}/dav/b.txt")
	s.want(201, "PUT", "/dav/a.txt", "new")
	s.want(204, "MOVE", "/dav/a.txt", "", "Destination: {base}/dav/b.txt") // without Overwrite
	s.holds("/dav/b.txt", "new")
}

// TestFlowGvfsReplace: an editor saves only over what it has read.
func TestFlowGvfsReplace(t *testing.T) {
	s := newShare(t)
	s.put("/dav/f", "one")
	etag := s.want(200, "HEAD", "/dav/f", "").Get("ETag")
	s.want(204, "PUT", "/dav/f", "two", "If-Match: "+etag)
	s.want(412, "PUT", "/dav/f", "three", "If-Match: "+etag)
	s.want(412, "COPY", "/dav/f", "", "Destination: {base}/dav/f2", "Overwrite: F", "If-Match: "+etag)
	s.want(201, "COPY", "/dav/f", "", "Destination: {base}/dav/f2", "Overwrite: F")
	s.want(204, "COPY", "/dav/f", "", "Destination: {base}/dav/f2", "Overwrite: T")
	s.holds("/dav/f2", "two")
}
