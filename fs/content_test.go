package fs

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestMountWriteIsSeenByOtherFacesAfterClose(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		h := c.create("a.txt")
		c.write(h, 0, "hello")
		if info, err := c.Stat(t.Context(), c.dav, "/a.txt"); err != nil || info.Size() != 0 {
			t.Errorf("before close another face sees size %d, %v", info.Size(), err)
		}
		if attr, err := c.GetAttr(t.Context(), c.mount, h.Ino()); err != nil || attr.Size != 5 {
			t.Errorf("the mount sees size %d, %v", attr.Size, err)
		}
		ok(t, h.Flush(t.Context()))
		h.Release()
		if got := c.get("/a.txt"); got != "hello" {
			t.Errorf("got %q", got)
		}
		c.fsckClean()
	})
}

func TestWriteAfterFlushOfADuplicatedDescriptor(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		h := c.create("a")
		c.write(h, 0, "one ")
		ok(t, h.Flush(t.Context()))
		if got := c.get("/a"); got != "one " {
			t.Errorf("after the first flush: %q", got)
		}
		c.write(h, 4, "two")
		ok(t, h.Flush(t.Context()))
		h.Release()
		if got := c.get("/a"); got != "one two" {
			t.Errorf("after the last: %q", got)
		}
		c.fsckClean()
	})
}

func TestReaderKeepsItsVersion(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		c.put("/a", "old")
		r := must(c.OpenReader(t.Context(), c.dav, "/a"))(t)
		defer r.Close()
		first := c.put("/a", "newer")
		var b [8]byte
		if n, _ := r.ReadAt(b[:], 0); string(b[:n]) != "old" {
			t.Errorf("the reader sees %q", b[:n])
		}
		if got := c.get("/a"); got != "newer" {
			t.Errorf("a new reader sees %q", got)
		}
		if again := c.put("/a", "third"); again.Ino() != first.Ino() || again.ETag() == first.ETag() {
			t.Error("replacing must keep the number and change the ETag")
		}
	})
}

func TestPartialWriteKeepsTheRest(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		text := strings.Repeat("0123456789", 100_000)
		c.put("/big", text)
		h := c.open("/big", os.O_RDWR)
		c.write(h, 500_000, "CHANGED")
		want := text[:500_000] + "CHANGED" + text[500_007:]
		if c.read(h) != want {
			t.Error("the handle does not see its own write")
		}
		if c.get("/big") != text {
			t.Error("another face sees the write before close")
		}
		ok(t, h.Flush(t.Context()))
		c.write(h, 0, "again")
		ok(t, h.Flush(t.Context()))
		h.Release()
		if c.get("/big") != "again"+want[5:] {
			t.Error("the file is wrong after close")
		}
		c.fsckClean()
	})
}

func TestEditInPlaceLeavesTheReaderOfTheOldVersionAlone(t *testing.T) {
	c := newCore(t)
	text := strings.Repeat("x", 1<<20)
	c.put("/big", text)
	r := must(c.OpenReader(t.Context(), c.dav, "/big"))(t)
	defer r.Close()
	h := c.open("/big", os.O_WRONLY)
	c.write(h, 100, "edit")
	ok(t, h.Flush(t.Context()))
	h.Release()
	b := make([]byte, 1<<20)
	if n, err := r.ReadAt(b, 0); n != len(b) || err != nil || string(b) != text {
		t.Error("the old version changed under its reader")
	}
	if got := c.get("/big"); got != text[:100]+"edit"+text[104:] {
		t.Error("the new version is wrong")
	}
}

func TestReplacedUnderAnOpenHandle(t *testing.T) {
	c := newCore(t)
	c.put("/a", "old old")
	through := c.open("/a", os.O_RDONLY)
	defer through.Release()
	c.put("/a", "new")
	if got := c.read(through); got != "old old" {
		t.Errorf("a through handle sees %q", got)
	}
	cached := c.open("/a", os.O_RDWR)
	defer cached.Release()
	c.write(cached, 0, "mine")
	c.put("/a", "theirs")
	if _, err := cached.ReadAt(t.Context(), make([]byte, 4), 0); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("reading a replaced view: %v", err)
	}
	if err := cached.Flush(t.Context()); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("flushing a replaced view: %v", err)
	}
	if got := c.get("/a"); got != "theirs" {
		t.Errorf("got %q", got)
	}
}

func TestReaderOnTheMountSeesALaterWriter(t *testing.T) {
	c := newCore(t)
	c.put("/log", "line 1\n")
	r := c.open("/log", os.O_RDONLY)
	backing := r.Backing()
	other := must(c.OpenReader(t.Context(), c.dav, "/log"))(t)
	defer other.Close()
	w := c.open("/log", os.O_WRONLY)
	if w.Backing() != backing {
		t.Fatal("handles of one file have different backing files")
	}
	c.write(w, 7, "line 2\n")
	if got := c.read(r); got != "line 1\nline 2\n" {
		t.Errorf("the reader sees %q", got)
	}
	var b [32]byte
	if n, _ := other.ReadAt(b[:], 0); string(b[:n]) != "line 1\n" {
		t.Errorf("the other face's reader sees %q", b[:n])
	}
	ok(t, w.Flush(t.Context()))
	w.Release()
	r.Release()
	if got := c.get("/log"); got != "line 1\nline 2\n" {
		t.Errorf("got %q", got)
	}
	c.fsckClean()
}

