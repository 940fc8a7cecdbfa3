package fs

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

// TestRemovedNodesHaveAttributes asks for what the mount has removed, as a process does that is still in such a directory.
func TestRemovedNodesHaveAttributes(t *testing.T) {
	c := newCore(t)
	d := must(c.Mkdir(t.Context(), c.mount, RootIno, "d", 0o750))(t)
	ok(t, c.Rmdir(t.Context(), c.mount, RootIno, "d"))
	attr, err := c.GetAttr(t.Context(), c.mount, d.Ino)
	if err != nil || attr.Nlink != 0 || attr.Mode != syscall.S_IFDIR|0o750 || attr.Ctime < d.Ctime {
		t.Errorf("the mount gets %+v, %v", attr, err)
	}
	if _, err := c.GetAttr(t.Context(), c.dav, d.Ino); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("another face gets %v", err)
	}
	for i := range maxDeparted {
		name := fmt.Sprint(i)
		must(c.Mkdir(t.Context(), c.mount, RootIno, name, 0o750))(t)
		ok(t, c.Rmdir(t.Context(), c.mount, RootIno, name))
	}
	if _, err := c.GetAttr(t.Context(), c.mount, d.Ino); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("after %d more: %v", maxDeparted, err)
	}
	if n := len(c.departed.index); n != maxDeparted {
		t.Errorf("%d are remembered", n)
	}
}
