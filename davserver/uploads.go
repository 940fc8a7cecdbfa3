package davserver

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tote/fs"
)

// SyncPrefix is where clients of Nextcloud expect WebDAV: SyncPrefix/files/USER is the share, and SyncPrefix/uploads/USER takes large files in chunks
// (chunked upload, version 2, and the names of version 1). USER is the name of whoever is logged in.
const SyncPrefix = "/remote.php/dav"

const (
	uploadLife  = 24 * time.Hour // of chunks that nobody has used, since the last one
	maxChunks   = 10000          // of one upload
	uploadBegun = ".begin"       // a piece without bytes: the upload was begun with MKCOL
	uploadFile  = ".file"        // what a client moves to where the file belongs
)

// serveSync serves what is below SyncPrefix; rest is the path from there on.
func (h *handler) serveSync(w http.ResponseWriter, r *http.Request, rest string) {
	kind, rest, _ := strings.Cut(rest, "/")
	user, rest, _ := strings.Cut(rest, "/")
	own := *h
	own.opts.Prefix = SyncPrefix + "/files/" + user
	q := &request{h: &own, w: w, r: r, ctx: r.Context()}
	err := q.identify()
	if err == nil && q.actor != nil && q.actor.User != user {
		err = refuse(http.StatusNotFound, "no such user, or not the one who is logged in")
	}
	switch {
	case err != nil:
	case kind == "files":
		own.answer(w, r)
	case kind == "uploads" && r.Method == http.MethodOptions:
		err = q.options()
	case kind == "uploads":
		err = q.upload(user, strings.TrimSuffix(rest, "/"))
	default:
		err = refuse(http.StatusNotFound, "no such share")
	}
	if err != nil {
		q.fail(err)
	}
}

// upload serves one request on an upload, or a chunk of it, or on all uploads of a user.
func (q *request) upload(user, rest string) error {
	id, chunk, inside := strings.Cut(rest, "/")
	group := "dav upload\x00" + user + "\x00" + id
	switch {
	case strings.Contains(chunk, "/") || inside && chunk == uploadBegun:
	case q.r.Method == "PROPFIND" && !inside:
		return q.listChunks(group, id)
	case id == "":
	case q.r.Method == "MKCOL" && !inside:
		return q.beginUpload(group)
	case q.r.Method == http.MethodDelete && !inside:
		return q.endUpload(group)
	case q.r.Method == http.MethodPut && inside && chunk != uploadFile:
		return q.putChunk(group, chunk)
	case q.r.Method == "MOVE" && chunk == uploadFile:
		return q.assemble(group)
	}
	return refuse(http.StatusMethodNotAllowed, "an upload takes MKCOL, PUT of chunks, PROPFIND, MOVE of .file and DELETE")
}

// beginUpload makes an upload to which chunks can be added.
func (q *request) beginUpload(group string) error {
	if err := q.begun(group); err == nil {
		return refuse(http.StatusMethodNotAllowed, "something is there already")
	}
	return q.keepChunk(group, uploadBegun, http.NoBody)
}

// begun is 404 for an upload that nobody has begun.
func (q *request) begun(group string) error {
	return q.h.fsys.UsePieces(q.ctx, q.actor, group, func(p *fs.Pieces) (bool, error) { return false, needBegun(p) })
}

func needBegun(p *fs.Pieces) error {
	if _, ok := p.Size(uploadBegun); !ok {
		return refuse(http.StatusNotFound, "there is no such upload: begin it with MKCOL")
	}
	return nil
}

// putChunk adds a chunk or replaces one.
func (q *request) putChunk(group, chunk string) error {
	if err := q.begun(group); err != nil {
		return refuse(http.StatusConflict, "there is no such upload: begin it with MKCOL")
	}
	return q.keepChunk(group, chunk, q.r.Body)
}

// keepChunk stores a chunk durably, all of it or nothing.
func (q *request) keepChunk(group, chunk string, from io.Reader) error {
	sums, err := digests(q.r.Header)
	if err != nil {
		return err
	}
	w, err := q.h.fsys.NewPiece(q.ctx, q.actor, group, chunk)
	if err != nil {
		return err
	}
	defer w.Abort()
	body := &bodyReader{r: from}
	if _, err := io.Copy(w, through(body, sums)); err != nil {
		return body.blame(err)
	}
	if from != http.NoBody {
		if _, err := verify(sums); err != nil {
			return err
		}
	}
	if err := w.Commit(q.h.fsys.Now().Add(uploadLife), maxChunks+1); err != nil {
		return err
	}
	q.w.WriteHeader(http.StatusCreated)
	return nil
}

