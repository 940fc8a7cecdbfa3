package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// edit is what a changed file is based on: an object in the store, of which all that is not in written is still valid, up to length.
type edit struct {
	key     string
	size    int64 // of the object
	length  int64 // bytes of it that count
	whole   bool  // nothing is changed
	written *ranges
	sums    blockSums                                   // of the object
	summed  bool                                        // sums are known
	fill    func(context.Context, span) error           // brings what is missing of a range into the local file
	read    func(context.Context, span) ([]byte, error) // of the object
}

// kept tells whether a range is as it is in the object.
func (e *edit) kept(s span) bool {
	kept := s.end <= e.length
	_ = e.written.each(s.off, s.end, func(_, _ int64, in bool) error { // it never fails
		kept = kept && !in
		return nil
	})
	return kept
}

// published is an object that no version has yet.
type published struct {
	objectName
	sum    string
	object meta.Object
}

// publish makes the object: size bytes of the local file, or with e the changed ranges of it over another object. It may be repeated after a failure. Until
// close the object is kept from being collected as unused.
func (u *upload) publish(ctx context.Context, size int64, e *edit) (published, error) {
	if err := u.err(); err != nil {
		return published{}, err
	}
	var p published
	try := func() (err error) {
		p, err = u.tryPublish(ctx, size, e)
		return err
	}
	err := u.f.guard("publish", try)
	if errors.Is(err, objstore.ErrNotFound) || errors.Is(err, objstore.ErrPart) { // somebody has ended the upload: from the start
		u.reset()
		err = u.f.guard("publish", try)
	}
	if err != nil {
		u.settleFailure()
		return published{}, err
	}
	return p, nil
}

func (u *upload) tryPublish(ctx context.Context, size int64, e *edit) (published, error) {
	to, err := u.target(ctx)
	if err != nil {
		return published{}, err
	}
	u.halt(size)
	list := u.plan(size, e)
	if list == nil {
		return u.put(ctx, to, size, e)
	}
	if last := list[len(list)-1]; last.number > objstore.MaxParts {
		return published{}, syscall.EFBIG
	}
	if err := u.sendAll(ctx, list, e); err != nil {
		return published{}, err
	}
	info, err := u.complete(ctx, list, size)
	if err != nil {
		return published{}, err
	}
	sums, known, err := u.collect(ctx, list, size, e)
	if err != nil {
		return published{}, err
	}
	return publishedAs(to, info, sums, known, size), nil
}

// publishedAs puts a result together.
func publishedAs(to objectName, info objstore.Info, sums blockSums, known bool, size int64) published {
	p := published{objectName: to, object: meta.Object{ETag: info.ETag}}
	if known {
		p.sum, p.object = textOfSum(sums.whole(size)), sums.object(info.ETag)
	}
	return p
}

// halt ends sending ahead: what is queued is sent by publish like the rest.
func (u *upload) halt(size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.queue, u.total, u.halted = nil, size, u.opens
	for _, p := range u.parts {
		p.queued = false
	}
}

// settleFailure leaves things so that publish can be tried again after more changes. Parts whose numbers were made for this plan are of no use then.
func (u *upload) settleFailure() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.total = 0
	if !u.started || u.loose {
		u.forget(newLayout(u.first, u.f.remote.limits))
	}
}

// reset forgets what was sent.
func (u *upload) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.started = false
	u.forget(newLayout(u.first, u.f.remote.limits))
}

// plan says how the object is made; nil is in one piece. Once parts were sent ahead their layout stands, unless the file turned out to be small.
func (u *upload) plan(size int64, e *edit) []segment {
	u.mu.Lock()
	defer u.mu.Unlock()
	limits := u.f.remote.limits
	ahead := u.started && u.multi != nil && size > u.first && u.layout.index(size-1) < objstore.MaxParts
	if !ahead {
		l := u.layout
		if !u.fixed || l.index(max(size, 1)-1) >= objstore.MaxParts {
			l = layoutFor(size, u.first)
		}
		u.forget(l)
	}
	small := min(u.first, limits.MaxPut)
	if e != nil && e.whole {
		small = min(small, copyMin)
	}
	var list []segment
	switch {
	case size <= small:
		return nil
	case e == nil:
		list = u.layout.cut(size, 0, true, never)
	case !ahead:
		u.loose = true
		list = editPlan(size, u.first, limits, e.kept)
	case limits.EqualParts:
		list = u.layout.cut(size, 0, true, e.kept)
	default:
		list = u.layout.cut(size, min(copyAtOnce, limits.MaxCopy), true, e.kept)
	}
	for i := range list {
		list[i].epoch = u.epoch
	}
	return list
}

