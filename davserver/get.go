package davserver

import (
	"errors"
	"io"
	"net/http"
	"syscall"

	"tote/fs"
)

// get serves GET and HEAD. http.ServeContent decides about Range, If-Range and the conditions; the bytes of one range go out through the
// core's fastest way.
func (q *request) get() error {
	if err := q.checkIf(); err != nil {
		return err
	}
	rd, err := q.h.fsys.OpenReader(q.ctx, q.actor, q.path)
	if fs.Errno(err) == syscall.EISDIR {
		return q.getCollection()
	}
	if err != nil {
		return err
	}
	defer rd.Close()
	info := rd.Info()
	head := q.w.Header()
	safeContent(head)
	head.Set("ETag", info.ETag())
	head.Set("Content-Type", info.ContentType())
	sendDigests(head, rd.Digests())
	c := &content{rd: rd}
	http.ServeContent(&sender{ResponseWriter: q.w, c: c}, q.r, "", info.ModTime(), c)
	if c.err != nil {
		// The answer has begun: net/http cuts the connection because the announced length was not reached.
		q.logFailure(http.StatusInternalServerError, c.err)
	}
	return nil
}

// checkIf evaluates the If header for a method that changes nothing; the other conditions are ServeContent's.
func (q *request) checkIf() error {
	if len(q.conds.lists) == 0 {
		return nil
	}
	cur, err := q.current()
	if err != nil {
		return err
	}
	if err := q.conds.learn(q.ctx, q.h.fsys, q.actor); err != nil {
		return err
	}
	if !q.conds.listsHold(cur) {
		return fs.ErrPrecondition
	}
	return nil
}

// safeContent keeps a browser from running what somebody stored: no guessing of types, and no scripts, forms or same-origin rights for a
// page that is opened straight from the share.
func safeContent(head http.Header) {
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'")
}

// content is the io.ReadSeeker that ServeContent wants. It keeps the offset itself so that sender can send from there.
type content struct {
	rd  *fs.Reader
	off int64
	err error // of a read in the core
}

// Read is used for multi-range answers only.
func (c *content) Read(p []byte) (int, error) {
	n, err := c.rd.ReadAt(p, c.off)
	c.off += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// Seek answers from the opened version's size.
func (c *content) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += c.off
	case io.SeekEnd:
		off += c.rd.Info().Size()
	}
	c.off = off
	return off, nil
}

// sender is a ResponseWriter whose ReadFrom recognises the content behind ServeContent's io.CopyN and hands it to Reader.SendTo, which
// can use sendfile. net/http itself only looks for an *os.File.
type sender struct {
	http.ResponseWriter
	c *content
}

// ReadFrom implements io.ReaderFrom.
func (s *sender) ReadFrom(r io.Reader) (int64, error) {
	if l, ok := r.(*io.LimitedReader); ok && l.R == s.c {
		n, err := s.c.rd.SendTo(s.ResponseWriter, s.c.off, l.N)
		s.c.off += n
		l.N -= n
		if e := new(fs.Error); errors.As(err, &e) {
			s.c.err = err // anything else is the client's connection
		}
		return n, err
	}
	return io.Copy(s.ResponseWriter, r)
}

// Unwrap lets http.ResponseController through.
func (s *sender) Unwrap() http.ResponseWriter { return s.ResponseWriter }
