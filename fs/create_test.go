package fs

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// TestCreateThatCannotOpenMakesNothing takes the directory away in which the bytes of new files lie.
func TestCreateThatCannotOpenMakesNothing(t *testing.T) {
	c := newCore(t)
	away := c.staging.dir + "-away"
	ok(t, os.Rename(c.staging.dir, away))
	_, _, err := c.Create(t.Context(), c.mount, RootIno, "f", 0o644, os.O_RDWR, true)
	ok(t, os.Rename(away, c.staging.dir))
	if err == nil {
		t.Fatal("a file can be made without a place for its bytes")
	}
	if _, err := c.Lookup(t.Context(), c.mount, RootIno, "f"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("after a failed create: %v", err)
	}
	c.create("f").Release()
	c.fsckClean()
}
