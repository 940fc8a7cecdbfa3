package restapi

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"tote/fs"
)

// getBinary answers GET and HEAD with the bytes.
func (s *server) getBinary(w http.ResponseWriter, r *http.Request, a *fs.Actor, ino fs.Ino) {
	reader := readAs(a)
	b, err := s.binary(r.Context(), reader, ino)
	if err == nil && !b.readable(a) {
		err = c8yForbidden
	}
	if err != nil {
		s.failC8y(w, r, err)
		return
	}
	rd, err := s.fs.OpenReaderIno(r.Context(), reader, ino)
	if err != nil {
		s.failC8y(w, r, err)
		return
	}
	defer rd.Close()
	w.Header().Set("Content-Type", headerText(b.content))
	w.Header().Set("Content-Disposition", attachment(b.name))
	s.send(w, r, download{
		reader: rd,
		ranges: r.Header.Get("Range"),
		status: func(code int) {
			if code == http.StatusNotModified {
				w.WriteHeader(code)
				return
			}
			s.failC8y(w, r, c8yPrecondition)
		},
		unsatisfiable: func() {
			w.Header().Del("Content-Disposition")
			s.failC8y(w, r, c8yRange)
		},
	})
}

// readable follows the API's rule: a role, the owner, or everybody for an object that is marked as global.
func (b binary) readable(a *fs.Actor) bool {
	_, global := b.custom["c8y_Global"]
	return global || a.HasRole(c8yReaders...) || b.ownedBy(a)
}

func (b binary) changeable(a *fs.Actor) bool { return a.HasRole(c8yWriters...) || b.ownedBy(a) }

func (b binary) ownedBy(a *fs.Actor) bool { return b.owner != "" && b.owner == a.User }

// changeableBinary finds a binary that the actor may replace or delete.
func (s *server) changeableBinary(ctx context.Context, a *fs.Actor, ino fs.Ino) (binary, error) {
	b, err := s.binary(ctx, readAs(a), ino)
	if err == nil && !b.changeable(a) {
		err = c8yForbidden
	}
	return b, err
}

// condition turns If-Match and If-None-Match of a change into a question that the core asks inside its transaction.
func condition(r *http.Request) *fs.Cond {
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	if match == "" && none == "" {
		return nil
	}
	return &fs.Cond{Check: func(cur *fs.Info) error {
		if cur == nil && match != "" || cur != nil && match != "" && !etagIn(match, cur.ETag(), true) {
			return fs.ErrPrecondition
		}
		if cur != nil && none != "" && etagIn(none, cur.ETag(), false) {
			return fs.ErrPrecondition
		}
		return nil
	}}
}

// putBinary replaces the bytes and nothing else: name, type and members stay.
func (s *server) putBinary(w http.ResponseWriter, r *http.Request, a *fs.Actor, ino fs.Ino) {
	b, err := s.changeableBinary(r.Context(), a, ino)
	if err != nil {
		s.failC8y(w, r, err)
		return
	}
	if err := s.replaceBinary(w, r, a, b); err != nil {
		s.failC8y(w, r, uploadProblem(err))
		return
	}
	s.answerStored(w, r, a, ino)
}

// replacement is one PUT on its way.
type replacement struct {
	s      *server
	r      *http.Request
	actor  *fs.Actor
	ino    fs.Ino
	writer *fs.Writer
}

func (s *server) replaceBinary(w http.ResponseWriter, r *http.Request, a *fs.Actor, b binary) error {
	p := &replacement{s: s, r: r, actor: a, ino: b.file.Info.Ino()}
	defer p.drop()
	o, err := p.receive(w)
	if err != nil {
		return err
	}
	o.Cond = condition(r)
	o.Props = []fs.Property{{Space: spaceC8y, Name: propReplaced, Value: strconv.Itoa(b.revpos + 1)}}
	_, _, err = p.writer.Commit(r.Context(), o)
	return err
}

// receive streams the body, or the file of a form, into the core.
func (p *replacement) receive(w http.ResponseWriter) (fs.CommitOptions, error) {
	max := p.s.opts.MaxFile
	if !isForm(p.r.Header) {
		in, err := newBody(w, p.r, max)
		if err == nil {
			err = p.take(nil, in)
		}
		return fs.CommitOptions{ExpectSize: p.r.ContentLength, ContentType: rawType(p.r)}, err
	}
	in, err := newBody(w, p.r, max+p.s.opts.MaxJSON+maxFrame)
	if err != nil {
		return fs.CommitOptions{}, err
	}
	f, err := readForm(p.r.Header, in, p.s.opts.MaxJSON, max, p.take)
	if err != nil {
		return fs.CommitOptions{}, err
	}
	return fs.CommitOptions{ExpectSize: f.received, ContentType: f.contentType()}, nil
}

func (p *replacement) take(_ *form, bytes io.Reader) error {
	p.drop()
	var err error
	if p.writer, err = p.s.fs.NewWriter(context.WithoutCancel(p.r.Context()), p.actor, fs.Target{Ino: p.ino}); err != nil {
		return err
	}
	if p.r.ContentLength <= md5Limit {
		p.writer.WantMD5()
	}
	_, err = p.writer.ReadFrom(bytes)
	return err
}

func (p *replacement) drop() {
	if p.writer != nil {
		p.writer.Abort()
	}
	p.writer = nil
}

// rawType is the content type of a body that is the file itself.
func rawType(r *http.Request) string {
	if t := r.Header.Get("Content-Type"); t != "" && plainHeader(t) {
		return t
	}
	return "application/octet-stream"
}

// deleteBinary removes the file, whatever names it has in the tree.
func (s *server) deleteBinary(w http.ResponseWriter, r *http.Request, a *fs.Actor, ino fs.Ino) {
	_, err := s.changeableBinary(r.Context(), a, ino)
	if err == nil {
		err = s.fs.DeleteFile(r.Context(), a, ino, condition(r))
	}
	if err != nil {
		s.failC8y(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
