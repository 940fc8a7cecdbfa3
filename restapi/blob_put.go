package restapi

import (
	"bytes"
	"context"
	"net/http"
	"path"
	"strings"
	"syscall"
	"time"

	"tote/fs"
)

// blobPut is one upload to a signed URL that makes a blob, in one request or by naming blocks.
type blobPut struct {
	s      *server
	r      *http.Request
	grant  grant
	claims claims
	actor  *fs.Actor
	key    string
	stored storedHeaders
	writer *fs.Writer
	holder *object  // the file that has the key, as far as is known; nil for none
	leave  []func() // out of directories
}

// servePut answers PUT.
func (s *server) servePut(w http.ResponseWriter, r *http.Request, g grant, c claims) {
	p := &blobPut{s: s, r: r, grant: g, claims: c, actor: c.actor(), key: g.key}
	var err error
	switch comp := r.URL.Query().Get("comp"); {
	case noLength(r):
		err = blobLength
	case g.scope == scopeContainer && p.key == placeholderKey:
		err = blobPlaceholder
	case comp == "":
		err = p.putBlob(w)
	case comp == "block":
		err = p.putBlock(w)
	case comp == "blocklist":
		err = p.putBlockList(w)
	default:
		err = blobQuery
	}
	if err != nil {
		s.failBlob(w, r, err)
	}
}

// noLength tells whether a request says nothing about its body. HTTP takes that for an empty one; but a client that meant one says so, and an old one that
// ends its body by closing the connection would lose it.
func noLength(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ContentLength == 0 && r.Header.Get("Content-Length") == "" && len(r.TransferEncoding) == 0
}

// putBlob stores a whole blob.
func (p *blobPut) putBlob(w http.ResponseWriter) error {
	h := p.r.Header
	if t := h.Get("x-ms-blob-type"); t != "" && t != "BlockBlob" {
		return blobHeader
	}
	var err error
	if p.stored, err = headersOf(h); err != nil {
		return err
	}
	sums, err := announcedMD5(h, "Content-MD5", "x-ms-blob-content-md5")
	if err != nil {
		return err
	}
	in, err := newBody(w, p.r, p.s.opts.MaxFile)
	if err != nil {
		return err
	}
	defer p.drop()
	if err := p.open(); err != nil {
		return err
	}
	p.writer.WantMD5()
	p.writer.Expect(p.r.ContentLength)
	if _, err := p.writer.ReadFrom(in); err != nil {
		return err
	}
	info, err := p.finish(sums, fs.CommitOptions{ExpectSize: p.r.ContentLength, ContentType: p.contentType()})
	if err != nil {
		return err
	}
	p.s.dropBlocks(p.r, p.actor, p.group())
	p.created(w, info, p.writer.MD5())
	return nil
}

// finish compares the digests that were announced and commits.
func (p *blobPut) finish(sums [][]byte, opts fs.CommitOptions) (fs.Info, error) {
	for _, sum := range sums {
		if !bytes.Equal(sum, p.writer.MD5()) {
			return fs.Info{}, blobMD5
		}
	}
	return p.commit(opts)
}

// find looks with the right to read; what the upload may change is decided by the core and by mayPut.
func (p *blobPut) find() finder {
	return finder{p.s, context.WithoutCancel(p.r.Context()), readAs(p.actor)}
}

// look finds the file that has the key, and refuses early what the commit would refuse.
func (p *blobPut) look() error {
	var err error
	p.holder, err = p.find().target(p.key)
	if missing(err) {
		p.holder = nil
		if p.r.Header.Get("If-Match") != "" {
			return blobPrecondition
		}
		return nil
	}
	if err != nil {
		return err
	}
	if p.r.Header.Get("If-None-Match") == "*" {
		return blobExists
	}
	return p.mayPut(p.holder)
}

// mayPut tells whether the URL may replace what is there.
func (p *blobPut) mayPut(o *object) error {
	if !p.grant.covers(o, p.actor.Tenant) {
		return blobDenied
	}
	return p.s.permit(p.r.Context(), p.actor.Tenant, p.claims.caller(), o)
}

// open begins to write: to the file that has the key, else to a new one in the directory of its full path. A file that is deleted between two looks
// is looked for again.
func (p *blobPut) open() error {
	for {
		if err := p.look(); err != nil {
			return err
		}
		t, err := p.target()
		if err != nil {
			return err
		}
		p.writer, err = p.s.fs.NewWriter(p.find().ctx, p.actor, t)
		if p.holder == nil || !missing(err) {
			return err
		}
	}
}

