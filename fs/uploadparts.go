package fs

import (
	"context"
	"errors"
	"io"
	"time"

	"tote/objstore"
)

// staff starts as many goroutines as there are parts for, up to the limit. The caller holds mu.
func (u *upload) staff() {
	if u.closed || time.Now().Before(u.paused) {
		return
	}
	for u.running < min(u.f.remote.perFile, len(u.queue)) {
		u.running++
		u.work.Go(u.drain)
	}
}

// drain sends queued parts until there are none. A part that could not be sent waits for publish, or for the writer to go on a while later.
func (u *upload) drain() {
	u.slots <- struct{}{}
	defer func() { <-u.slots }()
	for {
		s, ok := u.next()
		if !ok {
			return
		}
		u.took(s, u.send(u.ctx, s, nil))
	}
}

// next takes a part from the queue.
func (u *upload) next() (segment, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.queue) > 0 && !u.closed && u.failed == nil && !time.Now().Before(u.paused) {
		i := u.queue[0]
		u.queue = u.queue[1:]
		if p := u.parts[i]; p != nil && p.queued && p.end <= u.size {
			return segment{span: p.span, number: i + 1, epoch: u.epoch}, true
		}
	}
	u.running--
	u.ended.Broadcast()
	return segment{}, false
}

// The pauses between failures of what is sent while the file is written. A store waits itself before it gives up.
const (
	firstPause = time.Second
	longPause  = 30 * time.Second
)

// took draws conclusions from the end of a part.
func (u *upload) took(s segment, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended.Broadcast()
	switch {
	case s.epoch != u.epoch: // of an upload that was ended on purpose
	case err == nil:
		u.pause = 0
	case broken(err):
		u.failed = err
	case errors.Is(err, objstore.ErrNotFound): // somebody has ended the upload
		u.forget(u.layout)
		u.offer(0, u.size)
		fallthrough
	default:
		u.pause = min(max(2*u.pause, firstPause), longPause)
		u.paused = time.Now().Add(u.pause)
	}
}

// send brings one segment to the store. Whether it counts is decided when it has arrived: the file may have changed meanwhile.
func (u *upload) send(ctx context.Context, s segment, e *edit) error {
	multi, err := u.begin(ctx)
	if err != nil {
		u.back(s)
		return err
	}
	p, gen := u.take(s)
	if p == nil {
		return nil
	}
	var got part
	err = u.f.remote.slot(ctx, func() error {
		return u.f.guard("send part", func() error {
			got, err = u.transfer(ctx, multi, s, e)
			return err
		})
	})
	u.mu.Lock()
	defer u.mu.Unlock()
	p.busy = false
	u.ended.Broadcast()
	if err != nil && p.gen == gen {
		if u.parts[s.number-1] == p && e == nil && !u.closed {
			p.queued = true
			u.queue = append(u.queue, s.number-1)
		}
		return err
	}
	if err != nil { // changed while it was sent, which a store may notice: publish sends it again
		return nil
	}
	if p.gen == gen && u.multi == multi {
		p.clean, p.copied, p.sent, p.sums = true, s.copied, got.sent, got.sums
	}
	return nil
}

// slot runs fn when fewer than the allowed number of parts are under way in all.
func (r *remote) slot(ctx context.Context, fn func() error) error {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.slots }()
	return fn()
}

// back puts a part that was taken from the queue there again.
func (u *upload) back(s segment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p := u.parts[s.number-1]; p != nil && p.queued && s.epoch == u.epoch {
		u.queue = append(u.queue, s.number-1)
	}
}

// take marks a part as being sent and gives its generation. It waits until nobody else sends it; nil means that it is there already, or not wanted any
// more.
func (u *upload) take(s segment) (*part, int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := s.number - 1
	p := u.parts[i]
	for p != nil && p.busy && s.epoch == u.epoch {
		u.ended.Wait()
		p = u.parts[i]
	}
	if s.epoch != u.epoch {
		return nil, 0
	}
	if p == nil || p.span != s.span {
		p = &part{span: s.span}
		u.parts[i] = p
	}
	if p.clean && p.copied == s.copied {
		return nil, 0
	}
	p.busy, p.queued, p.clean = true, false, false
	return p, p.gen
}

// transfer sends or copies the bytes of one segment.
func (u *upload) transfer(ctx context.Context, multi objstore.Upload, s segment, e *edit) (got part, err error) {
	n := s.end - s.off
	if s.copied {
		ctx, cancel := u.f.bound(ctx, n)
		defer cancel()
		got.sent, err = multi.CopyPart(ctx, s.number, e.key, s.off, n)
		return got, err
	}
	if e != nil {
		if err := e.fill(ctx, s.span); err != nil {
			return got, err
		}
	}
	if u.seq == nil {
		if got.sums, err = u.sum(s.span); err != nil {
			return got, err
		}
	}
	ctx, cancel := u.f.bound(ctx, n)
	defer cancel()
	got.sent, err = multi.Part(ctx, s.number, io.NewSectionReader(u.file, s.off, n), n)
	return got, err
}

// begin begins the multipart upload unless it has begun. Of several who want that one does it, and all get its result; but publish does not take the
// failure of somebody who was there before.
func (u *upload) begin(ctx context.Context) (objstore.Upload, error) {
	u.mu.Lock()
	shared := false
	for u.opening {
		shared = u.opens > u.halted
		u.ended.Wait()
	}
	if u.multi != nil || shared {
		defer u.mu.Unlock()
		if u.multi == nil && u.openErr == nil {
			return nil, objstore.ErrNotFound
		}
		return u.multi, u.openErr
	}
	u.opening = true
	u.opens++
	u.mu.Unlock()
	var multi objstore.Upload
	err := u.f.guard("begin upload", func() (err error) {
		multi, err = u.beginNow(ctx)
		return err
	})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.opening, u.openErr = false, err
	u.ended.Broadcast()
	if err == nil && u.closed {
		u.f.remote.tasks.run(func(ctx context.Context) { u.f.dropUpload(ctx, multi) })
		return nil, context.Canceled
	}
	u.multi = multi
	return multi, err
}

func (u *upload) beginNow(ctx context.Context) (objstore.Upload, error) {
	to, err := u.target(ctx)
	if err != nil {
		return nil, err
	}
	return u.f.beginUpload(ctx, to, u.ino)
}

// target is where the object goes. The key is chosen when it is needed first, and claimed until close.
func (u *upload) target(ctx context.Context) (objectName, error) {
	u.naming.Lock()
	defer u.naming.Unlock()
	u.mu.Lock()
	name := u.name
	to, named := u.to, u.named
	u.mu.Unlock()
	if named {
		return to, nil
	}
	to, err := name(ctx)
	if err != nil {
		return objectName{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.to, u.named = to, true
	return to, nil
}
