package fusefs

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// unmounted is a mount over a core of its own that no kernel asks. The tests send it requests themselves.
func unmounted(t *testing.T) *mount {
	t.Helper()
	core, closeCore, err := openCore(context.WithoutCancel(t.Context()), config{Data: t.TempDir(), Tenant: "rdp"}) // closed after the end of the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeCore(); err != nil {
			t.Error(err)
		}
	})
	m, err := newMount(t.Context(), core, Options{Logger: slog.New(slog.DiscardHandler)}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func header(node uint64, pid uint32) fuse.InHeader {
	return fuse.InHeader{NodeId: node, Caller: fuse.Caller{Pid: pid}}
}

// removed gives the node ids of a file and a directory that were there a moment ago.
func removed(t *testing.T, m *mount) (file, dir uint64) {
	t.Helper()
	a := fs.System("rdp", "dav")
	if err := put(t.Context(), m.fs, a, command{Path: "/gone.txt"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.fs.MkdirPath(t.Context(), a, "/gone", nil); err != nil {
		t.Fatal(err)
	}
	nodes := map[string]uint64{"/gone.txt": 0, "/gone": 0}
	for path := range nodes {
		info, err := m.fs.Stat(t.Context(), a, path)
		if err != nil {
			t.Fatal(err)
		}
		nodes[path] = uint64(info.Ino())
		if err := m.fs.RemoveAll(t.Context(), a, path, nil); err != nil {
			t.Fatal(err)
		}
	}
	return nodes["/gone.txt"], nodes["/gone"]
}

func TestNodesThatAreGone(t *testing.T) {
	m := unmounted(t)
	file, dir := removed(t, m)
	m.inval.last.Store(int64(time.Since(m.inval.begun))) // as if their removal had just been told
	var out fuse.EntryOut
	for name, ask := range map[string]func(pid uint32) fuse.Status{
		"getattr": func(pid uint32) fuse.Status {
			return m.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(file, pid)}, &fuse.AttrOut{})
		},
		"setattr": func(pid uint32) fuse.Status {
			in := &fuse.SetAttrIn{}
			in.InHeader, in.Valid, in.Mode = header(file, pid), fuse.FATTR_MODE, 0o600
			return m.SetAttr(nil, in, &fuse.AttrOut{})
		},
		"chown": func(pid uint32) fuse.Status {
			in := &fuse.SetAttrIn{}
			in.InHeader, in.Valid = header(file, pid), fuse.FATTR_UID|fuse.FATTR_KILL_SUIDGID
			return m.SetAttr(nil, in, &fuse.AttrOut{})
		},
		"open for reading": func(pid uint32) fuse.Status {
			return m.Open(nil, &fuse.OpenIn{InHeader: header(file, pid)}, &fuse.OpenOut{})
		},
		"open for writing": func(pid uint32) fuse.Status {
			return m.Open(nil, &fuse.OpenIn{InHeader: header(file, pid), Flags: syscall.O_RDWR}, &fuse.OpenOut{})
		},
		"readlink": func(pid uint32) fuse.Status {
			in := header(file, pid)
			_, s := m.Readlink(nil, &in)
			return s
		},
		"getxattr": func(pid uint32) fuse.Status {
			in := header(file, pid)
			_, s := m.GetXAttr(nil, &in, "user.a", nil)
			return s
		},
		"listxattr": func(pid uint32) fuse.Status {
			in := header(file, pid)
			_, s := m.ListXAttr(nil, &in, nil)
			return s
		},
		"setxattr": func(pid uint32) fuse.Status {
			return m.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: header(file, pid)}, "user.a", nil)
		},
		"removexattr": func(pid uint32) fuse.Status {
			in := header(file, pid)
			return m.RemoveXAttr(nil, &in, "user.a")
		},
		"link": func(pid uint32) fuse.Status {
			return m.Link(nil, &fuse.LinkIn{InHeader: header(fuse.FUSE_ROOT_ID, pid), Oldnodeid: file}, "n", &out)
		},
		"opendir": func(pid uint32) fuse.Status {
			return m.OpenDir(nil, &fuse.OpenIn{InHeader: header(dir, pid)}, &fuse.OpenOut{})
		},
		"lookup": func(pid uint32) fuse.Status {
			in := header(dir, pid)
			return m.Lookup(nil, &in, "n", &out)
		},
		"create": func(pid uint32) fuse.Status {
			return m.Create(nil, &fuse.CreateIn{InHeader: header(dir, pid), Flags: syscall.O_RDWR}, "n", &fuse.CreateOut{})
		},
		"tmpfile": func(pid uint32) fuse.Status {
			return m.Tmpfile(nil, &fuse.CreateIn{InHeader: header(dir, pid), Flags: syscall.O_RDWR}, &fuse.CreateOut{})
		},
		"mknod": func(pid uint32) fuse.Status {
			return m.Mknod(nil, &fuse.MknodIn{InHeader: header(dir, pid), Mode: syscall.S_IFREG}, "n", &out)
		},
		"mkdir": func(pid uint32) fuse.Status {
			return m.Mkdir(nil, &fuse.MkdirIn{InHeader: header(dir, pid)}, "n", &out)
		},
		"symlink": func(pid uint32) fuse.Status {
			in := header(dir, pid)
			return m.Symlink(nil, &in, "t", "n", &out)
		},
		"unlink": func(pid uint32) fuse.Status {
			in := header(dir, pid)
			return m.Unlink(nil, &in, "n")
		},
		"rmdir": func(pid uint32) fuse.Status {
			in := header(dir, pid)
			return m.Rmdir(nil, &in, "n")
		},
		"rename from it": func(pid uint32) fuse.Status {
			return m.Rename(nil, &fuse.RenameIn{InHeader: header(dir, pid), Newdir: fuse.FUSE_ROOT_ID}, "n", "o")
		},
		"rename into it": func(pid uint32) fuse.Status {
			return m.Rename(nil, &fuse.RenameIn{InHeader: header(fuse.FUSE_ROOT_ID, pid), Newdir: dir}, "n", "o")
		},
	} {
		t.Run(name, func(t *testing.T) {
			m.gone = goneMemory{}
			for i, c := range []struct {
				pid  uint32
				want fuse.Status
			}{{1, staleNode}, {2, staleNode}, {1, fuse.ENOENT}, {2, fuse.ENOENT}, {1, staleNode}} {
				if got := ask(c.pid); got != c.want {
					t.Errorf("request %d, thread %d: %v, want %v", i, c.pid, got, c.want)
				}
			}
		})
	}
}

