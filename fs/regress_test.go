package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"tote/meta"
	"tote/objstore"
	"tote/objstore/filestore"
	"tote/objstore/memstore"
	"tote/objstore/storetest"
)

// regressCore is openCore with options of the database and a store of the caller's.
func regressCore(t testing.TB, dir string, mo meta.Options, store objstore.Store, so filestore.Options) *core {
	t.Helper()
	ctx := context.Background()
	db, err := meta.Open(ctx, filepath.Join(dir, "tote.db"), mo)
	ok(t, err)
	must(db.EnsureTenant(ctx, "rdp", 0o755, 0, 0, meta.Durable))(t)
	if store == nil {
		store = must(filestore.New(filepath.Join(dir, "objects"), so))(t)
	}
	f, err := Open(ctx, db, store, Options{Staging: filepath.Join(dir, "staging"), Settle: time.Hour, Logger: quiet()})
	ok(t, err)
	c := &core{FS: f, t: t, dir: dir, store: store, db: db}
	c.mount = &Actor{Tenant: "rdp", Mount: true, Origin: originMount}
	c.dav = System("rdp", "dav")
	t.Cleanup(c.close)
	return c
}

// faultCore is a core on the embedded store behind a fault plan.
func faultCore(t testing.TB, dir string) (*core, *storetest.Fault) {
	t.Helper()
	f := storetest.NewFault(must(filestore.New(filepath.Join(dir, "objects"), filestore.Options{NoSync: true}))(t))
	return regressCore(t, dir, meta.Options{NoSync: true}, f, filestore.Options{}), f
}

// drop ends a core like kill -9 does and opens nothing.
func (c *core) drop() {
	c.stop()
	c.work.Wait()
	ok(c.t, c.db.Close())
	c.db = nil
}

// slurp reads a file like an HTTP face, errors included.
func (c *core) slurp(path string) (string, error) {
	r, err := c.OpenReader(c.t.Context(), c.dav, path)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// hookStore is a store of the embedded kind that calls back before chosen calls.
type hookStore struct {
	*filestore.Store
	onAdopt func()
	onGet   func()
}

func (h *hookStore) Adopt(ctx context.Context, key, path string) (objstore.Info, error) {
	if fn := h.onAdopt; fn != nil {
		h.onAdopt = nil
		fn()
	}
	return h.Store.Adopt(ctx, key, path)
}

func (h *hookStore) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	r, err := h.Store.Get(ctx, key, off, n)
	if fn := h.onGet; fn != nil {
		h.onGet = nil
		fn()
	}
	return r, err
}

// dirtyPages asks cachestat(2) how many pages of a file are not on disk.
func dirtyPages(t testing.TB, file *os.File) uint64 {
	t.Helper()
	return dirtyIn(t, file, 0, 0)
}

// dirtyIn is dirtyPages of n bytes from off; to the end with 0. A page counts when any of the folio that it belongs to is not on the disk.
func dirtyIn(t testing.TB, file *os.File, off, n uint64) uint64 {
	t.Helper()
	rng := [2]uint64{off, n}
	var cs [5]uint64
	_, _, e := syscall.Syscall6(451, file.Fd(), uintptr(unsafe.Pointer(&rng)), uintptr(unsafe.Pointer(&cs)), 0, 0, 0)
	if e != 0 {
		t.Skip("no cachestat: ", e)
	}
	return cs[1] + cs[2]
}

// TestRegressWriteDuringCommitIsForgotten guards against a defect: work.mark runs after the commit (view.seal, view.snapshot): it stamps the file as it is then and
// resets its time, so a write of the kernel between work.state and mark counts as committed. The version lacks it, close returns 0.
func TestRegressWriteDuringCommitIsForgotten(t *testing.T) {
	for _, mode := range []string{"sync", "snapshot"} {
		t.Run(mode, func(t *testing.T) {
			var hook func()
			now := func() time.Time {
				if fn := hook; fn != nil {
					hook = nil
					fn()
				}
				return time.Now()
			}
			c := regressCore(t, t.TempDir(), meta.Options{NoSync: true, Now: now}, nil, filestore.Options{NoSync: true})
			h := c.create("log")
			c.write(h, 0, "one ")
			if mode == "snapshot" {
				ok(t, h.Flush(t.Context()))
			}
			hook = func() { c.write(h, 4, "two") }
			if mode == "snapshot" {
				c.get("/log")
			} else {
				ok(t, h.Sync(t.Context(), false))
			}
			ok(t, h.Flush(t.Context())) // close(2)
			h.Release()
			if got := c.get("/log"); got != "one two" {
				t.Errorf("after close: %q", got)
			}
		})
	}
}

