package restapi

import (
	"io"
	"net/http"
	"strconv"

	"tote/fs"
)

// getBinary answers GET and HEAD with the bytes.
func (x *exchange) getBinary() error {
	b, err := x.s.binary(x.ctx, x.a, x.id)
	if err == nil && !b.readable(x.a, c8yReaders) {
		err = c8yForbidden
	}
	if err != nil {
		return err
	}
	return x.sendFile(b)
}

// sendFile sends the bytes of a file that the caller may read.
func (x *exchange) sendFile(b managed) error {
	rd, err := x.s.fs.OpenReaderIno(x.ctx, readAs(x.a), b.id)
	if err != nil {
		return err
	}
	defer rd.Close()
	x.w.Header().Set("Content-Type", headerText(b.content))
	x.w.Header().Set("Content-Disposition", attachment(b.name))
	x.s.send(x.w, x.r, download{
		reader: rd,
		ranges: x.r.Header.Get("Range"),
		status: func(code int) {
			if code == http.StatusNotModified {
				x.w.WriteHeader(code)
				return
			}
			x.fail(c8yPrecondition)
		},
		unsatisfiable: func() {
			x.w.Header().Del("Content-Disposition")
			x.fail(c8yRange)
		},
	})
	return nil
}

// changeableBinary finds a binary that the actor may replace or delete.
func (x *exchange) changeableBinary() (managed, error) {
	b, err := x.s.binary(x.ctx, x.a, x.id)
	if err == nil && !b.changeable(x.a, c8yWriters) {
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
func (x *exchange) putBinary() error {
	b, err := x.changeableBinary()
	if err != nil {
		return err
	}
	if err := x.replaceBinary(b); err != nil {
		return err
	}
	return x.answerStored(x.id)
}

func (x *exchange) replaceBinary(b managed) error {
	p := &replacement{x: x, target: fs.Target{Ino: b.id}, max: x.s.opts.MaxFile}
	defer p.drop()
	o, err := p.receive()
	if err != nil {
		return err
	}
	o.Cond = condition(x.r)
	o.Props = []fs.Property{{Space: fs.SpaceManaged, Name: propReplaced, Value: strconv.Itoa(b.revpos + 1)}}
	_, _, err = p.writer.Commit(x.ctx, o)
	return err
}

// replacement is a body on its way to a file: the whole body, or the file of a form.
type replacement struct {
	x      *exchange
	target fs.Target
	max    int64
	form   *form // nil when the body is the file
	writer *fs.Writer
}

// receive streams the body, or the file of a form, into the core.
func (p *replacement) receive() (fs.CommitOptions, error) {
	x := p.x
	if !isForm(x.r.Header) {
		in, err := newBody(x.w, x.r, p.max)
		if err == nil {
			err = p.take(nil, in)
		}
		return fs.CommitOptions{ExpectSize: x.r.ContentLength, ContentType: rawType(x.r)}, err
	}
	in, err := newBody(x.w, x.r, p.max+x.s.opts.MaxJSON+maxFrame)
	if err != nil {
		return fs.CommitOptions{}, err
	}
	if p.form, err = readForm(x.r.Header, in, x.s.opts.MaxJSON, p.max, p.take); err != nil {
		return fs.CommitOptions{}, err
	}
	return fs.CommitOptions{ExpectSize: p.form.received, ContentType: p.form.contentType()}, nil
}

func (p *replacement) take(_ *form, bytes io.Reader) error {
	p.drop()
	var err error
	if p.writer, err = p.x.s.fs.NewWriter(p.x.ctx, writeAs(p.x.a), p.target); err != nil {
		return err
	}
	if p.x.r.ContentLength <= md5Limit {
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
func (x *exchange) deleteBinary() error {
	if _, err := x.changeableBinary(); err != nil {
		return err
	}
	if err := x.s.fs.DeleteFile(x.ctx, writeAs(x.a), x.id, condition(x.r)); err != nil {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}
