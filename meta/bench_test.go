package meta

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// benchDir makes a directory with n files and returns their names.
func benchDir(b *testing.B, db *DB, n int) (Ino, []string) {
	b.Helper()
	dir := mkdir(b, db, RootIno, "dir")
	names := make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("file-%06d.txt", i)
		mkfile(b, db, dir, names[i])
	}
	return dir, names
}

func perSecond(b *testing.B, what string) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), what+"/s")
}

// walDB opens a database whose log only grows.
func walDB(b *testing.B) *DB {
	return openDB(b, filepath.Join(b.TempDir(), "tote.db"), Options{NoSync: true, wal: walLimits{copy: 1 << 50, restart: 1 << 50}})
}

// walPerOp runs n operations and reports what each adds to the log.
func walPerOp(b *testing.B, db *DB, n int, run func()) {
	b.Helper()
	size := func() int64 {
		fi, err := os.Stat(db.path + "-wal")
		if err != nil {
			b.Fatal(err)
		}
		return fi.Size()
	}
	b.ReportAllocs()
	before := size()
	b.ResetTimer()
	run()
	b.StopTimer()
	b.ReportMetric(float64(size()-before)/float64(n), "walB/op")
	perSecond(b, "ops")
}

func BenchmarkCreate(b *testing.B) {
	db := walDB(b)
	dir := mkdir(b, db, RootIno, "dir")
	walPerOp(b, db, b.N, func() {
		for i := range b.N {
			mkfile(b, db, dir, "file-"+strconv.Itoa(i)+".txt")
		}
	})
}

