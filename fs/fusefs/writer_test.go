package fusefs

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// TestClosePushesNothing writes a file as the kernel does in passthrough mode: into the backing file, without a word. As long as it may do so it
// keeps no attributes, so that it need not be told about the commit.
func TestClosePushesNothing(t *testing.T) {
	m := unmounted(t)
	m.io.reg = &kernel{t: t, valid: map[int32]bool{}, nodes: map[uint64]*kernelNode{}}
	heard := &ear{}
	m.inval.kernel = heard
	root := header(fuse.FUSE_ROOT_ID, 1)
	keeps := func(what string, node uint64, want bool) {
		t.Helper()
		var attr fuse.AttrOut
		var entry fuse.EntryOut
		if s := m.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(node, 1)}, &attr); !s.Ok() {
			t.Fatal(s)
		}
		if s := m.Lookup(nil, &root, "f", &entry); !s.Ok() {
			t.Fatal(s)
		}
		if attr.Timeout() > 0 != want || entry.AttrTimeout() > 0 != want || entry.EntryTimeout() == 0 {
			t.Errorf("%s: the kernel keeps attributes for %v and %v", what, attr.Timeout(), entry.AttrTimeout())
		}
	}
	var made fuse.CreateOut
	if s := m.Create(nil, &fuse.CreateIn{InHeader: root, Flags: unix.O_RDWR, Mode: 0o644}, "f", &made); !s.Ok() {
		t.Fatal(s)
	}
	if made.OpenFlags&fuse.FOPEN_PASSTHROUGH == 0 || made.AttrTimeout() > forThisCall || made.EntryTimeout() == 0 {
		t.Fatalf("%+v", made)
	}
	end := func(fh uint64, text string) {
		t.Helper()
		// The kernel opens the backing file once more for each handle, by the handle's flags.
		write(t, fmt.Sprintf("/proc/self/fd/%d", m.files.get(fh).h.Backing().File.Fd()), []byte(text))
		keeps("written", made.NodeId, false)
		if s := m.Flush(nil, &fuse.FlushIn{InHeader: header(made.NodeId, 1), Fh: fh}); !s.Ok() {
			t.Fatal(s)
		}
		keeps("closed", made.NodeId, false)
		m.Release(nil, &fuse.ReleaseIn{InHeader: header(made.NodeId, 1), Fh: fh})
		keeps("released", made.NodeId, true)
	}
	end(made.Fh, "content")
	if got := heard.all(); len(got) > 0 {
		t.Errorf("the kernel heard %q", got)
	}
	var out fuse.OpenOut
	if s := m.Open(nil, &fuse.OpenIn{InHeader: header(made.NodeId, 1), Flags: unix.O_RDONLY}, &out); !s.Ok() {
		t.Fatal(s)
	}
	defer m.Release(nil, &fuse.ReleaseIn{InHeader: header(made.NodeId, 1), Fh: out.Fh})
	keeps("open for reading", made.NodeId, true)
	if s := m.Open(nil, &fuse.OpenIn{InHeader: header(made.NodeId, 1), Flags: unix.O_RDWR}, &out); !s.Ok() {
		t.Fatal(s)
	}
	if got := heard.all(); len(got) != 1 { // it has to forget what it kept
		t.Errorf("the kernel heard %q", got)
	}
	end(out.Fh, "changed")
	if got := heard.all(); len(got) != 1 {
		t.Errorf("the kernel heard %q", got)
	}
}

func TestWritten(t *testing.T) {
	io, k := newKernel(t)
	before := io.clock.Load()
	v := onVersion(1)
	admitted(t, io, k, 5, v)
	io.addWriter(5)
	if !io.written(5, io.clock.Load()) || io.written(6, before) {
		t.Error("the wrong node is written")
	}
	left(io, k, 5, v)
	if !io.written(5, io.clock.Load()) {
		t.Error("the last commit is still to come")
	}
	during := io.clock.Load()
	io.dropWriter(5)
	if !io.written(5, during) || io.written(5, io.clock.Load()) {
		t.Error("attributes from before the end are kept, or those from after it are not")
	}
	if len(io.shard(5).nodes) != 0 {
		t.Error("something stays")
	}
}

// TestTimesOfMappings changes a file through a mapping, of which the kernel tells nobody.
func TestTimesOfMappings(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		for name, order := range map[string][]string{
			"before the close": {"write", "unmap", "close"},
			"after the close":  {"close", "write", "unmap"},
			"then a stat":      {"write", "stat", "unmap", "stat", "close", "stat"},
		} {
			path := c.path(name)
			write(t, path, random(8192))
			old := time.Unix(1_000_000_000, 0)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
			lstat(t, path)
			f := open(t, path, os.O_RDWR)
			m, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			do := map[string]func() error{
				"write": func() error { copy(m, "changed"); return unix.Msync(m, unix.MS_SYNC) },
				"unmap": func() error { return unix.Munmap(m) },
				"close": f.Close,
				"stat":  func() error { lstat(t, path); return nil },
			}
			for _, step := range order {
				if err := do[step](); err != nil {
					t.Fatalf("%s: %s: %v", name, step, err)
				}
			}
			if got := lstat(t, path).Mtim.Sec; got == old.Unix() {
				t.Errorf("%s: the file still has its old time", name)
			}
			if b, err := os.ReadFile(path); err != nil || !slices.Equal(b[:7], []byte("changed")) {
				t.Errorf("%s: %q %v", name, b[:7], err)
			}
		}
	})
}
