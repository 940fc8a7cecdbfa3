package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tote/objstore/s3store/s3proxy"
)

// waiting lists the files that "tote status" says are on their way, by path.
func (s *server) waiting() map[string]int64 {
	s.t.Helper()
	var r struct {
		Waiting []struct {
			Path   string
			Size   int64
			Staged bool
		}
	}
	s.json(&r, "status", "--json", "--data", s.data)
	list := map[string]int64{}
	for _, w := range r.Waiting {
		if w.Staged {
			list[w.Path] = w.Size
		}
	}
	return list
}

// nothingWaits waits until every closed file is in the bucket.
func (s *server) nothingWaits(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		if list := s.waiting(); len(list) > 0 {
			return fmt.Errorf("these wait for their upload: %v", list)
		}
		return nil
	})
}

// noUpload lets every upload of a file stand still. What the server tries out at its start is none.
var noUpload = s3proxy.Fault{Mode: s3proxy.Stall, Share: 1, Ops: []s3proxy.Op{s3proxy.PutObject, s3proxy.UploadPart}, Path: "/binarystreamobject/"}

// TestS3Writeback (G4) closes files on the mount while nothing can be uploaded: close comes back at once, all doors show the files, "tote status"
// lists them, and they survive kill -9. A restart goes on with them; in the end they are in the bucket, and the disk has none of them.
func TestS3Writeback(t *testing.T) {
	s, p := startProxied(t, withArgs("--writeback"))
	check(t, s.mount().Mkdir("/d"))
	files := map[string][]byte{
		"/d/small": []byte("small"), "/d/large": randomBytes(3*s3Part+99, 1), "/d/edited": randomBytes(2*s3Part+1, 2), "/d/empty": nil,
	}
	check(t, s.dav().Put("/d/edited", randomBytes(2*s3Part+1, 3)))
	p.Inject(0, noUpload)
	for name, data := range files {
		start := time.Now()
		check(t, s.mount().Put(name, data))
		if took := time.Since(start); took > 15*time.Second { // an upload would never end
			t.Errorf("close of %s took %v with --writeback", name, took)
		}
	}
	wantAll := func() {
		t.Helper()
		for name, data := range files {
			for _, f := range s.faces() {
				wantContent(t, f, name, data)
			}
		}
	}
	wantAll()
	listed := s.waiting()
	for name, data := range files {
		if size, ok := listed[name]; len(data) > 0 && (!ok || size != int64(len(data))) {
			t.Errorf("tote status does not list %s: %v", name, listed)
		}
	}
	s.kill()
	if list := s.waiting(); len(list) != len(listed) {
		t.Errorf("without a server tote status lists %v, before it was %v", list, listed)
	}
	s.start()
	wantAll()
	p.Inject(0)
	s.nothingWaits(t)
	s.forget()
	wantAll()
	s.checkStaging()
	s.settled()
}

// TestS3WritebackFaults works with --writeback while a tenth of the calls fail, and kills the server in it. What was closed is there.
func TestS3WritebackFaults(t *testing.T) {
	s, p := startProxied(t, withArgs("--writeback"))
	c := newCrash(t, s, 8)
	c.add(crasherKind{name: "large", setup: setupLarge, step: stepLarge})
	p.Inject(1, s3proxy.Fault{Mode: s3proxy.Reset, Share: 0.05}, s3proxy.Fault{Mode: s3proxy.Lost, Share: 0.05})
	for round := range 3 {
		c.round(round)
	}
	p.Inject(0)
	s.nothingWaits(t)
	c.finish()
}

// TestS3Umount unmounts while files wait for their upload. At its time-out tote umount says what is left, which goes on by itself; when there is time
// it waits and shows how far it is.
func TestS3Umount(t *testing.T) {
	s, p := startProxied(t, withArgs("--writeback"))
	s.unsafe = true
	data := randomBytes(2*s3Part, 1)
	p.Inject(0, noUpload)
	check(t, s.mount().Put("/left", data))
	start := time.Now()
	out, code := s.tote("umount", "--timeout", "2s", s.mnt)
	t.Logf("umount says: %s", strings.TrimSpace(out))
	if code != 8 || !strings.Contains(out, "1 file") {
		t.Errorf("umount with an upload that does not end: exit code %d, want 8 and how many files are left: %s", code, out)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("umount with a limit of 2 s took %v", took)
	}
	p.Inject(0)
	s.nothingWaits(t)
	s.stop()
	s.start()
	wantContent(t, s.mount(), "/left", data)
	p.Inject(0, noUpload)
	check(t, s.mount().Put("/waited", data))
	said := filepath.Join(tempDir(t), "said")
	ended := s.umountSlowly(t, said)
	eventually(t, time.Minute, func() error {
		if b, err := os.ReadFile(said); err != nil || !strings.Contains(string(b), "uploading 1 file") {
			return fmt.Errorf("umount shows no progress: %q, %w", b, err)
		}
		return nil
	})
	p.Inject(0)
	if err := <-ended; err != nil {
		b, _ := os.ReadFile(said)
		t.Errorf("umount that waited: %v\n%s", err, b)
	}
	if mounted(s.mnt) || len(s.waiting()) > 0 {
		t.Errorf("after umount: mounted %v, waiting %v", mounted(s.mnt), s.waiting())
	}
	wantContent(t, s.dav(), "/waited", data)
	s.mnt = ""
	s.stop()
	s.fsck()
}

// umountSlowly starts tote umount, which writes into a file what it has to say.
func (s *server) umountSlowly(t *testing.T, said string) <-chan error {
	t.Helper()
	out, err := os.Create(said)
	check(t, err)
	defer out.Close()
	cmd := exec.Command(shared.tote, "umount", "--timeout", "1m", s.mnt)
	cmd.Stdout, cmd.Stderr = out, out
	check(t, start(cmd))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended
}
