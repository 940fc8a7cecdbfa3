package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestS3Hole (G10) makes a black hole of the endpoint: for a minute when there is time, else for some seconds. Meanwhile names, attributes and free
// space come at once. Writes and reads that were begun wait, and all end well within half a minute of the endpoint's return, without a remount.
func TestS3Hole(t *testing.T) {
	length := 8 * time.Second
	if soak(t) > 0 {
		length = time.Minute
	}
	s, p := startProxied(t)
	check(t, s.mount().Mkdir("/d"))
	for i := range 50 {
		check(t, s.dav().Put(fmt.Sprintf("/d/%d", i), []byte("x")))
	}
	want := randomBytes(2*s3Part+12345, 1)
	tasks := s.holeTasks(t, want)
	s.forget()
	p.Hole(true)
	type end struct {
		name string
		err  error
	}
	ends := make(chan end, len(tasks))
	for name, task := range tasks {
		go func() { ends <- end{name, task()} }()
	}
	for gone := time.Now().Add(length); time.Now().Before(gone); {
		s.looksQuickly(t)
	}
	select {
	case e := <-ends:
		t.Errorf("%s ended in a black hole: %v", e.name, e.err)
	default:
	}
	p.Hole(false)
	back := time.Now()
	limit := time.After(30 * time.Second)
	for range tasks {
		select {
		case e := <-ends:
			t.Logf("%s went on after %v", e.name, time.Since(back).Round(time.Millisecond))
			if e.err != nil {
				t.Errorf("%s: %v", e.name, e.err)
			}
		case <-limit:
			t.Fatalf("half a minute after the endpoint's return something still waits\n%s", s.logTail())
		}
	}
	for _, f := range s.faces() {
		for _, name := range []string{"/d/written-mount", "/d/written-dav", "/d/written-rest"} {
			wantContent(t, f, name, want)
		}
	}
	s.settled()
	s.checkMemory()
}

// holeTasks makes files to read, and returns what shall be done while the endpoint is away: reading them and writing others, through each door.
// On the mount other programs do it: a process that starts one closes its files in it, and so would wait here for what it wants to measure.
func (s *server) holeTasks(t *testing.T, want []byte) map[string]func() error {
	t.Helper()
	source := filepath.Join(tempDir(t), "source")
	check(t, os.WriteFile(source, want, 0o600))
	tasks := map[string]func() error{
		"writing on the mount": func() error {
			_, err := tryCommand(t.Context(), "", "cp", source, s.mount().at("/d/written-mount"))
			return err
		},
		"reading on the mount": func() error {
			_, err := tryCommand(t.Context(), "", "cmp", source, s.mount().at("/read-mount"))
			return err
		},
	}
	check(t, s.dav().Put("/read-mount", want))
	for _, f := range []Face{s.dav(), s.rest()} {
		check(t, s.dav().Put("/read-"+f.Name(), want))
		tasks["writing through "+f.Name()] = func() error { return f.Put("/d/written-"+f.Name(), want) }
		tasks["reading through "+f.Name()] = func() error {
			got, err := f.Get("/read-" + f.Name())
			if err == nil && sum(got) != sum(want) {
				err = fmt.Errorf("other bytes: %s", difference(got, want))
			}
			return err
		}
	}
	return tasks
}

// looksQuickly does what people do when they look around, and wants each answer within a second. A machine that is busy with other things gets
// more, five times what it takes at the same moment to list a directory of its disk.
func (s *server) looksQuickly(t *testing.T) {
	t.Helper()
	for name, look := range map[string]func() error{
		"ls":       func() error { _, err := tryCommand(t.Context(), s.mnt, "ls", "-la", "d"); return err },
		"stat":     func() error { _, err := tryCommand(t.Context(), s.mnt, "stat", "d/7"); return err },
		"df":       func() error { _, err := tryCommand(t.Context(), s.mnt, "df", "."); return err },
		"propfind": func() error { _, err := s.dav().List("/d"); return err },
		"head":     func() error { _, _, err := s.do("HEAD", davURL("/d/7"), nil, []int{200}); return err },
		"inventory": func() error {
			_, _, err := s.do("GET", "/inventory/binaries?pageSize=100", nil, []int{200})
			return err
		},
		"healthz": func() error { _, _, err := s.do("GET", "/healthz", nil, []int{200}); return err },
	} {
		busy := make(chan time.Duration, 1)
		go func() { busy <- duration(func() { _, _ = tryCommand(t.Context(), s.data, "ls", "-la") }) }()
		var err error
		took := duration(func() { err = look() })
		if err != nil {
			t.Errorf("%s while the store is away: %v", name, err)
		}
		if other := <-busy; took > time.Second+5*other {
			t.Errorf("%s took %v while the store was away, and ls on the disk %v", name, took, other)
		}
	}
}

func duration(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
