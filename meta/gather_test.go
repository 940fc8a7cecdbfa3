package meta

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowDB gathers operations until somebody wants them committed.
func slowDB(t *testing.T, path string) *DB {
	t.Helper()
	db := openDB(t, path, Options{Gather: time.Hour})
	if err := db.settlePending(); err != nil {
		t.Fatal(err)
	}
	return db
}

func wantPending(t *testing.T, db *DB, want int64) {
	t.Helper()
	if n := db.gather.pending.Load(); n != want {
		t.Errorf("%d operations wait to be committed, want %d", n, want)
	}
}

// Whoever reads sees what was acknowledged, on whatever connection.
func TestGatheredIsSeen(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	n := mkfile(t, db, RootIno, "f")
	wantPending(t, db, 1)
	if a, err := db.GetAttr(t.Context(), n.Ino); err != nil || a.Ino != n.Ino {
		t.Errorf("the writer's connection: %v, %v", a.Ino, err)
	}
	wantPending(t, db, 1)
	if got := names(t, db, RootIno); len(got) != 1 {
		t.Errorf("a reader's connection: %q", got)
	}
	wantPending(t, db, 0)
	mkfile(t, db, RootIno, "g")
	if err := db.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	wantPending(t, db, 0)
}

// Nobody need come for a transaction to end.
func TestGatheredIsCommittedInTime(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{Gather: time.Millisecond})
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := db.flush.commit.Load()
	mkfile(t, db, RootIno, "f")
	for t.Context().Err() == nil && db.flush.commit.Load() == before {
		runtime.Gosched()
	}
	wantPending(t, db, 0)
}

// An operation that fails takes nothing else along.
func TestGatheredFailure(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	mkfile(t, db, RootIno, "f")
	_, err := db.Create(t.Context(), CreateArgs{Parent: RootIno, Name: "f", Mode: syscall.S_IFREG}, Relaxed)
	wantErr(t, err, syscall.EEXIST)
	broke := errors.New("broke")
	_, err = db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: "f", Check: func(Attr) error { return broke }}, Relaxed)
	wantErr(t, err, broke)
	mkfile(t, db, RootIno, "g")
	wantPending(t, db, 2)
	lose(t, db)
	if got := strings.Join(names(t, db, RootIno), " "); got != "f g" && got != "g f" {
		t.Errorf("the root has %q", got)
	}
	wantSound(t, db)
}

// lose has SQLite forget the open transaction, as it does when the disk is full.
func lose(t *testing.T, db *DB) {
	t.Helper()
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.w.run("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	db.gather.open = false
}

// What was acknowledged is done again when its transaction is lost, before anything else is seen or done.
func TestGatheredIsDoneAgain(t *testing.T) {
	for name, next := range map[string]func(*testing.T, *DB){
		"a glance":       func(t *testing.T, db *DB) { wantChild(t, db, "f") },
		"a reader":       func(t *testing.T, db *DB) { names(t, db, RootIno) },
		"a gathered one": func(t *testing.T, db *DB) { mkfile(t, db, RootIno, "x") },
		"a durable one":  func(t *testing.T, db *DB) { mkdurable(t, db, "x") },
		"a flush": func(t *testing.T, db *DB) {
			if err := db.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
			f := mkfile(t, db, RootIno, "f")
			mkfile(t, db, RootIno, "g")
			if _, err := rename(db, t, RootIno, "g", RootIno, "h", 0); err != nil {
				t.Fatal(err)
			}
			lose(t, db)
			next(t, db)
			if a, err := db.Lookup(t.Context(), RootIno, "f"); err != nil || a != f {
				t.Errorf("f is %+v, %v; it was %+v", a, err, f)
			}
			wantChild(t, db, "h")
			wantGone(t, db, RootIno, "g")
			wantSound(t, db)
		})
	}
}

