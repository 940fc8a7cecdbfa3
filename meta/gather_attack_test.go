package meta

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// crash copies what the death of the process at this instant would leave.
func crash(t *testing.T, db *DB) string {
	t.Helper()
	db.mu.Lock()
	defer db.mu.Unlock()
	path := filepath.Join(t.TempDir(), "tote.db")
	for _, name := range []string{"", "-wal", "-ops"} {
		write(t, path+name, read(t, db.path+name))
	}
	return path
}

// dump is what the writer sees, except the epoch.
func dump(t *testing.T, db *DB) string {
	t.Helper()
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.gather.pending.Load() > 0 {
		if err := db.begin(); err != nil {
			t.Fatal(err)
		}
	}
	tables, err := collect(db.w, func(r row) string { return r.text(0) },
		"SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, table := range tables {
		err := db.w.each(func(r row) error {
			if line := fmt.Sprintf("%s %q", table, []any{r}); !strings.Contains(line, `"ops"`) {
				rows = append(rows, line)
			}
			return nil
		}, "SELECT * FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// differ shows the first lines that one dump has and the other has not.
func differ(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	for _, line := range strings.Split(want, "\n") {
		if !strings.Contains(got, line) {
			t.Errorf("%s: %s is missing", what, line)
			break
		}
	}
	for _, line := range strings.Split(got, "\n") {
		if !strings.Contains(want, line) {
			t.Errorf("%s: %s is too much", what, line)
			break
		}
	}
}

// fill makes something for every method to work on.
func fill(t *testing.T, db *DB) {
	t.Helper()
	for _, d := range []string{"d", "e"} {
		dir := mkdir(t, db, RootIno, d)
		sub := mkdir(t, db, dir, "sub")
		commit(t, db, sub, "deep", "deep-"+d)
		commit(t, db, dir, "kept", "kept-"+d)
		n := mkfile(t, db, dir, "twice")
		if _, err := db.Link(t.Context(), LinkArgs{Ino: n.Ino, Parent: RootIno, Name: "twice-" + d}, Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"f", "g", "h", "i"} {
		commit(t, db, RootIno, f, "key-"+f)
	}
	commit(t, db, RootIno, "f", "key-f2")
}

// method is one call of a method that writes.
type method struct {
	name string
	call func(*DB, func(string) Ino) error
}

// methods are calls of all methods that write, in an order in which they work.
func methods(t *testing.T) []method {
	ctx, redo := t.Context(), &Redo{BaseKey: "key-g", Ranges: []byte{1, 2}}
	reg := uint32(syscall.S_IFREG | 0o644)
	drop := func(_ any, err error) error { return err }
	put := func(a CommitArgs) func(*DB, func(string) Ino) error {
		return func(db *DB, _ func(string) Ino) error { return drop(db.Commit(ctx, a, Relaxed)) }
	}
	never := errors.New("never")
	var version int64
	return []method{
		{"create", func(db *DB, _ func(string) Ino) error {
			return drop(db.Create(ctx, CreateArgs{Parent: RootIno, Name: "new", Mode: reg, Origin: "x"}, Relaxed))
		}},
		{"symlink", func(db *DB, _ func(string) Ino) error {
			a := CreateArgs{Parent: RootIno, Name: "l", Mode: syscall.S_IFLNK | 0o777, Target: "\xff/x"}
			return drop(db.Create(ctx, a, Relaxed))
		}},
		{"taken name", func(db *DB, _ func(string) Ino) error {
			if _, err := db.Create(ctx, CreateArgs{Parent: RootIno, Name: "new", Mode: reg}, Relaxed); err != syscall.EEXIST {
				return errors.Join(never, err)
			}
			return nil
		}},
		{"temporary file", func(db *DB, _ func(string) Ino) error {
			n, err := db.Create(ctx, CreateArgs{Parent: RootIno, Tmpfile: true, Mode: reg}, Relaxed)
			if err != nil {
				return err
			}
			return drop(db.Link(ctx, LinkArgs{Ino: n.Ino, Parent: RootIno, Name: "named", Tmpfile: true}, Relaxed))
		}},
		{"third link", func(db *DB, ino func(string) Ino) error {
			return drop(db.Link(ctx, LinkArgs{Ino: ino("twice-d"), Parent: ino("e"), Name: "third"}, Relaxed))
		}},
		{"unlink one of several", func(db *DB, _ func(string) Ino) error {
			return drop(db.Unlink(ctx, UnlinkArgs{Parent: RootIno, Name: "twice-e"}, Relaxed))
		}},
		{"attributes", func(db *DB, ino func(string) Ino) error {
			return drop(db.SetAttr(ctx, ino("new"), SetAttr{Size: ptr(int64(7)), Mode: ptr(uint32(0o600)), Atime: ptr(int64(-1))}, "x", Relaxed))
		}},
		{"touch", func(db *DB, ino func(string) Ino) error {
			return db.Touch(ctx, []TimeUpdate{{Ino: ino("new"), Size: 9, Mtime: 8}, {Ino: 1 << 40, Size: 1}}, Relaxed)
		}},
		{"new content", put(CommitArgs{Parent: RootIno, Name: "c", Key: "c1", GUID: "c1", Size: 3, State: StateStaged, Staging: "s1",
			Object: Object{ETag: "e", Blocks: []byte{}, Sums: nil}, Props: []Property{{"", "a", "1"}, {"s", "b", "2"}}})},
		{"content again", put(CommitArgs{Parent: RootIno, Name: "c", Key: "c2", GUID: "c2", Size: 4, State: StateStored,
			ClearProps: []string{"s"}, Object: Object{ETag: "f", Sums: []byte{1}}})},
		{"another name", put(CommitArgs{Parent: RootIno, Name: "c", AltName: "c-alt", Key: "c3", GUID: "c3", Size: 5, State: StateStored})},
		{"edit in place", put(CommitArgs{Parent: RootIno, Name: "g", Key: "key-g2", GUID: "g2", Size: 11, State: StateRedo, Staging: "r", Redo: redo})},
		{"stored", func(db *DB, ino func(string) Ino) error {
			n, err := db.GetAttr(ctx, ino("g"))
			if err != nil {
				return err
			}
			version = n.Version
			return db.MarkStored(ctx, []Stored{{ID: n.Version, Key: "key-g2", Sum: "s", Synced: true, Object: Object{ETag: "t"}}, {ID: 1 << 40, Key: "nobody's"}}, Relaxed)
		}},
		{"sums", func(db *DB, _ func(string) Ino) error { return db.SetSums(ctx, version, "", "md5", Relaxed) }},
		{"dropped version", func(db *DB, _ func(string) Ino) error {
			return put(CommitArgs{Parent: RootIno, Name: "g", Key: "key-g3", GUID: "g3", Size: 12, State: StateStored, Drop: version})(db, nil)
		}},
		{"properties", func(db *DB, ino func(string) Ino) error {
			return db.PatchProps(ctx, ino("h"), []Property{{"s", "n", "\x00v"}, {"", "k", ""}}, []Property{{"s", "m", ""}}, "x", Relaxed)
		}},
		{"attribute", func(db *DB, ino func(string) Ino) error {
			return db.SetXattr(ctx, ino("h"), "user.a", nil, XattrCreate, "x", Relaxed)
		}},
		{"attribute again", func(db *DB, ino func(string) Ino) error {
			return db.SetXattr(ctx, ino("h"), "user.a", []byte{0}, XattrReplace, "x", Relaxed)
		}},
		{"no attribute", func(db *DB, ino func(string) Ino) error {
			return db.RemoveXattr(ctx, ino("h"), "user.a", "x", Relaxed)
		}},
		{"document", func(db *DB, ino func(string) Ino) error {
			return db.PutBSO(ctx, BSO{Tenant: "rdp", ID: "1", ObjectKey: "k", Ino: ino("h")}, nil, Relaxed)
		}},
		{"document again", func(db *DB, _ func(string) Ino) error {
			return db.PutBSO(ctx, BSO{Tenant: "rdp", ID: "1", ObjectKey: "l", Doc: []byte("{}")}, nil, Relaxed)
		}},
		{"no document", func(db *DB, _ func(string) Ino) error { return db.DeleteBSO(ctx, "rdp", "1", Relaxed) }},
		{"user", func(db *DB, _ func(string) Ino) error {
			return db.PutUser(ctx, User{Tenant: "rdp", Name: "u", Roles: []string{"a"}}, Relaxed)
		}},
		{"no user", func(db *DB, _ func(string) Ino) error { return db.DeleteUser(ctx, "rdp", "u", Relaxed) }},
		{"lock", func(db *DB, _ func(string) Ino) error {
			return db.AddLock(ctx, Lock{Token: "t", Tenant: 1, Path: "/a", Infinite: true}, Precondition{}, nil, Relaxed)
		}},
		{"lock that ends", func(db *DB, _ func(string) Ino) error {
			return drop(db.RefreshLock(ctx, 1, "t", time.Unix(1, 0), Relaxed))
		}},
		{"ended lock", func(db *DB, _ func(string) Ino) error { return drop(db.ExpireLocks(ctx, time.Unix(2, 0), Relaxed)) }},
		{"locks below", func(db *DB, _ func(string) Ino) error {
			err := db.AddLock(ctx, Lock{Token: "u", Tenant: 1, Path: "/a/b"}, Precondition{}, nil, Relaxed)
			return errors.Join(err, db.DeleteLocksUnder(ctx, 1, "/a", Relaxed))
		}},
		{"upload", func(db *DB, _ func(string) Ino) error {
			return db.BeginUpload(ctx, Upload{ID: "u", Key: "k", Ino: 1}, Relaxed)
		}},
		{"end of upload", func(db *DB, _ func(string) Ino) error { return db.FinishUpload(ctx, "u", Relaxed) }},
		{"no upload", func(db *DB, _ func(string) Ino) error { return db.ForgetUpload(ctx, "u", Relaxed) }},
		{"intent", func(db *DB, _ func(string) Ino) error { return db.AddIntent(ctx, "key-h", 5, Relaxed) }},
		{"claimed intent", func(db *DB, _ func(string) Ino) error { return drop(db.ClaimIntent(ctx, "key-h", Relaxed)) }},
		{"no intent", func(db *DB, _ func(string) Ino) error { return db.FinishIntent(ctx, "key-f", Relaxed) }},
		{"managed objects", func(db *DB, ino func(string) Ino) error {
			a, err := db.AddManaged(ctx, Managed{Tenant: "rdp", Name: "a", Doc: []byte("{}")}, Relaxed)
			b, berr := db.AddManaged(ctx, Managed{Tenant: "rdp", Name: "b", Doc: []byte("{}")}, Relaxed)
			_, cerr := db.ChangeManaged(ctx, "rdp", a.ID, func(m *Managed) error { m.Type = "t"; return nil }, Relaxed)
			rels := []Relation{{"rdp", a.ID, KindAsset, b.ID}, {"rdp", a.ID, KindAddition, ino("h")}, {"rdp", a.ID, KindDevice, 1 << 40}}
			return errors.Join(err, berr, cerr, db.AddRelations(ctx, rels, Relaxed), db.SweepRelations(ctx, Relaxed),
				db.DeleteManaged(ctx, "rdp", b.ID, Relaxed))
		}},
		{"events", func(db *DB, _ func(string) Ino) error {
			var errs []error
			for i := range 3 {
				e, err := db.AddEvent(ctx, Event{Tenant: "rdp", Type: "t", Time: int64(i), Doc: []byte("{}")}, Relaxed)
				_, cerr := db.ChangeEvent(ctx, "rdp", e.ID, func(e *Event) error { e.Partial = &Partial{Length: -1}; return nil }, Relaxed)
				errs = append(errs, err, cerr)
				if i == 1 {
					errs = append(errs, db.DeleteEvent(ctx, "rdp", e.ID, Relaxed))
				}
			}
			return errors.Join(errs...)
		}},
		{"tokens", func(db *DB, _ func(string) Ino) error {
			var errs []error
			for i := range maxTokens + 3 { // some expire at the same time
				k := Token{Hash: []byte{byte(i * 37)}, Tenant: "rdp", User: "u", Expires: time.Unix(int64(9e9+i%2), 0)}
				errs = append(errs, db.PutToken(ctx, k, Relaxed))
			}
			return errors.Join(append(errs, db.DeleteToken(ctx, []byte{37}, Relaxed), db.ExpireTokens(ctx, time.Unix(1, 0), Relaxed))...)
		}},
		{"setting", func(db *DB, _ func(string) Ino) error { return db.PutSetting(ctx, "s", []byte{}, Relaxed) }},
		{"tenant", func(db *DB, _ func(string) Ino) error {
			return drop(db.EnsureTenant(ctx, "other", 0o755, 1, 1, Relaxed))
		}},
		{"rename over a file", func(db *DB, _ func(string) Ino) error {
			return drop(db.Rename(ctx, RenameArgs{OldParent: RootIno, OldName: "new", NewParent: RootIno, NewName: "h", Keep: always}, Relaxed))
		}},
		{"exchange", func(db *DB, ino func(string) Ino) error {
			return drop(db.Rename(ctx, RenameArgs{OldParent: RootIno, OldName: "i", NewParent: ino("e"), NewName: "sub", Flags: RenameExchange}, Relaxed))
		}},
		{"rename over a tree", func(db *DB, _ func(string) Ino) error {
			keep := func(ino Ino) bool { return ino%3 == 0 }
			return drop(db.Rename(ctx, RenameArgs{OldParent: RootIno, OldName: "d", NewParent: RootIno, NewName: "e", Flags: RenameTree, Keep: keep}, Relaxed))
		}},
		{"unlinked while open", func(db *DB, ino func(string) Ino) error {
			was := ino("f")
			err := drop(db.Unlink(ctx, UnlinkArgs{Parent: RootIno, Name: "f", Keep: always}, Relaxed))
			return errors.Join(err, drop(db.DropOrphan(ctx, was, Relaxed)))
		}},
		{"directory", func(db *DB, _ func(string) Ino) error {
			a := CreateArgs{Parent: RootIno, Name: "gone", Mode: syscall.S_IFDIR | 0o2755}
			err := drop(db.Create(ctx, a, Relaxed))
			return errors.Join(err, drop(db.Rmdir(ctx, UnlinkArgs{Parent: RootIno, Name: "gone"}, Relaxed)))
		}},
		{"counted", func(db *DB, _ func(string) Ino) error {
			for i := range countEvery + 3 {
				if err := drop(db.Create(ctx, CreateArgs{Parent: RootIno, Name: fmt.Sprint("n", i), Mode: reg}, Relaxed)); err != nil {
					return err
				}
			}
			return nil
		}},
		{"trimmed changes", func(db *DB, _ func(string) Ino) error { return db.TrimChanges(ctx, 3, Relaxed) }},
	}
}

// Whatever a method does is done again in the same way, after a crash and after the loss of the transaction.
func TestEveryMethodIsDoneAgain(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	fill(t, db)
	if err := db.settlePending(); err != nil {
		t.Fatal(err)
	}
	ino := func(name string) Ino { return lookup(t, db, RootIno, name).Ino }
	for _, m := range methods(t) {
		if err := m.call(db, ino); err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		if db.gather.pending.Load() == 0 {
			t.Errorf("%s was not gathered", m.name)
		}
		want := dump(t, db)
		copied, err := Open(t.Context(), crash(t, db), Options{})
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		differ(t, m.name+" after a crash", dump(t, copied), want)
		wantSound(t, copied)
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
		lose(t, db)
		differ(t, m.name+" after a loss", dump(t, db), want)
		if t.Failed() {
			return
		}
	}
	wantSound(t, db)
}

// hold has another process hold the lock of the writer.
func hold(t *testing.T, path string) (release func()) {
	t.Helper()
	other, err := openConn(path, false, pragmas("1000"))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.run("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(other.run("ROLLBACK"), other.close()); err != nil {
			t.Error(err)
		}
	}
}

// A start that finds the database locked does not throw away what was acknowledged.
func TestLockedStartKeepsOps(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	mkfile(t, db, RootIno, "f")
	path := crash(t, db)
	w, err := openConn(path, false, append(writerPragmas(pragma{"cache_size", "-1024"}), pragma{"busy_timeout", "1"}))
	if err != nil {
		t.Fatal(err)
	}
	copied := &DB{path: path, w: w, opts: Options{}.withDefaults()}
	copied.log = copied.opts.Logger
	release := hold(t, path)
	if err := copied.replayLeft(); !isBusy(err) {
		t.Errorf("with a lock: %v", err)
	}
	release()
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	wantChild(t, slowDB(t, path), "f")
}

// spoil appends an operation to the log that can't be done again.
func spoil(t *testing.T, path string, db *DB) {
	t.Helper()
	l := &opLog{epoch: db.gather.log.epoch, buf: slices.Clone(db.gather.log.buf), texts: map[string]int{}}
	for range len(db.gather.log.texts) {
		l.texts[fmt.Sprint(len(l.texts))] = len(l.texts)
	}
	var err error
	if l.file, err = os.OpenFile(path+"-ops", os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	none := encodeArgs(nil, nil)
	err = l.append([]statement{{"DELETE FROM changes", none}, {"DELETE FROM no_such_table", none}})
	if err = errors.Join(err, l.file.Close()); err != nil {
		t.Fatal(err)
	}
}

// The operations before one that can't be done again are done.
func TestOpsBeforeABadOne(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	mkfile(t, db, RootIno, "f")
	want, path := dump(t, db), crash(t, db)
	spoil(t, path, db)
	copied := slowDB(t, path)
	differ(t, "after a crash", dump(t, copied), want)
	if kept, err := filepath.Glob(path + "-ops-*"); err != nil || len(kept) != 1 {
		t.Errorf("kept %q, %v", kept, err)
	}
}

// A program that is too old for the database leaves alone what a newer one acknowledged.
func TestOlderProgramKeepsOps(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	if err := db.w.script("PRAGMA user_version=99"); err != nil {
		t.Fatal(err)
	}
	mkfile(t, db, RootIno, "f")
	path := crash(t, db)
	spoil(t, path, db)
	want := read(t, path+"-ops")
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "use a newer one") {
		t.Errorf("opened: %v", err)
	}
	if kept, err := os.ReadFile(path + "-ops"); err != nil || string(kept) != string(want) {
		t.Errorf("its log has changed: %v", err)
	}
}

// After a second power loss the log on the disk may still be that of before the first one: its operations belong to a history that is gone.
func TestOpsOfALostFuture(t *testing.T) {
	first := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	mkdurable(t, first, "both")
	path := crash(t, first)
	for i := range 5 {
		mkdurable(t, first, fmt.Sprint("lost", i))
	}
	mkfile(t, first, RootIno, "future")
	ops := read(t, first.path+"-ops")
	second := slowDB(t, path)
	for i := range 6 {
		mkdurable(t, second, fmt.Sprint("kept", i))
		third := crash(t, second)
		write(t, third+"-ops", ops)
		copied := slowDB(t, third)
		if got := names(t, copied, RootIno); slices.Contains(got, "future") {
			t.Errorf("after %d operations: the root has %q", i, got)
		}
	}
}

// What the last run left in the page cache is on disk when a flush has returned.
func TestFlushAfterCrash(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	mkfile(t, db, RootIno, "f")
	var syncs atomic.Int64
	copied, err := Open(t.Context(), crash(t, db), Options{syncWAL: func(f *os.File) error {
		syncs.Add(1)
		return dataSync(f)
	}})
	if err != nil {
		t.Fatal(err)
	}
	wantChild(t, copied, "f")
	if err := copied.Flush(t.Context()); err != nil || syncs.Load() == 0 {
		t.Errorf("%d flushes, %v", syncs.Load(), err)
	}
	if err := copied.Close(); err != nil {
		t.Fatal(err)
	}
}

// fullDisk has commits fail as on a full disk, until it is told that there is room.
func fullDisk(t *testing.T, db *DB) (room func()) {
	t.Helper()
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.w.script("CREATE TEMP TABLE IF NOT EXISTS filler (b); PRAGMA temp.max_page_count=16"); err != nil {
		t.Fatal(err)
	}
	commit, err := db.w.prepare("COMMIT")
	if err != nil {
		t.Fatal(err)
	}
	fails, err := db.w.prepare("INSERT INTO filler VALUES (zeroblob(1 << 20))")
	if err != nil {
		t.Fatal(err)
	}
	db.w.stmts["COMMIT"] = fails
	return func() {
		db.mu.Lock()
		defer db.mu.Unlock()
		db.w.stmts["COMMIT"] = commit
	}
}

// On a full disk what was acknowledged stays visible and safe, and nothing more is acknowledged.
func TestFullDiskWithPendingOps(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	room := fullDisk(t, db)
	defer room()
	mkfile(t, db, RootIno, "f")
	db.commitInTime()
	wantPending(t, db, 1)
	_, err := db.Create(t.Context(), CreateArgs{Parent: RootIno, Name: "g", Mode: syscall.S_IFREG}, Relaxed)
	wantErr(t, err, syscall.ENOSPC)
	wantPending(t, db, 1)
	wantErr(t, db.Flush(t.Context()), syscall.ENOSPC)
	if got := names(t, db, RootIno); len(got) != 1 {
		t.Errorf("the root has %q", got)
	}
	if p, err := db.Path(t.Context(), lookup(t, db, RootIno, "f").Ino); err != nil || p != "/f" {
		t.Errorf("the path is %q, %v", p, err)
	}
	wantSound(t, db)
	room()
	mkfile(t, db, RootIno, "g")
	wantPending(t, db, 0)
	if err := db.Flush(t.Context()); err != nil { // it sees that there is room
		t.Fatal(err)
	}
	mkfile(t, db, RootIno, "h")
	wantPending(t, db, 1)
	wantSound(t, db)
}

// Nothing is gathered after a COMMIT that failed, because a crash could find it done: the log would pass for history with all that came after it.
func TestNothingIsGatheredInDoubt(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	room := fullDisk(t, db)
	_, err := db.Create(t.Context(), CreateArgs{Parent: RootIno, Name: "f", Mode: syscall.S_IFREG}, Durable)
	wantErr(t, err, syscall.ENOSPC)
	_, err = db.Create(t.Context(), CreateArgs{Parent: RootIno, Name: "f", Mode: syscall.S_IFREG}, Relaxed)
	wantErr(t, err, syscall.ENOSPC)
	room()
	mkfile(t, db, RootIno, "f")
	wantPending(t, db, 0)
	mkfile(t, db, RootIno, "g")
	wantPending(t, db, 1)
}

// A full disk does not keep the database from opening, and what the last run held back is there for deletions.
func TestStartOnFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tote.db")
	db := openDB(t, path, Options{Gather: -1})
	if err := os.Symlink("/dev/full", db.opsPath()); err != nil {
		t.Fatal(err)
	}
	db.opts.Gather = time.Hour
	if err := db.startGathering(); err != nil || db.gather.log != nil {
		t.Errorf("an operation log on a full disk: %v", err)
	}
	mkfile(t, db, RootIno, "f")
	wantPending(t, db, 0)
	if err := os.Remove(db.opsPath()); err != nil {
		t.Fatal(err)
	}
	next := &DB{path: path}
	next.findReserve()
	if !next.spendReserve(0) || next.spendReserve(0) {
		t.Error("what was held back was not found")
	}
}

// An operation of any size leaves the log as small as its space.
func TestBigOperation(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	n := mkfile(t, db, RootIno, "f")
	for range 3 {
		p := []Property{{"s", "n", strings.Repeat("x", 1<<20)}}
		if err := db.PatchProps(t.Context(), n.Ino, p, nil, "", Relaxed); err != nil {
			t.Fatal(err)
		}
		mkfile(t, db, n.Parent, fmt.Sprint("f", len(names(t, db, RootIno))))
	}
	want, path := dump(t, db), crash(t, db)
	if size := len(read(t, path+"-ops")); size > gatherBytes {
		t.Errorf("the log has %d bytes", size)
	}
	copied := slowDB(t, path)
	differ(t, "after a crash", dump(t, copied), want)
}

// A function that panics while rows are read leaves no cursor in the log behind.
func TestPanicWhileReading(t *testing.T) {
	db := slowDB(t, filepath.Join(t.TempDir(), "tote.db"))
	dir := mkdir(t, db, RootIno, "d")
	mkdir(t, db, dir, "e")
	mkdir(t, db, RootIno, "to")
	func() {
		defer func() { _ = recover() }()
		_, _ = db.Rename(t.Context(), RenameArgs{OldParent: RootIno, OldName: "to", NewParent: RootIno, NewName: "d", Flags: RenameTree,
			Keep: func(Ino) bool { panic("keep") }}, Relaxed)
	}()
	mkfile(t, db, RootIno, "f")
	if err := db.settlePending(); err != nil {
		t.Fatal(err)
	}
	if err := db.ckpt.restart(); err != nil || db.ckpt.retryAt != 0 {
		t.Errorf("the log can't start again: %d, %v", db.ckpt.retryAt, err)
	}
	wantSound(t, db)
}
