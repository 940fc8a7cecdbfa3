package meta

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// Callers that wait at the same time share a flush.
func TestGroupCommit(t *testing.T) {
	const callers = 20
	var syncs atomic.Int64
	var hold atomic.Bool
	started, release := make(chan struct{}), make(chan struct{})
	db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{syncWAL: func(f *os.File) error {
		if syncs.Add(1); hold.CompareAndSwap(true, false) {
			close(started)
			<-release
		}
		return dataSync(f)
	}})
	mkfile(t, db, RootIno, "first") // takes its block of numbers
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	syncs.Store(0)
	hold.Store(true)
	before := db.flush.commit.Load()
	var group sync.WaitGroup
	durable := func(i int) {
		_, err := db.Create(t.Context(), CreateArgs{Parent: RootIno, Name: fmt.Sprint(i), Mode: syscall.S_IFREG}, Durable)
		if err != nil {
			t.Error(err)
		}
	}
	group.Go(func() { durable(0) })
	<-started // one flush runs, the others gather
	for i := range callers - 1 {
		group.Go(func() { durable(i + 1) })
	}
	for db.flush.commit.Load() != before+callers {
		runtime.Gosched()
	}
	close(release)
	group.Wait()
	// A waiter that came late to its first round may ask for one more flush, which finds nothing to do.
	if n := syncs.Load(); n != 2 {
		t.Errorf("%d flushes for %d callers, want 2", n, callers)
	}
}

func TestDurability(t *testing.T) {
	var syncs atomic.Int64
	db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{syncWAL: func(f *os.File) error {
		syncs.Add(1)
		return dataSync(f)
	}})
	mkfile(t, db, RootIno, "first")
	want := func(what string, n int64) {
		t.Helper()
		if got := syncs.Swap(0); got != n {
			t.Errorf("%s: %d flushes, want %d", what, got, n)
		}
	}
	syncs.Store(0)
	mkfile(t, db, RootIno, "relaxed")
	want("relaxed", 0)
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("flush", 1)
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("flush of nothing", 0)
	if err := db.PutSetting(t.Context(), "a", nil, Durable); err != nil {
		t.Fatal(err)
	}
	want("durable", 1)
}

// A failed flush must never be followed by one that reports success.
func TestFailedFlushStays(t *testing.T) {
	broken := errors.New("broken disk")
	var fail atomic.Bool
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "tote.db"), Options{syncWAL: func(f *os.File) error {
		if fail.Load() {
			return broken
		}
		return dataSync(f)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.EnsureTenant(t.Context(), "rdp", 0o755, 0, 0, Durable); err != nil {
		t.Fatal(err)
	}
	fail.Store(true)
	err = db.PutSetting(t.Context(), "a", []byte("1"), Durable)
	wantErr(t, err, broken)
	wantErr(t, err, syscall.EIO)
	fail.Store(false)
	wantErr(t, db.PutSetting(t.Context(), "b", []byte("1"), Durable), broken)
	wantErr(t, db.Flush(t.Context()), broken)
	wantErr(t, err, ErrNotFlushed)
	got, err := db.Commit(t.Context(), CommitArgs{Parent: RootIno, Name: "f", State: StateStored, Size: 3}, Durable)
	wantErr(t, err, ErrNotFlushed)
	if n, v, err := db.CurrentFile(t.Context(), got.Attr.Ino); err != nil || n != got.Attr || v != got.Version || !got.Created {
		t.Errorf("committed without a flush: %+v, %+v, %v, answer %+v", n, v, err, got)
	}
	_, err = db.Commit(t.Context(), CommitArgs{Parent: RootIno, Name: "f", NoReplace: true}, Durable)
	if err != syscall.EEXIST {
		t.Errorf("a commit that was refused: %v", err)
	}
	if err := db.PutSetting(t.Context(), "c", []byte("1"), Relaxed); err != nil {
		t.Errorf("a relaxed commit promises nothing, but failed: %v", err)
	}
	wantErr(t, db.Close(), broken)
}

func TestFlushCancelled(t *testing.T) {
	var hold atomic.Bool
	started, release := make(chan struct{}), make(chan struct{})
	db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{syncWAL: func(f *os.File) error {
		if hold.CompareAndSwap(true, false) {
			close(started)
			<-release
		}
		return dataSync(f)
	}})
	mkfile(t, db, RootIno, "f")
	hold.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	wantErr(t, db.Flush(ctx), context.Canceled)
	close(release)
}

func TestNoSync(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{NoSync: true, syncWAL: func(*os.File) error {
		t.Error("flushed")
		return nil
	}})
	if err := db.PutSetting(t.Context(), "a", nil, Durable); err != nil {
		t.Fatal(err)
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A failed checkpoint ends durability, too: a second one could succeed on pages that the kernel dropped.
func TestFailedCheckpointStays(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "tote.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken disk")
	db.flush.fail(broken)
	if s, err := db.ckpt.run("PASSIVE"); s != (logState{}) || err != nil {
		t.Errorf("a checkpoint ran: %+v, %v", s, err)
	}
	wantErr(t, db.PutSetting(t.Context(), "a", nil, Durable), broken)
	wantErr(t, db.Close(), broken)
}