// TestRegressRecoverDeletesStagedBytesWhenAdoptFails guards against a defect: recoverStaged ignores that settler.publish failed, so the name is not in keep and
// dropLeftovers deletes the only copy of a closed (here fsynced) file.
func TestRegressRecoverDeletesStagedBytesWhenAdoptFails(t *testing.T) {
	dir := t.TempDir()
	c := openCore(t, dir, nil)
	h := c.create("a")
	c.write(h, 0, "precious")
	ok(t, h.Sync(t.Context(), false))
	c.drop()
	fault := storetest.NewFault(must(filestore.New(filepath.Join(dir, "objects"), filestore.Options{NoSync: true}))(t),
		storetest.Rule{Op: "adoptlazy", Do: storetest.Fail(syscall.ENOSPC)})
	c = regressCore(t, dir, meta.Options{NoSync: true}, fault, filestore.Options{})
	fault.Clear()
	if got, err := c.slurp("/a"); got != "precious" {
		t.Errorf("after a start with a full disk: %q, %v", got, err)
	}
}

// TestRegressRedoOnStagedBaseDestroysIt guards against a defect: redoPays does not ask whether the base ever reached the store. When publishing failed, the bytes are
// in staging: the redo commit retires them, commitRedo discards the file, and applyRedo finds no object.
func TestRegressRedoOnStagedBaseDestroysIt(t *testing.T) {
	c, fault := faultCore(t, t.TempDir())
	text := strings.Repeat("abcdefgh", 1<<16)
	h := c.create("big")
	c.write(h, 0, text)
	ok(t, h.Sync(t.Context(), false))
	fault.Add(storetest.Rule{Op: "adoptlazy", Do: storetest.Fail(syscall.ENOSPC)})
	h.Release()
	if got, err := c.slurp("/big"); got != text {
		t.Fatal("before: ", err)
	}
	h = c.open("/big", os.O_RDWR)
	c.write(h, 1000, "EDIT")
	t.Log("flush: ", h.Flush(t.Context()))
	h.Release()
	fault.Clear()
	got, err := c.slurp("/big")
	if got != text && got != text[:1000]+"EDIT"+text[1004:] {
		t.Errorf("neither old nor new: %d bytes, %v", len(got), err)
	}
}

// TestRegressSecondEditAfterFailedRedoLosesFile guards against a defect: After applyRedo failed, the view goes on as if it had been applied. The next edit takes the
// never made key as BaseKey, deletes the first record and plans to delete the only object.
func TestRegressSecondEditAfterFailedRedoLosesFile(t *testing.T) {
	c, fault := faultCore(t, t.TempDir())
	text := strings.Repeat("abcdefgh", 1<<16)
	c.put("/big", text)
	h := c.open("/big", os.O_RDWR)
	c.write(h, 1000, "EDIT")
	fault.Add(storetest.Rule{Op: "rename", Nth: 1, Do: storetest.Fail(syscall.EIO)})
	if err := h.Sync(t.Context(), false); err == nil {
		t.Fatal("no error")
	}
	c.write(h, 1000, "EDIT") // the program tries again
	t.Log("second fsync: ", h.Sync(t.Context(), false))
	t.Log("third fsync: ", h.Sync(t.Context(), false))
	h.Release()
	_, err := c.GC(t.Context(), true)
	t.Log("gc: ", err)
	got, err := c.slurp("/big")
	if got != text && got != text[:1000]+"EDIT"+text[1004:] {
		t.Errorf("neither old nor new: %d bytes, %v", len(got), err)
	}
}

