package restapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
)

// Limits of a form apart from its file.
const (
	maxParts = 64
	maxField = 4 << 10 // bytes of filesize, type and name
	maxFrame = 1 << 20 // bytes of boundaries, part headers and parts that nobody asked for, besides the object
)

// Problems of a form that was framed well.
var (
	errNoFile   = errors.New("the form has no file part")
	errObject   = errors.New("the part object is not a JSON object of at most 10000 members")
	errFileSize = errors.New("filesize is not the number of bytes that arrived")
)

// form is what a multipart upload said besides the bytes of its file.
type form struct {
	object   map[string]json.RawMessage // never nil
	filesize string
	typ      string
	name     string

	file     bool
	rank     int
	partName string // name of the chosen part
	fileName string // its filename, "" for none
	partType string // its Content-Type, "" for none
	received int64
}

// sink takes the bytes of the file. A form may offer a better candidate for its file after a worse one: then sink is called again, and what
// it took before is void.
type sink func(f *form, bytes io.Reader) error

// isForm tells whether any Content-Type line says multipart/form-data. There may be several: one client sends the bare type first and the
// one with the boundary after it.
func isForm(h http.Header) bool {
	for _, line := range h["Content-Type"] {
		t, _, _ := strings.Cut(line, ";")
		if strings.EqualFold(strings.TrimSpace(t), "multipart/form-data") {
			return true
		}
	}
	return false
}

// boundaryOf takes the boundary of the first line that has one, "" when none has. Clients forget to quote boundaries that need it.
func boundaryOf(h http.Header) string {
	for _, line := range h["Content-Type"] {
		if _, p, err := mime.ParseMediaType(line); err == nil {
			if p["boundary"] != "" {
				return p["boundary"]
			}
			continue
		}
		if _, rest, ok := strings.Cut(line, "boundary="); ok {
			rest, _, _ = strings.Cut(rest, ";")
			return strings.Trim(strings.TrimSpace(rest), `"`)
		}
	}
	return ""
}

// readForm reads a multipart body to its end; the parts may come in any order. Nothing of the file is kept here.
func readForm(h http.Header, b *body, maxObject, maxFile int64, to sink) (*form, error) {
	boundary := boundaryOf(h)
	if boundary == "" || len(boundary) > 200 {
		return nil, errSyntax
	}
	in := bufio.NewReaderSize(b, 64<<10)
	boundary = trueBoundary(in, boundary)
	end := &tail{r: in}
	p := formReader{mr: multipart.NewReader(end, boundary), maxObject: maxObject, maxFile: maxFile, to: to}
	p.f.object = map[string]json.RawMessage{}
	err := p.parts()
	if err == nil && !end.closed(boundary) {
		err = errSyntax
	}
	if err != nil {
		if b.err != nil {
			return nil, b.err // the connection, not the framing
		}
		return nil, err
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(in, maxFrame+1)); err != nil {
		return nil, err
	} else if n > maxFrame {
		return nil, errTooLarge
	}
	return &p.f, p.f.check()
}

// trueBoundary takes literally what some documents show: a boundary that was announced with the two dashes of its delimiter lines.
func trueBoundary(in *bufio.Reader, boundary string) string {
	short, ok := strings.CutPrefix(boundary, "--")
	if !ok || short == "" {
		return boundary
	}
	line, _ := in.Peek(len(boundary) + 1)
	if text := string(line); text == boundary+"\r" || text == boundary+"\n" {
		return short
	}
	return boundary
}

// tail remembers the last bytes that went to the multipart reader. That reader takes a body that ends within the headers of a part for a
// complete one, so whether the closing delimiter was there has to be seen here.
type tail struct {
	r    io.Reader
	last []byte
	cut  bool // there was more before last
}

// tailSize is more than the multipart reader reads ahead of what it has understood.
const tailSize = 32 << 10

func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.last = append(t.last, p[:n]...)
	if over := len(t.last) - tailSize; over > tailSize {
		t.last = t.last[:copy(t.last, t.last[over:])]
		t.cut = true
	}
	return n, err
}

// closed tells whether the closing delimiter went by.
func (t *tail) closed(boundary string) bool {
	mark := "--" + boundary + "--"
	return bytes.Contains(t.last, []byte("\n"+mark)) || !t.cut && bytes.HasPrefix(t.last, []byte(mark))
}

// formReader reads the parts of one form.
type formReader struct {
	mr                 *multipart.Reader
	maxObject, maxFile int64
	to                 sink
	f                  form
}

