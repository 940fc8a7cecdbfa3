package meta

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"runtime"
)

func TestOpenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?#%&.db")
	var highest Ino
	for i := range 3 {
		db, err := Open(t.Context(), path, Options{InoBlock: 8})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.EnsureTenant(t.Context(), "rdp", 0o755, 0, 0, Durable); err != nil {
			t.Fatal(err)
		}
		n := mkfile(t, db, RootIno, fmt.Sprint("f", i))
		if n.Ino <= highest {
			t.Errorf("number %d was given out again, %d was the highest", n.Ino, highest)
		}
		highest = n.Ino
		if got := len(names(t, db, RootIno)); got != i+1 {
			t.Errorf("%d names, want %d", got, i+1)
		}
		for range 2 {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the log is left after Close: %v", err)
		}
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("database is %v, %v", fi.Mode(), err)
	}
}

func TestClosed(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "tote.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = db.GetAttr(t.Context(), RootIno)
	wantErr(t, err, errClosed)
	_, err = db.Create(t.Context(), CreateArgs{Parent: RootIno, Name: "f", Mode: syscall.S_IFREG}, Durable)
	wantErr(t, err, errClosed)
	wantErr(t, db.Flush(t.Context()), errClosed)
}

func TestOpenRefuses(t *testing.T) {
	newer := filepath.Join(t.TempDir(), "newer.db")
	db := openDB(t, newer, Options{})
	if err := db.w.script("PRAGMA user_version=9"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{newer, "schema 9, this program knows up to 8"},
		{newer, newer},
		{garbage, garbage},
		{filepath.Join(t.TempDir(), "none", "tote.db"), "no such file"},
	} {
		_, err := Open(t.Context(), c.path, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("open %s: %v, want %q in it", c.path, err, c.want)
		}
	}
	_, err := Open(t.Context(), garbage, Options{})
	wantErr(t, err, syscall.EIO)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ctx, filepath.Join(t.TempDir(), "tote.db"), Options{})
	wantErr(t, err, context.Canceled)
}

func TestPragmas(t *testing.T) {
	db := newDB(t)
	reader, err := db.readers.take(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.readers.put(reader)
	for name, c := range map[string]*conn{"writer": db.w, "reader": reader} {
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "1", "foreign_keys": "1", "busy_timeout": "5000", "wal_autocheckpoint": "0",
			"query_only": map[string]string{"writer": "0", "reader": "1"}[name],
		} {
			if got, err := c.pragma(pragma); err != nil || got != want {
				t.Errorf("%s: pragma %s is %s, %v, want %s", name, pragma, got, err, want)
			}
		}
	}
	if err := reader.run("DELETE FROM nodes"); err == nil {
		t.Error("a reader could write")
	}
	if _, err := openConn(db.path, true, []pragma{{"journal_mode", "off"}}); err == nil {
		t.Error("a pragma that did not take effect was accepted")
	}
}

// TestCacheSizes wants what all connections keep to be what they may keep together.
func TestCacheSizes(t *testing.T) {
	for _, tt := range []struct{ asked, want int64 }{{0, DefaultCache}, {1, MinCache}, {MinCache, MinCache}, {64 << 20, 64 << 20}} {
		db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{Cache: tt.asked})
		all := []*conn{db.w, db.ckpt.c}
		for range db.opened {
			<-db.readers.ready
			all = append(all, db.readers.pop())
		}
		sum := int64(0)
		db.mu.Lock() // the writer commits in its own time
		for _, c := range all {
			got, err := c.pragma("cache_size")
			n, numErr := strconv.ParseInt(got, 10, 64)
			if err != nil || numErr != nil || n >= 0 { // a size in KiB is negative, 0 and above are pages
				t.Errorf("cache of %d bytes: pragma cache_size is %s, %v", tt.asked, got, err)
			}
			sum += -n << 10
		}
		db.mu.Unlock()
		for _, c := range all[2:] {
			db.readers.put(c)
		}
		if sum > tt.want || sum < tt.want*9/10 {
			t.Errorf("cache of %d bytes: connections may keep %d, want %d", tt.asked, sum, tt.want)
		}
	}
}

