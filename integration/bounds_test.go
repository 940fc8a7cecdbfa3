package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
	giveUp := func() {
		for _, w := range stalled {
			w.(*io.PipeWriter).CloseWithError(errors.New("given up"))
		}
	}
	t.Cleanup(giveUp) // a server that is told to stop while they stall says so with its exit code
	eventually(t, time.Minute, func() error {
		connections, files := s.openFiles()
		if connections < n || files < n && !onS3() { // what is sent to S3 need not be in staging
			return fmt.Errorf("the server has %d connections and %d files open, uploads are missing", connections, files)
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
	giveUp()
	eventually(t, time.Minute, func() error {
		if left := s.staged(); len(left) > 0 {
			return fmt.Errorf("%d files are staged", len(left))
		}
		return nil
	})
	if _, err := s.dav().Stat("/stalled"); !isErrno(err, syscall.ENOENT) {
		t.Errorf("an upload that was given up: %v", err)
	}
}

// openFiles counts the connections and everything else that the server has open.
func (s *server) openFiles() (connections, files int) {
	s.t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	check(s.t, err)
	for _, e := range entries {
		if to, _ := os.Readlink(filepath.Join(dir, e.Name())); strings.HasPrefix(to, "socket:") {
			connections++
		} else {
			files++
		}
	}
	return connections, files
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
