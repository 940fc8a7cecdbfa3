package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestG4Durable (G4) looks over the server's shoulder: before it acknowledges an fsync, a PUT or a POST, the bytes, the directory that got the
// name, and the database's log have been flushed to the disk. A close on the mount alone need not flush.
func TestG4Durable(t *testing.T) {
	strace := needTool(t, "strace")
	s := startServer(t)
	check(t, s.mount().Mkdir("/d"))
	check(t, s.mount().Put("/d/old", []byte("old")))
	data := randomBytes(50_000, 4)
	for _, c := range []struct {
		name string
		run  func() error
		want []string // file names that have to be flushed
	}{
		{"fsync", func() error { return syncedFile(s.mount().at("/d/synced"), data, os.O_EXCL) }, []string{"tote.db-wal", "/d/synced|staging/|objects/"}},
		{"fsync of a directory", func() error { return syncDir(s.mount().at("/d")) }, []string{"tote.db-wal"}},
		{"PUT", func() error { return s.dav().Put("/d/put", data) }, []string{"tote.db-wal", "objects/|staging/"}},
		{"PUT over a file", func() error { return s.dav().Put("/d/old", data) }, []string{"tote.db-wal", "objects/|staging/"}},
		{"MOVE", func() error { return s.dav().Move("/d/put", "/d/moved", false) }, []string{"tote.db-wal"}},
		{"MKCOL", func() error { return s.dav().Mkdir("/d/sub") }, []string{"tote.db-wal"}},
		{"DELETE", func() error { return s.dav().Remove("/d/moved") }, []string{"tote.db-wal"}},
		{"POST", func() error { _, err := s.postBinary("posted", data, true); return err }, []string{"tote.db-wal", "objects/|staging/"}},
		{"blob", func() error { return s.rest().upload("/d/blob", data) }, []string{"tote.db-wal", "objects/|staging/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "fsync of a directory" {
				check(t, s.mount().Mkdir("/d/before"))
			}
			calls := s.traced(t, strace, c.run)
			for _, want := range c.want {
				if !regexp.MustCompile(`sync\(\d+<[^>]*(` + want + `)`).MatchString(calls) {
					t.Errorf("nothing like %s was flushed before the answer:\n%s", want, calls)
				}
			}
		})
	}
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// traced gives the flushes that the server had finished when fn returned.
func (s *server) traced(t *testing.T, strace string, fn func() error) string {
	t.Helper()
	out := filepath.Join(tempDir(t), "trace")
	cmd := exec.Command(strace, "-f", "-y", "-e", "trace=fsync,fdatasync,syncfs,sync_file_range", "-o", out, "-p", fmt.Sprint(s.cmd.Process.Pid))
	said, err := cmd.StderrPipe()
	check(t, err)
	check(t, start(cmd))
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGINT)
	if _, err := said.Read(make([]byte, 1)); err != nil { // "Process N attached"
		skip(t, "strace can't look at another process: %v", err)
	}
	check(t, fn())
	b, err := os.ReadFile(out)
	check(t, err)
	return string(b)
}

// TestG5Atomic (G5) renames files and directories back and forth while others look: whoever looks finds each thing in exactly one place, with
// all its content.
func TestG5Atomic(t *testing.T) {
	s := startServer(t)
	m := s.mount()
	check(t, m.Mkdir("/a"))
	check(t, m.Mkdir("/a/tree"))
	for i := range 20 {
		check(t, m.Put(fmt.Sprintf("/a/tree/%d", i), []byte("content")))
	}
	check(t, m.Put("/x", stamped(stamp{1, 0, 0}, 1000)))
	check(t, m.Put("/y", stamped(stamp{2, 0, 0}, 2000)))
	stop := make(chan struct{})
	var looking sync.WaitGroup
	for _, f := range s.faces() {
		looking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := lookAround(f); err != nil {
					t.Errorf("%s: %v", f.Name(), err)
					return
				}
			}
		})
	}
	movers := []Treer{m, s.dav()}
	for i := range 150 {
		check(t, movers[i/2%2].Move([]string{"/a", "/b"}[i%2], []string{"/b", "/a"}[i%2], false))
		check(t, unix.Renameat2(unix.AT_FDCWD, m.at("/x"), unix.AT_FDCWD, m.at("/y"), unix.RENAME_EXCHANGE))
	}
	close(stop)
	looking.Wait()
}

