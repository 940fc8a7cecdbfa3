package fs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// sameObject tells whether two files have one object.
func (c *core) sameObject(a, b string) bool {
	c.t.Helper()
	x := must(c.Stat(c.t.Context(), c.dav, a))(c.t)
	y := must(c.Stat(c.t.Context(), c.dav, b))(c.t)
	v := must(c.db.CurrentVersion(c.t.Context(), x.Ino()))(c.t)
	w := must(c.db.CurrentVersion(c.t.Context(), y.Ino()))(c.t)
	return v.Key != "" && v.Key == w.Key
}

func (c *core) copy(from, to string) {
	c.t.Helper()
	_, err := c.Copy(c.t.Context(), c.dav, from, to, true, true, nil)
	ok(c.t, err)
}

// TestCopyShares: a copy has the object of the original, and each of the two keeps its bytes whatever is done to the other, on any face.
func TestCopyShares(t *testing.T) {
	old := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB: large enough for an edit in place
	for name, change := range map[string]func(c *core, path string){
		"put":    func(c *core, path string) { c.put(path, "new") },
		"delete": func(c *core, path string) { ok(c.t, c.RemoveAll(c.t.Context(), c.dav, path, nil)) },
		"edit": func(c *core, path string) {
			h := c.open(path, syscall.O_RDWR)
			c.write(h, 1000, "edited")
			ok(c.t, h.Flush(c.t.Context()))
			h.Release()
			ok(c.t, c.settler.settle(c.t.Context()))
		},
		"edit under a reader": func(c *core, path string) {
			r := c.open(path, syscall.O_RDONLY)
			h := c.open(path, syscall.O_RDWR)
			c.write(h, 1000, "edited")
			ok(c.t, h.Flush(c.t.Context()))
			h.Release()
			r.Release()
			ok(c.t, c.settler.settle(c.t.Context()))
		},
		"truncate": func(c *core, path string) { c.open(path, syscall.O_RDWR|syscall.O_TRUNC).Release() },
		"collect": func(c *core, path string) {
			c.put(path, "new")
			_, err := c.GC(c.t.Context(), true)
			ok(c.t, err)
		},
	} {
		for _, victim := range []string{"/a", "/b", "/d/a", "/e/a"} {
			t.Run(name+victim, func(t *testing.T) {
				c := newCore(t)
				keep := map[string]string{"/a": "/b", "/b": "/a", "/d/a": "/e/a", "/e/a": "/d/a"}[victim]
				c.put("/a", old)
				c.copy("/a", "/b")
				must(c.MkdirPath(t.Context(), c.dav, "/d", nil))(t)
				c.put("/d/a", old)
				c.copy("/d", "/e")
				if !c.sameObject(victim, keep) {
					t.Fatal("the copy has an object of its own")
				}
				reader := c.open(keep, syscall.O_RDONLY)
				change(c, victim)
				if got := c.read(reader); got != old {
					t.Errorf("an open reader of the other file sees it change: %d bytes", len(got))
				}
				reader.Release()
				if got := c.get(keep); got != old {
					t.Errorf("the other file has changed: %d bytes", len(got))
				}
				_, err := c.GC(t.Context(), true)
				ok(t, err)
				if got := c.get(keep); got != old {
					t.Errorf("the other file has changed after a collection: %d bytes", len(got))
				}
				c.fsckClean()
			})
		}
	}
}

// TestCopyOfOpenFile: what the mount has open is not shared, because the kernel may come to write it.
func TestCopyOfOpenFile(t *testing.T) {
	c := newCore(t)
	old := strings.Repeat("x", 1<<20)
	c.put("/a", old)
	r := c.open("/a", syscall.O_RDONLY)
	c.copy("/a", "/b")
	must(c.MkdirPath(t.Context(), c.dav, "/d", nil))(t)
	ok(t, c.Rename(t.Context(), c.mount, RootIno, "a", must(c.Stat(t.Context(), c.dav, "/d"))(t).Ino(), "a", 0))
	c.copy("/d", "/e")
	if c.sameObject("/d/a", "/b") || c.sameObject("/d/a", "/e/a") {
		t.Fatal("an open file was shared")
	}
	h := c.open("/d/a", syscall.O_RDWR)
	c.write(h, 0, "edited")
	ok(t, h.Flush(t.Context()))
	h.Release()
	r.Release()
	if c.get("/b") != old || c.get("/e/a") != old {
		t.Error("a copy has changed")
	}
	c.fsckClean()
}

