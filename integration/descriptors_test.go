package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// withDescriptors starts the server with few descriptors, which it can't have more of.
func withDescriptors(soft, hard int) option {
	return func(s *server) { s.wrap = []string{"prlimit", fmt.Sprintf("--nofile=%d:%d", soft, hard)} }
}

// TestDescriptorLimit (G9) opens more files than the server may have. Who can't open one is told so; what was written stays; when files are closed, all goes
// on.
func TestDescriptorLimit(t *testing.T) {
	needTool(t, "prlimit")
	s := startServer(t, withErrors(), withDescriptors(256, 256))
	var open []*os.File
	full := 0
	for i := range 600 {
		f, err := os.OpenFile(s.mount().at(fmt.Sprintf("/f%d", i)), os.O_RDWR|os.O_CREATE, 0o644)
		if err == nil {
			if _, err = fmt.Fprintf(f, "file %d", i); err != nil { // a remote store has a file of the server's when there is something in it
				check(t, errors.Join(f.Close(), os.Remove(f.Name())))
			} else {
				open = append(open, f)
			}
		}
		switch {
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			full++
		case err != nil:
			t.Fatalf("file %d: %v", i, err)
		}
	}
	t.Logf("%d files open, %d times there was no descriptor", len(open), full)
	if full == 0 {
		t.Error("the limit was never met: the test proves nothing")
	}
	m := s.mount() // names need no descriptor
	check(t, m.Mkdir("/dir"))
	check(t, m.Move("/f0", "/dir/f0", false))
	check(t, m.Move("/dir/f0", "/f0", false))
	names, err := m.List("/")
	check(t, err)
	if len(names) != len(open)+1 {
		t.Errorf("%d names, want %d", len(names), len(open)+1)
	}
	check(t, m.Rmdir("/dir"))
	for _, f := range open {
		check(t, f.Close())
	}
	for _, f := range open {
		name := "/" + filepath.Base(f.Name())
		wantGet(t, s.mount(), name, "file "+name[2:])
	}
	for _, f := range []Face{s.mount(), s.dav()} {
		check(t, f.Put("/after-"+f.Name(), []byte("goes on")))
		wantGet(t, s.dav(), "/after-"+f.Name(), "goes on")
	}
}

// TestManyOpenFiles (G9) has thousands of files open. The server raises its soft limit of descriptors by itself, and its memory stays small.
func TestManyOpenFiles(t *testing.T) { manyOpenFiles(t, 1500) }

// TestSoakManyOpenFiles is TestManyOpenFiles with ten thousand.
func TestSoakManyOpenFiles(t *testing.T) {
	needSoak(t)
	manyOpenFiles(t, 10_000)
}

func manyOpenFiles(t *testing.T, files int) {
	needTool(t, "prlimit")
	var may unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &may))
	files = min(files, int(may.Max)*4/5)
	s := startServer(t, withDescriptors(1024, int(may.Max)))
	var open []*os.File
	t.Cleanup(func() {
		for _, f := range open {
			f.Close()
		}
	})
	for i := range files {
		f, err := os.Create(s.mount().at(fmt.Sprintf("/f%d", i)))
		check(t, err)
		open = append(open, f)
		_, err = f.WriteString(f.Name())
		check(t, err)
	}
	wantGet(t, s.mount(), "/f77", open[77].Name())
	s.checkMemory()
	for _, f := range open {
		check(t, f.Close())
	}
	for i, f := range open {
		if i%500 == 0 {
			wantGet(t, s.dav(), fmt.Sprintf("/f%d", i), f.Name())
		}
	}
	open = nil
}

var softLimit = regexp.MustCompile(`Max open files\s+(\d+)`)

// Go's runtime leaves one below the hard limit, by which it knows the limit that children shall have again.
const wantLimit = "1999"

// TestRaisesItsLimit wants the server to use all descriptors that it may have.
func TestRaisesItsLimit(t *testing.T) {
	s := startServer(t, withDescriptors(100, 2000))
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.cmd.Process.Pid))
	check(t, err)
	if m := softLimit.FindSubmatch(b); m == nil || string(m[1]) != wantLimit {
		t.Errorf("the limit is %q, want %s", m, wantLimit)
	}
}

// program is the server's command, behind whatever starts it.
func (s *server) program() *exec.Cmd {
	words := append(append(append([]string{}, s.wrap...), shared.tote), s.args...)
	return exec.Command(words[0], words[1:]...)
}
