package fs

import (
	"errors"
	"syscall"
	"testing"
	"time"
)

// TestLocksOnMount: the mount leaves the bytes of a locked file alone, and nothing else.
func TestLocksOnMount(t *testing.T) {
	c := newCore(t)
	locked := c.put("/locked", "old")
	c.put("/free", "free")
	must(c.MkdirPath(t.Context(), c.dav, "/dir", nil))(t)
	inside := c.put("/dir/f", "old")
	before := c.open("/locked", syscall.O_RDWR)
	l := must(c.AddLock(t.Context(), c.dav, Lock{Path: "/locked", Expires: c.Now().Add(time.Hour)}, nil))(t)
	must(c.AddLock(t.Context(), c.dav, Lock{Path: "/dir", Infinite: true, Expires: c.Now().Add(time.Hour)}, nil))(t)
	refused := func(what string, err error) {
		t.Helper()
		if Errno(err) != syscall.EBUSY || !errors.Is(err, ErrLocked) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, ino := range []Ino{locked.Ino(), inside.Ino()} {
		for _, flags := range []int{syscall.O_WRONLY, syscall.O_RDWR, syscall.O_RDONLY | syscall.O_TRUNC} {
			_, err := c.OpenIno(t.Context(), c.mount, ino, flags, true)
			refused("open", err)
		}
		size := int64(1)
		_, err := c.SetAttr(t.Context(), c.mount, ino, SetAttr{Size: &size}, nil)
		refused("truncate", err)
	}
	refused("rename over it", c.Rename(t.Context(), c.mount, RootIno, "free", RootIno, "locked", 0))
	refused("exchange", c.Rename(t.Context(), c.mount, RootIno, "free", RootIno, "locked", RenameExchange))

	ok(t, c.Rename(t.Context(), c.mount, RootIno, "free", must(c.Stat(t.Context(), c.dav, "/dir"))(t).Ino(), "new", 0))
	c.open("/locked", syscall.O_RDONLY).Release()
	c.write(before, 0, "OLD") // it was open before
	ok(t, before.Flush(t.Context()))
	before.Release()
	if got := c.get("/locked"); got != "OLD" {
		t.Errorf("the handle from before wrote %q", got)
	}
	ok(t, c.RemoveLock(t.Context(), c.dav, l.Token))
	c.open("/locked", syscall.O_RDWR).Release()
}
