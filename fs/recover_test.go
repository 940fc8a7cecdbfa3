package fs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tote/meta"
	"tote/objstore/filestore"
)

// kill ends a core like kill -9 does: nothing is settled, nothing is released.
func (c *core) kill() *core {
	c.t.Helper()
	c.stop()
	c.work.Wait()
	ok(c.t, c.db.Close())
	c.db = nil
	return openCore(c.t, c.dir, nil)
}

func TestCrashKeepsWhatWasClosedAndDropsTheRest(t *testing.T) {
	c := newCore(t)
	closed := c.create("closed")
	c.write(closed, 0, "all of it")
	ok(t, closed.Flush(t.Context()))
	c.write(closed, 9, " and more after the close")
	released := c.create("released")
	c.write(released, 0, "moved")
	ok(t, released.Flush(t.Context()))
	released.Release()
	c.put("/old", "old content")
	half := c.open("/old", os.O_WRONLY|os.O_TRUNC)
	c.write(half, 0, "half")
	open := c.create("open")
	c.write(open, 0, "never closed")
	c = c.kill()
	for path, want := range map[string]string{"/closed": "all of it", "/released": "moved", "/old": "old content", "/open": ""} {
		if got := c.get(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if names := must(c.staging.names())(t); len(names) != 0 {
		t.Errorf("left in staging: %v", names)
	}
	c.fsckClean()
	c.noOrphans()
}

func TestDescriptorThatOutlivesACrashCannotWriteToThePublishedFile(t *testing.T) {
	c := newCore(t)
	h := c.create("a")
	c.write(h, 0, "committed")
	ok(t, h.Flush(t.Context()))
	kernels := h.Backing().File
	c = c.kill()
	must(kernels.WriteAt([]byte("SCRIBBLED"), 0))(t)
	if got := c.get("/a"); got != "committed" {
		t.Errorf("got %q", got)
	}
}

func TestCrashDropsUnlinkedFiles(t *testing.T) {
	c := newCore(t)
	h := c.create("gone")
	c.write(h, 0, "secret")
	ok(t, h.Flush(t.Context()))
	ok(t, c.Unlink(t.Context(), c.mount, RootIno, "gone"))
	c = c.kill()
	c.fsckClean()
	c.noOrphans()
}

// TestCrashInTheMiddleOfAnEditInPlace has edits whose bytes are in the redo record, and larger ones, which stay in staging.
func TestCrashInTheMiddleOfAnEditInPlace(t *testing.T) {
	for _, n := range []int{4, redoInline, redoInline + 1} {
		for _, stage := range []string{"before", "half", "renamed"} {
			t.Run(fmt.Sprint(n, " ", stage), func(t *testing.T) {
				c := newCore(t)
				text, edit := strings.Repeat("abcdefgh", 1<<16), strings.Repeat("E", n)
				c.put("/big", text)
				h := c.open("/big", os.O_RDWR)
				c.write(h, 1000, edit)
				size := int64(400_000)
				must(c.SetAttr(t.Context(), c.mount, h.Ino(), SetAttr{Size: &size}, h))(t)
				base := h.v.base
				ok(t, h.Flush(t.Context()))
				if h.v.base.State != meta.StateRedo || (h.v.base.Staging == "") != (n <= redoInline) {
					t.Fatalf("the edit was not made in place: %+v", h.v.base)
				}
				c.undo(stage, base, h.v.base, text)
				c = c.kill()
				if got := c.get("/big"); got != text[:1000]+edit+text[1000+n:size] {
					t.Error("the edit is lost or torn")
				}
				c.fsckClean()
				c.noOrphans()
				if names := must(c.staging.names())(t); len(names) > 0 {
					t.Errorf("left in staging: %v", names)
				}
			})
		}
	}
}

// TestDamagedRedoRecords wants an error of records that are not what inlineEdit made.
func TestDamagedRedoRecords(t *testing.T) {
	c := newCore(t)
	var r ranges
	r.add(3, 8)
	whole := must(inlineEdit(encodeEdit(r, 100), r, strings.NewReader("0123456789")))(t)
	record, err := c.openRedo(meta.Redo{Ranges: whole})
	if err != nil || string(record.data) != "34567" || record.baseLen != 100 {
		t.Errorf("got %+v, %v", record, err)
	}
	for n := range len(whole) {
		if _, err := c.openRedo(meta.Redo{Ranges: whole[:n]}); err == nil {
			t.Errorf("%d of %d bytes are a record, too", n, len(whole))
		}
	}
}

// undo brings an object back to a point before its redo record was applied.
func (c *core) undo(stage string, base, edited Version, text string) {
	c.t.Helper()
	s := c.store.(*filestore.Store)
	path := must(s.Path(edited.Key))(c.t)
	if stage == "renamed" {
		return
	}
	if stage == "half" {
		text = text[:1000] + "EE??" + text[1004:]
	}
	ok(c.t, os.WriteFile(path, []byte(text), 0o600))
	ok(c.t, os.Rename(path, must(s.Path(base.Key))(c.t)))
}

// noOrphans collects garbage and fails the test when objects are left that no version refers to.
func (c *core) noOrphans() {
	c.t.Helper()
	_, err := c.GC(c.t.Context(), true)
	ok(c.t, err)
	live := map[string]bool{}
	for _, v := range must(c.db.EachVersion(c.t.Context(), 0, 1<<20))(c.t) {
		live[v.Key] = true
	}
	delete(live, "") // of empty versions
	for info, err := range c.store.List(c.t.Context(), "", "") {
		ok(c.t, err)
		if !live[info.Key] {
			c.t.Errorf("orphan object %s", info.Key)
		}
		delete(live, info.Key)
	}
	for key := range live {
		c.t.Errorf("missing object %s", key)
	}
}

func TestGCLeavesWhatIsReadAndWhatIsYoung(t *testing.T) {
	c := newCore(t)
	c.put("/a", "first")
	r := must(c.OpenReader(t.Context(), c.dav, "/a"))(t)
	c.put("/a", "second")
	report := must(c.GC(t.Context(), false))(t)
	if report.Objects != 0 || report.Orphans != 0 {
		t.Errorf("young objects were collected: %+v", report)
	}
	report = must(c.GC(t.Context(), true))(t)
	if report.Objects != 0 {
		t.Errorf("an object was collected under its reader: %+v", report)
	}
	ok(t, r.Close())
	report = must(c.GC(t.Context(), true))(t)
	if report.Objects != 1 {
		t.Errorf("the replaced object stays: %+v", report)
	}
	c.noOrphans()
}

func TestSettleMarksAsStored(t *testing.T) {
	c := newCore(t)
	for _, name := range []string{"a", "b", "c"} {
		h := c.create(name)
		c.write(h, 0, name)
		ok(t, h.Flush(t.Context()))
		h.Release()
	}
	if st := must(c.Status(t.Context()))(t); st.Staged != 3 {
		t.Errorf("%d files wait to be stored, want 3", st.Staged)
	}
	ok(t, c.settler.settle(t.Context()))
	if st := must(c.Status(t.Context()))(t); st.Staged != 0 {
		t.Errorf("%d files wait after settling", st.Staged)
	}
	c.fsckClean()
}

// TestPowerLossCutsOnlyWhatNoSyncCovered has a power loss take the end of a staging file, whose row is on the disk because somebody else has waited
// for a flush.
func TestPowerLossCutsOnlyWhatNoSyncCovered(t *testing.T) {
	for _, c := range []struct {
		name       string
		syncs      []bool // of "abcd", "efgh", "ijkl": fsync, or only a close
		left       int64
		want       string
		cantBeRead bool
	}{
		{name: "nothing was synced", syncs: []bool{false, false, false}, left: 5, want: "abcde"},
		{name: "the first was synced", syncs: []bool{true, false, false}, left: 4, want: "abcd"},
		{name: "two were synced", syncs: []bool{true, true, false}, left: 10, want: "abcdefghij"},
		{name: "everything is there", syncs: []bool{true, true, false}, left: 12, want: "abcdefghijkl"},
		{name: "the disk has lost what was synced", syncs: []bool{true, true, false}, left: 7, cantBeRead: true},
		{name: "the disk has lost what was synced last", syncs: []bool{true, false, true}, left: 9, cantBeRead: true},
		{name: "in the middle of a sync the row was faster", syncs: []bool{true, true}, left: 5, want: "abcde"},
	} {
		t.Run(c.name, func(t *testing.T) {
			core := newCore(t)
			h := core.create("log")
			for i, sync := range c.syncs {
				core.write(h, int64(4*i), []string{"abcd", "efgh", "ijkl"}[i])
				if sync {
					ok(t, h.Sync(t.Context(), true))
				} else {
					ok(t, h.Flush(t.Context()))
				}
			}
			ok(t, os.Truncate(core.staging.path(h.v.work.name), c.left))
			core = core.kill()
			got, err := core.slurp("/log")
			if got != c.want || (err != nil) != c.cantBeRead {
				t.Errorf("read %q, %v", got, err)
			}
			if !c.cantBeRead {
				core.fsckClean()
				core.noOrphans()
			}
		})
	}
}

func TestDamageIsAnErrorNeverZeros(t *testing.T) {
	c := newCore(t)
	c.put("/a", strings.Repeat("x", 10_000))
	v := must(c.db.CurrentVersion(t.Context(), must(c.Stat(t.Context(), c.dav, "/a"))(t).Ino()))(t)
	path := must(c.store.(*filestore.Store).Path(v.Key))(t)
	ok(t, os.Truncate(path, 5000))
	if _, err := c.OpenReader(t.Context(), c.dav, "/a"); Errno(err) == 0 {
		t.Error("a short object was opened")
	}
	ok(t, os.Truncate(path, 10_000)) // a hole, which reads as zeros
	problems := 0
	must(c.Fsck(t.Context(), FsckOptions{Deep: true}, func(string) { problems++ }))(t)
	if problems != 1 {
		t.Errorf("fsck found %d problems, want 1", problems)
	}
}

func TestStagingIsPrivate(t *testing.T) {
	c := newCore(t)
	h := c.create("a")
	defer h.Release()
	names := must(c.staging.names())(t)
	st := must(os.Stat(filepath.Join(c.dir, "staging", names[0])))(t)
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if st.ModTime().After(time.Now().Add(time.Minute)) {
		t.Error("time in the future")
	}
}

// TestEditsAreOnTheDisk: an fsync after an edit in place leaves the record on the disk; the next edit, which ends that record, leaves no byte of the
// first one behind. The edits are far from each other, because the kernel flushes up to some MiB at a time.
func TestEditsAreOnTheDisk(t *testing.T) {
	const apart = 8 << 20
	dir := t.TempDir()
	c := regressCore(t, dir, meta.Options{}, nil, filestore.Options{})
	c.put("/big", strings.Repeat("abcdefgh", 4*apart/8))
	h := c.open("/big", os.O_RDWR)
	defer h.Release()
	wal := must(os.Open(filepath.Join(dir, "tote.db-wal")))(t)
	defer wal.Close()
	for i := range int64(4) {
		c.write(h, i*apart, "EDIT")
		ok(t, h.Sync(t.Context(), false))
		if h.v.base.State != meta.StateRedo {
			t.Fatalf("the edit was not made in place: %+v", h.v.base)
		}
		if n := dirtyPages(t, wal); n > 0 {
			t.Errorf("edit %d: %d pages of the log are not on the disk", i, n)
		}
		object := must(os.Open(must(c.store.(*filestore.Store).Path(h.v.base.Key))(t)))(t)
		defer object.Close()
		if n := dirtyIn(t, object, 0, uint64(i)*apart); i > 0 && n > 0 {
			t.Errorf("edit %d: %d pages of earlier edits are not on the disk", i, n)
		}
	}
}

// TestEditsUnderReaders: others open the file while one edit in place follows the other, and so may have to complete one of them. In the end the last
// edit counts.
func TestEditsUnderReaders(t *testing.T) {
	c := newCore(t)
	text := strings.Repeat("abcdefgh", 1<<16)
	c.put("/big", text)
	h := c.open("/big", os.O_RDWR)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got, err := c.slurp("/big"); err != nil || len(got) != len(text) {
					t.Errorf("%d bytes, %v", len(got), err)
					return
				}
			}
		})
	}
	var last string
	for i := range 100 {
		last = fmt.Sprintf("%08d", i)
		c.write(h, 1000, last)
		ok(t, h.Flush(t.Context()))
	}
	close(stop)
	readers.Wait()
	h.Release()
	if got := c.get("/big"); got != text[:1000]+last+text[1008:] {
		t.Errorf("after the last edit %q there is %q", last, got[1000:1008])
	}
	c.fsckClean()
}