// TestRegressFsyncOfTmpfileDoesNothing guards against a defect: view.commit returns at once for an orphan, so fsync of an O_TMPFILE does nothing; Link then commits
// without a sync, and fsync of the directory makes a name durable whose bytes are not.
func TestRegressFsyncOfTmpfileDoesNothing(t *testing.T) {
	dir := t.TempDir()
	c := regressCore(t, dir, meta.Options{}, nil, filestore.Options{})
	attr, h, err := c.Tmpfile(t.Context(), c.mount, RootIno, 0o644, os.O_RDWR, true)
	ok(t, err)
	c.write(h, 0, strings.Repeat("abcdefgh", 1<<14))
	ok(t, h.Sync(t.Context(), false))
	must(c.Link(t.Context(), c.mount, attr.Ino, RootIno, "a"))(t)
	ok(t, c.SyncDir(t.Context(), c.mount, RootIno))
	if n := dirtyPages(t, h.Backing().File); n > 0 {
		t.Errorf("fsync, linkat, fsync of the directory: %d pages are not on disk", n)
	}
	h.Release()
}

// TestRegressSettlerNeverFlushesTree guards against a defect: settle returns early when no closed file waits, so a mkdir, rename or unlink on the mount (on stores
// that can't adopt: every close) is not flushed after Options.Settle, as doc.go promises.
func TestRegressSettlerNeverFlushesTree(t *testing.T) {
	dir := t.TempDir()
	c := regressCore(t, dir, meta.Options{}, nil, filestore.Options{})
	must(c.Mkdir(t.Context(), c.mount, RootIno, "d", 0o755))(t)
	ok(t, c.settler.settle(t.Context()))
	wal := must(os.Open(filepath.Join(dir, "tote.db-wal")))(t)
	defer wal.Close()
	if n := dirtyPages(t, wal); n > 0 {
		t.Errorf("a settle later %d pages of the log are not on disk", n)
	}
}

// TestRegressSealFailureThenReadIsEmptyOrPanics guards against a defect: When the object can't be opened after the commit (EMFILE), seal leaves v.src nil: reads are a
// clean EOF, and after a partial write readAt and fill dereference nil, which ends the daemon for all.
func TestRegressSealFailureThenReadIsEmptyOrPanics(t *testing.T) {
	c, fault := faultCore(t, t.TempDir())
	c.put("/a", "0123456789")
	h := c.open("/a", os.O_RDWR)
	c.write(h, 0, "X")
	fault.Add(storetest.Rule{Op: "open", Nth: 1, Do: storetest.Fail(syscall.EMFILE)})
	t.Log("flush: ", h.Flush(t.Context()))
	p := make([]byte, 10)
	n, err := h.ReadAt(t.Context(), p, 0)
	if n == 0 && errors.Is(err, io.EOF) {
		t.Errorf("a file of 10 bytes reads as empty: %d, %v", n, err)
	}
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("panic: %v", r)
			h.v.mu.TryLock()
			h.v.mu.Unlock()
		}
	}()
	c.write(h, 0, "Y")
	h.ReadAt(t.Context(), p, 0)
	h.Flush(t.Context())
}

// TestRegressThawTakesAnotherInodeAfterEBUSY guards against a defect: Two defects. open(2) for writing fails with EBUSY while a slow client downloads the file
// (source.swap), after 2 s in which stat hangs on v.mu. And after such a failure the object under the key is the copy, while the kernel still
// has the old inode: the next thaw links the copy as work file, so what the kernel writes is never seen.
func TestRegressThawTakesAnotherInodeAfterEBUSY(t *testing.T) {
	c := newCore(t)
	c.patience = 50 * time.Millisecond
	c.put("/a", "old content")
	h1 := c.open("/a", os.O_RDONLY)
	k := kernel(t, h1) // what the kernel reads and writes as long as the file is open
	defer k.Close()
	r := must(c.OpenReader(t.Context(), c.dav, "/a"))(t)
	pr, pw := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { r.SendTo(pw, 0, r.Size()) })             // a slow client
	for src := r.src; src.mu.TryLock(); runtime.Gosched() { // until it has begun
		src.mu.Unlock()
	}
	_, err := c.OpenIno(t.Context(), c.mount, h1.Ino(), os.O_RDWR, true)
	if !errors.Is(err, syscall.EBUSY) {
		t.Errorf("open(2) for writing while somebody downloads slowly: %v", err)
	}
	go io.Copy(io.Discard, pr)
	wg.Wait()
	r.Close()
	h2, err := c.OpenIno(t.Context(), c.mount, h1.Ino(), os.O_RDWR, true)
	ok(t, err)
	must(k.WriteAt([]byte("NEW"), 0))(t)
	ok(t, h2.Flush(t.Context()))
	h2.Release()
	h1.Release()
	if got := c.get("/a"); got != "NEW content" {
		t.Errorf("after close: %q", got)
	}
}

