package fs

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"tote/meta"
	"tote/objstore/filestore"
	"tote/objstore/storetest"
)

// TestRegressCopyWithoutOverwriteDestroysTarget guards against a defect: copyBeside moves with RenameTree whatever overwrite says: what somebody made at the target
// while the copy ran, a whole tree too, is deleted.
func TestRegressCopyWithoutOverwriteDestroysTarget(t *testing.T) {
	dir := t.TempDir()
	store := &hookStore{Store: must(filestore.New(filepath.Join(dir, "objects"), filestore.Options{NoSync: true}))(t)}
	c := regressCore(t, dir, meta.Options{NoSync: true}, store, filestore.Options{})
	c.put("/a", "copied")
	defer c.open("/a", syscall.O_RDONLY).Release() // what the mount has open is copied byte by byte, which takes a while
	store.onAdopt = func() { c.put("/b", "made meanwhile by somebody") }
	_, err := c.Copy(t.Context(), c.dav, "/a", "/b", false, false, nil)
	if got := c.get("/b"); got != "made meanwhile by somebody" {
		t.Errorf("Overwrite: F gave %v and left %q", err, got)
	}
}

// TestRegressCreatorReplacesFile guards against a defect: Rights are asked at NewWriter for what was there then. At Commit the name may mean another file: who may
// only create replaces it, who owns one file replaces another's.
func TestRegressCreatorReplacesFile(t *testing.T) {
	c := newCore(t)
	creator := &Actor{Tenant: "rdp", User: "eve", Roles: []string{"ROLE_BINARY_CREATE", "ROLE_INVENTORY_READ"}, Origin: "rest"}
	w := must(c.NewWriter(t.Context(), creator, Target{Path: "/a"}))(t)
	io.WriteString(w, "eve's")
	c.put("/a", "admin's")
	_, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1})
	if got := c.get("/a"); got != "admin's" {
		t.Errorf("an actor who may create but not write replaced a file: %q, %v", got, err)
	}
}

// TestRegressLockTakenDuringUpload guards against a defect: The same with WebDAV locks: one granted while the body was coming is not asked again.
func TestRegressLockTakenDuringUpload(t *testing.T) {
	c := newCore(t)
	c.put("/a", "old")
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/a"}))(t)
	io.WriteString(w, "new")
	other := &Actor{Tenant: "rdp", User: "other", Roles: []string{RoleEditor}, Origin: "dav"}
	must(c.AddLock(t.Context(), other, Lock{Path: "/a", Expires: time.Now().Add(time.Hour)}, nil))(t)
	_, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1})
	if err == nil {
		t.Error("a file that somebody else has locked was replaced")
	}
}

// TestRegressLocksOfAnotherTenantVanish guards against a defect: FS.locked is one flag for all tenants, but anyLocks clears it when the asking tenant has none.
func TestRegressLocksOfAnotherTenantVanish(t *testing.T) {
	c := newCore(t)
	must(c.db.EnsureTenant(t.Context(), "second", 0o755, 0, 0, meta.Durable))(t)
	b := System("second", "dav")
	other := &Actor{Tenant: "second", User: "other", Roles: []string{RoleEditor}, Origin: "dav"}
	must(c.AddLock(t.Context(), b, Lock{Path: "/a", Expires: time.Now().Add(time.Hour)}, nil))(t)
	if _, err := c.MkdirPath(t.Context(), other, "/a", nil); !errors.Is(err, ErrLocked) {
		t.Fatal("control: ", err)
	}
	must(c.MkdirPath(t.Context(), c.dav, "/x", nil))(t) // in the first tenant, which has no locks
	if _, err := c.MkdirPath(t.Context(), other, "/a", nil); !errors.Is(err, ErrLocked) {
		t.Errorf("the lock is not asked any more: %v", err)
	}
}

// TestRegressOtherTenantByNumber guards against a defect: allow and allowNode never compare the node's tenant with the actor's: Props, PatchProps, SetAttr, PathOf,
// GetAttr, Lookup, Unlink, ... by number reach into other tenants.
func TestRegressOtherTenantByNumber(t *testing.T) {
	c := newCore(t)
	info := c.put("/a", "text")
	must(c.db.EnsureTenant(t.Context(), "second", 0o755, 0, 0, meta.Durable))(t)
	b := &Actor{Tenant: "second", User: "b", Roles: []string{RoleEditor}, Origin: "rest"}
	if _, err := c.Props(t.Context(), b, info.Ino()); err == nil {
		t.Error("properties of another tenant's file were read")
	}
	if err := c.PatchProps(t.Context(), b, info.Ino(), []Property{{Name: PropUser, Value: `"b"`}}, nil); err == nil {
		t.Error("properties of another tenant's file were changed")
	}
	size := int64(0)
	if _, err := c.SetAttr(t.Context(), b, info.Ino(), SetAttr{Size: &size}, nil); err == nil {
		t.Errorf("another tenant's file was truncated: %q", c.get("/a"))
	}
}

