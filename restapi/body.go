package restapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"unicode/utf8"
)

// What can be wrong with a request's body. Each family has its own answer.
var (
	errTooLarge = errors.New("the body is larger than this server takes")
	errCut      = errors.New("the body ended early")
	errSyntax   = errors.New("the body is not what it claims to be")
)

// maxDepth is how deep JSON may nest; the documents of these APIs need less than ten levels.
const maxDepth = 64

// body is a request's body: it stops at a limit, and remembers why reading ended so that a failed upload can be told from a failed store.
type body struct {
	r   io.Reader
	err error // first error other than io.EOF
}

// newBody refuses a body that announces more than max bytes, before any is read.
func newBody(w http.ResponseWriter, r *http.Request, max int64) (*body, error) {
	if r.ContentLength > max {
		w.Header().Set("Connection", "close") // the rest is not worth reading
		return nil, errTooLarge
	}
	return &body{r: http.MaxBytesReader(w, r.Body, max)}, nil
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		b.err = classify(err)
		err = b.err
	}
	return n, err
}

// classify names what stopped a body. Whatever is not the limit is a connection that broke.
func classify(err error) error {
	var limit *http.MaxBytesError
	if errors.As(err, &limit) || errors.Is(err, errTooLarge) {
		return errTooLarge
	}
	return errCut
}

// validJSON checks before decoding: the decoder alone would take bytes that are no text, and nesting up to 10,000 levels.
func validJSON(data []byte) bool {
	return utf8.Valid(data) && shallow(data) && json.Valid(data)
}

// shallow looks only at brackets outside of strings, so it is right for valid JSON and harmless for anything else.
func shallow(data []byte) bool {
	depth, quoted, escaped := 0, false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

// wholeReads fills each buffer it is given: the pieces that a multipart reader hands out are small, and every one would become a write.
type wholeReads struct{ r io.Reader }

func (w wholeReads) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m, err := w.r.Read(p[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
