package restapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"tote/fs"
)

func TestParseChunkRange(t *testing.T) {
	for text, want := range map[string]chunkRange{
		"0-3/*": {start: 0, stop: 3, length: -1}, "0-3/10": {start: 0, stop: 3, length: 10}, "bytes 6-9/10": {start: 6, stop: 9, length: 10}, `0-3/\*`: {start: 0, stop: 3, length: -1},
		" Bytes 4-4/5 ": {start: 4, stop: 4, length: 5}, "bytes=0-0/1": {start: 0, stop: 0, length: 1}, "0-9/10": {start: 0, stop: 9, length: 10},
	} {
		want.text = strings.TrimSpace(text)
		if got, ok := parseChunkRange(text); !ok || got != want {
			t.Errorf("%q is %+v, %v, want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "x", "0-3", "0/3", "-3/*", "0-/*", "3-0/*", "0-3/3", "0-3/2", "0-3/", "+0-3/*", "0-3/-1", "0 - 3/*", "items 0-3/*", "bytes0-3/*", "bytes */10", "*/10", "0-3/*/5", "0-3-5/*",
		"0-99999999999999999999/*", "99999999999999999999-3/*", "0-9223372036854775807/*", "0-3/99999999999999999999", "0x0-3/*", "٠-3/*"} {
		if got, ok := parseChunkRange(text); ok {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// chunk sends one piece.
func (r *rig) chunk(event, contentRange, body string, headers ...string) answer {
	r.Helper()
	return r.do("POST", "/event/events/"+event+"/binaries", body, append(headers, "Content-Range: "+contentRange)...)
}

func TestChunks_InOrder(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	path := "/event/events/" + id + "/binaries"
	for _, c := range []struct{ text, body string }{{"0-3/*", "0123"}, {"bytes 4-5/*", "45"}} {
		a := r.want(200, r.chunk(id, c.text, c.body, "Content-Type: image/jpeg"))
		r.equal("info", a.json(t), map[string]any{"self": r.url + path, "type": "image/jpeg", "range": c.text, "source": id})
		r.equal("type", a.header.Get("Content-Type"), "application/vnd.com.nsn.cumulocity.event+json;ver=0.9;charset=UTF-8")
		m := r.getJSON("/event/events/" + id)
		r.equal("incomplete", m["c8y_IsIncompleteBinary"], map[string]any{"range": c.text})
		r.equal("complete", m["c8y_IsBinary"], nil)
		r.want(404, r.do("GET", path, ""))
		r.equal("tree", len(r.tree()), 0)
	}
	a := r.want(201, r.chunk(id, "6-9/10", "6789", "Content-Type: text/other"))
	r.equal("info", a.json(t), map[string]any{"self": r.url + path, "type": "image/jpeg", "source": id, "name": id, "length": 10})
	r.equal("location", a.header.Get("Location"), r.url+path)
	got := r.want(200, r.do("GET", path, ""))
	r.equal("bytes", got.body, ten)
	r.equal("type", got.header.Get("Content-Type"), "image/jpeg")
	m := r.getJSON("/event/events/" + id)
	r.equal("incomplete", m["c8y_IsIncompleteBinary"], nil)
	r.equal("complete", m["c8y_IsBinary"], map[string]any{"name": id, "type": "image/jpeg", "length": 10})
	r.noDrafts()
	r.want(409, r.chunk(id, "0-3/*", "0123"))
}

func TestChunks_OneIsEnough(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	a := r.want(201, r.chunk(id, "0-9/10", ten, `Content-Disposition: attachment; filename="a b.txt"`))
	r.equal("name", a.json(t)["name"], "a b.txt")
	r.equal("bytes", r.cat("/events/"+id+"/a b.txt"), ten)
}

func TestChunks_NameOfTheFirst(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	r.want(422, r.chunk(id, "0-3/*", "0123", `Content-Disposition: attachment; filename=".."`))
	r.want(200, r.chunk(id, "0-3/*", "0123", `Content-Disposition: attachment; filename="first.bin"`))
	a := r.want(201, r.chunk(id, "4-9/10", "456789", `Content-Disposition: attachment; filename="last.bin"`))
	r.equal("name", a.json(t)["name"], "first.bin")
}

// Every check with its status, in an order where a piece that fails several is told the first.
func TestChunks_Refused(t *testing.T) {
	big := fmt.Sprintf("0-%d/*", maxChunk)
	for _, c := range []struct {
		name, text, body string
		status           int
		code             string
		resume           string
	}{
		{"malformed", "x", "0123", 422, "event/Unprocessable Entity", ""},
		{"backwards", "3-0/*", "0123", 422, "event/Unprocessable Entity", ""},
		{"beyond its length", "4-7/7", "4567", 422, "event/Unprocessable Entity", ""},
		{"piece too large", big, "0123", 413, "general/Payload Too Large", ""},
		{"body too short", "4-8/*", "4567", 422, "event/Unprocessable Entity", ""},
		{"body too long", "4-6/*", "4567", 422, "event/Unprocessable Entity", ""},
		{"file too large", "4-7/52428801", "4567", 413, "general/Payload Too Large", ""},
		{"beyond the largest file", "52428797-52428800/*", "4567", 413, "general/Payload Too Large", ""},
		{"overlap", "2-5/*", "2345", 416, "event/Invalid Range", "bytes=0-3"},
		{"gap", "5-8/*", "5678", 416, "event/Invalid Range", "bytes=0-3"},
		{"the same again", "1-3/*", "123", 416, "event/Invalid Range", "bytes=0-3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			_, id := r.door()
			r.want(200, r.chunk(id, "0-3/*", "0123"))
			for _, body := range []io.Reader{strings.NewReader(c.body), struct{ io.Reader }{strings.NewReader(c.body)}} {
				a := r.want(c.status, r.send("POST", "/event/events/"+id+"/binaries", body, "Content-Range: "+c.text))
				r.equal("error", a.json(t)["error"], c.code)
				r.equal("resume", a.header.Get("Range"), c.resume)
			}
			r.want(201, r.chunk(id, "4-9/10", "456789")) // nothing was lost
			r.equal("bytes", r.do("GET", "/event/events/"+id+"/binaries", "").body, ten)
		})
	}
	r := newRig(t)
	_, id := r.door()
	a := r.want(416, r.chunk(id, "4-7/*", "4567"))
	r.equal("nothing to go on from", a.header.Get("Range"), "")
	// The order of the checks.
	r.want(422, r.chunk("4711", "x", "0123"))
	r.want(413, r.chunk("4711", big, "0123"))
	r.want(422, r.chunk("4711", "0-8/*", "0123"))
	r.want(404, r.chunk("4711", "4-7/52428801", "4567"))
	r.want(201, r.do("PUT", "/event/events/"+id+"/binaries", "x"))
	r.want(409, r.chunk(id, "4-7/52428801", "4567"))
	r.noDrafts()
}

func TestChunks_LengthsAgree(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	r.want(200, r.chunk(id, "0-3/10", "0123"))
	r.want(422, r.chunk(id, "4-5/11", "45"))
	r.want(422, r.chunk(id, "4-8/9", "45678"))
	r.want(422, r.chunk(id, "4-10/*", "456789a"))
	r.want(200, r.chunk(id, "4-5/*", "45"))
	r.want(422, r.chunk(id, "6-7/8", "67"))
	r.want(201, r.chunk(id, "6-9/10", "6789"))
	r.equal("bytes", r.do("GET", "/event/events/"+id+"/binaries", "").body, ten)
}

func TestChunks_RestartAtZero(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	path := "/event/events/" + id + "/binaries"
	r.want(200, r.chunk(id, "0-5/20", "xxxxxx", "Content-Type: a/a"))
	r.want(200, r.chunk(id, "0-3/*", "0123", "Content-Type: b/b"))
	r.equal("range", r.getJSON("/event/events/" + id)["c8y_IsIncompleteBinary"], map[string]any{"range": "0-3/*"})
	r.want(416, r.chunk(id, "6-9/10", "6789"))
	r.want(201, r.chunk(id, "4-9/10", "456789"))
	got := r.do("GET", path, "")
	r.equal("bytes", got.body+" "+got.header.Get("Content-Type"), ten+" b/b")
	_, id = r.door()
	r.want(200, r.chunk(id, "0-5/20", "xxxxxx"))
	r.want(201, r.chunk(id, "0-9/10", ten))
	r.equal("in one piece", r.do("GET", "/event/events/"+id+"/binaries", "").body, ten)
	r.noDrafts()
}

// A piece whose body breaks off leaves the ones before it.
func TestChunks_BodyBreaksOff(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	r.want(200, r.chunk(id, "0-3/*", "0123"))
	for _, text := range []string{"4-9/*", "4-9/10"} {
		for _, framing := range []string{"Content-Length: 6\r\n\r\n45", "Transfer-Encoding: chunked\r\n\r\n2\r\n45\r\n"} {
			if got := r.raw(head("POST", "/event/events/"+id+"/binaries", "Content-Range: "+text) + framing); got != 400 {
				t.Errorf("%s: %d", text, got)
			}
		}
	}
	r.want(201, r.chunk(id, "4-9/10", "456789"))
	r.equal("bytes", r.do("GET", "/event/events/"+id+"/binaries", "").body, ten)
}

// A whole upload takes the place of pieces.
func TestChunks_Discarded(t *testing.T) {
	for _, method := range []string{"POST", "PUT"} {
		r := newRig(t)
		_, id := r.door()
		r.want(200, r.chunk(id, "0-3/*", "0123"))
		r.want(201, r.do(method, "/event/events/"+id+"/binaries", "whole"))
		r.equal("bytes", r.do("GET", "/event/events/"+id+"/binaries", "").body, "whole")
		r.equal("event", r.getJSON("/event/events/" + id)["c8y_IsIncompleteBinary"], nil)
		r.noDrafts()
	}
	r := newRig(t)
	_, id := r.door()
	r.want(200, r.chunk(id, "0-3/*", "0123"))
	r.want(404, r.do("DELETE", "/event/events/"+id+"/binaries", "")) // there is no complete one
	r.want(204, r.do("DELETE", "/event/events/"+id, ""))
	r.noDrafts()
	r.nothing()
}

func TestChunks_ExpireAfterADay(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	_, other := r.door()
	r.want(200, r.chunk(id, "0-3/*", "0123"))
	r.skip.Store(int64(24*time.Hour - time.Minute))
	r.want(200, r.chunk(other, "0-3/*", "0123"))
	r.want(200, r.chunk(id, "4-5/*", "45")) // in time, and good for another day
	r.skip.Store(int64(48*time.Hour - 2*time.Minute))
	if err := r.api.Tidy(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	r.want(200, r.chunk(id, "6-6/*", "6"))
	r.want(200, r.chunk(other, "4-5/*", "45"))
	r.skip.Store(int64(73 * time.Hour))
	r.equal("event", r.getJSON("/event/events/" + id)["c8y_IsIncompleteBinary"], nil)
	a := r.want(416, r.chunk(id, "7-9/10", "789"))
	r.equal("nothing to go on from", a.header.Get("Range"), "")
	r.want(200, r.chunk(other, "0-3/*", "0123")) // begun again
	if err := r.api.Tidy(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	names, err := r.drafts.Names()
	r.equal("drafts", fmt.Sprint(names, err), fmt.Sprint([]string{other}, nil))
	r.want(201, r.chunk(other, "4-9/10", "456789"))
}

// Two writers at once: the second one is told, the first one is not disturbed.
func TestChunks_TwoWriters(t *testing.T) {
	for text, want := range map[string]int{"4-9/*": 200, "4-9/10": 201} {
		r := newRig(t)
		_, id := r.door()
		r.want(200, r.chunk(id, "0-3/*", "0123"))
		in, out := io.Pipe()
		first := make(chan answer)
		go func() { first <- r.send("POST", "/event/events/"+id+"/binaries", in, "Content-Range: "+text) }()
		io.WriteString(out, "45")
		r.waitPiece(id)
		for _, text := range []string{"0-3/*", "4-9/*", "4-9/10"} {
			c, _ := parseChunkRange(text)
			a := r.want(409, r.chunk(id, text, strings.Repeat("x", int(c.size()))))
			r.equal("error", a.json(t)["error"], "event/conflict")
		}
		io.WriteString(out, "6789")
		out.Close()
		r.want(want, <-first)
		if want == 200 {
			r.want(201, r.chunk(id, "10-10/11", "a"))
		}
		r.equal("bytes", strings.TrimSuffix(r.do("GET", "/event/events/"+id+"/binaries", "").body, "a"), ten)
	}
}

// waitPiece waits until a piece for the event is arriving. It only looks: whoever enters keeps the piece out.
func (r *rig) waitPiece(id string) {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); !r.arriving(atoID(id)); runtime.Gosched() {
		if time.Now().After(end) {
			r.Fatal("no piece arrives")
		}
	}
}

func (r *rig) arriving(event fs.Ino) bool {
	p := &r.api.s.pieces
	p.mu.Lock()
	defer p.mu.Unlock()
	_, in := p.open[event]
	return in
}

// A whole upload that overtakes a piece wins.
func TestChunks_OvertakenByWhole(t *testing.T) {
	r := newRig(t)
	for _, text := range []string{"0-5/*", "0-5/6"} {
		_, id := r.door()
		in, out := io.Pipe()
		piece := make(chan answer)
		go func() { piece <- r.send("POST", "/event/events/"+id+"/binaries", in, "Content-Range: "+text) }()
		io.WriteString(out, "012")
		r.waitPiece(id)
		r.want(201, r.do("POST", "/event/events/"+id+"/binaries", "whole"))
		io.WriteString(out, "345")
		out.Close()
		r.want(409, <-piece)
		r.equal("bytes", r.do("GET", "/event/events/"+id+"/binaries", "").body, "whole")
		r.noDrafts()
	}
}

func atoID(id string) fs.Ino {
	n, _ := binaryID(id)
	return n
}

// What a server that was killed leaves is either gone on with or cleaned up.
func TestChunks_AfterACrash(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	_, done := r.door()
	r.want(200, r.chunk(id, "0-3/*", "0123"))
	// Bytes were written and the event did not count them yet.
	if _, err := r.drafts.Write(id, 4, strings.NewReader("lost")); err != nil {
		t.Fatal(err)
	}
	// A file was committed and the pieces are still there; a draft's event is gone.
	r.want(201, r.do("POST", "/event/events/"+done+"/binaries", "x"))
	for _, name := range []string{done, "99999"} {
		if _, err := r.drafts.Write(name, 0, strings.NewReader("left")); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.api.Tidy(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	names, err := r.drafts.Names()
	r.equal("drafts", fmt.Sprint(names, err), fmt.Sprint([]string{id}, nil))
	r.want(416, r.chunk(id, "8-9/10", "89"))
	r.want(201, r.chunk(id, "4-9/10", "456789"))
	r.equal("bytes", r.do("GET", "/event/events/"+id+"/binaries", "").body, ten)
}

// A draft that lost its bytes is an error, never another file.
func TestChunks_DraftIsGone(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	r.want(200, r.chunk(id, "0-3/*", "0123"))
	if err := r.drafts.Drop(id); err != nil {
		t.Fatal(err)
	}
	r.want(500, r.chunk(id, "4-5/*", "45"))
	a := r.chunk(id, "4-9/10", "456789")
	if a.status < 400 {
		t.Errorf("status %d", a.status)
	}
	r.want(404, r.do("GET", "/event/events/"+id+"/binaries", ""))
	r.want(201, r.chunk(id, "0-9/10", ten)) // from the beginning it works
}

func TestChunks_LargeFile(t *testing.T) {
	r := newRig(t)
	_, id := r.door()
	piece := strings.Repeat("0123456789abcdef", maxChunk/16)
	for i := range 10 {
		length := "*"
		if i == 9 {
			length = fmt.Sprint(10 * maxChunk)
		}
		a := r.chunk(id, fmt.Sprintf("%d-%d/%s", i*maxChunk, (i+1)*maxChunk-1, length), piece)
		if a.status != 200 && a.status != 201 {
			t.Fatalf("piece %d: %d %s", i, a.status, a.body)
		}
	}
	got := r.do("GET", "/event/events/"+id+"/binaries", "")
	if got.body != strings.Repeat(piece, 10) {
		t.Errorf("got %d bytes", len(got.body))
	}
}

func TestTidyReportsWhatFails(t *testing.T) {
	r := newRig(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.api.Tidy(gone, true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Who deletes an event, or stores another attachment, while the request of a piece is not quite over leaves the bytes to that request.
func TestChunk_DroppedWhileOneArrives(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		status             int
		kept               bool
	}{
		{"DELETE", "", "", 204, false},
		{"PUT", "/binaries", "whole", 201, false},
		{"GET", "", "", 200, true},
	} {
		r := newRig(t)
		_, id := r.door()
		path := "/event/events/" + id
		r.want(200, r.do("POST", path+"/binaries", "0123", "Content-Range: 0-3/*"))
		s, event := r.api.s, fs.Ino(atoi(id))
		if !s.pieces.enter(event) { // as if its handler had not returned yet
			t.Fatal("somebody is in")
		}
		r.want(c.status, r.do(c.method, path+c.path, c.body))
		s.leavePieces(t.Context(), "rdp", event)
		names, err := r.drafts.Names()
		if err != nil || (len(names) > 0) != c.kept {
			t.Errorf("%s: drafts %v, %v", c.method, names, err)
		}
		if len(s.pieces.open) > 0 {
			t.Errorf("%s: still in: %v", c.method, s.pieces.open)
		}
	}
}
