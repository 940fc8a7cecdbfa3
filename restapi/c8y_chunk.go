package restapi

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tote/fs"
)

const (
	maxChunk    = 5 << 20        // bytes of one piece
	partialLife = 24 * time.Hour // of an attachment that does not grow
)

// chunkRange says which bytes of a file a piece is.
type chunkRange struct {
	start  int64
	stop   int64  // inclusive
	length int64  // of the file, -1 while the client does not say
	text   string // as it came
}

func (c chunkRange) size() int64 { return c.stop - c.start + 1 }

// last tells whether nothing follows.
func (c chunkRange) last() bool { return c.length == c.stop+1 }

// parseChunkRange reads "0-3/10" and "0-3/*". The unit bytes may stand before it, and a backslash, left over from a document's
// markup, before the star.
func parseChunkRange(text string) (chunkRange, bool) {
	c := chunkRange{length: -1, text: strings.TrimSpace(text)}
	spec := c.text
	if rest, ok := cutPrefixFold(spec, "bytes"); ok && rest != "" && strings.ContainsRune(" =\t", rune(rest[0])) {
		spec = strings.TrimSpace(rest[1:])
	}
	span, length, ok := strings.Cut(spec, "/")
	start, stop, ok2 := strings.Cut(span, "-")
	if !ok || !ok2 {
		return c, false
	}
	var known [3]bool
	c.start, known[0] = rangeNumber(start)
	c.stop, known[1] = rangeNumber(stop)
	known[2] = true
	if length = strings.TrimPrefix(length, `\`); length != "*" {
		c.length, known[2] = rangeNumber(length)
	}
	if known != [3]bool{true, true, true} || c.stop < c.start {
		return c, false
	}
	return c, c.length < 0 || c.length > c.stop
}

// rangeNumber reads a number that can still be counted on from.
func rangeNumber(s string) (int64, bool) {
	n, ok := digits(s)
	return n, ok && n < math.MaxInt64/2 && len(s) < 20
}

var errChunkSize = c8yInvalid("the body does not have as many bytes as Content-Range says")

// postChunk takes one piece. The checks are made in the order in which the API documents them.
func (x *exchange) postChunk(text string) error {
	c, ok := parseChunkRange(text)
	if !ok {
		return c8yInvalid("Content-Range must be start-stop/length with stop included, or start-stop/*")
	}
	if c.size() > maxChunk {
		return c8yTooLarge
	}
	if x.r.ContentLength >= 0 && x.r.ContentLength != c.size() {
		return errChunkSize
	}
	e, err := x.changeableEvent()
	if err != nil {
		return err
	}
	if e.File != 0 {
		return c8yDuplicate
	}
	if max := x.s.opts.MaxAttachment; c.stop+1 > max || c.length > max {
		return c8yTooLarge
	}
	if !x.s.pieces.enter(x.id) {
		return c8yWriting
	}
	defer x.s.leavePieces(x.ctx, x.a.Tenant, x.id)
	if e, err = x.event(); err != nil { // nobody else adds to it now
		return err
	}
	old, next, err := x.partial(e, c)
	if err != nil {
		return err
	}
	if c.last() {
		return x.lastChunk(next, c)
	}
	return x.nextChunk(old, next, c)
}

// partial is what a piece is added to, and what that becomes: what is there, or the beginning of a new attachment.
func (x *exchange) partial(e fs.EventRow, c chunkRange) (old *fs.Partial, next fs.Partial, err error) {
	p := x.s.alive(e.Partial)
	switch {
	case c.start == 0:
		next, err = x.freshPartial(e, c)
		return nil, next, err
	case p == nil:
		return nil, next, chunkPosition
	case c.start != p.Received:
		x.w.Header().Set("Range", "bytes=0-"+strconv.FormatInt(p.Received-1, 10)) // from where a client can go on
		return nil, next, chunkPosition
	case c.length >= 0 && p.Length >= 0 && c.length != p.Length:
		return nil, next, c8yInvalid("Content-Range gives another length than the pieces before")
	case p.Length >= 0 && c.stop >= p.Length:
		return nil, next, c8yInvalid("Content-Range goes beyond the length that the pieces before gave")
	}
	next = *p
	next.Length = max(next.Length, c.length)
	return p, next, nil
}

var chunkPosition = &c8yProblem{http.StatusRequestedRangeNotSatisfiable, "event/Invalid Range", "the piece does not begin where the ones before ended"}

// freshPartial begins an attachment. What was there does not count any more from now on: its bytes are about to be overwritten.
func (x *exchange) freshPartial(e fs.EventRow, c chunkRange) (fs.Partial, error) {
	p := fs.Partial{Length: c.length, Type: rawType(x.r), Owner: x.a.User, Name: idText(x.id)}
	if given := dispositionName(x.r.Header); given != "" {
		name, err := fileName(given)
		if err != nil {
			return p, err
		}
		p.Name = name
	}
	if e.Partial == nil {
		return p, nil
	}
	return p, x.notePartial(e.Partial, nil)
}

// notePartial replaces the state of the attachment, unless somebody else has stored a whole one or changed it meanwhile.
func (x *exchange) notePartial(old, now *fs.Partial) error {
	_, err := x.s.stores.Events.ChangeEvent(x.ctx, x.a.Tenant, x.id, func(e *fs.EventRow) error {
		switch {
		case e.File != 0:
			return c8yDuplicate
		case (e.Partial == nil) != (old == nil), old != nil && *e.Partial != *old:
			return c8yWriting
		}
		e.Partial = now
		return nil
	})
	return err
}

// nextChunk adds a piece that others follow. Its bytes are on the disk before the event counts them.
func (x *exchange) nextChunk(old *fs.Partial, next fs.Partial, c chunkRange) error {
	in, err := x.chunkBody(c)
	if err != nil {
		return err
	}
	n, err := x.s.stores.Drafts.Write(idText(x.id), c.start, in)
	if err == nil && n != c.size() || errors.Is(err, errTooLarge) {
		err = errChunkSize
	}
	if err != nil {
		return err
	}
	next.Received, next.Range, next.Updated = c.stop+1, c.text, x.s.opts.Now().UnixNano()
	if err := x.notePartial(old, &next); err != nil {
		return errors.Join(err, x.s.stores.Drafts.Drop(idText(x.id))) // it belongs to nothing now
	}
	info := x.attachmentInfo(next.Type)
	info["range"] = c.text
	writeC8y(x.w, x.r, http.StatusOK, "event", info)
	return nil
}

// chunkBody is the body of a piece. One byte more than announced is let through, to be noticed.
func (x *exchange) chunkBody(c chunkRange) (*body, error) {
	return newBody(x.w, x.r, c.size()+1)
}

// lastChunk puts the pieces together. Until the file is committed nothing has changed: a client whose last piece failed sends it again.
func (x *exchange) lastChunk(p fs.Partial, c chunkRange) error {
	in, err := x.chunkBody(c)
	if err != nil {
		return err
	}
	w, err := x.s.fs.NewWriter(x.ctx, writeAs(x.a), fs.Target{Dir: "/", Name: p.Name, Alias: true})
	if err != nil {
		return err
	}
	defer w.Abort()
	w.WantMD5()
	if c.start > 0 {
		if err := x.copyDraft(w, c.start); err != nil {
			return err
		}
	}
	n, err := w.ReadFrom(in)
	if err == nil && n != c.size() || errors.Is(err, errTooLarge) {
		err = errChunkSize
	}
	if err != nil {
		return err
	}
	o := fs.CommitOptions{ExpectSize: c.length, ContentType: p.Type}
	return x.attach(attaching{writer: w, options: o, name: p.Name, owner: p.Owner, piece: true})
}

func (x *exchange) copyDraft(w *fs.Writer, size int64) error {
	draft, err := x.s.stores.Drafts.Open(idText(x.id), size)
	if err != nil {
		return err
	}
	defer draft.Close()
	_, err = w.ReadFrom(io.LimitReader(draft, size))
	return err
}

// alive is an attachment that may still grow, nil when it has waited too long.
func (s *server) alive(p *fs.Partial) *fs.Partial {
	if p == nil || p.Updated <= s.opts.Now().Add(-partialLife).UnixNano() {
		return nil
	}
	return p
}

// pieces are the events to which a piece is being added, or whose pieces are being dropped: one at a time. True says that somebody else wanted to
// drop them meanwhile.
type pieces struct {
	mu   sync.Mutex
	open map[fs.Ino]bool // guarded by mu
}

// enter is false when somebody else is in.
func (p *pieces) enter(event fs.Ino) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.enterLocked(event)
}

func (p *pieces) enterLocked(event fs.Ino) bool {
	if _, in := p.open[event]; in {
		return false
	}
	if p.open == nil {
		p.open = map[fs.Ino]bool{}
	}
	p.open[event] = false
	return true
}

// enterToDrop is enter, but who is in will be told when he leaves.
func (p *pieces) enterToDrop(event fs.Ino) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.enterLocked(event) {
		return true
	}
	p.open[event] = true
	return false
}

// leave is false when the caller has to look first whether the event still knows of the pieces: then he is still in.
func (p *pieces) leave(event fs.Ino) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[event] {
		p.open[event] = false
		return false
	}
	delete(p.open, event)
	return true
}

// leavePieces drops the pieces of an event that went, or that has another attachment, since they were written.
func (s *server) leavePieces(ctx context.Context, tenant string, event fs.Ino) {
	for !s.pieces.leave(event) {
		e, err := s.stores.Events.GetEvent(ctx, tenant, event)
		if missing(err) || err == nil && e.Partial == nil {
			err = s.stores.Drafts.Drop(idText(event))
		}
		if err != nil {
			s.log.Error("pieces of an attachment are left until the next start", "event", event, "err", err)
		}
	}
}

// tidyPartials drops attachments that have not grown for a day, and bytes that a crash left without an event that knows of them.
func (s *server) tidyPartials(ctx context.Context, all bool) error {
	before := s.opts.Now().Add(-partialLife).UnixNano() + 1
	for range 100 {
		old, err := s.stores.Partials.OldPartials(ctx, before, scanPage)
		if err != nil {
			return err
		}
		for _, e := range old {
			if err := s.dropPartial(ctx, e); err != nil {
				return err
			}
		}
		if len(old) < scanPage {
			break
		}
	}
	if !all {
		return nil
	}
	return s.dropLostDrafts(ctx)
}

func (s *server) dropPartial(ctx context.Context, e fs.EventRow) error {
	if !s.pieces.enter(e.ID) {
		return nil // it grows after all
	}
	defer s.leavePieces(ctx, e.Tenant, e.ID)
	now, err := s.stores.Events.ChangeEvent(ctx, e.Tenant, e.ID, func(now *fs.EventRow) error {
		if s.alive(now.Partial) == nil {
			now.Partial = nil
		}
		return nil
	})
	if err != nil && !missing(err) || now.Partial != nil {
		return err
	}
	return s.stores.Drafts.Drop(idText(e.ID))
}

// dropDraft drops the pieces of an attachment that the event does not know any more. When one is just arriving, who receives it does so.
func (s *server) dropDraft(ctx context.Context, tenant string, event fs.Ino) error {
	if !s.pieces.enterToDrop(event) {
		return nil
	}
	defer s.leavePieces(ctx, tenant, event)
	return s.stores.Drafts.Drop(idText(event))
}

// dropLostDrafts is for the start, when nobody writes.
func (s *server) dropLostDrafts(ctx context.Context) error {
	names, err := s.stores.Drafts.Names()
	if err != nil || len(names) == 0 {
		return err
	}
	known, err := s.stores.Partials.OldPartials(ctx, math.MaxInt64, math.MaxInt32)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, e := range known {
		keep[idText(e.ID)] = true
	}
	for _, name := range names {
		if !keep[name] {
			if err := s.stores.Drafts.Drop(name); err != nil {
				return err
			}
		}
	}
	return nil
}