// lookAround looks once through one door. Exchanged files are both always there; a tree that moves is never partly there.
func lookAround(f Face) error {
	for _, p := range []string{"/x", "/y"} {
		b, err := f.Get(p)
		if refusal(err) && f.Name() != "dav" {
			continue // REST and an open of the mount ask twice: for the number, then for the file
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if _, err := readStamp(b); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	d, ok := f.(Treer)
	if !ok {
		return nil
	}
	for _, p := range []string{"/a/tree", "/b/tree"} {
		names, err := d.List(p)
		if err == nil && len(names) != 20 {
			return fmt.Errorf("%s has %d entries", p, len(names))
		}
		if err != nil && !isErrno(err, syscall.ENOENT) && !errors.Is(err, syscall.ESTALE) {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// TestG6Damage (G6) damages objects behind the server's back. Reading them fails; nobody gets zeros, less, or other bytes for the whole. fsck
// names the files. What is not damaged stays readable, and looking around needs no object at all.
func TestG6Damage(t *testing.T) {
	s := startServer(t, withErrors())
	s.unsafe = true
	size := 300_000
	for i, name := range []string{"gone", "short", "flipped", "well"} {
		check(t, s.dav().Put("/"+name, randomBytes(size, uint64(i))))
	}
	s.stop() // so that nothing has an object open
	object := func(name string) string {
		found, err := filepath.Glob(filepath.Join(s.data, "objects", "*", "*", "*", "*", name+"@_@*"))
		if err != nil || len(found) != 1 {
			t.Fatalf("objects of %s: %q, %v", name, found, err)
		}
		return found[0]
	}
	check(t, os.Remove(object("gone")))
	check(t, os.Truncate(object("short"), 100_000))
	flip(t, object("flipped"), 200_000)
	s.start()
	for _, f := range s.faces() {
		for i, name := range []string{"gone", "short", "flipped", "well"} {
			if f.Name() == "rest" && name != "well" {
				// HEAD answers as GET would
			} else if info, err := f.Stat("/" + name); err != nil || info.Size != int64(size) {
				t.Errorf("%s: stat %s: %v, %v", f.Name(), name, info, err)
			}
			got, err := f.Get("/" + name)
			switch {
			case name == "well" && (err != nil || !bytes.Equal(got, randomBytes(size, 3))):
				t.Errorf("%s: what is well can't be read: %v", f.Name(), err)
			case name == "flipped": // a flipped bit on the disk is for fsck --deep to find: reads are not checked
			case name != "well" && err == nil:
				t.Errorf("%s: reading %s gives %d bytes and no error, %s", f.Name(), name, len(got), difference(got, randomBytes(size, uint64(i))))
			}
		}
	}
	out, code := s.tote("fsck", "--deep", "--data", s.data)
	for _, name := range []string{"/gone", "/short", "/flipped"} {
		if !strings.Contains(out, name+":") {
			t.Errorf("fsck does not name %s:\n%s", name, out)
		}
	}
	if code != 6 || strings.Contains(out, "/well:") {
		t.Errorf("fsck: exit code %d, want 6\n%s", code, out)
	}
}

func flip(t testing.TB, name string, at int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	check(t, err)
	b[0] ^= 1
	_, err = f.WriteAt(b, at)
	check(t, err)
}

// TestG9NoSpace (G9, G6) fills the disk through every door. Writers are told, with ENOSPC or 507; what was there stays; when there is space
// again everything goes on without a restart.
func TestG9NoSpace(t *testing.T) {
	needRoot(t)
	disk := tempDir(t)
	check(t, unix.Mount("tmpfs", disk, "tmpfs", 0, "size=48m,mode=700"))
	t.Cleanup(func() { check(t, unix.Unmount(disk, 0)) })
	s := startServer(t, withErrors(), withData(filepath.Join(disk, "data")))
	check(t, s.mount().Mkdir("/d"))
	for _, f := range s.faces() {
		t.Run(f.Name(), func(t *testing.T) {
			keep := "/d/keep-" + f.Name()
			check(t, f.Put(keep, []byte("old")))
			n := 0
			var err error
			for ; err == nil && n < 100; n++ {
				err = f.Put(fmt.Sprintf("/d/%s-%d", f.Name(), n), randomBytes(5<<20, uint64(n)))
			}
			var status *statusError
			if !errors.Is(err, syscall.ENOSPC) && !(errors.As(err, &status) && status.status == 507) {
				t.Errorf("a full disk: %v, want ENOSPC or 507", err)
			}
			if err := f.Put(keep, randomBytes(30<<20, 1)); err == nil {
				t.Error("30 MiB fit on a full disk")
			}
			if f.Name() == "mount" { // O_TRUNC was acknowledged before the disk was full
				check(t, os.Remove(s.mount().at(keep)))
				check(t, f.Put(keep, []byte("old")))
			}
			for _, r := range s.faces() {
				wantGet(t, r, keep, "old")
			}
			for i := range n {
				if err := s.mount().Remove(fmt.Sprintf("/d/%s-%d", f.Name(), i)); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Errorf("removing on a full disk: %v", err)
				}
			}
			s.gc()
			check(t, f.Put("/d/after-"+f.Name(), randomBytes(5<<20, 9)))
		})
	}
	s.checkMemory()
}

// TestG9ManyRequests (G9) opens more connections, uploads and files than anybody should. The server's memory stays small and it goes on.
func TestG9ManyRequests(t *testing.T) {
	s := startServer(t)
	const n = 1000
	check(t, s.mount().Mkdir("/d"))
	_, err := s.dav().Stat("/d") // a login that is known costs nothing
	check(t, err)
	var stalled []io.Closer
	for range n {
		r, w := io.Pipe()
		stalled = append(stalled, w)
		go func() {
			if resp, err := s.request("PUT", davURL("/stalled"), r); err == nil {
				resp.Body.Close()
			}
		}()
		w.Write(make([]byte, 64<<10))
	}
	eventually(t, 30*time.Second, func() error {
		if left := s.staged(); len(left) < n {
			return fmt.Errorf("%d uploads are under way", len(left))
		}
		return nil
	})
	t.Logf("with %d uploads under way: %d MiB", n, s.memoryPeak()>>20)
	var open []*os.File
	for i := range n {
		f, err := os.Create(s.mount().at(fmt.Sprintf("/open%d", i)))
		check(t, err)
		defer f.Close()
		_, err = f.Write(make([]byte, 64<<10))
		check(t, err)
		open = append(open, f)
	}
	for _, f := range s.faces() {
		check(t, f.Put("/d/"+f.Name(), []byte("still here")))
		wantGet(t, s.dav(), "/d/"+f.Name(), "still here")
	}
	s.checkMemory()
	for _, f := range open {
		check(t, f.Close())
	}
	for _, w := range stalled {
		w.(*io.PipeWriter).CloseWithError(errors.New("given up"))
	}
	eventually(t, 20*time.Second, func() error {
		if left := s.staged(); len(left) > 0 {
			return fmt.Errorf("%d files are staged", len(left))
		}
		return nil
	})
	if _, err := s.dav().Stat("/stalled"); !isErrno(err, syscall.ENOENT) {
		t.Errorf("an upload that was given up: %v", err)
	}
}

// TestG9Guessing (G9) floods the login. Checking a password takes memory on purpose; the server's stays small, and who is known gets through.
func TestG9Guessing(t *testing.T) {
	s := startServer(t)
	check(t, s.dav().Put("/f", []byte("x")))
	var guesses sync.WaitGroup
	for i := range 400 {
		guesses.Go(func() {
			req, err := http.NewRequest("GET", s.base+"/dav/f", nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.SetBasicAuth(fmt.Sprint("user", i), "guess")
			resp, err := s.client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if c := resp.StatusCode; c != 401 && c != 429 && c != 503 {
				t.Errorf("a guess is answered %d", c)
			}
		})
	}
	for range 20 {
		wantGet(t, s.dav(), "/f", "x")
	}
	guesses.Wait()
	s.checkMemory()
}

// TestG10Unmount (G10) ends a mount that a program still uses. tote umount says so within its time and leaves it; the end of the server takes it
// away within its time; what was acknowledged is there afterwards.
func TestG10Unmount(t *testing.T) {
	s := startServer(t, withErrors(), withArgs("--stop-timeout", "2s"))
	s.unsafe = true
	f, err := os.Create(s.mount().at("/busy"))
	check(t, err)
	defer f.Close()
	_, err = f.Write([]byte("synced"))
	check(t, err)
	check(t, f.Sync())
	start := time.Now()
	out, code := s.tote("umount", "--timeout", "1s", s.mnt)
	if code != 7 || !strings.Contains(out, s.mnt) && !strings.Contains(out, "busy") {
		t.Errorf("umount of a busy mount: exit code %d, want 7: %s", code, out)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("umount with a limit of 1 s took %v", took)
	}
	t.Logf("umount says: %s", strings.TrimSpace(out))
	check(t, s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-s.exited:
	case <-time.After(20 * time.Second):
		t.Fatalf("the server hangs on a busy mount\n%s", s.logTail())
	}
	if mounted(s.mnt) {
		t.Error("the mount is still there")
	}
	f.Close()
	s.start()
	wantGet(t, s.mount(), "/busy", "synced")
	out, code = s.tote("umount", s.mnt)
	if code != 0 || mounted(s.mnt) {
		t.Errorf("umount of an idle mount: exit code %d: %s", code, out)
	}
	wantGet(t, s.dav(), "/busy", "synced")
	s.mnt = ""
	s.stop()
	s.fsck()
}

// TestG10NoStore (G10) takes all objects away. Names, attributes and free space still come at once from every door.
func TestG10NoStore(t *testing.T) {
	s := startServer(t, withErrors())
	for i := range 50 {
		check(t, s.dav().Put(fmt.Sprintf("/%d.html", i), []byte("x")))
	}
	s.stop() // so that nothing has an object open
	away := tempDir(t)
	for i, name := range s.objects() {
		from, to := filepath.Join(s.data, "objects", name), filepath.Join(away, fmt.Sprint(i))
		check(t, os.Rename(from, to))
		defer func() { check(t, os.Rename(to, from)) }()
	}
	s.start()
	if _, err := s.dav().Get("/7.html"); err == nil {
		t.Error("a file can be read without its object")
	}
	start := time.Now()
	for _, f := range []Face{s.mount(), s.dav()} {
		if i, err := f.Stat("/7.html"); err != nil || i.Size != 1 {
			t.Errorf("%s: %v %v", f.Name(), i, err)
		}
		names, err := f.(Treer).List("/")
		if err != nil || len(names) != 50 {
			t.Errorf("%s lists %d names, %v", f.Name(), len(names), err)
		}
	}
	s.listed(t, "7.html", 1)
	command(t, "", "ls", "-la", s.mnt)
	command(t, "", "df", s.mnt)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("looking around without a store took %v", took)
	}
}
