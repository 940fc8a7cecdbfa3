package restapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// zeros is a body of n bytes, sent without its length.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// The limits as they are without being asked for: the largest body fits, one byte more does not, whether its length is announced or counted.
func TestLimits_Defaults(t *testing.T) {
	const attachment, piece = 52_428_800, 5_242_880
	r := newRig(t)
	for _, over := range []int64{0, 1} {
		status := func(ok int) int {
			if over > 0 {
				return 413
			}
			return ok
		}
		_, id := r.door()
		url := "/event/events/" + id + "/binaries"
		r.want(status(201), r.send("POST", url, zeros(attachment+over)))
		r.want(status(201), r.send("PUT", url, zeros(attachment+over)))
		_, id = r.door()
		r.want(status(200), r.send("POST", "/event/events/"+id+"/binaries", zeros(piece+over), fmt.Sprintf("Content-Range: 0-%d/*", piece+over-1)))
		_, id = r.door()
		r.equal("announced", r.begin("POST", "/event/events/"+id+"/binaries", attachment+over), status(100))
		r.equal("announced piece", r.begin("POST", "/event/events/"+id+"/binaries", piece+over, fmt.Sprintf("Content-Range: 0-%d/*", piece+over-1)), status(100))
		r.want(status(201), r.do("POST", "/inventory/managedObjects", `{"a":"`+strings.Repeat("x", 1<<20-8+int(over))+`"}`))
	}
}

// A file of 5 GiB is begun, one of a byte more refused before any of it is sent.
func TestLimits_LargestFile(t *testing.T) {
	const file = 5 << 30
	r := newRig(t)
	id := r.upload(`{"name":"n"}`, "n", "old")
	u, _, _ := r.uploadURL(`{"id":"i","properties":{"objectKey":"k.txt"}}`)
	const form = file + 1<<20 + maxFrame // with its object and its frame
	for _, c := range []struct {
		method, target, kind string
		max                  int64
	}{
		{"PUT", "/inventory/binaries/" + id, "text/plain", file},
		{"PUT", target(u), "text/plain", file},
		{"POST", "/inventory/binaries", "multipart/form-data; boundary=q", form},
		{"PUT", "/inventory/binaries/" + id, "multipart/form-data; boundary=q", form},
	} {
		r.equal(c.target+" of the largest size", r.begin(c.method, c.target, c.max, "Content-Type: "+c.kind), 100)
		r.equal(c.target+" of one byte more", r.begin(c.method, c.target, c.max+1, "Content-Type: "+c.kind), 413)
	}
	r.equal("bytes", r.cat("/inventory/n"), "old")
}

// begin announces a body and gives the first status that comes: 100 when the server wants it.
func (r *rig) begin(method, target string, length int64, headers ...string) int {
	r.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	h := head(method, target, append(headers, fmt.Sprintf("Content-Length: %d", length), "Expect: 100-continue")...) + "\r\n"
	if _, err := io.WriteString(c, h); err != nil {
		r.Fatal(err)
	}
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		r.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
