package restapi

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strings"

	"tote/fs"
)

// maxRangeMD5 is how long a range may be whose digest a client asks for; for longer ones it gets none.
const maxRangeMD5 = 4 << 20

// getBlob answers GET and HEAD.
func (s *server) getBlob(w http.ResponseWriter, r *http.Request, g grant, c claims) {
	find := finder{s, r.Context(), readAs(c.actor())}
	o, err := s.readable(r, find, g, c)
	if err != nil {
		s.failBlob(w, r, err)
		return
	}
	rd, err := s.fs.OpenReaderIno(r.Context(), find.actor, o.ino())
	if err != nil {
		s.failBlob(w, r, err)
		return
	}
	defer rd.Close()
	stored, err := s.storedHeaders(find, o.ino())
	if err != nil {
		s.failBlob(w, r, err)
		return
	}
	h := w.Header()
	stored.write(h, o)
	h.Set("Content-Disposition", o.disposition(g.rscd, stored))
	describe(h, rd.Info())
	if v := o.file.Version; v.ID == rd.Info().Attr().Version {
		setMD5(h, v.MD5)
	}
	s.sendBlob(w, r, rd)
}

// readable finds the blob that a URL is about.
func (s *server) readable(r *http.Request, find finder, g grant, c claims) (*object, error) {
	if r.URL.Query().Get("comp") != "" {
		return nil, blobQuery
	}
	if strings.TrimSpace(r.Header.Get("If-None-Match")) == "*" {
		return nil, blobCondition
	}
	o, err := find.bytesByKey(g.key)
	if err != nil {
		return nil, err
	}
	if !g.covers(o, c.Tenant) {
		return nil, errAbsent
	}
	return o, s.permit(r.Context(), c.Tenant, c.caller(), o)
}

// describe sets the headers that every blob has.
func describe(h http.Header, info fs.Info) {
	h.Set("Content-Type", headerText(info.ContentType()))
	h.Set("x-ms-blob-type", "BlockBlob")
	h.Set("x-ms-creation-time", info.Created().UTC().Format(http.TimeFormat))
	h.Set("x-ms-lease-state", "available")
	h.Set("x-ms-lease-status", "unlocked")
	h.Set("x-ms-server-encrypted", "false")
}

// sendBlob sends the blob or a range of it. x-ms-range, which the clients' libraries send, counts before Range, and only for GET.
func (s *server) sendBlob(w http.ResponseWriter, r *http.Request, rd *fs.Reader) {
	ranges := headerOr(r.Header.Get("x-ms-range"), r.Header.Get("Range"))
	if r.Method == http.MethodHead {
		ranges = ""
	}
	if _, _, code := span(ranges, 1); code != http.StatusOK && rd.Size() == 0 { // the service knows no range of an empty blob
		w.Header().Set("Content-Range", "bytes */0")
		s.failBlob(w, r, blobRange)
		return
	}
	s.send(w, r, download{
		reader: rd,
		ranges: ranges,
		status: func(code int) {
			if code == http.StatusNotModified {
				w.Header().Set("x-ms-error-code", blobPrecondition.code)
				w.WriteHeader(code)
				return
			}
			s.failBlob(w, r, blobPrecondition)
		},
		unsatisfiable: func() { s.failBlob(w, r, blobRange) },
		part: func(off, n int64) error {
			if !strings.EqualFold(r.Header.Get("x-ms-range-get-content-md5"), "true") || n > maxRangeMD5 {
				return nil
			}
			hash := md5.New()
			_, err := io.Copy(hash, io.NewSectionReader(rd, off, n))
			w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(hash.Sum(nil)))
			return err
		},
		fail: func(err error) { s.failBlob(w, r, err) },
	})
}

// disposition is what the URL says, else what came with the bytes, else the object's name.
func (o *object) disposition(rscd string, stored storedHeaders) string {
	for _, v := range []string{rscd, stored.Disposition} {
		if v != "" && plainHeader(v) {
			return v
		}
	}
	return attachment(lastSegment(o.originalName()))
}

// setMD5 puts the digest of the whole blob into the headers, if it is known.
func setMD5(h http.Header, sum string) {
	raw, err := hex.DecodeString(sum)
	if err != nil || len(raw) == 0 {
		return
	}
	text := base64.StdEncoding.EncodeToString(raw)
	h.Set("Content-MD5", text)
	h.Set("x-ms-blob-content-md5", text)
}