// TestRegressAliasReplacesForeignFile guards against a defect: findTarget goes on with the node it found when the alternative name is taken as well, and the commit
// replaces that file.
func TestRegressAliasReplacesForeignFile(t *testing.T) {
	c := newCore(t)
	c.put("/toteBag.png", "first")
	c.put("/toteBag@_@g1.png", "another file, which has this very name")
	creator := &Actor{Tenant: "rdp", User: "eve", Roles: []string{"ROLE_BINARY_CREATE", "ROLE_INVENTORY_READ"}, Origin: "rest"}
	w := must(c.NewWriter(t.Context(), creator, Target{Dir: "/", Name: "toteBag.png", Alias: true, Key: "toteBag@_@g1.png"}))(t)
	io.WriteString(w, "third")
	info, created, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1})
	if got := c.get("/toteBag@_@g1.png"); got == "third" && !created {
		t.Errorf("an upload that should show beside it replaced %s: %q, %v", info.Path(), got, err)
	}
}

// TestRegressDotDotBehindLink guards against a defect: walker.through takes ".." away lexically, before a link in front of it was followed; the kernel does it after.
// The faces then mean different files by one path, for PUT and DELETE too.
func TestRegressDotDotBehindLink(t *testing.T) {
	c := newCore(t)
	must(c.MkdirAll(t.Context(), c.dav, "/d1/d2"))(t)
	c.put("/x", "wrong")
	c.put("/d1/x", "right")
	must(c.Symlink(t.Context(), c.mount, RootIno, "s", "d1/d2"))(t)
	must(c.Symlink(t.Context(), c.mount, RootIno, "l", "s/../x"))(t)
	if got := c.get("/l"); got != "right" {
		t.Errorf("the kernel finds /d1/x, this face finds %q", got)
	}
	must(c.Symlink(t.Context(), c.mount, RootIno, "m", "missing/../x"))(t)
	if got, err := c.slurp("/m"); err == nil {
		t.Errorf("a link that leads through nothing reads as %q", got)
	}
}

// TestRegressBinaryXattr guards against a defect: a property is JSON text; bytes that are none must be refused, not changed.
func TestRegressBinaryXattr(t *testing.T) {
	c := newCore(t)
	info := c.put("/a", "text")
	err := c.SetXattr(t.Context(), c.mount, info.Ino(), "user.tote.blob", []byte("\xff\xfe\x00binary"), 0)
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v", err)
	}
}

// TestRegressXattrsOfPropertiesAreListed guards against a defect: A property that was set as user.tote.NAME is not listed, so cp -a, rsync -X and tar --xattrs lose
// it, against ListXattr's own comment.
func TestRegressXattrsOfPropertiesAreListed(t *testing.T) {
	c := newCore(t)
	info := c.put("/a", "text")
	ok(t, c.SetXattr(t.Context(), c.mount, info.Ino(), "user.tote.colour", []byte("red"), 0))
	if names := must(c.ListXattr(t.Context(), c.mount, info.Ino()))(t); len(names) != 1 {
		t.Errorf("listed: %v", names)
	}
}

// TestRegressOneBadObjectStopsGC guards against a defect: collectIntents ends at the first object that can't be deleted, and it is first in line the next time too:
// nothing is ever collected again.
func TestRegressOneBadObjectStopsGC(t *testing.T) {
	c, fault := faultCore(t, t.TempDir())
	c.put("/a", "1")
	key := must(c.db.CurrentVersion(t.Context(), must(c.Stat(t.Context(), c.dav, "/a"))(t).Ino()))(t).Key
	c.put("/a", "2")
	for range 3 {
		c.put("/b", "3")
	}
	fault.Add(storetest.Rule{Op: "delete", Key: key, Do: storetest.Fail(syscall.EIO)})
	for range 3 {
		c.GC(t.Context(), true)
	}
	if n := must(c.db.CountIntents(t.Context()))(t); n > 1 {
		t.Errorf("%d intents stay because one object can't be deleted", n)
	}
}

