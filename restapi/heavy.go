package restapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"syscall"
	"time"

	"tote/fs"
)

// Limits of large JSON documents, which are many times their size once they are decoded.
const (
	lightJSON     = 64 << 10         // bytes of a document that is not worth waiting for
	heavyReads    = 16               // large documents that are received, or wait to be decoded
	heavyDecodes  = 4                // and that are being worked on
	heavyPatience = 30 * time.Second // of a request that waits for its turn
)

// heavy bounds the memory of large JSON documents of all requests.
type heavy struct {
	reads, decodes chan struct{}
}

func newHeavy() heavy {
	return heavy{make(chan struct{}, heavyReads), make(chan struct{}, heavyDecodes)}
}

// take waits for a place; EAGAIN after a while.
func take(places chan struct{}, patience time.Duration) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case places <- struct{}{}:
		return nil
	case <-timer.C:
		return &fs.Error{Op: "read JSON", Errno: syscall.EAGAIN}
	}
}

// readJSON takes a whole JSON document of at most Options.MaxJSON bytes: valid UTF-8, one value, not nested without end. done is called once when
// nothing of it is needed any more, also after an error.
func (s *server) readJSON(w http.ResponseWriter, r *http.Request) (data json.RawMessage, done func(), err error) {
	done = func() {}
	b, err := newBody(w, r, s.opts.MaxJSON)
	if err != nil {
		return nil, done, err
	}
	data, err = io.ReadAll(io.LimitReader(b, lightJSON+1))
	if err == nil && len(data) > lightJSON {
		data, done, err = s.readHeavy(data, b, r.ContentLength)
	}
	if err == nil && !validJSON(data) {
		err = errSyntax
	}
	return data, done, err
}

// readHeavy reads on behind the beginning of a large document of size bytes, or -1 when nobody knows.
func (s *server) readHeavy(begin []byte, rest io.Reader, size int64) (data []byte, done func(), err error) {
	if err := take(s.heavy.reads, heavyPatience); err != nil {
		return nil, func() {}, err
	}
	done = func() { <-s.heavy.reads }
	whole := bytes.NewBuffer(make([]byte, 0, max(size, 2*lightJSON)+bytes.MinRead)) // newBody has checked the size
	whole.Write(begin)
	if _, err := whole.ReadFrom(rest); err != nil {
		return nil, done, err
	}
	if err := take(s.heavy.decodes, heavyPatience); err != nil {
		return nil, done, err
	}
	return whole.Bytes(), func() { <-s.heavy.decodes; <-s.heavy.reads }, nil
}