// BenchmarkCreateDirs makes files in many small directories.
func BenchmarkCreateDirs(b *testing.B) {
	db := walDB(b)
	var dir Ino
	walPerOp(b, db, b.N, func() {
		for i := range b.N {
			if i%20 == 0 {
				dir = mkdir(b, db, RootIno, "dir-"+strconv.Itoa(i))
			}
			mkfile(b, db, dir, "file-"+strconv.Itoa(i)+".txt")
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	db := newDB(b)
	dir, names := benchDir(b, db, 20000)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, err := db.Lookup(b.Context(), dir, names[i%len(names)]); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, "lookups")
}

func BenchmarkGetAttr(b *testing.B) {
	db := newDB(b)
	dir := mkdir(b, db, RootIno, "dir")
	for b.Loop() {
		if _, err := db.GetAttr(b.Context(), dir); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, "getattrs")
}

func BenchmarkWalkPath(b *testing.B) {
	db := newDB(b)
	at := RootIno
	parts := strings.Split("a/b/c/d/e", "/")
	for _, p := range parts {
		at = mkdir(b, db, at, p)
	}
	for b.Loop() {
		if _, err := db.WalkPath(b.Context(), RootIno, parts); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadDir20000(b *testing.B) {
	db := newDB(b)
	dir, names := benchDir(b, db, 20000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for after := uint64(0); ; {
			page, err := db.ReadDir(b.Context(), dir, after, 1000)
			if err != nil {
				b.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			n, after = n+len(page), page[len(page)-1].Cursor
		}
		if n != len(names) {
			b.Fatalf("read %d entries, want %d", n, len(names))
		}
	}
}

// realCommit is a commit as the core makes it for a new file.
func realCommit(parent Ino, i int) CommitArgs {
	guid := fmt.Sprintf("0190b0c4-%04x-7%03x-8000-%012x", i>>12, i&0xfff, i)
	return CommitArgs{
		Parent: parent, Name: "image-" + strconv.Itoa(i) + ".png", Mode: 0o644, UID: 1000, GID: 1000, State: StateStored,
		GUID: guid, Key: "rdp/binarystreamobject/assets/image-" + strconv.Itoa(i) + "@_@" + guid + ".png", Size: 4096,
		Sum: "crc64nvme:0123456789abcdef", Origin: "fuse",
	}
}

// BenchmarkCommit gives content to files that were made before, as the mount does when they are closed.
func BenchmarkCommit(b *testing.B) {
	db := walDB(b)
	commits := stagedCommits(b, db, b.N)
	walPerOp(b, db, b.N, func() {
		for _, a := range commits {
			if _, err := db.Commit(b.Context(), a, Relaxed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// stagedCommits makes n empty files and the first commit of each.
func stagedCommits(b *testing.B, db *DB, n int) []CommitArgs {
	b.Helper()
	dir := mkdir(b, db, RootIno, "dir")
	all := make([]CommitArgs, n)
	for i := range n {
		a := realCommit(dir, i)
		a.Ino = mkfile(b, db, dir, a.Name).Ino
		a.State, a.Staging, a.Sum, a.Expect = StateStaged, "0190b0c4-"+strconv.Itoa(i), "", new(int64)
		all[i] = a
	}
	return all
}

// BenchmarkCommitNew makes files with their content at once, as HTTP does.
func BenchmarkCommitNew(b *testing.B) {
	db := walDB(b)
	dir := mkdir(b, db, RootIno, "dir")
	walPerOp(b, db, b.N, func() {
		for i := range b.N {
			if _, err := db.Commit(b.Context(), realCommit(dir, i), Relaxed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMarkStored500(b *testing.B) {
	const batch = 500
	db := walDB(b)
	stored := make([]Stored, b.N*batch)
	for i, a := range stagedCommits(b, db, len(stored)) {
		c, err := db.Commit(b.Context(), a, Relaxed)
		if err != nil {
			b.Fatal(err)
		}
		stored[i] = Stored{ID: c.Version.ID, Key: a.Key, Sum: "crc64nvme:0123456789abcdef"}
	}
	walPerOp(b, db, b.N*batch, func() {
		for part := range slices.Chunk(stored, batch) {
			if err := db.MarkStored(b.Context(), part, Relaxed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSetTimes(b *testing.B) {
	db := walDB(b)
	dir, names := benchDir(b, db, 1000)
	inos := make([]Ino, len(names))
	for i, name := range names {
		inos[i] = lookup(b, db, dir, name).Ino
	}
	walPerOp(b, db, b.N, func() {
		for i := range b.N {
			_, err := db.SetAttr(b.Context(), inos[i%len(inos)], SetAttr{Mtime: ptr(int64(i)), Atime: ptr(int64(i))}, "fuse", Relaxed)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRename moves files from a temporary name to their own in a directory of 10,000.
func BenchmarkRename(b *testing.B) {
	db := walDB(b)
	dir, names := benchDir(b, db, 10000)
	walPerOp(b, db, b.N, func() {
		for i := range b.N {
			a := RenameArgs{OldParent: dir, OldName: names[i%len(names)], NewParent: dir, NewName: names[i%len(names)] + "x"}
			if i/len(names)%2 == 1 {
				a.OldName, a.NewName = a.NewName, a.OldName
			}
			if _, err := db.Rename(b.Context(), a, Relaxed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDurableParallel(b *testing.B) {
	for _, callers := range []int{1, 4, 16, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			var syncs atomic.Int64
			db := openDB(b, filepath.Join(b.TempDir(), "tote.db"), Options{syncWAL: func(f *os.File) error {
				syncs.Add(1)
				return dataSync(f)
			}})
			var next atomic.Int64
			b.SetParallelism(max(1, callers/2)) // of two processors
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := db.Create(b.Context(), CreateArgs{
						Parent: RootIno, Name: strconv.FormatInt(next.Add(1), 10), Mode: syscall.S_IFREG | 0o644,
					}, Durable)
					if err != nil {
						b.Error(err)
					}
				}
			})
			perSecond(b, "creates")
			b.ReportMetric(float64(b.N)/float64(syncs.Load()), "creates/flush")
		})
	}
}

func benchFiles(b *testing.B) int {
	b.Helper()
	s := os.Getenv("TOTE_BENCH_FILES")
	if s == "" {
		return 50000
	}
	files, err := strconv.Atoi(s)
	if err != nil {
		b.Fatal(err)
	}
	return files
}

// BenchmarkMillion makes files the way the mount does, Create and then Commit, and says what one costs on disk.
// TOTE_BENCH_FILES sets their number.
func BenchmarkMillion(b *testing.B) {
	files := benchFiles(b)
	for range b.N {
		path := filepath.Join(b.TempDir(), "tote.db")
		db := openDB(b, path, Options{})
		var dir Ino
		for i := range files {
			if i%1000 == 0 {
				dir = mkdir(b, db, RootIno, "dir"+strconv.Itoa(i))
			}
			a := realCommit(dir, i)
			n := mkfile(b, db, dir, a.Name)
			a.Ino = n.Ino
			if _, err := db.Commit(b.Context(), a, Relaxed); err != nil {
				b.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		fi, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(fi.Size())/float64(files), "B/file")
	}
	b.ReportMetric(float64(b.N*files)/b.Elapsed().Seconds(), "files/s")
}

func benchTree(b *testing.B, files int, run func(db *DB, i int, name string)) {
	db := newDB(b)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		name := "tree" + strconv.Itoa(i)
		top := mkdir(b, db, RootIno, name)
		dir := top
		for j := range files {
			if j%100 == 0 {
				dir = mkdir(b, db, top, "dir"+strconv.Itoa(j))
			}
			if _, err := db.Commit(b.Context(), realCommit(dir, i*files+j), Relaxed); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		run(db, i, name)
	}
}

func BenchmarkRemoveTree10000(b *testing.B) {
	benchTree(b, 10000, func(db *DB, _ int, name string) {
		_, err := db.RemoveTree(b.Context(), RemoveTreeArgs{
			Parent: RootIno, Name: name, Keep: func(Ino) bool { return false },
		}, Relaxed)
		if err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkRenameTree100000(b *testing.B) {
	db := newDB(b)
	benchDir(b, db, 100000)
	for i := 0; b.Loop(); i++ {
		names := []string{"dir", "other"}
		_, err := db.Rename(b.Context(), RenameArgs{
			OldParent: RootIno, OldName: names[i%2], NewParent: RootIno, NewName: names[(i+1)%2],
		}, Relaxed)
		if err != nil {
			b.Fatal(err)
		}
	}
}