func wantChild(t *testing.T, db *DB, name string) {
	t.Helper()
	if _, err := db.Lookup(t.Context(), RootIno, name); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func mkdurable(t *testing.T, db *DB, name string) {
	t.Helper()
	if _, err := db.Create(t.Context(), CreateArgs{Parent: RootIno, Name: name, Mode: syscall.S_IFREG}, Durable); err != nil {
		t.Error(err)
	}
}

// The operations of a process that died are done again at the next start, whole ones only, and only those that come next.
func TestOpsAreReplayed(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	mkdurable(t, db, "old")
	for _, name := range []string{"a", "b", "c"} {
		mkfile(t, db, RootIno, name)
	}
	wantPending(t, db, 3)
	data, log, ops := read(t, db.path), read(t, db.path+"-wal"), db.gather.log.buf
	ops = append([]byte(nil), ops...)
	flip := append([]byte(nil), ops...)
	flip[len(flip)-3] ^= 1
	old := append([]byte(nil), ops...)
	old[8]++
	for name, c := range map[string]struct {
		ops  []byte
		want int
	}{
		"whole": {ops, 4}, "with rubbish behind": {append(append([]byte(nil), ops...), 1, 2, 3), 4}, "torn": {ops[:len(ops)-1], 3},
		"torn head": {ops[:9], 1}, "a flipped bit": {flip, 3}, "of another time": {old, 1}, "empty": {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tote.db")
			write(t, path, data)
			write(t, path+"-wal", log)
			write(t, path+"-ops", c.ops)
			for range 2 {
				copied := slowDB(t, path)
				if got := names(t, copied, RootIno); len(got) != c.want {
					t.Errorf("the root has %q, want %d", got, c.want)
				}
				wantSound(t, copied)
				if err := copied.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if st, err := os.Stat(path + "-ops"); err != nil || st.Size() != 0 {
				t.Errorf("a closed database left operations: %v, %v", st, err)
			}
		})
	}
}

// Operations that can't be done again are kept apart, and the database opens without them.
func TestOpsAreSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tote.db")
	db := slowDB(t, path)
	epoch := db.gather.log.epoch
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := openOpLog(path+"-ops", epoch)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.append([]statement{{text: "DELETE FROM no_such_table", args: encodeArgs(nil, nil)}}); err != nil {
		t.Fatal(err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	wantSound(t, slowDB(t, path))
	if kept, err := filepath.Glob(path + "-ops-*"); err != nil || len(kept) != 1 {
		t.Errorf("kept %q, %v", kept, err)
	}
}

func TestOpArguments(t *testing.T) {
	args := []any{nil, int64(-5), "", "text\x00", []byte{}, []byte{0, 1}, Ino(1 << 62), true, []byte(nil), State(3), uint64(1 << 63)}
	r := &opReader{b: encodeArgs(nil, args)}
	got := r.args()
	want := []any{nil, int64(-5), "", "text\x00", []byte{}, []byte{0, 1}, int64(1 << 62), int64(1), nil, int64(3), int64(-1 << 63)}
	if r.err != nil || len(r.b) != 0 || len(got) != len(want) {
		t.Fatalf("got %v, %v, %d bytes left", got, r.err, len(r.b))
	}
	for i := range want {
		if b, ok := want[i].([]byte); ok {
			if string(b) != string(got[i].([]byte)) {
				t.Errorf("%d: %v, want %v", i, got[i], b)
			}
		} else if got[i] != want[i] {
			t.Errorf("%d: %v, want %v", i, got[i], want[i])
		}
	}
}

func FuzzOps(f *testing.F) {
	f.Add(encodeArgs([]byte{0, 1, 'x'}, []any{nil, int64(1), "a", []byte("b")}))
	f.Fuzz(func(_ *testing.T, body []byte) {
		for r := (&opReader{b: body}); len(r.b) > 0; {
			r.uvarint()
			r.bytes()
			r.args()
		}
		splitRecords(body, 0)
	})
}