// TestRegressThawAfterUnshareTakesAnotherInode guards against a defect: No failure needed: unshare puts an anonymous copy behind the source that a download holds; a
// later view shares that source and gives the copy to the kernel, thaw links the object. The kernel writes to a file that the core does not
// watch: close returns 0 and the write is gone.
func TestRegressThawAfterUnshareTakesAnotherInode(t *testing.T) {
	c := newCore(t)
	w := c.create("a")
	c.write(w, 0, "old content")
	ok(t, w.Flush(t.Context()))
	ro := c.open("/a", os.O_RDONLY)
	w.Release()
	r := must(c.OpenReader(t.Context(), c.dav, "/a"))(t) // a download that lasts
	defer r.Close()
	w = c.open("/a", os.O_RDWR) // gives the download bytes of its own
	w.Release()
	ro.Release()
	ro = c.open("/a", os.O_RDONLY)
	k := kernel(t, ro)
	defer k.Close()
	w = c.open("/a", os.O_RDWR)
	must(k.WriteAt([]byte("NEW"), 0))(t)
	ok(t, w.Flush(t.Context()))
	w.Release()
	ro.Release()
	if got := c.get("/a"); got != "NEW content" {
		t.Errorf("after close: %q", got)
	}
}

// TestRegressCommitOutcomeUnknown guards against a defect: meta returns an error when the flush fails after the transaction was committed. The view believes that
// nothing happened, gets ESTALE the next time, and view.end deletes the staging file that is the current version; the old object has its
// intent. Both are lost.
func TestRegressCommitOutcomeUnknown(t *testing.T) {
	dir := t.TempDir()
	c := regressCore(t, dir, meta.Options{}, nil, filestore.Options{NoSync: true})
	c.put("/a", "old")
	h := c.open("/a", os.O_WRONLY|os.O_TRUNC)
	c.write(h, 0, "new")
	// fdatasync of the log fails once, after the transaction.
	fl := reflect.ValueOf(c.db).Elem().FieldByName("flush").Elem().FieldByName("sync")
	*(*func(*os.File) error)(unsafe.Pointer(fl.UnsafeAddr())) = func(*os.File) error { return syscall.EIO }
	if err := h.Sync(t.Context(), false); err == nil {
		t.Fatal("no error")
	}
	h.Flush(t.Context())
	h.Release()
	c.stop()
	c.work.Wait()
	c.db.Close()
	c.db = nil
	c = openCore(t, dir, nil)
	if got, err := c.slurp("/a"); got != "old" && got != "new" {
		t.Errorf("neither old nor new: %q, %v", got, err)
	}
}

// TestRegressStatWaitsForTheStore guards against a defect: view.commit holds v.mu while the store takes the upload, and overlay wants it: stat, and ls of the
// directory, hang with the store (G10). detach drops the deadline of the caller, so close hangs as well.
func TestRegressStatWaitsForTheStore(t *testing.T) {
	fault := storetest.NewFault(memstore.New())
	c := regressCore(t, t.TempDir(), meta.Options{NoSync: true}, fault, filestore.Options{})
	h := c.create("a")
	c.write(h, 0, "text")
	gate := make(chan struct{})
	fault.Add(storetest.Rule{Op: "put", Do: storetest.Block(gate)})
	flushed := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	go func() { flushed <- h.Flush(ctx) }()
	for fault.Calls("put") == 0 {
		time.Sleep(time.Millisecond)
	}
	listed := make(chan error, 1)
	go func() { _, err := c.ReadDir(t.Context(), c.mount, RootIno, 0, 10); listed <- err }()
	select {
	case err := <-listed:
		ok(t, err)
	case <-time.After(time.Second):
		t.Error("ls waits for an upload of one of the files")
	}
	select {
	case <-flushed:
	case <-time.After(time.Second):
		t.Error("close waits for the store beyond its deadline")
	}
	close(gate)
	h.Release()
}

