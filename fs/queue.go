package fs

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"tote/meta"
	"tote/objstore"
)

// queue sends what waits in staging to a remote store: closed files with Options.Writeback, and what a run with it has left. It tries for ever. The database
// is what survives a restart; the queue itself is only in memory.
type queue struct {
	f     *FS
	first time.Duration // pause after the first failure

	mu      sync.Mutex
	changed *sync.Cond
	items   map[int64]*item  // by version; guarded by mu, like all below
	files   map[string]*item // by the name of the staging file
	ready   []*item          // to be sent now, in this order
	closed  bool
	running int
	cancel  context.CancelFunc
	ctx     context.Context
	work    sync.WaitGroup
}

// item is one version that waits.
type item struct {
	version Version
	held    int64 // reserved in staging
	up      *upload
	file    *os.File
	layer   *source
	tries   int
	err     error              // of the last try
	stop    context.CancelFunc // of a try that is under way
	gone    bool               // another version has replaced it
}

// The pauses between tries to send a file. The store has tried for a while itself by then.
const (
	firstRetry = time.Second
	longRetry  = 10 * time.Second
)

func newQueue(f *FS) *queue {
	q := &queue{f: f, first: firstRetry, items: map[int64]*item{}, files: map[string]*item{}}
	q.changed = sync.NewCond(&q.mu)
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// add takes a version over, with what is reserved for its staging file.
func (q *queue) add(v Version, held int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.items[v.ID] != nil {
		q.f.staging.release(held)
		return
	}
	it := &item{version: v, held: held}
	q.items[v.ID], q.files[v.Staging] = it, it
	q.ready = append(q.ready, it)
	q.staff()
}

// resume takes over what an earlier run has left.
func (q *queue) resume(v Version) {
	var held int64
	if st, err := os.Stat(q.f.staging.path(v.Staging)); err == nil {
		held = st.Size()
	}
	q.f.staging.bytes.Add(held)
	q.add(v, held)
}

// staff starts goroutines for what is ready. The caller holds mu.
func (q *queue) staff() {
	for !q.closed && q.running < min(maxParallel, len(q.ready)) {
		q.running++
		q.work.Go(q.run)
	}
}

// run sends items until none is ready.
func (q *queue) run() {
	for {
		it, ctx := q.next()
		if it == nil {
			return
		}
		q.ended(it, q.f.guard("send", func() error { return q.send(ctx, it) }))
	}
}

// next takes the first item that is ready.
func (q *queue) next() (*item, context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) > 0 && !q.closed {
		it := q.ready[0]
		q.ready = q.ready[1:]
		if it.gone {
			continue
		}
		ctx, stop := context.WithCancel(q.ctx)
		it.stop = stop
		return it, ctx
	}
	q.running--
	return nil, nil
}

// ended draws conclusions from a try.
func (q *queue) ended(it *item, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it.stop()
	it.stop, it.err = nil, err
	switch {
	case err == nil, it.gone:
		q.leave(it)
	case q.closed:
	default:
		it.tries++
		pause := min(q.first<<min(it.tries-1, 10), longRetry)
		q.f.log.Warn("a closed file could not be sent to the store yet; it stays in staging and is tried again",
			"ino", it.version.Ino, "key", it.version.Key, "tries", it.tries, "err", err)
		time.AfterFunc(pause, func() { q.again(it) })
	}
}

// again has an item tried once more.
func (q *queue) again(it *item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !it.gone && !q.closed && it.stop == nil {
		q.ready = append(q.ready, it)
		q.staff()
	}
}

// leave forgets an item. The caller holds mu.
func (q *queue) leave(it *item) {
	if q.items[it.version.ID] != it {
		return
	}
	delete(q.items, it.version.ID)
	delete(q.files, it.version.Staging)
	q.f.staging.release(it.held)
	it.close(it.err == nil && !it.gone)
	q.changed.Broadcast()
}

// close lets go what a try has opened; used says that the version has the object.
func (it *item) close(used bool) {
	it.up.close(used)
	it.up = nil
	if it.file != nil {
		it.file.Close()
		it.file = nil
	}
	if it.layer != nil {
		it.layer.close()
		it.layer = nil
	}
}

// drop forgets the versions of staging files that nothing refers to any more.
func (q *queue) drop(names ...string) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, name := range names {
		it := q.files[name]
		if it == nil {
			continue
		}
		it.gone = true
		if it.stop != nil {
			it.stop() // the try ends soon, and leave follows
		} else {
			q.leave(it)
		}
	}
}

