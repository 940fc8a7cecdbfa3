package integration

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestAppenders lets several appenders write lines to one file at the same time: O_APPEND loses none and mixes none.
func TestAppenders(t *testing.T) {
	s := startServer(t)
	check(t, s.mount().Put("/log", nil))
	const appenders, lines = 6, 200
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for l := range lines {
				if err := s.mount().Append("/log", fmt.Appendf(nil, "%d-%d %s\n", a, l, strings.Repeat("x", l))); err != nil {
					t.Errorf("appender %d: %v", a, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, f := range s.faces() {
		b, err := f.Get("/log")
		check(t, err)
		seen := map[string]int{}
		for line := range strings.Lines(string(b)) {
			seen[line]++
		}
		for a := range appenders {
			for l := range lines {
				if n := seen[fmt.Sprintf("%d-%d %s\n", a, l, strings.Repeat("x", l))]; n != 1 {
					t.Fatalf("%s: line %d of appender %d is there %d times", f.Name(), l, a, n)
				}
			}
		}
	}
}

// TestG3StaleWriter replaces a file over HTTP while a program on the mount is writing it. The program is told, at the latest by close; nothing of
// what it wrote gets into the new version.
func TestG3StaleWriter(t *testing.T) {
	for _, mode := range [][]string{nil, {"--no-passthrough"}} {
		t.Run(strings.Join(append([]string{"default"}, mode...), ""), func(t *testing.T) {
			s := startServer(t, withArgs(mode...))
			for _, w := range []Face{s.dav(), s.rest()} {
				path, fresh := "/"+w.Name(), strings.Repeat("new", 10_000)
				check(t, s.mount().Put(path, []byte(strings.Repeat("old", 10_000))))
				f, err := os.OpenFile(s.mount().at(path), os.O_RDWR, 0)
				check(t, err)
				defer f.Close()
				_, err = f.WriteAt([]byte("mine"), 0)
				check(t, err)
				check(t, w.Put(path, []byte(fresh)))
				_, werr := f.WriteAt([]byte("late"), 100)
				serr := f.Sync()
				cerr := f.Close()
				if !errors.Is(errors.Join(werr, serr, cerr), syscall.ESTALE) {
					t.Errorf("after a PUT through %s: write %v, fsync %v, close %v: nobody says ESTALE", w.Name(), werr, serr, cerr)
				}
				for _, r := range s.faces() {
					wantGet(t, r, path, fresh)
				}
			}
		})
	}
}