// TestCopyAlias: a copy is found by the name with its own GUID, and the original by its.
func TestCopyAlias(t *testing.T) {
	c := newCore(t)
	c.put("/a.txt", "text")
	c.copy("/a.txt", "/b.txt")
	for _, p := range []string{"/a.txt", "/b.txt"} {
		info := must(c.Stat(t.Context(), c.dav, p))(t)
		v := must(c.db.CurrentVersion(t.Context(), info.Ino()))(t)
		if !strings.Contains(ObjectName(v), v.GUID) {
			t.Errorf("%s is called %s, its GUID is %s", p, ObjectName(v), v.GUID)
		}
		if got := must(c.Stat(t.Context(), c.dav, "/"+ObjectName(v)))(t); got.Ino() != info.Ino() {
			t.Errorf("%s by its alias is file %d, not %d", p, got.Ino(), info.Ino())
		}
		if file := must(c.FileByKey(t.Context(), c.dav, ObjectName(v)))(t); file.Info.Ino() != info.Ino() {
			t.Errorf("%s by its key is file %d, not %d", p, file.Info.Ino(), info.Ino())
		}
	}
}

// TestCopyRace: copies are made while others edit, replace and delete the original; each has one of its contents, whole.
func TestCopyRace(t *testing.T) {
	c := newCore(t)
	text := func(b byte) []byte { return bytes.Repeat([]byte{b}, 400<<10) }
	must(c.MkdirPath(t.Context(), c.dav, "/d", nil))(t)
	must(0, c.putBytes("/d/f", text('a')))(t)
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(w)))
			for i := range 30 {
				switch to := fmt.Sprintf("/copy%d-%d", w, i); {
				case w == 0:
					_ = c.putBytes("/d/f", text(byte('a'+rnd.IntN(26))))
				case w == 1 && i%2 == 0:
					_, _ = c.Copy(t.Context(), c.dav, "/d", to, true, true, nil)
				case w == 1:
					_, _ = c.Copy(t.Context(), c.dav, "/d/f", to, true, true, nil)
				default:
					c.editAll("/d/f", byte('A'+rnd.IntN(26)))
				}
			}
		})
	}
	wg.Wait()
	_, err := c.GC(t.Context(), true)
	ok(t, err)
	for i := range 30 {
		path := fmt.Sprintf("/copy1-%d", i)
		if i%2 == 0 {
			path += "/f"
		}
		if _, err := c.Stat(t.Context(), c.dav, path); err != nil {
			continue
		}
		got := c.get(path)
		if got != strings.Repeat(got[:1], 400<<10) {
			t.Errorf("%s has %d bytes of several contents", path, len(got))
		}
	}
	c.fsckClean()
}

// editAll overwrites all of a file on the mount; whoever gets in between wins.
func (c *core) editAll(path string, b byte) {
	info, err := c.Stat(c.t.Context(), c.dav, path)
	if err != nil {
		return
	}
	h, err := c.OpenIno(c.t.Context(), c.mount, info.Ino(), syscall.O_RDWR, false)
	if err != nil {
		return
	}
	defer h.Release()
	if _, err := h.WriteAt(c.t.Context(), bytes.Repeat([]byte{b}, 400<<10), 0); err == nil {
		_ = h.Flush(c.t.Context())
	}
}

// TestFsckCountsSharedObjectsOnce tells versions from the objects that they have.
func TestFsckCountsSharedObjectsOnce(t *testing.T) {
	c := newCore(t)
	c.put("/a", "text")
	c.put("/other", "more")
	c.copy("/a", "/b")
	r, err := c.Fsck(t.Context(), FsckOptions{}, func(problem string) { t.Error(problem) })
	if err != nil || r.Versions != 3 || r.Objects != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}
