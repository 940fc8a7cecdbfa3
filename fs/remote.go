package fs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"tote/meta"
	"tote/objstore"
)

// remote is what the core keeps about a store that can't take over local files: bytes travel there in uploads. It is nil on the embedded store.
type remote struct {
	limits  objstore.Limits
	part    int64         // size of the first parts of an upload
	perFile int           // parts of one upload under way at the same time
	slots   chan struct{} // parts of all uploads under way
	waiters chan struct{} // writers that are held back because their upload lags
	bufs    *sync.Pool    // for checksums
	tasks   tasks

	mu      sync.Mutex
	uploads map[*upload]bool // under way; guarded by mu
}

const (
	defaultPart    = 8 << 20
	defaultPerFile = 4
	maxParallel    = 16
)

// newRemote looks at the store; nil when it takes over local files.
func newRemote(store objstore.Store, o Options) *remote {
	_, adopts := objstore.As[objstore.Adopter](store)
	_, lazy := objstore.As[objstore.LazyAdopter](store)
	if _, syncs := objstore.As[objstore.Syncer](store); adopts && lazy && syncs {
		return nil
	}
	r := &remote{
		limits: objstore.LimitsOf(store), perFile: o.Uploads, bufs: newSumBuffers(), uploads: map[*upload]bool{},
		slots: make(chan struct{}, maxParallel), waiters: make(chan struct{}, maxParallel), tasks: tasks{log: o.Logger},
	}
	r.part = max(roundUp(max(o.PartSize, r.limits.MinPart)), blockSize)
	r.part = max(min(r.part, roundDown(r.limits.MaxPart)), blockSize)
	return r
}

// add registers an upload under way.
func (r *remote) add(u *upload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uploads[u] = true
}

// remove ends add.
func (r *remote) remove(u *upload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.uploads, u)
}

// running lists the uploads under way.
func (r *remote) running() []*upload {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*upload, 0, len(r.uploads))
	for u := range r.uploads {
		list = append(list, u)
	}
	return list
}

// bound gives one call of the store, which moves n bytes, its deadline: Options.StoreTimeout and a second for every MiB, or that of the client behind a
// detached context where it is earlier.
func (f *FS) bound(ctx context.Context, n int64) (context.Context, context.CancelFunc) {
	limit := time.Now().Add(f.opts.StoreTimeout + time.Duration(n>>20)*time.Second)
	d, ok := ctx.(detached)
	if !ok {
		return context.WithDeadline(ctx, limit)
	}
	if !d.limit.IsZero() && d.limit.Before(limit) {
		limit = d.limit
	}
	return context.WithDeadline(d.Context, limit)
}

// putObject publishes a small object at once.
func (f *FS) putObject(ctx context.Context, to objectName, body io.Reader, size int64) (objstore.Info, error) {
	ctx, cancel := f.bound(ctx, size)
	defer cancel()
	if d, ok := objstore.As[objstore.Describer](f.store); ok && len(to.facts) > 0 {
		return d.PutDescribed(ctx, to.key, body, size, to.facts)
	}
	return f.store.Put(ctx, to.key, body, size)
}

// beginUpload begins a multipart upload and puts it on record, so that whatever happens now it will be ended.
func (f *FS) beginUpload(ctx context.Context, to objectName, ino Ino) (objstore.Upload, error) {
	multi, err := f.newMulti(ctx, to)
	if err != nil {
		return nil, err
	}
	row := meta.Upload{ID: multi.ID(), Key: to.key, Ino: ino}
	if err := f.db.BeginUpload(detach(ctx), row, meta.Relaxed); err != nil {
		return nil, errors.Join(err, f.endUpload(ctx, multi))
	}
	return multi, nil
}

func (f *FS) newMulti(ctx context.Context, to objectName) (objstore.Upload, error) {
	ctx, cancel := f.bound(ctx, 0)
	defer cancel()
	if d, ok := objstore.As[objstore.Describer](f.store); ok && len(to.facts) > 0 {
		return d.NewUploadDescribed(ctx, to.key, to.facts)
	}
	return f.store.NewUpload(ctx, to.key)
}

// endUpload gives a multipart upload up and takes it off the record. If that fails the record stays, for the garbage collection or the next start.
func (f *FS) endUpload(ctx context.Context, multi objstore.Upload) error {
	call, cancel := f.bound(ctx, 0)
	defer cancel()
	if err := multi.Abort(call); err != nil && !errors.Is(err, objstore.ErrNotFound) {
		return err
	}
	return f.db.ForgetUpload(detach(ctx), multi.ID(), meta.Relaxed)
}

// objectName is where an object goes.
type objectName struct {
	guid, key string
	facts     map[string]string // kept beside the object by stores that can
}

// tasks are goroutines that nobody waits for until the core is closed.
type tasks struct {
	log    *slog.Logger
	mu     sync.Mutex
	ctx    context.Context // guarded by mu; nil once closed
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// open allows tasks; their context gives values only.
func (t *tasks) open(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
}

// run starts a task; once the core is closing it does nothing, and what the task would have done is left to the next start.
func (t *tasks) run(fn func(context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx := t.ctx; ctx != nil {
		t.group.Go(func() {
			_ = Guard(t.log, "task", func() error { fn(ctx); return nil }) // a panic is in the log
		})
	}
}

// close gives running tasks until ctx ends, then cancels them.
func (t *tasks) close(ctx context.Context) {
	t.mu.Lock()
	t.ctx = nil
	cancel := t.cancel
	t.mu.Unlock()
	if cancel == nil {
		return
	}
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	t.group.Wait()
	cancel()
}
