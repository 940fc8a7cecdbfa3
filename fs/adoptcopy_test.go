package fs

import (
	"errors"
	"syscall"
	"testing"

	"tote/objstore"
	"tote/objstore/storetest"
)

func TestAdoptCopy(t *testing.T) {
	c := newFar(t)
	to := Target{Path: "/lamp.png"}
	if _, _, err := c.AdoptCopy(t.Context(), c.dav, to, "in/none", CommitOptions{ExpectSize: -1}); Errno(err) != syscall.ENOENT {
		t.Errorf("nothing there: %v", err)
	}
	for _, size := range []int{0, 10, 3*mib + 5, copyPart + 7} {
		data := string(randomBytes(uint64(size), size))
		c.putObject("in/u", data)
		info, created, err := c.AdoptCopy(t.Context(), c.dav, to, "in/u", CommitOptions{ExpectSize: int64(size), ContentType: "image/png"})
		if err != nil || created != (size == 0) || info.Size() != int64(size) {
			t.Fatalf("%d bytes: %+v, %v, %v", size, info, created, err)
		}
		c.putObject("in/u", "somebody goes on writing there")
		if got, err := c.slurp("/lamp.png"); err != nil || got != data {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
		v := must(c.db.CurrentVersion(t.Context(), info.Ino()))(t)
		if _, facts, err := c.mem.StatDescribed(t.Context(), v.Key); err != nil || facts[factPath] != "/lamp.png" {
			t.Errorf("facts are %v, %v", facts, err)
		}
	}
	if _, _, err := c.AdoptCopy(t.Context(), c.dav, to, "in/u", CommitOptions{ExpectSize: 3}); !errors.Is(err, ErrShortBody) {
		t.Errorf("another size: %v", err)
	}
	if _, err := c.mem.Stat(t.Context(), "in/u"); err != nil {
		t.Errorf("the object itself: %v", err)
	}
	must(c.GC(t.Context(), true))(t)
	c.fsckClean()
	c.noUploads()
}

// An object that becomes another one while it is copied would be a mixture.
func TestAdoptCopyOfAChangingObject(t *testing.T) {
	c := newFar(t)
	c.putObject("in/u", "first")
	until := make(chan struct{})
	c.fault.Add(storetest.Rule{Op: "copypart", Do: storetest.Block(until)})
	go func() {
		defer close(until)
		c.eventually("it is copied", func() bool { return c.fault.Calls("copypart") > 0 })
		c.putObject("in/u", "other")
	}()
	_, _, err := c.AdoptCopy(t.Context(), c.dav, Target{Path: "/f"}, "in/u", CommitOptions{ExpectSize: -1})
	if Errno(err) != syscall.ESTALE || !errors.Is(err, objstore.ErrChanged) {
		t.Errorf("%v", err)
	}
	if _, err := c.Stat(t.Context(), c.dav, "/f"); Errno(err) != syscall.ENOENT {
		t.Errorf("a file came of it: %v", err)
	}
	must(c.GC(t.Context(), true))(t)
	c.noUploads()
	for info, err := range c.mem.List(t.Context(), "", "") {
		if err != nil || info.Key != "in/u" {
			t.Errorf("left behind: %s, %v", info.Key, err)
		}
	}
}
