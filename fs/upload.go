package fs

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"tote/objstore"
)

// upload brings one local file into a remote store as one object. Parts are sent while the file is still being written: the writer says what it is
// about to change and what it has written, and a part goes out as soon as all its bytes were there once. What changes after that goes out again before
// the end. publish sends the rest. A file that never was longer than the first part is one Put, and costs the database nothing.
//
// A writer calls change before and wrote after it has changed the file; cut after it has made it shorter. Nobody writes while publish runs. Each
// upload ends with close. A nil upload, of a store that needs none, takes these calls and does nothing.
type upload struct {
	f      *FS
	ino    Ino
	file   io.ReaderAt
	first  int64                         // size of the first part
	seq    *summer                       // sums of a file that is written from start to end; nil: parts are read for their sums
	sum    func(span) (blockSums, error) // of the local file
	slots  chan struct{}                 // parts of this upload under way
	queued bool                          // of a file that waits in staging
	ctx    context.Context               // of what is sent while the file is written
	stop   context.CancelFunc
	work   sync.WaitGroup

	naming sync.Mutex // held while the key is chosen; before mu

	mu      sync.Mutex
	ended   *sync.Cond                                // something that others wait for has ended; uses mu
	name    func(context.Context) (objectName, error) // chooses the key when it is needed; guarded by mu, like all below
	to      objectName
	named   bool
	tried   bool // the object may be there although nobody said so
	closed  bool
	multi   objstore.Upload // nil before the first part
	opening bool            // multi is being begun
	opens   int             // how often that was tried
	halted  int             // of these before publish
	openErr error           // of the last time that failed
	layout  layout
	fixed   bool // the layout is for a length that was announced
	loose   bool // the numbers of the parts are not those of the layout
	started bool // parts are sent while the file is written
	size    int64
	written ranges
	epoch   int           // counts the layouts
	parts   map[int]*part // by index
	queue   []int         // parts to send
	running int           // goroutines that send them
	paused  time.Time     // until then nothing is sent, because it failed
	pause   time.Duration // doubles with every failure
	failed  error         // no use to try again
	total   int64         // bytes that publish has to bring there; 0 before
}

// part is one part of an upload.
type part struct {
	span
	gen    int // counts the changes
	queued bool
	busy   bool // being sent
	clean  bool // sent, and not changed since
	copied bool
	sent   objstore.Part
	sums   blockSums
}

// newUpload prepares the upload of a file. ctx gives values only.
func (f *FS) newUpload(ctx context.Context, ino Ino, file io.ReaderAt, name func(context.Context) (objectName, error)) *upload {
	u := &upload{f: f, ino: ino, file: file, name: name, first: f.remote.part, slots: make(chan struct{}, f.remote.perFile)}
	u.ctx, u.stop = context.WithCancel(context.WithoutCancel(ctx))
	u.ended = sync.NewCond(&u.mu)
	u.sum = func(at span) (blockSums, error) { return sumRange(file, at, f.remote.bufs) }
	u.layout = newLayout(u.first, f.remote.limits)
	u.parts = map[int]*part{}
	f.remote.add(u)
	return u
}

// expect announces the length of the file before the first byte.
func (u *upload) expect(size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.multi == nil && !u.started && size > 0 {
		u.layout, u.fixed = layoutFor(size, u.first), true
	}
}

// change says that the bytes [off, end) are about to be changed: parts of them that were sent, or are being sent, count no more.
func (u *upload) change(off, end int64) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.parts) == 0 || off >= end {
		return
	}
	for i := u.layout.index(off); i <= u.layout.index(end-1); i++ {
		if p := u.parts[i]; p != nil {
			p.gen++
			p.clean = false
		}
	}
}

// cut says that the file was made shorter.
func (u *upload) cut(size int64) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.written.cut(size)
	u.size = min(u.size, size)
	for i, p := range u.parts {
		if p.end <= size {
			continue
		}
		p.gen++
		p.clean = false
		if p.off >= size && !p.busy && !p.queued {
			delete(u.parts, i)
		}
	}
}

// wrote says that the bytes [off, end) were written. Parts that are complete now go out.
func (u *upload) wrote(off, end int64) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.written.add(off, end)
	u.size = max(u.size, end)
	if u.failed != nil || u.closed || u.size <= u.layout.first && !u.started {
		return
	}
	if !u.started {
		u.started = true
		off, end = 0, u.size
	}
	u.offer(off, end)
	u.staff()
}

