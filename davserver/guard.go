package davserver

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// Limits of an XML request body. Honest ones are a few KiB and ten levels deep.
const (
	maxXMLBody     = 1 << 20
	maxXMLDepth    = 64
	maxXMLElements = 10000   // a tree of <a/> takes forty times the memory of its text
	maxXMLNames    = 4 << 20 // length of all names with their namespaces written out: <a/> repeated in a namespace of 500 KB would need 60 GB
)

var (
	errXMLDTD       = errors.New("a document type declaration is not accepted")
	errXMLDepth     = errors.New("elements are nested too deeply")
	errXMLNamespace = errors.New("a namespace prefix is undeclared or bound to nothing")
	errXMLElements  = errors.New("there are too many elements")
	errXMLNames     = errors.New("namespaces are too long")
	errXMLForm      = errors.New("the XML is not well-formed")
)

type guardedKey struct{}

// guarded is what Guard knows of the request's body, nil when it has not seen it.
func guarded(ctx context.Context) *checked {
	c, _ := ctx.Value(guardedKey{}).(*checked)
	return c
}

// checked is an XML body that passed Guard. Requests with the same text share it, so that it is read once.
type checked struct {
	want atomic.Pointer[wanted] // what it means to a PROPFIND, once one has asked
}

// bodies remembers short bodies that passed: a client has a few, and sends them all the time.
type bodies struct {
	mu    sync.Mutex
	known map[string]*checked // guarded by mu
}

const (
	maxKnown     = 128     // bodies that are remembered
	maxKnownBody = 2 << 10 // length of one
)

// check is checkXML for a body that may have been seen before.
func (b *bodies) check(body []byte) (*checked, error) {
	if len(body) > maxKnownBody {
		return &checked{}, checkXML(body)
	}
	b.mu.Lock()
	c := b.known[string(body)]
	b.mu.Unlock()
	if c != nil {
		return c, nil
	}
	if err := checkXML(body); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known == nil || len(b.known) == maxKnown {
		b.known = map[string]*checked{}
	}
	c = &checked{}
	b.known[string(body)] = c
	return c, nil
}

// hasXMLBody lists the methods whose body is XML (or, for MKCOL, must be looked at before it is refused).
func hasXMLBody(method string) bool {
	switch method {
	case "PROPFIND", "PROPPATCH", "LOCK", "MKCOL", "REPORT", "SEARCH", "ACL":
		return true
	}
	return false
}

// Guard reads the XML body of WebDAV methods and refuses what no honest client sends: more than 1 MiB (413), more than 64 levels or
// 10,000 elements, a DTD, a namespace prefix bound to nothing, malformed text (400). It belongs before the login, because parsers behind it
// recurse as deep as they are told to. What passes is handed to next as a body in memory; other methods are not touched.
func Guard(next http.Handler) http.Handler {
	known := &bodies{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hasXMLBody(r.Method) || guarded(r.Context()) != nil {
			next.ServeHTTP(w, r)
			return
		}
		body, err := readXMLBody(w, r)
		c := &checked{}
		if err == nil && len(body) > 0 && r.Method != "MKCOL" { // which refuses any body itself
			if c, err = known.check(body); err != nil {
				err = refuse(http.StatusBadRequest, "the XML body is not acceptable: "+err.Error())
			}
		}
		if err != nil {
			w.Header().Set("Connection", "close") // nobody reads the rest
			var own *refusal
			errors.As(err, &own)
			writeError(w, own)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), guardedKey{}, c))
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		next.ServeHTTP(w, r)
	})
}

// readXMLBody reads the body; its errors are refusals.
func readXMLBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := refuse(http.StatusRequestEntityTooLarge, "the XML body is larger than 1 MiB")
	var body []byte
	var err error
	switch {
	case r.ContentLength > maxXMLBody:
		return nil, tooLarge
	case r.ContentLength >= 0:
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body)
	default:
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxXMLBody))
	}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, tooLarge
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body ended early")
	}
	return body, nil
}

// checkXML walks the raw tokens with a stack of its own, so that depth costs it nothing and the limits are met before any other parser.
func checkXML(body []byte) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	s := scope{live: map[string][]int{"": {0}, "xml": {0}}}
	roots := 0
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if err != nil {
			return errXMLForm
		}
		switch t := t.(type) {
		case xml.Directive:
			return errXMLDTD
		case xml.StartElement:
			if len(s.open) == 0 {
				roots++
			}
			err = s.push(t)
		case xml.EndElement:
			err = s.pop(t.Name)
		case xml.CharData:
			err = s.text(t)
		}
		if err != nil {
			return err
		}
	}
	if roots != 1 || len(s.open) != 0 {
		return errXMLForm
	}
	return nil
}

// scope is the stack of open elements and of the prefixes they declared. Its map keeps it linear: a body may declare a hundred
// thousand prefixes.
type scope struct {
	open     []openElement
	declared []string
	live     map[string][]int // prefix to the lengths of the namespaces it stands for, innermost last
	elements int              // so far, for maxXMLElements
	names    int              // sum for maxXMLNames
}

type openElement struct {
	name     xml.Name // Space is the prefix
	declared int      // how many prefixes were declared before it
}

// push opens an element: its declarations first, because they hold for its own name.
func (s *scope) push(t xml.StartElement) error {
	if len(s.open) == maxXMLDepth {
		return errXMLDepth
	}
	if s.elements++; s.elements > maxXMLElements {
		return errXMLElements
	}
	s.open = append(s.open, openElement{name: t.Name, declared: len(s.declared)})
	for _, a := range t.Attr {
		if err := s.declare(a); err != nil {
			return err
		}
	}
	if err := s.use(t.Name.Space); err != nil {
		return err
	}
	for _, a := range t.Attr {
		if a.Name.Space == "" || a.Name.Space == "xmlns" {
			continue
		}
		if err := s.use(a.Name.Space); err != nil {
			return err
		}
	}
	return nil
}

// declare takes in an xmlns attribute.
func (s *scope) declare(a xml.Attr) error {
	var prefix string
	switch {
	case a.Name.Space == "xmlns":
		prefix = a.Name.Local
		if a.Value == "" {
			return errXMLNamespace
		}
	case a.Name.Space != "" || a.Name.Local != "xmlns":
		return nil
	}
	s.declared = append(s.declared, prefix)
	s.live[prefix] = append(s.live[prefix], len(a.Value))
	return nil
}

// use looks a prefix up and counts its namespace.
func (s *scope) use(prefix string) error {
	l := s.live[prefix]
	if len(l) == 0 {
		return errXMLNamespace
	}
	if s.names += l[len(l)-1]; s.names > maxXMLNames {
		return errXMLNames
	}
	return nil
}

// pop closes the innermost element.
func (s *scope) pop(name xml.Name) error {
	last := len(s.open) - 1
	if last < 0 || s.open[last].name != name {
		return errXMLForm
	}
	from := s.open[last].declared
	for _, p := range s.declared[from:] {
		s.live[p] = s.live[p][:len(s.live[p])-1]
	}
	s.declared = s.declared[:from]
	s.open = s.open[:last]
	return nil
}

// text outside of the root may only be blank (or a byte order mark).
func (s *scope) text(t xml.CharData) error {
	if len(s.open) == 0 && len(bytes.TrimSpace(bytes.TrimPrefix(t, []byte("\ufeff")))) != 0 {
		return errXMLForm
	}
	return nil
}
