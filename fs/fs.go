package fs

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tote/meta"
	"tote/objstore"
)

// Options configure the core. Zero values take the defaults named here.
type Options struct {
	Staging    string           // directory for unpublished bytes; required, on the store's file system for cheap publishing
	Now        func() time.Time // time.Now
	Logger     *slog.Logger     // slog.Default()
	UID, GID   uint32           // owner of what HTTP faces create
	FileMode   uint32           // permission bits of files made by HTTP faces, 0644
	DirMode    uint32           // and of directories, 0755
	StagingMax int64            // bytes that staging may hold before writers get ENOSPC; 0 = what the disk has
	ReadOnly   bool             // every change is refused with EROFS
	Grace      time.Duration    // how long replaced objects stay, 10 minutes
	Settle     time.Duration    // how often lazily published objects are made durable, 10 seconds

	// For stores that can't take over local files.
	PartSize     int64         // size of the first parts of an upload, 8 MiB; they grow with the file
	Uploads      int           // parts of one file under way at the same time, 4
	Cache        Cache         // reads objects; nil: the store is asked directly, and only lengths are checked
	Writeback    bool          // close and fsync on the mount wait for the local disk only; the bytes are sent later
	StoreTimeout time.Duration // how long one call of the store may take, 5 minutes, and a second more for every MiB
}

// FS is the file system: every rule about files lives in its methods. They may be called from any goroutine.
//
// doc.go says in which order locks are taken.
type FS struct {
	db        *meta.DB
	store     objstore.Store
	remote    *remote // nil: the store takes over local files
	queue     *queue  // nil without remote
	dirs      dirPaths
	opts      Options
	log       *slog.Logger
	staging   *staging
	pieces    *pieces
	hashers   chan struct{} // slots of sideHash
	buffers   sync.Pool     // of *[copyBuffer]byte, for bodies
	table     *openTable
	sources   *sourceTable
	events    broker
	settler   *settler
	lingering lingerers
	departed  departed
	applying  applyLocks
	commits   atomic.Uint64 // by the mount, so far
	thaws     bool          // a published file can be given to a writer on the mount (view.thaw)
	tenants   sync.Map      // name -> meta.Tenant, and id -> name
	keys      keyGuard
	copyMu    sync.Mutex
	copies    []unfinished  // guarded by copyMu
	lockMu    sync.Mutex    // looks for locks and new ones, one at a time
	noLocks   sync.Map      // ids of tenants that have no WebDAV lock, so that writers need not look
	patience  time.Duration // how long a writer on the mount waits for slow readers of other faces
	stop      context.CancelFunc
	work      sync.WaitGroup
}

// Open starts the core over a metadata database and an object store: it ends what a crash left half done and drops what was never
// committed. The caller closes the core before db.
func Open(ctx context.Context, db *meta.DB, store objstore.Store, opts Options) (*FS, error) {
	opts = opts.withDefaults()
	if opts.Staging == "" {
		return nil, errors.New("the core needs a staging directory")
	}
	dir, err := filepath.Abs(opts.Staging)
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	f := &FS{db: db, store: store, opts: opts, log: opts.Logger}
	f.remote = newRemote(store, opts)
	f.hashers = make(chan struct{}, runtime.NumCPU())
	f.buffers.New = func() any { return new([copyBuffer]byte) }
	f.staging = newStaging(dir, opts.StagingMax)
	if f.remote != nil {
		f.queue = newQueue(f)
	}
	f.table = newOpenTable()
	f.sources = newSourceTable()
	f.settler = newSettler(f)
	f.thaws = f.canThaw()
	f.patience = swapPatience
	if err := errors.Join(f.recover(ctx), f.openPieces()); err != nil {
		return nil, err
	}
	return f, f.begin(ctx)
}