// endUpload drops an upload with its chunks.
func (q *request) endUpload(group string) error {
	err := q.h.fsys.UsePieces(q.ctx, q.actor, group, func(p *fs.Pieces) (bool, error) {
		err := needBegun(p)
		return err == nil, err
	})
	if err == nil {
		q.w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// chunksOf lists the chunks in the order of the file: by the number that their names begin with.
func chunksOf(p *fs.Pieces) []fs.PieceInfo {
	list := slices.DeleteFunc(p.All(), func(i fs.PieceInfo) bool { return i.Name == uploadBegun })
	slices.SortFunc(list, func(a, b fs.PieceInfo) int {
		return cmp.Or(cmp.Compare(leadingNumber(a.Name), leadingNumber(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return list
}

// leadingNumber is the number at the beginning of a name, -1 when there is none: "00012", or "4096-8191" as version 1 has it.
func leadingNumber(name string) int64 {
	digits := name[:len(name)-len(strings.TrimLeft(name, "0123456789"))]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// listChunks answers PROPFIND, from which a client learns where to go on.
func (q *request) listChunks(group, id string) error {
	var list []fs.PieceInfo
	if id != "" {
		err := q.h.fsys.UsePieces(q.ctx, q.actor, group, func(p *fs.Pieces) (bool, error) {
			list = chunksOf(p)
			return false, needBegun(p)
		})
		if err != nil {
			return err
		}
	}
	base := strings.TrimSuffix(q.r.URL.Path, "/") + "/"
	s := newStream(q.w, q.r)
	s.buf = appendChunk([]byte(multiOpen), base, "<D:resourcetype><D:collection/></D:resourcetype>")
	if q.depth() != depthZero {
		for _, c := range list {
			s.buf = appendChunk(s.buf, base+c.Name, "<D:resourcetype/><D:getcontentlength>"+strconv.FormatInt(c.Size, 10)+"</D:getcontentlength>")
			s.full()
		}
	}
	s.buf = append(s.buf, multiClose...)
	s.finish()
	return nil
}

func appendChunk(b []byte, path, props string) []byte {
	b = appendEscapedPath(append(b, "<D:response><D:href>"...), path)
	b = append(append(append(b, "</D:href><D:propstat><D:prop>"...), props...), "</D:prop>"...)
	return append(appendStatus(b, http.StatusOK), "</D:propstat></D:response>"...)
}

// assemble makes the file of its chunks. They are gone when it is there, and stay when anything was wrong.
func (q *request) assemble(group string) error {
	var err error
	if q.path, err = q.destination(); err != nil {
		return err
	}
	if q.conds, err = q.h.parseConditions(q.r, q.path); err != nil {
		return err
	}
	if err := q.identify(); err != nil { // again, with its lock tokens
		return err
	}
	o, err := q.assembly()
	if err != nil {
		return err
	}
	return q.h.fsys.UsePieces(q.ctx, q.actor, group, func(p *fs.Pieces) (bool, error) {
		if err := needBegun(p); err != nil {
			return false, err
		}
		if _, err := q.putCheck(); err != nil {
			return false, err
		}
		chunks := &chunkReader{p: p, list: chunksOf(p)}
		defer chunks.close()
		err := q.store(chunks, o)
		return err == nil, err
	})
}

// assembly reads the headers of the MOVE.
func (q *request) assembly() (o fs.CommitOptions, err error) {
	o = fs.CommitOptions{Cond: q.conds.cond(), ExpectSize: -1, ContentType: q.contentType()}
	if v := q.r.Header.Get("OC-Total-Length"); v != "" {
		n, err := parseOffset(v)
		if err != nil {
			return o, refuse(http.StatusBadRequest, "OC-Total-Length is not a number")
		}
		o.ExpectSize = n
	}
	if o.Mtime, err = ocMtime(q.r.Header.Get("X-OC-Mtime")); err != nil {
		return o, err
	}
	overwrite, err := q.overwrite()
	o.NoReplace = !overwrite
	return o, err
}

// chunkReader reads chunks one after the other.
type chunkReader struct {
	p    *fs.Pieces
	list []fs.PieceInfo
	cur  io.ReadCloser
}

// Read implements io.Reader.
func (c *chunkReader) Read(b []byte) (int, error) {
	for {
		if c.cur == nil {
			if len(c.list) == 0 {
				return 0, io.EOF
			}
			f, err := c.p.Open(c.list[0].Name)
			if err != nil {
				return 0, err
			}
			c.cur, c.list = f, c.list[1:]
		}
		n, err := c.cur.Read(b)
		if err == io.EOF {
			err = c.cur.Close()
			c.cur = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// close ends a chunk that was not read to its end.
func (c *chunkReader) close() {
	if c.cur != nil {
		c.cur.Close()
	}
}