func TestNamesThatAreMissing(t *testing.T) {
	m := unmounted(t)
	in := header(fuse.FUSE_ROOT_ID, 1)
	var out fuse.EntryOut
	if s := m.Lookup(nil, &in, "none", &out); s != fuse.OK || out.NodeId != 0 || out.EntryTimeout() != defaultNegative {
		t.Errorf("lookup: %v %+v", s, out)
	}
	rename := &fuse.RenameIn{InHeader: in, Newdir: fuse.FUSE_ROOT_ID}
	for i := range 2 {
		for op, s := range map[string]fuse.Status{
			"unlink": m.Unlink(nil, &in, "none"), "rmdir": m.Rmdir(nil, &in, "none"), "rename": m.Rename(nil, rename, "none", "to"),
		} {
			if s != fuse.ENOENT {
				t.Errorf("%s, time %d: %v", op, i, s)
			}
		}
	}
}

// TestReplacedByRenameIsAlwaysThere opens a file that is replaced all the time. ESTALE gets out when that happens twice within one open.
func TestReplacedByRenameIsAlwaysThere(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		write(t, c.path("f"), []byte("0"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if _, err := os.ReadFile(c.path("f")); err != nil && !errors.Is(err, syscall.ESTALE) {
						t.Errorf("read: %v", err)
						return
					}
					if _, err := os.Stat(c.path("f")); err != nil && !errors.Is(err, syscall.ESTALE) {
						t.Errorf("stat: %v", err)
						return
					}
				}
			})
		}
		for range 1000 {
			if t.Failed() {
				break
			}
			write(t, c.path("t"), []byte("1"))
			if err := os.Rename(c.path("t"), c.path("f")); err != nil {
				t.Error(err)
			}
		}
		cancel()
		wg.Wait()
	})
}

// TestRemovedWorkingDirectory removes the directory a program is in. Nothing can be made or found there.
func TestRemovedWorkingDirectory(t *testing.T) {
	c := mountChild(t, config{})
	for name, remove := range map[string]func(dir string) error{
		"by the mount": os.Remove,
		"by another face": func(dir string) error {
			_, err := c.do(command{Op: "rm", Path: "/" + filepath.Base(dir)})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.path(strings.ReplaceAll(name, " ", "-"))
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Chdir(dir)
			if err := remove(dir); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				_, stat := os.Stat("x")
				for op, err := range map[string]error{
					"mkdir": os.Mkdir("x", 0o755), "create": os.WriteFile("x", nil, 0o644), "stat": stat, "remove": syscall.Unlink("x"),
				} {
					if !errors.Is(err, syscall.ENOENT) {
						t.Errorf("%s, time %d: %v", op, i, err)
					}
				}
			}
		})
	}
}