// begin starts what the core does by itself.
func (f *FS) begin(ctx context.Context) error {
	left, err := f.db.Uploads(ctx, false)
	if err != nil {
		return err
	}
	staged, redos, err := f.db.Pending(ctx)
	if err != nil {
		return err
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = cancel
	f.work.Go(func() { f.settler.run(run) })
	if f.remote == nil {
		f.work.Go(func() { f.sumLoop(run) })
		return nil
	}
	f.remote.tasks.open(ctx)
	f.remote.tasks.run(func(ctx context.Context) { f.endLeftUploads(ctx, left) })
	for _, v := range staged {
		f.queue.resume(v)
	}
	for _, r := range redos {
		f.queue.resume(r.Version)
	}
	return nil
}

// canThaw tells whether objects are files on the file system of the staging directory, so that they can have a name there too.
func (f *FS) canThaw() bool {
	finder, ok := objstore.As[objstore.PathFinder](f.store)
	if !ok {
		return false
	}
	path, err := finder.Path("probe")
	for err == nil {
		var a, b unix.Stat_t
		if err = unix.Stat(path, &a); err == nil {
			return unix.Stat(f.staging.dir, &b) == nil && a.Dev == b.Dev
		}
		if path == "/" || !errors.Is(err, os.ErrNotExist) {
			return false
		}
		path, err = filepath.Dir(path), nil
	}
	return false
}

// makeDir makes a private directory whose name survives power loss.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.FileMode == 0 {
		o.FileMode = 0o644
	}
	if o.DirMode == 0 {
		o.DirMode = 0o755
	}
	if o.Grace == 0 {
		o.Grace = 10 * time.Minute
	}
	if o.Settle == 0 {
		o.Settle = 10 * time.Second
	}
	if o.PartSize == 0 {
		o.PartSize = defaultPart
	}
	if o.Uploads == 0 {
		o.Uploads = defaultPerFile
	}
	if o.StoreTimeout == 0 {
		o.StoreTimeout = 5 * time.Minute
	}
	return o
}

// closePatience is how long Close waits for the store to forget what nobody needs. What it has not forgotten then is left to the next start.
const closePatience = 10 * time.Second

// Close commits nothing that was not closed or synced; it makes what was committed durable and stops the core's goroutines.
func (f *FS) Close(ctx context.Context) error {
	f.stop()
	f.work.Wait()
	f.endAllLingering()
	if f.remote != nil {
		f.queue.close()
		ctx, cancel := context.WithTimeout(ctx, closePatience)
		defer cancel()
		f.remote.tasks.close(ctx)
	}
	f.staging.close()
	return errors.Join(f.settler.settle(ctx), f.db.Flush(ctx))
}

// Remote tells whether the store is one that can't take over local files: what is written passes through the core, which sends it there.
func (f *FS) Remote() bool { return f.remote != nil }

// Now is the core's clock.
func (f *FS) Now() time.Time { return f.opts.Now() }

// detached is the context of a mutation: a signal to the client can't cancel it half way (a Go client interrupts itself with SIGURG). The
// client's deadline is kept for calls of the store.
type detached struct {
	context.Context
	limit time.Time
}

// detach makes a detached context.
func detach(ctx context.Context) context.Context {
	if d, ok := ctx.(detached); ok {
		return d
	}
	limit, _ := ctx.Deadline()
	return detached{context.WithoutCancel(ctx), limit}
}

// tenant finds the actor's tenant.
func (f *FS) tenant(ctx context.Context, a *Actor) (meta.Tenant, error) {
	if t, ok := f.tenants.Load(a.Tenant); ok {
		return t.(meta.Tenant), nil
	}
	t, err := f.db.TenantByName(ctx, a.Tenant)
	if err != nil {
		return meta.Tenant{}, err
	}
	f.tenants.Store(a.Tenant, t)
	return t, nil
}

// tenantName is the name of the tenant numbered id.
func (f *FS) tenantName(ctx context.Context, id int64) (string, error) {
	if name, ok := f.tenants.Load(id); ok {
		return name.(string), nil
	}
	all, err := f.db.Tenants(ctx)
	if err != nil {
		return "", err
	}
	for _, t := range all {
		f.tenants.Store(t.ID, t.Name)
		if t.ID == id {
			return t.Name, nil
		}
	}
	return "", syscall.EIO
}

// owner is who owns what the actor creates.
func (f *FS) owner(a *Actor) (uid, gid uint32) {
	if a.Mount {
		return a.UID, a.GID
	}
	uid, gid = a.UID, a.GID
	if uid == 0 {
		uid = f.opts.UID
	}
	if gid == 0 {
		gid = f.opts.GID
	}
	return uid, gid
}
