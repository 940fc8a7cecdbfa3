package fs

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

// patch makes a version of what is at path with text over it from off on.
func (c *core) patch(path string, off int64, body io.Reader) error {
	c.t.Helper()
	r := must(c.OpenReader(c.t.Context(), c.dav, path))(c.t)
	defer r.Close()
	w := must(c.NewWriter(c.t.Context(), c.dav, Target{Path: path}))(c.t)
	defer w.Abort()
	if _, err := w.Patch(r, off, body); err != nil {
		return err
	}
	_, _, err := w.Commit(c.t.Context(), CommitOptions{ExpectSize: -1})
	return err
}

// TestWriterPatch: any range of any file, over every kind of store, and what is checked and collected afterwards is in order.
func TestWriterPatch(t *testing.T) {
	patches := func(t *testing.T, c *core) {
		rnd := rand.New(rand.NewPCG(1, 2))
		for _, size := range []int{0, 1, 1000, 1 << 20, 3<<20 + 7, 12 << 20} {
			have := make([]byte, size)
			for i := range have {
				have[i] = byte(rnd.Uint32())
			}
			ok(t, c.putBytes("/f", have))
			for range 6 {
				off := rnd.IntN(len(have) + 2000)
				part := bytes.Repeat([]byte{byte(rnd.Uint32())}, rnd.IntN(2+len(have)/2))
				ok(t, c.patch("/f", int64(off), bytes.NewReader(part)))
				have = append(have, make([]byte, max(0, off+len(part)-len(have)))...)
				copy(have[off:], part)
				if got := c.get("/f"); got != string(have) {
					t.Fatalf("%d bytes at %d: %d bytes, want %d, or others", len(part), off, len(got), len(have))
				}
			}
		}
		_, err := c.GC(t.Context(), true)
		ok(t, err)
		c.fsckClean()
	}
	eachStore(t, patches)
	t.Run("parts", func(t *testing.T) { patches(t, newFar(t).core) })
}

// TestWriterPatchFails: a body that breaks off, or a gap that is too wide, leaves the file as it was.
func TestWriterPatchFails(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		old := strings.Repeat("old", 1000)
		c.put("/f", old)
		broken := io.MultiReader(strings.NewReader("new"), iotest.ErrReader(errors.New("gone")))
		if err := c.patch("/f", 5, broken); err == nil {
			t.Error("a body that broke off was taken")
		}
		for _, off := range []int64{-1, 1 << 40} {
			if err := c.patch("/f", off, strings.NewReader("x")); Errno(err) != syscall.EFBIG {
				t.Errorf("at %d: %v", off, err)
			}
		}
		if got := c.get("/f"); got != old {
			t.Errorf("the file has %d bytes", len(got))
		}
		c.fsckClean()
	})
}
