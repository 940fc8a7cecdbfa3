package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"tote/meta"
)

// fill opens a new database in a data directory, lets fn fill it and closes it.
func fill(t testing.TB, data string, fn func(ctx context.Context, db *meta.DB)) {
	t.Helper()
	ctx := context.Background()
	check(t, os.MkdirAll(data, 0o700))
	file := filepath.Join(data, "tote.db")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	check(t, err)
	check(t, f.Close())
	db, err := meta.Open(ctx, file, meta.Options{NoSync: true})
	check(t, err)
	defer func() { check(t, db.Close()) }()
	_, err = db.EnsureTenant(ctx, "rdp", 0o755, 0, 0, meta.Relaxed)
	check(t, err)
	fn(ctx, db)
}

func makeNode(t testing.TB, ctx context.Context, db *meta.DB, parent meta.Ino, name string, mode uint32) meta.Ino {
	t.Helper()
	a, err := db.Create(ctx, meta.CreateArgs{Parent: parent, Name: name, Mode: mode, Origin: "core"}, meta.Relaxed)
	check(t, err)
	return a.Ino
}

// best is the shortest time of several, which is what the code needs when the machine has other things to do.
func best(t testing.TB, runs int, fn func(i int)) time.Duration {
	t.Helper()
	var took []time.Duration
	for i := range runs {
		start := time.Now()
		fn(i)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("best %v, median %v of %d", took[0], took[len(took)/2], runs)
	return took[0]
}

const (
	renameLimit = 10 * time.Millisecond
	listLimit   = 300 * time.Millisecond
)

// TestLimits renames a directory with 100,000 files below it, in the database and over the mount and WebDAV, and lists one of 10,000 entries.
func TestLimits(t *testing.T) {
	s := startServer(t, func(s *server) {
		fill(t, s.data, func(ctx context.Context, db *meta.DB) {
			start := time.Now()
			fillTree(t, ctx, db)
			t.Logf("110,000 files made in %v", time.Since(start).Round(time.Millisecond))
			t.Run("rename in the database", func(t *testing.T) { renameInDB(t, ctx, db) })
		})
	})
	within := func(t *testing.T, limit time.Duration, fn func(i int)) {
		if took := best(t, 20, fn); took > limit && len(raceFlags) == 0 {
			t.Errorf("took %v, limit %v", took, limit)
		}
	}
	names := []string{"/big", "/big2"}
	for _, f := range []Treer{s.mount(), s.dav()} {
		t.Run("rename over "+f.(Face).Name(), func(t *testing.T) {
			within(t, renameLimit, func(i int) { check(t, f.Move(names[i%2], names[1-i%2], true)) })
			_, err := s.mount().Stat("/big/d99/999")
			check(t, err)
		})
	}
	t.Run("ls", func(t *testing.T) {
		s.stop()
		s.start()
		start := time.Now()
		out := command(t, "", "ls", "-l", s.mount().at("/many"))
		t.Logf("the first time, with nothing cached: %v", time.Since(start))
		if n := len(slices.Collect(splitLines(out))); n != 10_001 {
			t.Errorf("ls prints %d lines", n)
		}
		within(t, listLimit, func(int) { command(t, "", "ls", "-l", s.mount().at("/many")) })
	})
	t.Run("remove", func(t *testing.T) {
		start := time.Now()
		check(t, s.dav().Remove("/big"))
		t.Logf("DELETE of 100,000 files: %v", time.Since(start))
	})
	s.checkMemory()
}

func splitLines(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i, from := 0, 0; i < len(s); i++ {
			if s[i] != '\n' {
				continue
			}
			if !yield(s[from:i]) {
				return
			}
			from = i + 1
		}
	}
}

func fillTree(t testing.TB, ctx context.Context, db *meta.DB) {
	t.Helper()
	big := makeNode(t, ctx, db, meta.RootIno, "big", syscall.S_IFDIR|0o755)
	for d := range 100 {
		dir := makeNode(t, ctx, db, big, "d"+strconv.Itoa(d), syscall.S_IFDIR|0o755)
		for f := range 1000 {
			makeNode(t, ctx, db, dir, strconv.Itoa(f), syscall.S_IFREG|0o644)
		}
	}
	many := makeNode(t, ctx, db, meta.RootIno, "many", syscall.S_IFDIR|0o755)
	for f := range 10_000 {
		makeNode(t, ctx, db, many, fmt.Sprintf("file-%05d.txt", f), syscall.S_IFREG|0o644)
	}
}

func renameInDB(t *testing.T, ctx context.Context, db *meta.DB) {
	names := []string{"big", "big2"}
	took := best(t, 20, func(i int) {
		_, err := db.Rename(ctx, meta.RenameArgs{
			OldParent: meta.RootIno, OldName: names[i%2], NewParent: meta.RootIno, NewName: names[1-i%2], Origin: "core",
		}, meta.Durable)
		check(t, err)
	})
	if took > renameLimit && len(raceFlags) == 0 {
		t.Errorf("took %v, limit %v", took, renameLimit)
	}
}

// TestDatabaseSize wants a file to cost at most 1 KiB of the database. TestSoakDatabaseSize does it with a million.
func TestDatabaseSize(t *testing.T) {
	files := 100_000
	if brief() {
		files = 10_000
	}
	databaseSize(t, files)
}

// databaseSize commits files with names, versions and keys as they are in life.
func databaseSize(t *testing.T, files int) {
	t.Helper()
	data := filepath.Join(tempDir(t), "data")
	fill(t, data, func(ctx context.Context, db *meta.DB) {
		start := time.Now()
		for d := 0; d*1000 < files; d++ {
			dir := makeNode(t, ctx, db, meta.RootIno, fmt.Sprintf("directory %d", d), syscall.S_IFDIR|0o755)
			for f := range min(1000, files-d*1000) {
				commitNode(t, ctx, db, dir, fmt.Sprintf("IMG_%d_%05d.jpeg", d, f))
			}
		}
		t.Logf("%d files committed in %v", files, time.Since(start).Round(time.Millisecond))
	})
	used := int64(0)
	for _, name := range []string{"tote.db", "tote.db-wal"} {
		if fi, err := os.Stat(filepath.Join(data, name)); err == nil {
			used += fi.Size()
		}
	}
	t.Logf("%d bytes a file", used/int64(files))
	if used > int64(files)<<10 {
		t.Errorf("%d files cost %d bytes, limit %d", files, used, files<<10)
	}
}

// commitNode makes a file with a version, as the core does after an upload.
func commitNode(t testing.TB, ctx context.Context, db *meta.DB, dir meta.Ino, name string) {
	t.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	_, err := db.Commit(ctx, meta.CommitArgs{
		Parent: dir, Name: name, Mode: 0o644, GUID: id, Key: "rdp/binarystreamobject/assets/" + name[:len(name)-5] + "@_@" + id + ".jpeg",
		Size: 123_456, State: meta.StateStored, Sum: "crc64nvme:0123456789abcdef", MD5: "0123456789abcdef0123456789abcdef", Origin: "core",
	}, meta.Relaxed)
	check(t, err)
}