// TestRegressChecksumOfThawedFile guards against a defect: sumVersion reads the object by a descriptor of its own, which thaw can't swap: it sums what a writer has
// not committed and records that for the version that stays.
func TestRegressChecksumOfThawedFile(t *testing.T) {
	dir := t.TempDir()
	store := &hookStore{Store: must(filestore.New(filepath.Join(dir, "objects"), filestore.Options{NoSync: true}))(t)}
	c := regressCore(t, dir, meta.Options{NoSync: true}, store, filestore.Options{})
	h := c.create("a")
	c.write(h, 0, "good")
	ok(t, h.Flush(t.Context()))
	h.Release()
	ok(t, c.settler.settle(t.Context()))
	ro := c.open("/a", os.O_RDONLY)
	var rw *Handle
	store.onGet = func() {
		rw = c.open("/a", os.O_RDWR)
		c.write(rw, 0, "BAD!")
	}
	must(c.sumSome(t.Context(), map[int64]bool{}))(t)
	c = c.kill()
	_, _ = ro, rw
	if got := c.get("/a"); got != "good" {
		t.Fatal(got)
	}
	c.fsckClean()
}

// TestRegressWriterOutcomeUnknown guards against a defect: The same in Writer.commit: the new version is current, but views are not detached and nobody is told, and
// it is reported as a failure on which nothing has changed.
func TestRegressWriterOutcomeUnknown(t *testing.T) {
	dir := t.TempDir()
	c := regressCore(t, dir, meta.Options{}, nil, filestore.Options{NoSync: true})
	c.put("/a", "old")
	h := c.open("/a", os.O_RDONLY)
	fl := reflect.ValueOf(c.db).Elem().FieldByName("flush").Elem().FieldByName("sync")
	*(*func(*os.File) error)(unsafe.Pointer(fl.UnsafeAddr())) = func(*os.File) error { return syscall.EIO }
	w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/a"}))(t)
	io.WriteString(w, "new")
	_, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1})
	if err == nil {
		t.Fatal("no error")
	}
	got, _ := c.slurp("/a")
	h2 := c.open("/a", os.O_RDONLY)
	if m := c.read(h2); got != m {
		t.Errorf("after a Commit that failed: HTTP reads %q, the mount %q", got, m)
	}
	h2.Release()
	h.Release()
	c.stop()
	c.work.Wait()
	c.db.Close()
	c.db = nil
}

// TestRegressSmallEditReservesWholeFile guards against a defect: work.reserve counts from 0 to the end of the write, not what is written: with a limit, 4 bytes at the
// end of a large file are ENOSPC, while what the kernel writes itself is not counted at all.
func TestRegressSmallEditReservesWholeFile(t *testing.T) {
	c := newCore(t)
	c.put("/big", strings.Repeat("x", 4<<20))
	c.staging.max = 1 << 20
	h := c.open("/big", os.O_RDWR)
	if _, err := h.WriteAt(t.Context(), []byte("EDIT"), 3<<20); err != nil {
		t.Errorf("4 bytes: %v", err)
	}
	h.Release()
}

// TestRegressFailedUploadKeepsClientKey guards against a defect: A commit that is refused leaves its object under the client's key until gc, so the retry gets another
// key for life.
func TestRegressFailedUploadKeepsClientKey(t *testing.T) {
	c := newCore(t)
	try := func(cond *Cond) (string, error) {
		w := must(c.NewWriter(t.Context(), c.dav, Target{Path: "/main.zip", Key: "main.zip"}))(t)
		io.WriteString(w, "text")
		info, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: -1, Cond: cond})
		if err != nil {
			return "", err
		}
		return must(c.db.CurrentVersion(t.Context(), info.Ino()))(t).Key, nil
	}
	if _, err := try(&Cond{Check: func(*Info) error { return ErrPrecondition }}); err == nil {
		t.Fatal("no error")
	}
	if key := must(try(nil))(t); !strings.HasSuffix(key, "/main.zip") {
		t.Errorf("after a refused upload the client's key is lost: %s", key)
	}
}

