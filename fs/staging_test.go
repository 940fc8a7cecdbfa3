package fs

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestBlankFilesAreUsedAgain: an empty file that stays empty leaves its staging file to the next one, and only then.
func TestBlankFilesAreUsedAgain(t *testing.T) {
	c := newCore(t)
	for _, s := range []struct {
		what   string
		do     func(h *Handle)
		reused bool
	}{
		{"nothing", func(*Handle) {}, true},
		{"closed", func(h *Handle) { ok(t, h.Flush(t.Context())) }, true},
		{"written", func(h *Handle) { c.write(h, 0, "x") }, false},
		{"written and cut", func(h *Handle) {
			c.write(h, 0, "x")
			ok(t, h.Truncate(t.Context(), 0))
		}, false},
		{"reserved", func(h *Handle) { ok(t, h.Allocate(t.Context(), unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20)) }, false},
	} {
		h := c.create(s.what)
		name := h.v.work.name
		s.do(h)
		h.Release()
		next := c.create("after " + s.what)
		if reused := next.v.work.name == name; reused != s.reused {
			t.Errorf("%s: used again %t, want %t", s.what, reused, s.reused)
		}
		c.write(next, 0, "own")
		next.Release()
		if got := c.get("/after " + s.what); got != "own" {
			t.Errorf("%s: the next file has %q", s.what, got)
		}
	}
	c.fsckClean()
}