// TestRegressReaderInfoIsOfAnotherVersion guards against a defect: pin reads attributes and version in two transactions, and a Writer's commit does not take e.mu: GET
// answers with one version's ETag and Last-Modified and another's bytes, and If-Range then joins two versions.
func TestRegressReaderInfoIsOfAnotherVersion(t *testing.T) {
	c := newCore(t)
	c.put("/a", "0")
	var stop = make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				c.put("/a", "x")
			}
		}
	})
	end := time.Now().Add(5 * time.Second)
	bad, n := 0, 0
	for time.Now().Before(end) && bad == 0 {
		r := must(c.OpenReader(t.Context(), c.dav, "/a"))(t)
		n++
		if r.src != nil && r.info.attr.Version != r.src.version.ID {
			bad++
		}
		r.Close()
	}
	close(stop)
	wg.Wait()
	if bad > 0 {
		t.Errorf("ETag of one version, bytes of another after %d tries", n)
	}
}

// TestRegressMtime guards against a defect: 1. fill makes the work full, after which state takes the file's own time, so a time set before close is lost (rsync, cp -p
// on an existing file). 2. meta takes Mtime 0 for "now". 3. O_TRUNC without a write shows and commits the old time.
func TestRegressMtime(t *testing.T) {
	t.Run("set before close", func(t *testing.T) {
		c := newCore(t)
		c.put("/a", "hello")
		h := c.open("/a", os.O_RDWR)
		c.write(h, 0, "J")
		m := int64(1_000_000_000_000_000_000)
		must(c.SetAttr(t.Context(), c.mount, h.Ino(), SetAttr{Mtime: &m}, h))(t)
		ok(t, h.Flush(t.Context()))
		h.Release()
		if got := must(c.Stat(t.Context(), c.dav, "/a"))(t).Attr().Mtime; got != m {
			t.Errorf("mtime %d, want %d", got, m)
		}
	})
	t.Run("epoch", func(t *testing.T) {
		c := newCore(t)
		h := c.create("a")
		c.write(h, 0, "J")
		m := int64(0)
		must(c.SetAttr(t.Context(), c.mount, h.Ino(), SetAttr{Mtime: &m}, h))(t)
		ok(t, h.Flush(t.Context()))
		h.Release()
		if got := must(c.Stat(t.Context(), c.dav, "/a"))(t).Attr().Mtime; got != m {
			t.Errorf("mtime %d, want %d", got, m)
		}
	})
	t.Run("truncating open", func(t *testing.T) {
		c := newCore(t)
		c.put("/a", "hello")
		before := must(c.Stat(t.Context(), c.dav, "/a"))(t).Attr().Mtime
		for time.Now().UnixNano() <= before { // the clock has to move on
			runtime.Gosched()
		}
		h := c.open("/a", os.O_WRONLY|os.O_TRUNC)
		ok(t, h.Flush(t.Context()))
		h.Release()
		if got := must(c.Stat(t.Context(), c.dav, "/a"))(t); got.Attr().Mtime == before || got.Size() != 0 {
			t.Errorf("size %d, mtime unchanged: %v", got.Size(), got.Attr().Mtime == before)
		}
	})
}

// TestRegressEmptyVersionOnOtherStores guards against a defect: On a store that can't adopt, commitWork leaves an empty version staged for good: its file stays in
// staging, fsck reports it as missing after the next start, every start logs it.
func TestRegressEmptyVersionOnOtherStores(t *testing.T) {
	c := openCore(t, t.TempDir(), memstore.New())
	c.put("/a", "x")
	h := c.open("/a", os.O_WRONLY|os.O_TRUNC)
	ok(t, h.Flush(t.Context()))
	h.Release()
	if names := must(c.staging.names())(t); len(names) != 0 {
		t.Errorf("left in staging: %v", names)
	}
	ok(t, c.staging.remove(must(c.staging.names())(t)...))
	c.fsckClean()
	if st := must(c.Status(t.Context()))(t); st.Staged != 0 {
		t.Errorf("%d versions stay staged for good", st.Staged)
	}
}
