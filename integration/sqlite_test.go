package integration

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestSqliteCrash kills the server while SQLite commits. After the restart the database is whole and has every transaction that was committed.
func TestSqliteCrash(t *testing.T) {
	rounds := 4
	if brief() {
		rounds = 2
	}
	sqliteCrash(t, rounds)
}

// TestSoakSqliteCrash is TestSqliteCrash many times.
func TestSoakSqliteCrash(t *testing.T) {
	needSoak(t)
	sqliteCrash(t, 50)
}

func sqliteCrash(t *testing.T, rounds int) {
	sqlite := needTool(t, "sqlite3")
	s := startServer(t)
	for _, journal := range []string{"delete", "wal"} {
		t.Run(journal, func(t *testing.T) {
			db := filepath.Join(s.mnt, journal+".db")
			sql := func(text string) string {
				t.Helper()
				return strings.TrimSpace(command(t, "", sqlite, "-bail", db, text))
			}
			sql("pragma journal_mode=" + journal + "; create table t(k integer primary key, v blob)")
			acked := 0
			for round := range rounds {
				acked = max(acked, s.killUnder(t, sqlite, db, acked, 20+10*round))
				if got := sql("pragma integrity_check"); got != "ok" {
					t.Fatalf("round %d: integrity_check: %s", round, got)
				}
				have, err := strconv.Atoi(sql("select count(*) from t"))
				check(t, err)
				if have < acked || have > acked+1 {
					t.Fatalf("round %d: %d rows, %d were committed", round, have, acked)
				}
				acked = have
			}
		})
	}
}

// killUnder kills the server once SQLite has committed some rows after the first, and tells how many there were in all. SQLite prints a row's number when its
// transaction is through.
func (s *server) killUnder(t *testing.T, sqlite, db string, first, after int) int {
	t.Helper()
	var text strings.Builder
	text.WriteString("pragma synchronous=full;\n")
	for k := range after + 2000 {
		fmt.Fprintf(&text, "insert into t values(%d, randomblob(3000)); select changes() * %d;\n", first+k+1, first+k+1)
	}
	cmd := exec.CommandContext(t.Context(), sqlite, "-bail", db)
	cmd.Stdin = strings.NewReader(text.String())
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, start(cmd))
	var last atomic.Int64
	enough, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			var k int64
			if _, err := fmt.Fscan(out, &k); err != nil {
				return
			}
			last.Store(k)
			if n == after {
				close(enough)
			}
		}
	}()
	select {
	case <-enough:
	case <-ended:
		t.Errorf("SQLite stopped before its server was killed")
	}
	s.kill()
	<-ended
	_ = cmd.Wait() // it has lost its files
	s.start()
	return int(last.Load())
}