// send brings one version to the store and marks it as stored.
func (q *queue) send(ctx context.Context, it *item) error {
	f := q.f
	now, err := f.db.VersionByID(ctx, it.version.ID)
	if errors.Is(err, syscall.ENOENT) || err == nil && settled(now) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := q.open(ctx, it); err != nil {
		if errGone(err) {
			return f.sentBefore(ctx, it.version)
		}
		return err
	}
	var e *edit
	if it.layer != nil {
		e = it.layer.asEdit(f)
	}
	p, err := it.up.publish(ctx, it.version.Size, e)
	if err != nil {
		return err
	}
	row := meta.Stored{ID: it.version.ID, Key: p.key, Sum: p.sum, Object: p.object, Synced: true}
	if err := f.db.MarkStored(context.WithoutCancel(ctx), []meta.Stored{row}, meta.Relaxed); err != nil {
		return err
	}
	if e != nil {
		f.retire(ctx, e.key)
	}
	f.settler.trashLater(it.version.Staging)
	return nil
}

// retire has the object beneath a layer deleted after the grace: nothing refers to it any more.
func (f *FS) retire(ctx context.Context, key string) {
	due := f.Now().Add(f.opts.Grace).UnixNano()
	if err := f.db.AddIntent(context.WithoutCancel(ctx), key, due, meta.Relaxed); err != nil {
		f.log.Warn("an unused object stays until gc looks for orphans", "key", key, "err", err)
	}
}

// open opens the staging file and prepares its upload; both stay from one try to the next.
func (q *queue) open(ctx context.Context, it *item) error {
	if it.up != nil {
		return nil
	}
	f, v := q.f, it.version
	file, over, err := f.openStaged(ctx, v)
	if err != nil {
		return err
	}
	name := func(ctx context.Context) (objectName, error) {
		attr, err := f.db.GetAttr(ctx, v.Ino)
		if err != nil {
			return objectName{}, err
		}
		tenant, err := f.tenantName(ctx, attr.Tenant)
		f.keys.claim(v.Key)
		return objectName{guid: v.GUID, key: v.Key, facts: f.factsOf(ctx, v.Ino, tenant, v.GUID)}, err
	}
	up := f.newUpload(ctx, v.Ino, file, name)
	up.mu.Lock() // it is in the list of uploads already
	up.queued = true
	up.mu.Unlock()
	q.mu.Lock()
	it.up, it.layer = up, over
	if over == nil {
		it.file = file
	}
	q.mu.Unlock()
	if over == nil {
		up.expect(v.Size)
		up.wrote(0, v.Size)
	}
	return nil
}

// openStaged opens the bytes of a version that waits: a whole file, or a layer over an object and its file.
func (f *FS) openStaged(ctx context.Context, v Version) (*os.File, *source, error) {
	if v.State != meta.StateRedo {
		file, err := os.Open(f.staging.path(v.Staging))
		if err == nil {
			file, err = checkSize(file, v)
		}
		return file, nil, err
	}
	over, err := f.layered(ctx, v.ID)
	if err != nil {
		return nil, nil, err
	}
	if err := (&work{file: over.layer.file, size: v.Size}).stretch(); err != nil {
		over.close()
		return nil, nil, err
	}
	return over.layer.file, over, nil
}

// sentBefore is for a version whose staging file has gone: a crash came between sending it and the record of that.
func (f *FS) sentBefore(ctx context.Context, v Version) error {
	call, cancel := f.bound(ctx, 0)
	defer cancel()
	info, err := f.store.Stat(call, v.Key)
	if err == nil && info.Size != v.Size || errors.Is(err, objstore.ErrNotFound) {
		return &Error{Op: "send", Path: v.Key, Errno: syscall.EIO, Err: errors.New("the staging file of a closed file is missing; run tote fsck")}
	}
	if err != nil {
		return err
	}
	row := meta.Stored{ID: v.ID, Key: v.Key, Object: meta.Object{ETag: info.ETag}, Synced: true}
	return f.db.MarkStored(context.WithoutCancel(ctx), []meta.Stored{row}, meta.Relaxed)
}

// close ends the queue. What waits stays in staging and in the database.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.cancel()
	q.changed.Broadcast()
	q.mu.Unlock()
	q.work.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items {
		it.close(false)
	}
}

// room makes a writer wait for space in staging as long as what waits there is being sent.
func (q *queue) room(ctx context.Context, n int64) {
	s := q.f.staging
	if s.max <= 0 || s.bytes.Load()+n <= s.max {
		return
	}
	select {
	case q.f.remote.waiters <- struct{}{}:
		defer func() { <-q.f.remote.waiters }()
	default: // enough wait already: each keeps a request busy
		return
	}
	ctx, cancel := q.f.bound(ctx, 0)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.changed.Broadcast()
	})
	defer stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	for s.bytes.Load()+n > s.max && len(q.items) > 0 && !q.closed && ctx.Err() == nil {
		q.changed.Wait()
	}
}