// TestCacheHolds reads a table forwards and backwards. What is not read from the file again was kept in memory: all of it where there is room, and no more than the
// connection's share where there is not.
func TestCacheHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tote.db")
	db := openDB(t, path, Options{NoSync: true})
	src := mkdir(t, db, RootIno, "src")
	for i := range 500 {
		mkfile(t, db, src, "file-"+strconv.Itoa(i))
	}
	for i := range 20 {
		if _, err := db.CopyTree(t.Context(), copyArgs(src, RootIno, "copy"+strconv.Itoa(i)), Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{MinCache, 64 << 20} {
		db := openDB(t, path, Options{Cache: size})
		<-db.readers.ready
		c := db.readers.pop()
		first, second := bytesRead(t, c, "ASC"), bytesRead(t, c, "DESC")
		kept, share := first-second, size*9/16/int64(db.opts.ReadConns)
		if kept > share || kept < min(share, first)/2 {
			t.Errorf("cache of %d bytes: %d of %d were kept, the share is %d", size, kept, first, share)
		}
		db.readers.put(c)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// bytesRead reads all nodes and tells what the thread read from files meanwhile.
func bytesRead(t *testing.T, c *conn, order string) int64 {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	count := func() (n int64) {
		b, err := os.ReadFile("/proc/thread-self/io")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(string(b), "rchar: %d", &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	if err := c.each(func(row) error { return nil }, "SELECT size FROM nodes ORDER BY ino "+order); err != nil {
		t.Fatal(err)
	}
	return count() - before
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{sqlite3.Error{Code: sqlite3.ErrFull}, syscall.ENOSPC},
		{sqlite3.Error{Code: sqlite3.ErrIoErr}, syscall.EIO},
		{sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.ENOSPC}, syscall.ENOSPC},
		{sqlite3.Error{Code: sqlite3.ErrCorrupt}, syscall.EIO},
		{sqlite3.Error{Code: sqlite3.ErrNotADB}, syscall.EIO},
		{sqlite3.Error{Code: sqlite3.ErrBusy}, syscall.EBUSY},
		{sqlite3.Error{Code: sqlite3.ErrReadonly}, syscall.EROFS},
		{fmt.Errorf("while: %w", sqlite3.Error{Code: sqlite3.ErrFull}), syscall.ENOSPC},
	} {
		got := wrap(c.err)
		wantErr(t, got, c.want)
		wantErr(t, got, c.err)
	}
	if err := wrap(syscall.ENOENT); err != syscall.ENOENT {
		t.Errorf("an errno became %v", err)
	}
	if err := wrap(sqlite3.Error{Code: sqlite3.ErrMisuse}); err == nil || errors.Is(err, syscall.EIO) {
		t.Errorf("misuse became %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	db := newDB(t)
	if err := db.w.script("PRAGMA max_page_count=1"); err != nil { // SQLite raises it to the present size
		t.Fatal(err)
	}
	var err error
	created := 0
	for err == nil && created < 10000 {
		_, err = db.Create(t.Context(), CreateArgs{
			Parent: RootIno, Name: fmt.Sprint(strings.Repeat("x", 200), created), Mode: syscall.S_IFREG,
		}, Relaxed)
		created++
	}
	wantErr(t, err, syscall.ENOSPC)
	wantSound(t, db)
	if err := db.w.script("PRAGMA max_page_count=1000000"); err != nil {
		t.Fatal(err)
	}
	mkfile(t, db, RootIno, "after")
}

func TestBusyIsTriedAgain(t *testing.T) {
	db := newDB(t)
	runs := 0
	err := db.update(t.Context(), Relaxed, func(t *tx) error {
		if runs++; runs < 3 {
			return sqlite3.Error{Code: sqlite3.ErrBusy}
		}
		return nil
	})
	if err != nil || runs != 3 {
		t.Errorf("ran %d times, %v", runs, err)
	}
	err = db.update(t.Context(), Relaxed, func(t *tx) error { return sqlite3.Error{Code: sqlite3.ErrBusy} })
	wantErr(t, err, syscall.EBUSY)
}

func TestPanicRollsBack(t *testing.T) {
	db := newDB(t)
	mkfile(t, db, RootIno, "f")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "f", Keep: func(Ino) bool { panic("keep") }}, Relaxed)
	}()
	lookup(t, db, RootIno, "f")
	mkfile(t, db, RootIno, "g")
}

func TestCancelled(t *testing.T) {
	db := newDB(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := db.Create(ctx, CreateArgs{Parent: RootIno, Name: "f", Mode: syscall.S_IFREG}, Relaxed)
	wantErr(t, err, context.Canceled)
	_, err = db.GetAttr(ctx, RootIno)
	wantErr(t, err, context.Canceled)
	wantGone(t, db, RootIno, "f")

	// A mutation that has begun runs to its end.
	ctx, cancel = context.WithCancel(t.Context())
	mkfile(t, db, RootIno, "g")
	_, err = db.Unlink(ctx, UnlinkArgs{Parent: RootIno, Name: "g", Check: func(Attr) error { cancel(); return nil }}, Durable)
	if err != nil {
		t.Error(err)
	}
	wantGone(t, db, RootIno, "g")
}

// Whoever waits for a reading connection when the database is closed is told so.
func TestCloseWithWaitingReader(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "tote.db"), Options{ReadConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	busy, err := db.reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waited, closed := make(chan error), make(chan error)
	go func() {
		waited <- db.read(t.Context(), func(*conn) error { return nil })
	}()
	go func() { closed <- db.Close() }()
	wantErr(t, <-waited, errClosed)
	db.readers.put(busy)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestFixture opens a database of every released schema. TOTE_WRITE_FIXTURE=1 writes the one of this schema.
func TestFixture(t *testing.T) {
	if os.Getenv("TOTE_WRITE_FIXTURE") != "" {
		writeFixture(t, filepath.Join("testdata", "schema-v8.db"))
	}
	for _, name := range []string{"schema-v1.db", "schema-v2.db", "schema-v3.db", "schema-v4.db", "schema-v5.db", "schema-v6.db", "schema-v7.db", "schema-v8.db"} {
		t.Run(name, func(t *testing.T) { openFixture(t, filepath.Join("testdata", name)) })
	}
}

func openFixture(t *testing.T, fixture string) {
	old, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tote.db")
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, path, Options{})
	wantSound(t, db)
	walked, err := db.WalkPath(t.Context(), RootIno, []string{"assets", "toteBag.png"})
	if err != nil || walked[1].Size != 10 {
		t.Fatalf("walked %+v, %v", walked, err)
	}
	v, err := db.CurrentVersion(t.Context(), walked[1].Ino)
	if err != nil || v.Key != "toteBag@_@2.png" {
		t.Errorf("version is %+v, %v", v, err)
	}
	want := Object{}
	if !strings.HasSuffix(fixture, "v1.db") {
		want = Object{ETag: "e2", Blocks: []byte{1, 2, 3, 4}, Sums: []byte("12345678")}
	}
	if o, err := db.Object(t.Context(), v.ID); err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("object is %+v, %v", o, err)
	}
	if u, err := db.GetUser(t.Context(), "rdp", "admin"); err != nil || u.Roles[0] != "admin" {
		t.Errorf("user is %+v, %v", u, err)
	}
	if e, err := db.EventList(t.Context(), EventQuery{Tenant: "rdp", Limit: 9}); fixture >= filepath.Join("testdata", "schema-v3.db") && (err != nil || len(e) != 1 || e[0].Partial == nil) {
		t.Errorf("events are %+v, %v", e, err)
	}
	if c, err := db.Clients(t.Context(), "rdp"); strings.HasSuffix(fixture, "v4.db") && (err != nil || len(c) != 1 || len(c[0].Key) != 1) {
		t.Errorf("clients are %+v, %v", c, err)
	}
	if n, err := db.CountFiles(t.Context(), FileQuery{Tenant: 1, Props: []Property{{"", "user", `"u"`}}}); err != nil || n != 1 {
		t.Errorf("the user has %d files, %v", n, err)
	}
	wantEqual(t, "intents", intents(t, db), []string{"toteBag@_@1.png"})
	mkfile(t, db, walked[0].Ino, "new")
}

func writeFixture(t *testing.T, fixture string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tote.db")
	db := openDB(t, path, Options{Now: clock(), InoBlock: 16})
	dir := mkdir(t, db, RootIno, "assets")
	commit(t, db, dir, "toteBag.png", "toteBag@_@1.png")
	done, err := db.Commit(t.Context(), CommitArgs{
		Parent: dir, Name: "toteBag.png", GUID: "guid-2", Key: "toteBag@_@2.png", Size: 10, State: StateStored, Sum: "sum",
		Object: Object{ETag: "e2", Blocks: []byte{1, 2, 3, 4}, Sums: []byte("12345678")}, Origin: "rest",
	}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	f := done.Attr
	m, err := db.AddManaged(t.Context(), Managed{Tenant: "rdp", Owner: "u", Name: "device", Doc: []byte("{}")}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	e, err := db.AddEvent(t.Context(), Event{Tenant: "rdp", Source: m.ID, Type: "t", Time: 5, Doc: []byte(`{"text":"x"}`)}, Relaxed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = db.ChangeEvent(t.Context(), "rdp", e.ID, func(e *Event) error { e.Partial = &Partial{Received: 4, Length: -1}; return nil }, Relaxed); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		db.PutUser(t.Context(), User{Tenant: "rdp", Name: "admin", Hash: "h", Roles: []string{"admin"}}, Relaxed),
		db.SetXattr(t.Context(), f.Ino, "user.a", []byte("1"), 0, "", Relaxed),
		db.PatchProps(t.Context(), f.Ino, []Property{{"", "user", `"u"`}}, nil, "", Relaxed),
		db.PutBSO(t.Context(), BSO{Tenant: "rdp", ID: "b", Ino: f.Ino, Doc: []byte("{}")}, nil, Relaxed),
		db.AddLock(t.Context(), Lock{Token: "t", Tenant: 1, Path: "/"}, Precondition{}, nil, Relaxed),
		db.BeginUpload(t.Context(), Upload{ID: "u", Key: "k"}, Relaxed),
		db.PutSetting(t.Context(), "s", []byte("v"), Relaxed),
		db.AddRelations(t.Context(), []Relation{{"rdp", m.ID, KindAddition, f.Ino}}, Relaxed),
		db.AddClient(t.Context(), Client{Tenant: "rdp", ID: "c", Key: []byte("k"), Roles: []string{"editor"}}, Relaxed),
		db.PutTenantOptions(t.Context(), "rdp", []byte("{}"), Relaxed),
		db.PutToken(t.Context(), Token{Hash: []byte("h"), Tenant: "rdp", User: "admin", Expires: time.Unix(9e9, 0)}, Relaxed),
		db.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(fixture), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fixture, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