// target is where the bytes go. Where a file is in the way of a directory, the default directory does.
func (p *blobPut) target() (fs.Target, error) {
	if p.holder != nil {
		return fs.Target{Ino: p.holder.ino()}, nil
	}
	ctx := p.find().ctx
	dir := homeOf(p.actor.Tenant, fullPathOr(p.claims.Props, p.key))
	leave, err := p.s.ensureDir(ctx, p.actor, dir)
	if fs.Errno(err) == syscall.ENOTDIR && dir != assetsDir {
		dir = assetsDir
		leave, err = p.s.ensureDir(ctx, p.actor, dir)
	}
	if err != nil {
		return fs.Target{}, err
	}
	p.leave = append(p.leave, leave)
	return fs.Target{Dir: dir, Name: p.fileName(), Alias: true, Key: storeKey(p.key)}, nil
}

// storeKey is the key under which a store is asked to keep the bytes: the client's, unless it is longer than every store can take. Then the core
// makes one.
func storeKey(key string) string {
	if len(key) > 800 {
		return ""
	}
	for part := range strings.SplitSeq(key, "/") {
		if len(part) > 200 {
			return ""
		}
	}
	return key
}

// fileName is the name that a new file shows in the tree.
func (p *blobPut) fileName() string {
	if name := treeName(originalOr(p.originalName(), p.key)); validName(name) {
		return name
	}
	return treeName(path.Base(p.key))
}

// drop leaves no trace of what was taken and not committed.
func (p *blobPut) drop() {
	if p.writer != nil {
		p.writer.Abort()
	}
	for _, leave := range p.leave {
		leave()
	}
}

// commit makes the bytes the blob and registers the object in the same transaction. Ids and keys are bound under locks. When somebody else was
// first to upload the key, or deleted it meanwhile, the bytes go to where it is now.
func (p *blobPut) commit(opts fs.CommitOptions) (fs.Info, error) {
	names := append(p.ids(), p.key)
	for {
		if p.holder != nil {
			names = append(names, p.holder.id)
		}
		info, moved, err := p.commitUnder(names, opts)
		if !moved || err != nil {
			return info, err
		}
	}
}

// commitUnder commits under the locks of names, or finds that others are needed.
func (p *blobPut) commitUnder(names []string, opts fs.CommitOptions) (info fs.Info, moved bool, err error) {
	defer p.s.locks.lock(p.actor.Tenant, names...)()
	was := p.holder
	if err := p.look(); err != nil {
		return info, false, err
	}
	if !sameHolder(was, p.holder) {
		return info, true, p.aim()
	}
	info, err = p.register(opts)
	return info, false, err
}

// sameHolder tells whether a key is still in the hands of the same file and object.
func sameHolder(a, b *object) bool {
	return a == nil && b == nil || a != nil && b != nil && a.ino() == b.ino() && a.id == b.id
}

// aim sends the bytes to another file than before.
func (p *blobPut) aim() error {
	t, err := p.target()
	if err != nil {
		return err
	}
	return p.writer.Retarget(p.find().ctx, t)
}

// contentType is the type of the blob.
func (p *blobPut) contentType() string {
	if t := p.r.Header.Get("x-ms-blob-content-type"); t != "" && plainHeader(t) {
		return t
	}
	return rawType(p.r)
}

// cond is the request's conditions on the file that is replaced.
func (p *blobPut) cond() *fs.Cond {
	tags := condition(p.r)
	since, hasSince := httpTime(p.r.Header.Get("If-Modified-Since"))
	until, hasUntil := httpTime(p.r.Header.Get("If-Unmodified-Since"))
	if p.holder == nil || tags == nil && !hasSince && !hasUntil {
		return nil
	}
	return &fs.Cond{Check: func(cur *fs.Info) error {
		if tags != nil {
			if err := tags.Check(cur); err != nil {
				return err
			}
		}
		return checkTimes(cur, since, until, hasSince, hasUntil)
	}}
}

func checkTimes(cur *fs.Info, since, until time.Time, hasSince, hasUntil bool) error {
	if cur != nil && (hasSince && !changedSince(*cur, since) || hasUntil && changedSince(*cur, until)) {
		return fs.ErrPrecondition
	}
	return nil
}
