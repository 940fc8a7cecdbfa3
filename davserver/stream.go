package davserver

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// pieceSize is how much of a streamed answer is collected before it goes out.
const pieceSize = 64 << 10

// packFrom is the length from which an answer is worth compressing.
const packFrom = 1400

// stream sends an XML answer in pieces. A nil w collects everything in buf.
type stream struct {
	w    http.ResponseWriter
	code int
	pack bool // the client takes gzip
	buf  []byte
	zip  *gzip.Writer
	sent bool
	err  error
}

// newStream begins a 207 for a request, compressed if its client likes that.
func newStream(w http.ResponseWriter, r *http.Request) *stream {
	return &stream{w: w, code: http.StatusMultiStatus, pack: takesGzip(r.Header)}
}

// takesGzip reads Accept-Encoding (RFC 9110 section 12.5.3).
func takesGzip(h http.Header) bool {
	for one := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		coding, params, _ := strings.Cut(one, ";")
		if c := strings.ToLower(strings.TrimSpace(coding)); c != "gzip" && c != "x-gzip" {
			continue
		}
		k, v, _ := strings.Cut(params, "=")
		q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return strings.TrimSpace(strings.ToLower(k)) != "q" || err == nil && q > 0
	}
	return false
}

// full sends buf on once it has grown past a piece.
func (s *stream) full() {
	if s.w != nil && len(s.buf) >= pieceSize {
		s.flush()
	}
}

// flush sends what is there, the header first. After an error nothing more is sent.
func (s *stream) flush() {
	if !s.sent {
		s.begin()
	}
	if s.err == nil {
		_, s.err = s.out().Write(s.buf)
	}
	s.buf = s.buf[:0]
}

// begin sends the header.
func (s *stream) begin() {
	head := s.w.Header()
	head.Set("Content-Type", xmlType)
	head.Add("Vary", "Accept-Encoding")
	if s.pack && len(s.buf) >= packFrom {
		head.Set("Content-Encoding", "gzip")
		head.Del("Content-Length")
		s.zip, s.err = gzip.NewWriterLevel(s.w, gzip.BestSpeed)
	}
	s.w.WriteHeader(s.code)
	s.sent = true
}

// out is where the bytes go.
func (s *stream) out() io.Writer {
	if s.zip != nil {
		return s.zip
	}
	return s.w
}

// finish sends the rest; an answer that fits one piece gets its length.
func (s *stream) finish() {
	if !s.sent {
		s.w.Header().Set("Content-Length", strconv.Itoa(len(s.buf)))
	}
	s.flush()
	if s.zip != nil && s.err == nil {
		s.err = s.zip.Close()
	}
}
