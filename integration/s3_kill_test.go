package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tote/objstore/s3store/s3proxy"
)

// TestS3KillUpload kills the server in the middle of a large upload, at each step that an upload has. The restart resumes or ends it: what was
// acknowledged is there, what was not is not there in parts, and the bucket has no upload that nobody knows.
func TestS3KillUpload(t *testing.T) {
	size, later, patience := 6*s3Part+777, 4, time.Minute
	if soak(t) > 0 {
		size, later, patience = 5<<30, 500, 10*time.Minute
	}
	s, p := startProxied(t)
	source := filepath.Join(tempDir(t), "source")
	want := bigFile(t, source, size)
	kept := randomBytes(2*s3Part, 3)
	check(t, s.dav().Put("/kept", kept))
	for _, at := range []struct {
		name string
		s3proxy.Fault
	}{
		{"created, but not told so", s3proxy.Fault{Mode: s3proxy.Hang, Ops: []s3proxy.Op{s3proxy.CreateMultipartUpload}}},
		{"in the first part", s3proxy.Fault{Mode: s3proxy.Stall, Ops: []s3proxy.Op{s3proxy.UploadPart}}},
		{"behind a later part", s3proxy.Fault{Mode: s3proxy.Hang, Ops: []s3proxy.Op{s3proxy.UploadPart}, Nth: later}},
		{"before the end", s3proxy.Fault{Mode: s3proxy.Stall, Ops: []s3proxy.Op{s3proxy.CompleteMultipartUpload}}},
		{"at the end, but not told so", s3proxy.Fault{Mode: s3proxy.Hang, Ops: []s3proxy.Op{s3proxy.CompleteMultipartUpload}}},
	} {
		for _, door := range []string{"mount", "dav"} {
			t.Run(door+" "+at.name, func(t *testing.T) {
				at.Nth = max(at.Nth, 1)
				name := "/" + door + "-" + fmt.Sprint(at.Mode, at.Ops[0], at.Nth)
				p.Forget()
				p.Inject(0, at.Fault)
				ended := make(chan error, 1)
				go func() { ended <- s.send(t, door, source, name) }()
				eventually(t, patience, func() error {
					if p.Count(at.Ops[0]).Faults == 0 {
						return fmt.Errorf("the upload has not come to its fault: %+v", p.Counts())
					}
					return nil
				})
				s.kill()
				if err := <-ended; err == nil {
					t.Error("an upload was acknowledged by a server that was killed in its middle")
				}
				t.Logf("open uploads: %q", s.openUploads())
				p.Inject(0)
				s.start()
				s.endsUploads(t)
				s.wholeOrNothing(t, door, name, want)
				wantContent(t, s.dav(), "/kept", kept)
				s.settled()
			})
		}
	}
}

// endsUploads wants the server to end, by itself, all uploads that are open while nothing is being written.
func (s *server) endsUploads(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		if open := s.openUploads(); len(open) > 0 {
			return fmt.Errorf("open uploads after a restart: %q", open)
		}
		return nil
	})
}

// send uploads a file with a program of its own.
func (s *server) send(t *testing.T, door, source, name string) error {
	var err error
	if door == "mount" {
		_, err = tryCommand(t.Context(), "", "cp", source, s.mount().at(name))
	} else {
		_, err = tryCommand(t.Context(), "", "curl", "-sSf", "-u", adminUser+":"+adminPassword, "-T", source, s.base+davURL(name))
	}
	return err
}

// wholeOrNothing wants a file that was not acknowledged not to be there, or as a whole; on the mount, where it had a name at once, also empty.
func (s *server) wholeOrNothing(t *testing.T, door, name, want string) {
	t.Helper()
	fi, err := os.Stat(s.mount().at(name))
	switch {
	case os.IsNotExist(err):
		return
	case err != nil:
		t.Error(err)
	case fi.Size() == 0 && door == "mount":
	default:
		if got, err := fileSum(s.mount().at(name)); err != nil || got != want {
			t.Errorf("%d bytes of an upload that was cut off are there, %v", fi.Size(), err)
		}
	}
	check(t, os.Remove(s.mount().at(name)))
}
