package davserver

import (
	"bytes"
	"encoding/xml"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
)

// davNS is the namespace of everything RFC 4918 defines.
const davNS = "DAV:"

// name is an expanded XML name.
type name = xml.Name

// dav is a name in the DAV: namespace.
func dav(local string) name { return name{Space: davNS, Local: local} }

// badXML is the answer to a well-formed body that means nothing.
func badXML() error {
	return refuse(http.StatusBadRequest, "the XML body is not what this method takes")
}

// element is a node of a request body. Guard bounds its size and depth, so recursion over it is safe.
type element struct {
	name  name
	attrs []xml.Attr // without namespace declarations
	nodes []node
}

// node is a child element or character data.
type node struct {
	elem *element
	text string
}

// kid finds the first child with a name in DAV:, or nil.
func (e *element) kid(local string) *element {
	for k := range e.kids() {
		if k.name == dav(local) {
			return k
		}
	}
	return nil
}

// kids are the child elements.
func (e *element) kids() iter.Seq[*element] {
	return func(yield func(*element) bool) {
		for _, n := range e.nodes {
			if n.elem != nil && !yield(n.elem) {
				return
			}
		}
	}
}

// text is the character data of all levels.
func (e *element) text() string {
	var b strings.Builder
	for _, n := range e.nodes {
		b.WriteString(n.text)
		if n.elem != nil {
			b.WriteString(n.elem.text())
		}
	}
	return b.String()
}

// inner is the content as XML that stands on its own.
func (e *element) inner() string { return string(e.appendInner(nil)) }

func (e *element) appendInner(b []byte) []byte {
	for _, n := range e.nodes {
		if n.elem != nil {
			b = n.elem.appendTo(b)
		} else {
			b = appendText(b, n.text)
		}
	}
	return b
}

// parseXML reads the body of a request; nil means that there was none.
func parseXML(r io.Reader) (*element, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxXMLBody+1))
	if err != nil || len(body) > maxXMLBody {
		return nil, badXML()
	}
	if len(body) == 0 {
		return nil, nil
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if err != nil {
			return nil, badXML()
		}
		if start, ok := t.(xml.StartElement); ok {
			e, err := parseElement(d, start)
			if err != nil {
				return nil, badXML()
			}
			return e, nil
		}
	}
}

// parseElement reads up to the end tag of start.
func parseElement(d *xml.Decoder, start xml.StartElement) (*element, error) {
	e := &element{name: start.Name}
	for _, a := range start.Attr {
		if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
			e.attrs = append(e.attrs, a)
		}
	}
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			k, err := parseElement(d, t)
			if err != nil {
				return nil, err
			}
			e.nodes = append(e.nodes, node{elem: k})
		case xml.CharData:
			e.nodes = append(e.nodes, node{text: string(t)})
		case xml.EndElement:
			return e, nil
		}
	}
}

// appendTo writes the element so that it stands on its own: it declares its namespaces itself and relies on no scope around it.
func (e *element) appendTo(b []byte) []byte {
	b = appendStart(b, e.name)
	for i, a := range e.attrs {
		b = append(b, ' ')
		if a.Name.Space == "http://www.w3.org/XML/1998/namespace" || a.Name.Space == "xml" {
			b = append(b, "xml:"...)
		} else if a.Name.Space != "" {
			p := "a" + strconv.Itoa(i)
			b = append(append(append(b, "xmlns:"...), p...), `="`...)
			b = append(appendAttr(b, a.Name.Space), `" `...)
			b = append(append(b, p...), ':')
		}
		b = append(append(b, a.Name.Local...), `="`...)
		b = append(appendAttr(b, a.Value), '"')
	}
	if len(e.nodes) == 0 {
		return append(b, "/>"...)
	}
	return appendEnd(e.appendInner(append(b, '>')), e.name)
}
