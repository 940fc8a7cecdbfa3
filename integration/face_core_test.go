package integration

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"tote/fs"
	"tote/meta"
	"tote/objstore/filestore"
)

// coreFace calls the core in this process: the path view as the HTTP faces do, the inode view as the mount does.
type coreFace struct {
	fs    *fs.FS
	actor *fs.Actor
	mount *fs.Actor
}

// newCore opens a core over a directory of its own.
func newCore(t testing.TB) *coreFace {
	t.Helper()
	dir, ctx := tempDir(t), context.Background()
	db, err := meta.Open(ctx, filepath.Join(dir, "tote.db"), meta.Options{NoSync: true})
	check(t, err)
	_, err = db.EnsureTenant(ctx, "rdp", 0o755, 0, 0, meta.Durable)
	check(t, err)
	store, err := filestore.New(filepath.Join(dir, "objects"), filestore.Options{NoSync: true})
	check(t, err)
	f, err := fs.Open(ctx, db, store, fs.Options{Staging: filepath.Join(dir, "staging"), Logger: slog.New(slog.DiscardHandler)})
	check(t, err)
	t.Cleanup(func() {
		if _, err := f.Fsck(ctx, fs.FsckOptions{Deep: true}, func(p string) { t.Error("fsck: " + p) }); err != nil {
			t.Error(err)
		}
		if err := errors.Join(f.Close(ctx), store.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return &coreFace{f, fs.System("rdp", "core"), &fs.Actor{Tenant: "rdp", Mount: true, Origin: "mount"}}
}

// Name implements Face.
func (c *coreFace) Name() string { return "core" }

// Put implements Face.
func (c *coreFace) Put(path string, data []byte) error {
	ctx := context.Background()
	w, err := c.fs.NewWriter(ctx, c.actor, fs.Target{Path: path})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return err
	}
	_, _, err = w.Commit(ctx, fs.CommitOptions{ExpectSize: int64(len(data))})
	return err
}

// Get implements Face.
func (c *coreFace) Get(path string) ([]byte, error) {
	r, err := c.fs.OpenReader(context.Background(), c.actor, path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Remove implements Face.
func (c *coreFace) Remove(path string) error {
	return c.fs.RemoveAll(context.Background(), c.actor, path, nil)
}

// Stat implements Face.
func (c *coreFace) Stat(path string) (Info, error) {
	i, err := c.fs.Stat(context.Background(), c.actor, path)
	if err != nil {
		return Info{}, err
	}
	if i.IsDir() {
		return Info{Dir: true}, nil
	}
	return Info{Size: i.Size(), ETag: i.ETag()}, nil
}

// Mkdir implements Treer.
func (c *coreFace) Mkdir(path string) error {
	_, err := c.fs.MkdirPath(context.Background(), c.actor, path, nil)
	return err
}

// List implements Treer. It asks for small pages, so that the cursor has something to do.
func (c *coreFace) List(path string) ([]string, error) {
	var names []string
	for after := uint64(0); ; {
		page, next, err := c.fs.List(context.Background(), c.actor, path, after, 3)
		if err != nil {
			return nil, err
		}
		for _, i := range page {
			names = append(names, i.Name())
		}
		if next == 0 {
			slices.Sort(names)
			return names, nil
		}
		after = next
	}
}

// Move implements Treer.
func (c *coreFace) Move(old, new string, overwrite bool) error {
	_, err := c.fs.Move(context.Background(), c.actor, old, new, overwrite, nil)
	return err
}

// Copy implements Copier.
func (c *coreFace) Copy(old, new string, overwrite bool) error {
	_, err := c.fs.Copy(context.Background(), c.actor, old, new, overwrite, true, nil)
	return err
}

// parent finds the directory that a name is in.
func (c *coreFace) parent(p string) (fs.Ino, string, error) {
	i, err := c.fs.Stat(context.Background(), c.actor, path.Dir(p))
	if err != nil {
		return 0, "", err
	}
	return i.Ino(), path.Base(p), nil
}

// Rmdir implements Inoder.
func (c *coreFace) Rmdir(p string) error {
	dir, name, err := c.parent(p)
	if err != nil {
		return err
	}
	return c.fs.Rmdir(context.Background(), c.mount, dir, name)
}

// Symlink implements Inoder.
func (c *coreFace) Symlink(target, p string) error {
	dir, name, err := c.parent(p)
	if err != nil {
		return err
	}
	_, err = c.fs.Symlink(context.Background(), c.mount, dir, name, target)
	return err
}

// Readlink implements Inoder.
func (c *coreFace) Readlink(p string) (string, error) {
	i, err := c.fs.Lstat(context.Background(), c.actor, p)
	if err != nil {
		return "", err
	}
	return c.fs.Readlink(context.Background(), c.mount, i.Ino())
}

// Link implements Inoder.
func (c *coreFace) Link(old, new string) error {
	i, err := c.fs.Lstat(context.Background(), c.actor, old)
	if err != nil {
		return err
	}
	dir, name, err := c.parent(new)
	if err != nil {
		return err
	}
	_, err = c.fs.Link(context.Background(), c.mount, i.Ino(), dir, name)
	return err
}

// Append implements Inoder.
func (c *coreFace) Append(p string, data []byte) error {
	return c.change(p, func(ctx context.Context, h *fs.Handle) error {
		a, err := c.fs.GetAttr(ctx, c.mount, h.Ino())
		if err == nil {
			_, err = h.WriteAt(ctx, data, a.Size)
		}
		return err
	})
}

// Truncate implements Inoder.
func (c *coreFace) Truncate(p string, size int64) error {
	return c.change(p, func(ctx context.Context, h *fs.Handle) error {
		_, err := c.fs.SetAttr(ctx, c.mount, h.Ino(), fs.SetAttr{Size: &size}, h)
		return err
	})
}

// change opens a file as the mount does, without a local file for the kernel.
func (c *coreFace) change(p string, fn func(context.Context, *fs.Handle) error) error {
	ctx := context.Background()
	i, err := c.fs.Stat(ctx, c.actor, p)
	if err != nil {
		return err
	}
	if i.IsDir() {
		return syscall.EISDIR
	}
	h, err := c.fs.OpenIno(ctx, c.mount, i.Ino(), os.O_RDWR, false)
	if err != nil {
		return err
	}
	defer h.Release()
	return errors.Join(fn(ctx, h), h.Flush(ctx))
}
