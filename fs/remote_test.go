package fs

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tote/meta"
	"tote/objstore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

// far is a core over a store that can't take over files, behind a fault plan, with parts of 1 MiB.
type far struct {
	*core
	fault *storetest.Fault
	mem   *limited
}

// limited is a store in memory with limits of the test's choice, that watches how it is used.
type limited struct {
	*memstore.Store
	limits objstore.Limits

	now, most atomic.Int64 // parts under way
	sent      atomic.Int64 // bytes of parts and objects that were received
	read      atomic.Int64 // bytes that were asked for
	copied    atomic.Int64
	mu        sync.Mutex
	sizes     map[int]int64 // of parts, by number; guarded by mu
}

func (l *limited) Limits() objstore.Limits { return l.limits }

func (l *limited) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if info, err := l.Stat(ctx, key); err == nil && n < 0 {
		l.read.Add(info.Size - off)
	}
	l.read.Add(max(n, 0))
	return l.Store.Get(ctx, key, off, n)
}

func (l *limited) GetMatch(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error) {
	l.read.Add(max(n, 0))
	return l.Store.GetMatch(ctx, key, etag, off, n)
}

func (l *limited) Put(ctx context.Context, key string, r io.Reader, size int64) (objstore.Info, error) {
	l.sent.Add(size)
	return l.Store.Put(ctx, key, r, size)
}

func (l *limited) PutDescribed(ctx context.Context, key string, r io.Reader, size int64, facts map[string]string) (objstore.Info, error) {
	l.sent.Add(size)
	return l.Store.PutDescribed(ctx, key, r, size, facts)
}

func (l *limited) NewUploadDescribed(ctx context.Context, key string, facts map[string]string) (objstore.Upload, error) {
	u, err := l.Store.NewUploadDescribed(ctx, key, facts)
	return &watchedUpload{u, l}, err
}

func (l *limited) NewUpload(ctx context.Context, key string) (objstore.Upload, error) {
	u, err := l.Store.NewUpload(ctx, key)
	return &watchedUpload{u, l}, err
}

type watchedUpload struct {
	objstore.Upload
	l *limited
}

func (u *watchedUpload) Part(ctx context.Context, number int, r io.Reader, size int64) (objstore.Part, error) {
	l := u.l
	now := l.now.Add(1)
	defer l.now.Add(-1)
	for most := l.most.Load(); now > most && !l.most.CompareAndSwap(most, now); most = l.most.Load() {
	}
	l.sent.Add(size)
	l.mu.Lock()
	l.sizes[number] = size
	l.mu.Unlock()
	return u.Upload.Part(ctx, number, r, size)
}

func (u *watchedUpload) CopyPart(ctx context.Context, number int, src string, off, n int64) (objstore.Part, error) {
	u.l.copied.Add(n)
	return u.Upload.CopyPart(ctx, number, src, off, n)
}

func newLimited() *limited {
	return &limited{Store: memstore.New(), sizes: map[int]int64{}, limits: objstore.Limits{
		MinPart: mib, MaxPart: 5 << 30, MaxPut: 5 << 30, MinCopy: 1, MaxCopy: 5 << 30,
	}}
}

// newFar opens a core over a fresh store in memory.
func newFar(t testing.TB, change ...func(*Options)) *far {
	t.Helper()
	return openFar(t, t.TempDir(), newLimited(), change...)
}

// openFar opens a core over dir and a store in memory.
func openFar(t testing.TB, dir string, mem *limited, change ...func(*Options)) *far {
	t.Helper()
	ctx := context.Background()
	db, err := meta.Open(ctx, filepath.Join(dir, "tote.db"), meta.Options{NoSync: true})
	ok(t, err)
	must(db.EnsureTenant(ctx, "rdp", 0o755, 0, 0, meta.Durable))(t)
	o := Options{Staging: filepath.Join(dir, "staging"), Settle: time.Hour, Logger: quiet(), PartSize: mib}
	for _, fn := range change {
		fn(&o)
	}
	fault := storetest.NewFault(mem)
	f, err := Open(ctx, db, fault, o)
	ok(t, err)
	f.queue.first = time.Millisecond
	c := &core{FS: f, t: t, dir: dir, store: fault, db: db}
	c.mount = &Actor{Tenant: "rdp", Mount: true, Origin: originMount}
	c.dav = System("rdp", "dav")
	t.Cleanup(c.close)
	return &far{core: c, fault: fault, mem: mem}
}

// noUploads fails the test when an upload is left open in the store or on record.
func (c *far) noUploads() {
	c.t.Helper()
	c.remote.tasks.group.Wait()
	if open := c.openUploads(); len(open) != 0 {
		c.t.Errorf("open uploads: %+v", open)
	}
	if rows := must(c.db.Uploads(context.Background(), false))(c.t); len(rows) != 0 {
		c.t.Errorf("uploads on record: %+v", rows)
	}
}

func (c *far) openUploads() (open []objstore.UploadInfo) {
	for info, err := range c.mem.Uploads(context.Background()) {
		ok(c.t, err)
		open = append(open, info)
	}
	return open
}

// eventually waits for something that another goroutine does.
func (c *core) eventually(what string, done func() bool) {
	c.t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatal("it never came to pass: ", what)
		}
	}
}

// putBytes writes a file like an HTTP face, in pieces.
func (c *core) putBytes(path string, data []byte) error {
	w, err := c.NewWriter(c.t.Context(), c.dav, Target{Path: path})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.ReadFrom(bytes.NewReader(data)); err != nil {
		return err
	}
	_, _, err = w.Commit(c.t.Context(), CommitOptions{ExpectSize: int64(len(data))})
	return err
}

// holds fails the test when a file has other bytes, or other sums.
func (c *far) holds(path string, want []byte) {
	c.t.Helper()
	got, err := c.slurp(path)
	if err != nil || got != string(want) {
		c.t.Errorf("%s: %d bytes, want %d (equal: %v), %v", path, len(got), len(want), got == string(want), err)
	}
	info := must(c.Stat(c.t.Context(), c.dav, path))(c.t)
	v := must(c.db.CurrentVersion(c.t.Context(), info.Ino()))(c.t)
	if v.State != meta.StateStored || v.Size == 0 {
		return
	}
	o := must(c.db.Object(c.t.Context(), v.ID))(c.t)
	stat := must(c.mem.Stat(c.t.Context(), v.Key))(c.t)
	sums := must(sumRange(bytes.NewReader(want), span{0, int64(len(want))}, newSumBuffers()))(c.t)
	if v.Sum != textOfSum(sums.whole(v.Size)) || !bytes.Equal(o.Blocks, sums.crc32) || o.ETag != stat.ETag {
		c.t.Errorf("%s: sum %s, tag %q of %q, blocks match: %v", path, v.Sum, o.ETag, stat.ETag, bytes.Equal(o.Blocks, sums.crc32))
	}
	if s, known := sumsOf(v, o); !known || !bytes.Equal(s.crc64, sums.crc64) {
		c.t.Errorf("%s: the sums of the blocks are not right", path)
	}
}

// sound runs the checks that must hold at the end of every story.
func (c *far) sound() {
	c.t.Helper()
	ok(c.t, c.settler.settle(context.Background())) // drops what was sent from staging
	c.remote.tasks.group.Wait()
	c.fsckClean()
	c.noUploads()
	c.noOrphans()
	if names := must(c.staging.names())(c.t); len(names) != 0 {
		c.t.Errorf("left in staging: %v", names)
	}
}
