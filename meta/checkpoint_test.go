package meta

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func walSize(t testing.TB, db *DB) int64 {
	t.Helper()
	fi, err := os.Stat(db.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

// beginnings is the number in the log's head that counts how often it started again.
func beginnings(t testing.TB, db *DB) string {
	t.Helper()
	f, err := os.Open(db.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 16)
	if _, err := f.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	return string(head[12:])
}

// The log is copied into the database in the background, and then starts again from its beginning.
func TestCheckpoints(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{wal: walLimits{copy: 1 << 20, restart: 4 << 20}})
	databaseSize := func() string {
		fi, err := os.Stat(db.path)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(fi.Size())
	}
	logSequence := func() string { return beginnings(t, db) }
	i := 0
	for what, state := range map[string]func() string{"copied": databaseSize, "started again": logSequence} {
		for before, end := state(), i+100_000; state() == before; i++ {
			if i == end {
				t.Fatalf("the log was not %s", what)
			}
			mkfile(t, db, RootIno, fmt.Sprint("f", i))
		}
	}
	wantSound(t, db)
}

// However long the load lasts and whoever reads meanwhile, the log stays short.
func TestLogStaysShort(t *testing.T) {
	const restart, total, value = 4 << 20, 128 << 20, 16 << 10
	for _, writers := range []int{1, 4} {
		t.Run(strconv.Itoa(writers), func(t *testing.T) {
			db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{wal: walLimits{copy: restart / 4, restart: restart}})
			var group sync.WaitGroup
			for w := range writers {
				group.Go(func() {
					for i := range total / value / writers {
						name := fmt.Sprint(w, "-", i%100)
						if err := db.PutSetting(t.Context(), name, make([]byte, value), Relaxed); err != nil {
							t.Error(err)
							return
						}
						if _, err := db.Setting(t.Context(), name); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			if n := walSize(t, db); n > 12*restart {
				t.Errorf("the log has %d bytes, it should start again at %d", n, restart)
			}
			wantSound(t, db)
		})
	}
}

// Copies of large trees are few transactions with a lot in them: the log is looked at after each.
func TestLogAfterCopies(t *testing.T) {
	db := newDB(t)
	src := mkdir(t, db, RootIno, "src")
	for i := range 3 {
		if _, err := db.CopyTree(t.Context(), copyArgs(src, RootIno, fmt.Sprint("copy", i)), Relaxed); err != nil {
			t.Fatal(err)
		}
		db.mu.Lock()
		commits := db.ckpt.commits
		db.mu.Unlock()
		if commits != 0 {
			t.Errorf("nobody looked at the log for %d commits", commits)
		}
	}
}

// A try to restart the log that an old reader prevented puts off the next one, and only that.
func TestRestartIsTriedAgain(t *testing.T) {
	db := newDB(t)
	err := db.view(t.Context(), func(c *conn) error {
		if _, err := c.attr(RootIno); err != nil { // begins to read
			return err
		}
		mkfile(t, db, RootIno, "f")
		if err := db.ckpt.restart(); err != nil || db.ckpt.retryAt == 0 {
			t.Errorf("with a reader: again at %d, %v", db.ckpt.retryAt, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.ckpt.restart(); err != nil || db.ckpt.retryAt != 0 {
		t.Errorf("without readers: again at %d, %v", db.ckpt.retryAt, err)
	}
	before := beginnings(t, db)
	mkfile(t, db, RootIno, "g")
	if err := db.settlePending(); err != nil {
		t.Fatal(err)
	}
	if beginnings(t, db) == before {
		t.Error("the log did not start again")
	}
}

// A reader that stays in the log lets it grow; when it has gone the log becomes short again.
func TestLogAfterOldReader(t *testing.T) {
	const restart = 1 << 20
	db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{wal: walLimits{copy: restart / 4, restart: restart}})
	i := 0
	more := func(enough func() bool) {
		t.Helper()
		for end := i + 50_000; !enough(); i++ {
			if i == end {
				t.Fatal("the log did not change")
			}
			mkfile(t, db, RootIno, fmt.Sprint("f", i))
		}
	}
	err := db.view(t.Context(), func(c *conn) error {
		if _, err := c.attr(RootIno); err != nil { // begins to read
			return err
		}
		more(func() bool { return walSize(t, db) > 8*restart })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before := beginnings(t, db)
	more(func() bool { return beginnings(t, db) != before })
	before = beginnings(t, db)
	grown := walSize(t, db)
	more(func() bool { return beginnings(t, db) != before })
	if n := walSize(t, db); n > grown {
		t.Errorf("the log grew from %d to %d bytes after the reader had gone", grown, n)
	}
}

// BenchmarkSustained makes files as fast as it can, with the usual limits of the log, and says how long the slowest
// hundredth and the slowest of all took, and how long the log became. TOTE_BENCH_FILES sets their number.
func BenchmarkSustained(b *testing.B) {
	for _, writers := range []int{1, 4} {
		b.Run(strconv.Itoa(writers), func(b *testing.B) {
			for range b.N {
				sustain(b, writers, benchFiles(b))
			}
		})
	}
}

func sustain(b *testing.B, writers, files int) {
	db := openDB(b, filepath.Join(b.TempDir(), "tote.db"), Options{})
	took := make([]time.Duration, files)
	var next atomic.Int64
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(files); i = next.Add(1) - 1 {
				begin := time.Now()
				a := CreateArgs{Parent: RootIno, Name: strconv.FormatInt(i, 10), Mode: syscall.S_IFREG}
				if _, err := db.Create(context.Background(), a, Relaxed); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(begin)
			}
		})
	}
	group.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[files*99/100].Microseconds()), "p99-us")
	b.ReportMetric(float64(took[files-1].Microseconds()), "max-us")
	b.ReportMetric(float64(walSize(b, db))/(1<<20), "wal-MiB")
	b.ReportMetric(float64(files)/b.Elapsed().Seconds(), "files/s")
}
