package integration

import (
	"os"
	"testing"
	"time"
)

// TestG8NoOrphans puts the same load on a server that is not killed: every object that went out of use is known as such, none has to be found
// by looking at all of them.
func TestG8NoOrphans(t *testing.T) {
	s := startServer(t)
	c := newCrash(t, s, 2)
	c.work(3 * time.Second)
	r := s.gc()
	t.Logf("gc: %+v", r)
	if r.Orphans != 0 {
		t.Errorf("%d objects were forgotten", r.Orphans)
	}
	c.noOrphans()
	c.verify("afterwards")
}

// TestG3WriterOutlivesServer lets a program go on writing through a descriptor whose server was killed, as the kernel may allow it. What it
// writes then was never acknowledged and must not get into what was.
func TestG3WriterOutlivesServer(t *testing.T) {
	s := startServer(t)
	want := randomBytes(1<<20, 8)
	check(t, s.mount().Put("/old", want))
	var open []*os.File
	for _, name := range []string{"/old", "/new"} {
		f, err := os.OpenFile(s.mount().at(name), os.O_RDWR|os.O_CREATE, 0o644)
		check(t, err)
		defer f.Close()
		_, err = f.WriteAt(want, 0)
		check(t, err)
		check(t, f.Sync())
		open = append(open, f)
	}
	s.kill()
	s.start()
	for i, f := range open {
		_, werr := f.WriteAt([]byte("written to a server that is gone"), 100)
		serr := f.Sync()
		t.Logf("descriptor %d: write: %v, fsync: %v", i, werr, serr)
		if serr == nil {
			t.Error("fsync to a server that is gone succeeds")
		}
	}
	for _, name := range []string{"/old", "/new"} {
		for _, face := range s.faces() {
			got, err := face.Get(name)
			check(t, err)
			if sum(got) != sum(want) {
				t.Errorf("%s through %s: %s", name, face.Name(), difference(got, want))
			}
		}
	}
	s.fsck()
}
