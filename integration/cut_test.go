package integration

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// upload is one way to send a file, as bytes on a connection.
type upload struct {
	name   string
	method string
	url    string
	header []string
	body   []byte
	path   string // where the file is, or would be
}

// framing says how the length of a body is told.
type framing int

const (
	byLength framing = iota
	chunked
)

func (f framing) String() string { return []string{"length", "chunked"}[f] }

// message writes the request out. The second result is where its body begins.
func (u upload) message(f framing, body []byte) ([]byte, int) {
	var b bytes.Buffer
	at, err := url.Parse(u.url)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", u.method, at.RequestURI(), at.Host)
	if !at.Query().Has("sig") {
		fmt.Fprintf(&b, "Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString([]byte(adminUser+":"+adminPassword)))
	}
	for i := 0; i+1 < len(u.header); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", u.header[i], u.header[i+1])
	}
	if f == byLength {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(body))
		head := b.Len()
		b.Write(body)
		return b.Bytes(), head
	}
	b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	head := b.Len()
	for len(body) > 0 {
		n := min(len(body), 1+len(body)/2)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes(), head
}

// uploads are all ways to send a file, over a new and over an existing one.
func uploads(t testing.TB, s *server, size int) (all []upload) {
	t.Helper()
	check(t, s.mount().Mkdir("/cut"))
	old := []byte("the old content of this file")
	body := randomBytes(size, 11)
	for _, name := range []string{"dav", "put", "blob"} {
		check(t, s.dav().Put("/cut/"+name, old))
	}
	id, err := s.mount().Ino("/cut/put")
	check(t, err)
	form, kind, err := binaryForm("posted", body, true)
	check(t, err)
	form2, kind2, err := binaryForm("posted2", body, false)
	check(t, err)
	all = []upload{
		{"dav new", "PUT", s.base + "/dav/cut/new", nil, body, "/cut/new"},
		{"dav existing", "PUT", s.base + "/dav/cut/dav", nil, body, "/cut/dav"},
		{"inventory post", "POST", s.base + "/inventory/binaries", []string{"Content-Type", kind}, form, "/inventory/posted"},
		{"inventory post, file first", "POST", s.base + "/inventory/binaries", []string{"Content-Type", kind2}, form2, "/inventory/posted2"},
		{"inventory put", "PUT", s.base + binaryURL(fmt.Sprint(id)), []string{"Content-Type", "text/plain"}, body, "/cut/put"},
	}
	for _, name := range []string{"newblob", "deep/er/blob"} {
		url, header, err := s.uploadURL(name, map[string]any{"objectKey": name, "fullObjectPath": "cut/" + name})
		check(t, err)
		all = append(all, upload{"blob new " + name, "PUT", url, header, body, "/cut/" + name})
	}
	url, header, err := s.uploadURL("exists", map[string]any{"objectKey": "exists.bin", "fullObjectPath": "cut/exists.bin"})
	check(t, err)
	_, _, err = s.do("PUT", url, old, []int{201}, header...)
	check(t, err)
	return append(all, upload{"blob existing", "PUT", url, header, body, "/cut/exists.bin"})
}

// TestG3CutOff (G3) cuts uploads off at every byte, in the header and in the body, by length and chunked, with an end of input and with a
// reset. The old state stays, on all doors, and nothing is left in staging.
func TestG3CutOff(t *testing.T) {
	s := startServer(t)
	all := uploads(t, s, 100)
	before := s.picture(t)
	for _, u := range all {
		for _, f := range []framing{byLength, chunked} {
			t.Run(u.name+" by "+f.String(), func(t *testing.T) {
				message, head := u.message(f, u.body)
				step := 1
				if brief() {
					step = 7
				}
				for n := head - 2; n < len(message); n += step {
					s.cutOff(t, message[:n], []ending{endOfInput, endOfInput, reset}[n%3])
				}
				s.unchanged(t, before)
			})
		}
	}
	t.Run("whole", func(t *testing.T) { // the guard: uncut, the same messages change everything
		for _, u := range all {
			message, _ := u.message(chunked, u.body)
			if status := s.cutOff(t, message, open); status != 201 && status != 204 {
				t.Errorf("%s: whole, it is answered %d", u.name, status)
			}
			if _, err := os.Stat(s.mount().at(u.path)); err != nil {
				t.Errorf("%s: %v", u.name, err)
			}
		}
	})
}

// TestG3CutOffLarge cuts larger uploads off at random, where buffers, parts and files are.
func TestG3CutOffLarge(t *testing.T) {
	s := startServer(t)
	size := 9 << 20
	all := uploads(t, s, size)
	before := s.picture(t)
	for _, u := range all {
		for _, f := range []framing{byLength, chunked} {
			message, head := u.message(f, u.body)
			for i, n := range []int{head + 1<<15, head + 1<<20 + 1, head + len(u.body)/2, len(message) - 6} {
				s.cutOff(t, message[:n], []ending{endOfInput, reset}[i%2])
			}
		}
		s.unchanged(t, before)
	}
	s.checkMemory()
}

// ending is how a client's side of a connection ends.
type ending int

const (
	open       ending = iota // it does not: the client waits for the answer
	endOfInput               // what was sent arrives
	reset                    // what the server has not read yet is thrown away
)

// cutOff sends bytes, ends the connection and returns the answer's status, 0 for none.
func (s *server) cutOff(t testing.TB, message []byte, end ending) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
	check(t, err)
	defer conn.Close()
	check(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	if _, err := conn.Write(message); err != nil {
		return 0 // the server answered before it had read everything, which is its right
	}
	if end == reset {
		check(t, conn.(*net.TCPConn).SetLinger(0))
		return 0
	}
	if end == endOfInput {
		check(t, conn.(*net.TCPConn).CloseWrite())
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("no answer to an upload that was cut off")
		}
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// picture is everything there is to see of the files.
func (s *server) picture(t testing.TB) map[string]string {
	t.Helper()
	seen, err := s.takePicture()
	check(t, err)
	return seen
}

func (s *server) takePicture() (map[string]string, error) {
	seen, err := lookAt(s.mnt)
	if err != nil {
		return nil, err
	}
	for path, text := range seen {
		if !strings.HasPrefix(text, "-") {
			continue
		}
		for _, f := range []Face{s.dav(), s.rest()} {
			b, err := f.Get("/" + path)
			seen[f.Name()+" "+path] = fmt.Sprint(len(b), sum(b), err)
		}
	}
	list, _, err := s.do("GET", "/inventory/binaries?pageSize=2000", nil, []int{200})
	if err != nil {
		return nil, err
	}
	seen["inventory"] = string(list)
	r, err := s.bsoCall("get", map[string]any{"params": map[string]any{"query": map[string]any{"filters": map[string]any{"typesCriterion": []string{"ALL"}}}}})
	if err == nil {
		seen["objects"] = fmt.Sprint(r.Response)
	}
	return seen, err
}

// unchanged wants the same picture as before, on every door, and no trace of an upload. Requests that were reset end in their own time.
func (s *server) unchanged(t testing.TB, before map[string]string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		if names := s.staged(); len(names) > 0 {
			return fmt.Errorf("staging holds %.5q", names)
		}
		now, err := s.takePicture()
		if diff := differences(now, before); err == nil && len(diff) > 0 {
			err = fmt.Errorf("uploads that were cut off left\n  %s", tail(strings.Join(diff, "\n  "), 2000))
		}
		return err
	})
}