// TestRegressBackingFileIsClosedUnderItsUser guards against a defect: thaw closes the file behind Backing and changes Backing.File without a lock that fusefs has (go
// test -race shows it with two goroutines). A first open that is just being registered hands the kernel -1, after which passthrough is off for
// good, or a number that means another file by now: its bytes are read and written.
func TestRegressBackingFileIsClosedUnderItsUser(t *testing.T) {
	c := newCore(t)
	c.put("/a", "old content")
	h1 := c.open("/a", os.O_RDONLY)
	file := h1.Backing().File // ioTable.enter: t.reg.RegisterBackingFd(&fuse.BackingMap{Fd: int32(n.backing.File.Fd())})
	h2 := c.open("/a", os.O_RDWR)
	if fd := int32(file.Fd()); fd < 0 {
		t.Errorf("the backing file of an open handle was closed: fd %d", fd)
	}
	h2.Release()
	h1.Release()
}

// TestRegressUnlinkedWhileClosing guards against a defect: Between Unlink's transaction and the orphan mark a commit gets ENOENT, and close(2) fails with it.
func TestRegressUnlinkedWhileClosing(t *testing.T) {
	c := newCore(t)
	bad := 0
	for range 500 {
		h := c.create("a")
		c.write(h, 0, "x")
		var wg sync.WaitGroup
		wg.Go(func() { c.Unlink(context.Background(), c.mount, RootIno, "a") })
		if err := h.Flush(t.Context()); err != nil {
			bad++
		}
		wg.Wait()
		h.Release()
	}
	if bad > 0 {
		t.Errorf("close failed %d times because the file was being unlinked", bad)
	}
}

// TestRegressPowerLossAfterRenameOverOpenFile guards against a defect: Staging files are removed right after unflushed commits (discard in remove, rename, bury,
// adoptCommit, commitRedo). Power loss brings the old row back and its bytes are gone: write, fsync, rename over a file that is open leaves
// neither old nor new under the name.
func TestRegressPowerLossAfterRenameOverOpenFile(t *testing.T) {
	dir := t.TempDir()
	c := openCore(t, dir, nil)
	old := c.create("a")
	c.write(old, 0, "old")
	ok(t, old.Sync(t.Context(), false)) // durable, and still open
	tmp := c.create("tmp")
	c.write(tmp, 0, "new")
	ok(t, tmp.Sync(t.Context(), false))
	tmp.Release()
	disk := map[string][]byte{}
	for _, n := range []string{"tote.db", "tote.db-wal"} { // what the last fsync left on disk
		disk[n] = must(os.ReadFile(filepath.Join(dir, n)))(t)
	}
	ok(t, c.Rename(t.Context(), c.mount, RootIno, "tmp", RootIno, "a", 0)) // not flushed yet
	old.Release()
	c.drop()
	os.Remove(filepath.Join(dir, "tote.db-shm"))
	for n, b := range disk {
		ok(t, os.WriteFile(filepath.Join(dir, n), b, 0o600))
	}
	c = openCore(t, dir, nil)
	if got, err := c.slurp("/a"); got != "old" && got != "new" {
		t.Errorf("neither old nor new: %q, %v", got, err)
	}
}

// TestRegressSealFailureSticksForEveryOpen guards against a defect: The same: the second close says 0, and whoever opens the file while the view lives reads it as
// empty.
func TestRegressSealFailureSticksForEveryOpen(t *testing.T) {
	c, fault := faultCore(t, t.TempDir())
	c.put("/a", "0123456789")
	h := c.open("/a", os.O_RDWR)
	c.write(h, 0, "X")
	fault.Add(storetest.Rule{Op: "open", Nth: 1, Do: storetest.Fail(syscall.EMFILE)})
	first := h.Flush(t.Context()) // fails, although the version is committed
	again := h.Flush(t.Context())
	h2 := c.open("/a", os.O_RDONLY) // another program, later
	if got := c.read(h2); got != "X123456789" {
		t.Errorf("flush: %v, then %v; another open reads %q", first, again, got)
	}
	h2.Release()
	h.Release()
}

// TestEmptyFileHasNoObjectKey: in a remote store a file that the mount has emptied has no object, whose name would be the key.
func TestEmptyFileHasNoObjectKey(t *testing.T) {
	c := newFar(t)
	h := c.create("a")
	defer h.Release()
	c.write(h, 0, "x")
	ok(t, h.Flush(t.Context()))
	key := func() ([]byte, error) { return c.GetXattr(t.Context(), c.mount, h.Ino(), "user.tote.objectKey") }
	if k, err := key(); err != nil || len(k) == 0 {
		t.Errorf("the key is %q, %v", k, err)
	}
	ok(t, h.Truncate(t.Context(), 0))
	ok(t, h.Flush(t.Context()))
	if k, err := key(); Errno(err) != syscall.ENODATA {
		t.Errorf("without an object the key is %q, %v", k, err)
	}
}