// offer queues the parts in [off, end) that are complete and were never sent. The caller holds mu.
func (u *upload) offer(off, end int64) {
	for i := u.layout.index(off); i <= u.layout.index(end-1); i++ {
		if i >= objstore.MaxParts {
			u.outgrown()
			return
		}
		at := u.layout.part(i)
		if u.parts[i] == nil && u.written.covers(at.off, at.end) {
			u.parts[i] = &part{span: at, queued: true}
			u.queue = append(u.queue, i)
		}
	}
}

// outgrown begins again with larger parts, once, when there are no numbers left for parts of the size that the store wants them all to have. The file has
// all bytes. The caller holds mu.
func (u *upload) outgrown() {
	larger := layoutFor(maxObject, u.first)
	if larger.first <= u.layout.first {
		return // publish will say so
	}
	u.forget(larger)
	u.offer(0, u.size)
}

// forget drops all that was sent, for a new beginning with another layout. The caller holds mu.
func (u *upload) forget(l layout) {
	if old := u.multi; old != nil {
		u.f.remote.tasks.run(func(ctx context.Context) { u.f.dropUpload(ctx, old) })
	}
	u.multi, u.layout = nil, l
	u.parts, u.queue = map[int]*part{}, nil
	u.epoch++
	u.loose = false
	u.ended.Broadcast()
}

// dropUpload is endUpload when nobody waits for it.
func (f *FS) dropUpload(ctx context.Context, multi objstore.Upload) {
	if err := f.endUpload(ctx, multi); err != nil {
		f.log.Warn("an upload that is not needed could not be ended; the next start or tote gc tries again", "key", multi.Key(), "err", err)
	}
}

// retarget has the object go to another key.
func (u *upload) retarget(name func(context.Context) (objectName, error)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.opening { // with the name before
		u.ended.Wait()
	}
	u.name = name
	if !u.named {
		return
	}
	u.leaveName()
	u.forget(u.layout)
	if u.started {
		u.offer(0, u.size)
		u.staff()
	}
}

// leaveName gives the key up. What may be there under it goes later. The caller holds mu.
func (u *upload) leaveName() {
	if !u.named {
		return
	}
	if u.tried {
		u.f.abandon(u.ctx, u.to.key)
	}
	u.f.keys.release(u.to.key)
	u.named, u.tried = false, false
}

// close ends the upload; used says that a version has the object. What was begun is dropped in the background.
func (u *upload) close(used bool) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	u.closed = true
	u.stop()
	multi := u.multi
	u.multi = nil
	if used {
		u.tried = false
	}
	u.ended.Broadcast()
	u.f.remote.remove(u)
	if multi == nil && u.running == 0 {
		u.leaveName()
		return
	}
	u.f.remote.tasks.run(func(ctx context.Context) {
		u.work.Wait()
		if multi != nil {
			u.f.dropUpload(ctx, multi)
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.leaveName()
	})
}

// idle tells whether nothing reads the file after close.
func (u *upload) idle() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.closed && !u.started && u.running == 0
}

// wait holds a writer back that is far ahead of its upload, so that a close does not have to send it all. It is for at most a few writers at a time: those
// who wait keep a request busy.
func (u *upload) wait(ctx context.Context) {
	if !u.lags() {
		return
	}
	select {
	case u.f.remote.waiters <- struct{}{}:
		defer func() { <-u.f.remote.waiters }()
	default:
		return
	}
	ctx, cancel := u.f.bound(ctx, 0)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.ended.Broadcast()
	})
	defer stop()
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.lagging() && ctx.Err() == nil {
		u.ended.Wait()
	}
}

// maxLag is how many complete parts may wait to be sent before the writer does.
const maxLag = 16

func (u *upload) lags() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lagging()
}

// lagging is lags for a caller with mu. While sending fails nobody waits: the bytes are safe in the file.
func (u *upload) lagging() bool {
	return len(u.queue) > maxLag && u.pause == 0 && !u.closed && u.failed == nil
}

// broken is an error that sending again won't mend.
func broken(err error) bool {
	for _, e := range []error{objstore.ErrDenied, objstore.ErrNoSpace, objstore.ErrKey} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// err is why the object can never be published, nil while it can.
func (u *upload) err() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failed
}
