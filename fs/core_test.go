package fs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tote/meta"
	"tote/objstore"
	"tote/objstore/filestore"
	"tote/objstore/memstore"
)

// core is a file system over a fresh directory, for tests.
type core struct {
	*FS
	t     testing.TB
	dir   string
	store objstore.Store
	db    *meta.DB
	mount *Actor
	dav   *Actor
}

// newCore opens a core on the embedded store.
func newCore(t testing.TB) *core {
	t.Helper()
	return openCore(t, t.TempDir(), nil)
}

// openCore opens a core over dir; a nil store means the embedded one there.
func openCore(t testing.TB, dir string, store objstore.Store) *core {
	t.Helper()
	ctx := context.Background()
	db, err := meta.Open(ctx, filepath.Join(dir, "tote.db"), meta.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.EnsureTenant(ctx, "rdp", 0o755, 0, 0, meta.Durable); err != nil {
		t.Fatal(err)
	}
	if store == nil {
		if store, err = filestore.New(filepath.Join(dir, "objects"), filestore.Options{NoSync: true}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(ctx, db, store, Options{Staging: filepath.Join(dir, "staging"), Settle: time.Hour, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	c := &core{FS: f, t: t, dir: dir, store: store, db: db}
	c.mount = &Actor{Tenant: "rdp", Mount: true, Origin: originMount}
	c.dav = System("rdp", "dav")
	t.Cleanup(c.close)
	return c
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// close ends the core in order; a second call does nothing.
func (c *core) close() {
	if c.db == nil {
		return
	}
	if err := c.FS.Close(context.Background()); err != nil {
		c.t.Error(err)
	}
	if err := c.db.Close(); err != nil {
		c.t.Error(err)
	}
	c.db = nil
}

// eachStore runs a test on the embedded store and on one that can neither adopt nor open files.
func eachStore(t *testing.T, fn func(t *testing.T, c *core)) {
	t.Run("file", func(t *testing.T) { fn(t, newCore(t)) })
	t.Run("memory", func(t *testing.T) { fn(t, openCore(t, t.TempDir(), memstore.New())) })
}

// must fails the test on an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// ok fails the test on an error.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file the way an HTTP face does.
func (c *core) put(path, text string) Info {
	c.t.Helper()
	w := must(c.NewWriter(c.t.Context(), c.dav, Target{Path: path}))(c.t)
	if _, err := io.WriteString(w, text); err != nil {
		c.t.Fatal(err)
	}
	info, _, err := w.Commit(c.t.Context(), CommitOptions{ExpectSize: -1})
	ok(c.t, err)
	return info
}

// get reads a file the way an HTTP face does.
func (c *core) get(path string) string {
	c.t.Helper()
	r := must(c.OpenReader(c.t.Context(), c.dav, path))(c.t)
	defer r.Close()
	b, err := io.ReadAll(r)
	ok(c.t, err)
	return string(b)
}

// create makes a file the way the mount does and leaves it open.
func (c *core) create(name string) *Handle {
	c.t.Helper()
	_, h, err := c.Create(c.t.Context(), c.mount, RootIno, name, 0o644, os.O_RDWR, true)
	ok(c.t, err)
	return h
}

// write writes through a handle the way the kernel does: into the backing file if there is one.
func (c *core) write(h *Handle, off int64, text string) {
	c.t.Helper()
	if b := h.Backing(); b != nil {
		file := kernel(c.t, h)
		defer file.Close()
		must(file.WriteAt([]byte(text), off))(c.t)
		return
	}
	must(h.WriteAt(c.t.Context(), []byte(text), off))(c.t)
}

// kernel opens the backing file of a handle for reading and writing, like the kernel does.
func kernel(t testing.TB, h *Handle) *os.File {
	t.Helper()
	return must(os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", h.Backing().File.Fd()), os.O_RDWR, 0))(t)
}

// read reads all of a handle the way the kernel does.
func (c *core) read(h *Handle) string {
	c.t.Helper()
	var r io.ReaderAt = handleReader{h}
	if b := h.Backing(); b != nil {
		r = b.File
	}
	b, err := io.ReadAll(io.NewSectionReader(r, 0, 1<<40))
	ok(c.t, err)
	return string(b)
}

type handleReader struct{ h *Handle }

func (r handleReader) ReadAt(p []byte, off int64) (int, error) {
	return r.h.ReadAt(context.Background(), p, off)
}

// open opens a file the way the mount does.
func (c *core) open(path string, flags int) *Handle {
	c.t.Helper()
	at := must(c.Lstat(c.t.Context(), c.dav, path))(c.t)
	return must(c.OpenIno(c.t.Context(), c.mount, at.Ino(), flags, true))(c.t)
}

// fsckClean fails the test on any problem.
func (c *core) fsckClean() {
	c.t.Helper()
	_, err := c.Fsck(c.t.Context(), FsckOptions{Deep: true}, func(p string) { c.t.Error(p) })
	ok(c.t, err)
}
