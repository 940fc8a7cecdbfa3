package meta

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// TestPowerLoss opens copies of a database whose log ends at any byte, as it may after a power failure.
func TestPowerLoss(t *testing.T) {
	db := newDB(t)
	dir := mkdir(t, db, RootIno, "dir")
	for i := range 100 {
		commit(t, db, dir, fmt.Sprint("f", i%20), fmt.Sprint("key", i))
		if _, err := rename(db, t, dir, fmt.Sprint("f", i%20), RootIno, fmt.Sprint("g", i%7), 0); err != nil {
			t.Fatal(err)
		}
	}
	highest := mkfile(t, db, dir, "last").Ino
	// Nobody writes, and the log is too short for the checkpointer.
	data, log := read(t, db.path), read(t, db.path+"-wal")
	complete := 0
	for cut := len(log); cut >= 0; cut -= len(log)/25 + 1 {
		path := filepath.Join(t.TempDir(), "tote.db")
		write(t, path, data)
		write(t, path+"-wal", log[:cut])
		copied := openDB(t, path, Options{NoSync: true})
		wantSound(t, copied)
		n := mkfile(t, copied, RootIno, "new")
		if cut == len(log) {
			complete++
			if n.Ino <= highest {
				t.Errorf("number %d was given out again, %d was the highest", n.Ino, highest)
			}
		}
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if complete != 1 {
		t.Error("the whole log was not tried")
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKill kills a process that writes. What it had acknowledged is there, and the rest is whole.
func TestKill(t *testing.T) {
	if path := os.Getenv("TOTE_TEST_KILL_DB"); path != "" {
		writeUntilKilled(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "tote.db")
	for round := range 3 {
		acknowledged := runAndKill(t, path, 200*(round+1))
		db := openDB(t, path, Options{})
		wantSound(t, db)
		all := map[string]bool{}
		for _, name := range names(t, db, RootIno) {
			all[name] = true
		}
		for _, name := range acknowledged {
			if !all[name] {
				t.Errorf("round %d: %s was acknowledged and is lost", round, name)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// runAndKill returns the names that the child reported before it was killed, at least n.
func runAndKill(t *testing.T, path string, n int) (names []string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKill$")
	child.Env = append(os.Environ(), "TOTE_TEST_KILL_DB="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for len(names) < n && lines.Scan() {
		names = append(names, lines.Text())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what was in the pipe was acknowledged, too
		names = append(names, lines.Text())
	}
	if err := child.Wait(); err == nil || len(names) < n {
		t.Fatalf("the child ended by itself after %d names: %v", len(names), err)
	}
	return names
}

func writeUntilKilled(t *testing.T, path string) {
	db := openDB(t, path, Options{wal: walLimits{copy: 1 << 18, restart: 1 << 20}})
	for i := 0; ; i++ {
		name := strconv.Itoa(os.Getpid()) + "-" + strconv.Itoa(i)
		a := CommitArgs{Parent: RootIno, Name: name, GUID: name, Key: name, State: StateStored, Mode: 0o644}
		if _, err := db.Commit(t.Context(), a, Durability(i%2)); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			_, err := db.Unlink(t.Context(), UnlinkArgs{Parent: RootIno, Name: name, Keep: func(Ino) bool { return i%2 == 0 }}, Relaxed)
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := fmt.Println(name); err != nil {
			t.Fatal(err)
		}
	}
}