func TestTruncate(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		c.put("/a", "0123456789")
		info := must(c.Stat(t.Context(), c.dav, "/a"))(t)
		for _, step := range []struct {
			size int64
			want string
		}{{4, "0123"}, {6, "0123\x00\x00"}, {0, ""}, {2, "\x00\x00"}} {
			_, err := c.SetAttr(t.Context(), c.mount, info.Ino(), SetAttr{Size: &step.size}, nil)
			ok(t, err)
			if got := c.get("/a"); got != step.want {
				t.Errorf("truncated to %d: %q", step.size, got)
			}
		}
		h := c.open("/a", os.O_WRONLY|os.O_TRUNC)
		ok(t, h.Flush(t.Context()))
		h.Release()
		if got := c.get("/a"); got != "" {
			t.Errorf("after O_TRUNC: %q", got)
		}
		c.fsckClean()
	})
}

func TestUnlinkedFileStaysUsable(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		h := c.create("a")
		c.write(h, 0, "before")
		ok(t, c.Unlink(t.Context(), c.mount, RootIno, "a"))
		c.write(h, 6, "after")
		if got := c.read(h); got != "beforeafter" {
			t.Errorf("got %q", got)
		}
		attr, err := c.GetAttr(t.Context(), c.mount, h.Ino())
		if err != nil || attr.Nlink != 0 || attr.Size != 11 {
			t.Errorf("attributes %+v, %v", attr, err)
		}
		ok(t, h.Flush(t.Context()))
		ino := h.Ino()
		h.Release()
		if _, err := c.db.GetAttr(t.Context(), ino); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("after the last close: %v", err)
		}
		if names := must(c.staging.names())(t); len(names) != 0 {
			t.Errorf("left in staging: %v", names)
		}
	})
}

func TestAbortLeavesNoTrace(t *testing.T) {
	c := newCore(t)
	c.put("/a", "old")
	for _, path := range []string{"/a", "/new"} {
		w := must(c.NewWriter(t.Context(), c.dav, Target{Path: path}))(t)
		must(w.Write([]byte("half")))(t)
		if _, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: 8}); !errors.Is(err, ErrShortBody) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := c.get("/a"); got != "old" {
		t.Errorf("got %q", got)
	}
	if _, err := c.Stat(t.Context(), c.dav, "/new"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("the cut file exists: %v", err)
	}
	if names := must(c.staging.names())(t); len(names) != 0 {
		t.Errorf("left in staging: %v", names)
	}
}

func TestWriterOnTheMountLeavesAnEarlierReaderOfTheSameFileAlone(t *testing.T) {
	c := newCore(t)
	h := c.create("a")
	c.write(h, 0, "version one")
	ok(t, h.Flush(t.Context()))
	keeps := c.open("/a", os.O_RDONLY) // keeps the view, and so the work file, in use
	defer keeps.Release()
	h.Release()
	r := must(c.OpenReader(t.Context(), c.dav, "/a"))(t)
	defer r.Close()
	w := c.open("/a", os.O_RDWR)
	c.write(w, 0, "VERSION TWO")
	var b [16]byte
	if n, _ := r.ReadAt(b[:], 0); string(b[:n]) != "version one" {
		t.Errorf("the reader sees %q", b[:n])
	}
	ok(t, w.Flush(t.Context()))
	w.Release()
	if got := c.get("/a"); got != "VERSION TWO" {
		t.Errorf("got %q", got)
	}
}

func TestTmpfileThatGetsAName(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		_, h, err := c.Tmpfile(t.Context(), c.mount, RootIno, 0o600, os.O_RDWR, true)
		ok(t, err)
		c.write(h, 0, "text")
		ok(t, h.Flush(t.Context()))
		must(c.Link(t.Context(), c.mount, h.Ino(), RootIno, "named"))(t)
		if got := c.get("/named"); got != "text" {
			t.Errorf("got %q", got)
		}
		h.Release()
		_, lost, err := c.Tmpfile(t.Context(), c.mount, RootIno, 0o600, os.O_RDWR, true)
		ok(t, err)
		lost.Release()
		c.fsckClean()
	})
}

func TestRetarget(t *testing.T) {
	c := newCore(t)
	w := must(c.NewWriter(t.Context(), c.dav, Target{Dir: "/", Name: "part"}))(t)
	must(w.Write([]byte("text")))(t)
	if err := w.Retarget(t.Context(), Target{Dir: "/none", Name: "x"}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("into a missing directory: %v", err)
	}
	ok(t, w.Retarget(t.Context(), Target{Dir: "/", Name: "real"}))
	_, _, err := w.Commit(t.Context(), CommitOptions{ExpectSize: 4})
	ok(t, err)
	if got := c.get("/real"); got != "text" {
		t.Errorf("got %q", got)
	}
	if _, err := c.Stat(t.Context(), c.dav, "/part"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("the first target: %v", err)
	}
}

func TestReplacedFileCanBeOpenedForAMoment(t *testing.T) {
	c := newCore(t)
	old := c.put("/a", "old")
	c.put("/b", "new")
	ok(t, c.Rename(t.Context(), c.mount, RootIno, "b", RootIno, "a", 0))
	h, err := c.OpenIno(t.Context(), c.mount, old.Ino(), os.O_RDONLY, true) // a kernel that had just looked the name up
	ok(t, err)
	if got := c.read(h); got != "old" {
		t.Errorf("got %q", got)
	}
	c.endAllLingering()
	if _, err := c.GetAttr(t.Context(), c.mount, old.Ino()); err != nil {
		t.Errorf("while it is open: %v", err)
	}
	h.Release()
	if _, err := c.db.GetAttr(t.Context(), old.Ino()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("after the last close: %v", err)
	}
	c.noOrphans()
}