func (p *formReader) parts() error {
	for range maxParts {
		part, err := p.mr.NextRawPart()
		if err == io.EOF { // exactly: a body without its closing delimiter gives a wrapped one
			return nil
		}
		if err != nil {
			return errSyntax
		}
		if err := p.part(part); err != nil {
			return err
		}
	}
	return errTooLarge
}

func (p *formReader) part(part *multipart.Part) error {
	name, fileName := partNames(part)
	switch name {
	case "object":
		text, err := field(part, p.maxObject)
		if err != nil {
			return err
		}
		p.f.object, err = parseObject(text)
		return err
	case "filesize":
		return fieldInto(part, &p.f.filesize)
	case "type":
		return fieldInto(part, &p.f.typ)
	case "name":
		return fieldInto(part, &p.f.name)
	}
	return p.candidate(part, name, fileName)
}

// candidate takes a part as the file when it is a better one than what came before: named file, else with a filename, else with any
// name of its own.
func (p *formReader) candidate(part *multipart.Part, name, fileName string) error {
	rank := 1
	switch {
	case name == "file":
		rank = 3
	case fileName != "":
		rank = 2
	case name == "":
		rank = 0
	}
	if rank <= p.f.rank {
		if _, err := io.Copy(io.Discard, part); err != nil {
			return errSyntax
		}
		return nil
	}
	p.f.rank, p.f.file, p.f.partName, p.f.fileName = rank, true, name, fileName
	p.f.partType = strings.TrimSpace(part.Header.Get("Content-Type"))
	counted := &counter{r: part, max: p.maxFile}
	err := p.to(&p.f, wholeReads{counted})
	p.f.received = counted.n
	if counted.err != nil {
		return counted.err
	}
	return err
}

// counter counts the bytes of a file part and tells a broken frame from a full disk.
type counter struct {
	r   io.Reader
	n   int64
	max int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.n > c.max {
		c.err = errTooLarge
	} else if err != nil && err != io.EOF {
		c.err = errSyntax
	}
	if c.err != nil {
		return n, c.err
	}
	return n, err
}

// partNames reads the Content-Disposition of a part.
func partNames(part *multipart.Part) (name, fileName string) {
	_, p, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return "", ""
	}
	return p["name"], p["filename"]
}

// field reads a part of at most max bytes.
func field(part io.Reader, max int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(part, max+1))
	if err != nil {
		return nil, errSyntax
	}
	if int64(len(data)) > max {
		return nil, errTooLarge
	}
	return data, nil
}

func fieldInto(part io.Reader, to *string) error {
	data, err := field(part, maxField)
	*to = strings.TrimSpace(string(data))
	return err
}

func parseObject(text []byte) (map[string]json.RawMessage, error) {
	m := map[string]json.RawMessage{}
	if !validJSON(text) || json.Unmarshal(text, &m) != nil || m == nil {
		return nil, errObject
	}
	if len(m) > maxMembers {
		return nil, errObject
	}
	return m, nil
}

// check compares what the form says with what came.
func (f *form) check() error {
	if !f.file {
		return errNoFile
	}
	if f.filesize == "" {
		return nil
	}
	if n, err := strconv.ParseInt(f.filesize, 10, 64); err != nil || n != f.received {
		return errFileSize
	}
	return nil
}

// text is a member of the object that is a string, else "".
func (f *form) text(member string) string {
	var s string
	if json.Unmarshal(f.object[member], &s) != nil {
		return ""
	}
	return s
}

// givenName is the name of the file by the rules of the API, "" when the form gives none.
func (f *form) givenName() string {
	switch {
	case f.text("name") != "":
		return f.text("name")
	case f.name != "":
		return f.name
	case f.fileName != "":
		return f.fileName
	case f.rank == 1:
		return f.partName
	}
	return ""
}

// contentType is the type of the stored bytes: the part's own header decides before what the object claims.
func (f *form) contentType() string {
	for _, t := range []string{f.partType, f.text("contentType"), f.typ, f.text("type")} {
		if strings.Contains(t, "/") && plainHeader(t) {
			return t
		}
	}
	return "application/octet-stream"
}

// plainHeader tells whether a text can stand in a header as it is.
func plainHeader(v string) bool {
	for i := range len(v) {
		if v[i] < ' ' || v[i] >= 0x7f {
			return false
		}
	}
	return len(v) <= 255
}
