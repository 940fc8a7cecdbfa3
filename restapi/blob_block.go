package restapi

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	"tote/fs"
)

// Limits of blocks, those of the service that clients know.
const (
	maxBlock     = 4000 << 20         // bytes of one block
	maxBlocks    = 50_000             // blocks of one blob
	maxStaged    = 100_000            // blocks that wait for their list, per blob
	maxBlockID   = 64                 // bytes, before base64
	maxBlockList = 8 << 20            // bytes of XML
	blockLife    = 7 * 24 * time.Hour // how long blocks wait, from the newest of their blob
)

// group names the blocks of a blob that wait for their list.
func (p *blobPut) group() string { return "blob/" + p.grant.container + "/" + p.key }

// dropBlocks forgets the blocks of a blob that was stored in another way.
func (s *server) dropBlocks(r *http.Request, a *fs.Actor, group string) {
	err := s.fs.UsePieces(r.Context(), a, group, func(*fs.Pieces) (bool, error) { return true, nil })
	if err != nil {
		s.log.WarnContext(r.Context(), "blocks that nobody needs stay until their time is over", "err", err)
	}
}

// blockID reads the name of a block: base64 of up to 64 bytes. A client that did not encode its + sent a blank.
func blockID(text string) (string, error) {
	id, err := base64.StdEncoding.Strict().DecodeString(strings.ReplaceAll(text, " ", "+"))
	if err != nil || strings.ContainsAny(text, "\r\n") || len(id) == 0 || len(id) > maxBlockID {
		return "", blobBlockID
	}
	return string(id), nil
}

// putBlock keeps one block until its list comes. Blocks come in any order, and again: the last one of a name counts.
func (p *blobPut) putBlock(w http.ResponseWriter) error {
	id, err := blockID(p.r.URL.Query().Get("blockid"))
	if err != nil {
		return err
	}
	sums, err := announcedMD5(p.r.Header, "Content-MD5")
	if err != nil {
		return err
	}
	in, err := newBody(w, p.r, min(maxBlock, p.s.opts.MaxFile))
	if err != nil {
		return err
	}
	if err := p.look(); err != nil {
		return err
	}
	sum, err := p.stage(id, in, sums)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum))
	h.Set("x-ms-request-server-encrypted", "false")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusCreated)
	return nil
}

// stage writes a block and compares its digests.
func (p *blobPut) stage(id string, in io.Reader, sums [][]byte) ([]byte, error) {
	piece, err := p.s.fs.NewPiece(p.find().ctx, p.actor, p.group(), id)
	if err != nil {
		return nil, err
	}
	defer piece.Abort()
	hash := md5.New()
	if _, err := io.CopyBuffer(io.MultiWriter(piece, hash), onlyReader{in}, make([]byte, 256<<10)); err != nil {
		return nil, err
	}
	sum := hash.Sum(nil)
	for _, want := range sums {
		if string(want) != string(sum) {
			return nil, blobMD5
		}
	}
	err = piece.Commit(p.s.opts.Now().Add(blockLife), maxStaged)
	if fs.Errno(err) == syscall.E2BIG {
		err = blobBlockCount
	}
	return sum, err
}

// onlyReader hides other abilities of a reader from io.Copy.
type onlyReader struct{ io.Reader }

// putBlockList makes a blob of blocks, in the order of the list, and registers it.
func (p *blobPut) putBlockList(w http.ResponseWriter) error {
	var err error
	if p.stored, err = headersOf(p.r.Header); err != nil {
		return err
	}
	sums, err := announcedMD5(p.r.Header, "x-ms-blob-content-md5")
	if err != nil {
		return err
	}
	list, sum, err := p.readList(w)
	if err != nil {
		return err
	}
	defer p.drop()
	var info fs.Info
	err = p.s.fs.UsePieces(p.find().ctx, p.actor, p.group(), func(have *fs.Pieces) (bool, error) {
		info, err = p.assemble(list, have, sums)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	p.created(w, info, sum)
	return nil
}

// readList reads the body, and gives its own digest too.
func (p *blobPut) readList(w http.ResponseWriter) ([]blockRef, []byte, error) {
	announced, err := announcedMD5(p.r.Header, "Content-MD5")
	if err != nil {
		return nil, nil, err
	}
	in, err := newBody(w, p.r, maxBlockList)
	if err != nil {
		return nil, nil, err
	}
	hash := md5.New()
	list, err := parseBlockList(io.TeeReader(in, hash))
	if in.err != nil {
		return nil, nil, in.err // rather than what the parser made of it
	}
	// Whatever was wrong, the rest is read: who is cut off while he sends does not see the answer.
	if _, rerr := io.Copy(hash, in); rerr != nil {
		return nil, nil, rerr
	}
	if err != nil {
		return nil, nil, err
	}
	sum := hash.Sum(nil)
	for _, want := range announced {
		if string(want) != string(sum) {
			return nil, nil, blobMD5
		}
	}
	return list, sum, nil
}

// assemble writes the blocks one after the other and commits. Nobody adds or uses blocks of this blob meanwhile.
func (p *blobPut) assemble(list []blockRef, have *fs.Pieces, sums [][]byte) (fs.Info, error) {
	if err := p.open(); err != nil {
		return fs.Info{}, err
	}
	old, err := p.committed()
	if err != nil {
		return fs.Info{}, err
	}
	defer old.close()
	parts, total, err := planBlocks(list, have, old)
	if err != nil {
		return fs.Info{}, err
	}
	if total > p.s.opts.MaxFile {
		return fs.Info{}, errTooLarge
	}
	if len(sums) > 0 || total <= md5Limit {
		p.writer.WantMD5()
	}
	p.writer.Expect(total)
	in := &blockReader{parts: parts, have: have, old: old}
	defer in.close()
	if _, err := p.writer.ReadFrom(in); err != nil {
		return fs.Info{}, err
	}
	info, err := p.finish(sums, fs.CommitOptions{ExpectSize: total, ContentType: p.blobType()})
	if err == nil {
		p.remember(info, parts)
	}
	return info, err
}

// blobType is the type of a blob whose request has a body of another type.
func (p *blobPut) blobType() string {
	if t := p.r.Header.Get("x-ms-blob-content-type"); t != "" && plainHeader(t) {
		return t
	}
	return "application/octet-stream"
}

// blockReader reads blocks one after the other, each opened when it is its turn.
type blockReader struct {
	parts []blockPart
	have  *fs.Pieces
	old   committedBlocks
	now   io.Reader
	file  io.Closer // of now, nil for none
}

func (r *blockReader) Read(p []byte) (int, error) {
	for {
		if r.now == nil {
			if len(r.parts) == 0 {
				return 0, io.EOF
			}
			if err := r.next(); err != nil {
				return 0, err
			}
		}
		n, err := r.now.Read(p)
		if errors.Is(err, io.EOF) {
			r.close()
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next opens the first part that is left.
func (r *blockReader) next() error {
	part := r.parts[0]
	r.parts = r.parts[1:]
	if part.committed {
		r.now = io.NewSectionReader(r.old.reader, part.off, part.size)
		return nil
	}
	file, err := r.have.Open(part.id)
	if err != nil {
		return err
	}
	r.now, r.file = file, file
	return nil
}

func (r *blockReader) close() {
	if r.file != nil {
		r.file.Close()
	}
	r.now, r.file = nil, nil
}