// copyMin is the size above which an object is copied by the store: that takes more calls than a small one is worth.
const copyMin = 1 << 20

// never is for a file that is all new.
func never(span) bool { return false }

// put publishes a small file in one call.
func (u *upload) put(ctx context.Context, to objectName, size int64, e *edit) (published, error) {
	if e != nil {
		if err := e.fill(ctx, span{0, size}); err != nil {
			return published{}, err
		}
	}
	var sums blockSums
	var err error
	if u.seq != nil {
		sums = u.seq.sums()
	} else if sums, err = u.sum(span{0, size}); err != nil {
		return published{}, err
	}
	u.publishing()
	info, err := u.f.putObject(ctx, to, io.NewSectionReader(u.file, 0, size), size)
	if err != nil {
		return published{}, err
	}
	return publishedAs(to, info, sums, true, size), nil
}

// publishing remembers that from now on the object may be there.
func (u *upload) publishing() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tried = true
}

// sendAll brings all segments to the store, in parallel. The first failure ends it.
func (u *upload) sendAll(ctx context.Context, list []segment, e *edit) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for _, s := range list {
		u.slots <- struct{}{} // comes free in time: every call of the store is bounded
		if ctx.Err() != nil {
			<-u.slots
			break
		}
		group.Go(func() {
			defer func() { <-u.slots }()
			if err := u.send(ctx, s, e); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// complete publishes the parts.
func (u *upload) complete(ctx context.Context, list []segment, size int64) (objstore.Info, error) {
	u.mu.Lock()
	multi := u.multi
	parts := make([]objstore.Part, 0, len(list))
	for _, s := range list {
		p := u.parts[s.number-1]
		if multi == nil || p == nil || !p.clean {
			u.mu.Unlock()
			return objstore.Info{}, fmt.Errorf("part %d: %w", s.number, objstore.ErrNotFound)
		}
		parts = append(parts, p.sent)
	}
	u.tried = true
	u.mu.Unlock()
	call, cancel := u.f.bound(ctx, size)
	defer cancel()
	info, err := multi.Complete(call, parts)
	if err == nil && info.Size != size {
		err = fmt.Errorf("the store has %d bytes of %d", info.Size, size)
	}
	if err != nil {
		return info, err
	}
	if err := u.f.db.FinishUpload(detach(ctx), multi.ID(), meta.Relaxed); err != nil {
		u.f.log.Warn("a completed upload stays on record as open; the next start ends it", "key", multi.Key(), "err", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.multi = nil
	return info, nil
}

// collect puts the sums of the object together; not known when those of the object before are not. Of a block that was cut in the middle the bytes are read.
func (u *upload) collect(ctx context.Context, list []segment, size int64, e *edit) (sums blockSums, known bool, err error) {
	if u.seq != nil {
		return u.seq.sums(), true, nil
	}
	for _, s := range list {
		u.mu.Lock()
		part := u.parts[s.number-1].sums
		u.mu.Unlock()
		if s.copied {
			if !e.summed {
				return blockSums{}, false, nil
			}
			if part, err = e.sumCopied(ctx, s.span); err != nil {
				return blockSums{}, false, err
			}
		}
		sums.append(part)
	}
	return sums, true, nil
}

// sumCopied are the sums of a range that was copied from the object.
func (e *edit) sumCopied(ctx context.Context, s span) (blockSums, error) {
	from, to := s.off/blockSize, blocksIn(s.end)
	if s.end%blockSize == 0 || s.end == e.size {
		return e.sums.slice(from, to), nil
	}
	var sums blockSums
	sums.append(e.sums.slice(from, to-1))
	rest, err := e.read(ctx, span{(to - 1) * blockSize, s.end})
	if err != nil {
		return blockSums{}, err
	}
	var last summer
	_, _ = last.Write(rest) // it never fails
	sums.append(last.sums())
	return sums, nil
}
