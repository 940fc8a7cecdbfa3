package restapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tote/fs"
)

// FuzzForm reads any multipart body without a panic. What it takes is whole: it has its closing delimiter, and the file has the bytes that were counted.
func FuzzForm(f *testing.F) {
	for _, sh := range attachmentShapes() {
		if len(sh.types) > 0 {
			f.Add(sh.types[len(sh.types)-1], []byte(sh.body))
		}
	}
	f.Add("multipart/form-data; boundary=q", []byte("--q\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--q--"))
	f.Add("multipart/form-data; boundary=q", []byte("--q\r\n\r\n\r\n--q\r\n"))
	f.Add("multipart/form-data; boundary=\"q q\"", []byte("--q q--"))
	f.Add("multipart/form-data; boundary=--", []byte("----\r\n"))
	f.Add("multipart/form-data; boundary=q", []byte("--q\r\nContent-Disposition: form-data; name=\"object\"\r\n\r\n{\"name\":\"\\ud800\"}\r\n--q--"))
	f.Fuzz(func(t *testing.T, contentType string, text []byte) {
		h := http.Header{"Content-Type": {contentType}}
		r := httptest.NewRequest("POST", "/", bytes.NewReader(text))
		b, err := newBody(httptest.NewRecorder(), r, 1<<20)
		if err != nil {
			return
		}
		var got []byte
		form, err := readForm(h, b, 64<<10, 256<<10, func(_ *form, in io.Reader) error {
			got, err = io.ReadAll(in)
			return err
		})
		if err != nil {
			c8yProblemOf(err) // every failure has an answer
			if p := c8yProblemOf(err); p.status >= 500 {
				t.Errorf("%v is answered with %d", err, p.status)
			}
			return
		}
		boundary := strings.TrimPrefix(boundaryOf(h), "--")
		if !bytes.Contains(text, []byte("--"+boundary+"--")) || int64(len(got)) != form.received || len(got) > len(text) || !form.file {
			t.Errorf("took %q as a form with %q, %d bytes", text, got, form.received)
		}
		if name, err := uploadName(form); err == nil && (!validName(name) || strings.ContainsAny(name, "/\x00")) {
			t.Errorf("the name %q", name)
		}
		if !plainHeader(form.contentType()) {
			t.Errorf("the content type %q", form.contentType())
		}
	})
}

// FuzzContentRange takes only ranges that make sense, and those again in their plain spelling.
func FuzzContentRange(f *testing.F) {
	for _, text := range []string{"0-3/*", "bytes 4-5/10", `0-0/\*`, "9223372036854775806-9223372036854775807/*", "0-0/1", " BYTES=1-2/3 ", "-1-2/3", "1-2/3/4", "\x00", "٣-٤/*"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := parseChunkRange(text)
		if !ok {
			return
		}
		if c.start < 0 || c.stop < c.start || c.size() <= 0 || c.length >= 0 && c.length <= c.stop || c.length < -1 {
			t.Errorf("%q is %+v", text, c)
		}
		plain := fmt.Sprintf("%d-%d/*", c.start, c.stop)
		if c.length >= 0 {
			plain = fmt.Sprintf("%d-%d/%d", c.start, c.stop, c.length)
		}
		if again, ok := parseChunkRange(plain); !ok || again.start != c.start || again.stop != c.stop || again.length != c.length {
			t.Errorf("%q is %+v, its plain form %+v", text, c, again)
		}
	})
}

// sampleObjects are what queries are tried on.
func sampleObjects() []managed {
	return []managed{
		{id: 5},
		newDocument(fs.Managed{ID: 7, Owner: "o", Type: "t", Name: "n", Doc: []byte(`{"a":{"b":{"c":[1,"x",null,{"d":true}]}},"a.b":5,"n":1e300,"z":null,"s":"*","c8y_IsDevice":{}}`), Created: 1, Updated: 2}),
	}
}

// FuzzQuery answers any query without a panic. What can be parsed decides the same way twice, and "not" turns it round.
func FuzzQuery(f *testing.F) {
	for _, text := range []string{
		"has(c8y_IsBinary) and (name eq 'file*')", "$filter=a.b.c eq 1 or not has(x) $orderby=n desc,a.b", "hasany(a,'b c') and s eq '*'", "name eq 'it''s'", "z eq null and n ge -1.5e3",
		"creationTime.date gt '2020-01-01T00:00:00+02:00'", "((((a eq true))))", "not not not has(a)", "$orderby=", "'", "a eq 'x' and", "q eq \xff", "a.. eq 1", ".a eq 1", "a eq NaN", "a eq 0x1p-2",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := parseQuery(text)
		if err != nil {
			if p := c8yProblemOf(err); p.status != 422 || p.code != "inventory/Invalid Data" {
				t.Errorf("%q is answered with %+v", text, p)
			}
			return
		}
		for _, m := range sampleObjects() {
			is := q.match(m)
			if is != q.match(m) {
				t.Errorf("%q can't decide", text)
			}
			if q.conditional() {
				turned := &query{where: &clause{op: "not", parts: []*clause{q.where}}}
				if turned.match(m) == is {
					t.Errorf("%q and its opposite agree", text)
				}
			}
			if q.compareKeys(q.keys(m), q.keys(m)) != 0 {
				t.Errorf("%q orders an object before itself", text)
			}
		}
	})
}

// FuzzObject takes any JSON object as members: what is kept is valid JSON, is not the server's, and merging it again changes nothing.
func FuzzObject(f *testing.F) {
	for _, text := range []string{`{"a":1,"b":null}`, `{"id":"5","_x":1,"c8y_IsBinary":{}}`, `{"a":"\u0000\ud800","b":"<&>"}`, `{"a":1,"a":2}`, `{"":1}`, `[]`, `{"a":1e999}`, `{"n":12345678901234567890.1}`, "{\"a\":\"\xff\"}", `{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := parseObject(text)
		if err != nil {
			return
		}
		kept := map[string]json.RawMessage{}
		if err := mergeMembers(kept, members); err != nil {
			return
		}
		doc := encodeJSON(kept)
		again := map[string]json.RawMessage{}
		if !json.Valid(doc) || json.Unmarshal(doc, &again) != nil {
			t.Fatalf("%q becomes %q", text, doc)
		}
		for name := range kept {
			if !settable(name) || name == "name" || name == "owner" {
				t.Errorf("%q sets %q", text, name)
			}
		}
		if err := mergeMembers(again, kept); err != nil || !bytes.Equal(encodeJSON(again), doc) {
			t.Errorf("%q becomes %q and then %q, %v", text, doc, encodeJSON(again), err)
		}
		if _, err := memberProps(members); err != nil {
			t.Errorf("%q: members but no properties: %v", text, err)
		}
	})
}

// FuzzTime reads any text as a time or refuses it; what it takes is a time that the store can hold.
func FuzzTime(f *testing.F) {
	for _, text := range []string{"2026-01-02", "2026-01-02T03:04:05.678901234+02:00", "2026-01-02T03:04:05 02:00", "9999-12-31T23:59:59Z", "0000-00-00", "2026-02-30", " ", "2026-01-02T24:00:00Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		when, err := parseTime(text)
		if err != nil {
			return
		}
		if back := time.Unix(0, when.UnixNano()); !back.Equal(when) {
			t.Errorf("%q is %v, kept as %v", text, when, back)
		}
	})
}
