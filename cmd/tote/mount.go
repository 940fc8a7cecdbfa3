package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"tote/fs"
	"tote/fs/fusefs"
)

// mountFace is a mounted directory.
type mountFace struct {
	dir    string
	server *fusefs.Server
	asked  atomic.Bool // somebody wanted it to end
}

// checkMountPoint refuses what nothing can be mounted on, before anything is created. fusefs.Mount has the last word, and the removal of
// a mount that a killed server left: that one passes here.
func checkMountPoint(dir string) error {
	if m, ok := mountAt(dir); ok && strings.HasPrefix(m.fstype, "fuse") {
		if fusefs.Dead(dir) {
			return nil
		}
		return failf(exitMount, "mount point %s is in use by a mount (%s); tote umount %s ends one of ours", dir, m.fstype, dir)
	}
	fi, err := os.Stat(dir)
	if err != nil {
		return failf(exitMount, "mount point %s: %w; create an empty directory there", dir, cause(err))
	}
	if !fi.IsDir() {
		return failf(exitMount, "mount point %s is not a directory", dir)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return failf(exitMount, "mount point %s: %w", dir, cause(err))
	}
	if len(names) > 0 {
		return failf(exitMount, "mount point %s is not empty (it has %q): mounting would hide its files", dir, names[0].Name())
	}
	return checkFUSE()
}

// checkFUSE looks for what mounting needs from the machine.
func checkFUSE() error {
	err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK)
	if errors.Is(err, syscall.EACCES) {
		return failf(exitMount, "mounting needs /dev/fuse, which this user may not open: as root, run chmod 666 /dev/fuse")
	}
	if err != nil {
		return failf(exitMount, "mounting needs /dev/fuse: %w; load the fuse module, or give the container that device", err)
	}
	if os.Geteuid() != 0 {
		if _, err := exec.LookPath("fusermount3"); err != nil {
			return failf(exitMount, "mounting needs fusermount3: install the package fuse3")
		}
	}
	return nil
}

// mountOn mounts the core's files on cfg.Mount. A mount that a killed server left there is taken away first. The source of the mount is the
// data directory, so that df shows where the bytes are and tote umount finds the server.
func mountOn(ctx context.Context, f *fs.FS, cfg *Config, log *slog.Logger) (*mountFace, error) {
	srv, err := fusefs.Mount(ctx, f, cfg.Mount, fusefs.Options{
		Tenant: cfg.tenant(), Source: cfg.Data, ReadOnly: cfg.ReadOnly, AllowOther: cfg.AllowOther, NoPassthrough: cfg.NoPassthrough, Logger: log,
	})
	if err != nil {
		return nil, withCode(exitMount, err)
	}
	return &mountFace{dir: srv.Dir(), server: srv}, nil
}

func (m *mountFace) gone() bool {
	select {
	case <-m.server.Done():
		return true
	default:
		return false
	}
}

// Unmount ends the mount. It waits for programs that use it as long as ctx allows and takes it away from them then; the error says what
// they had open.
func (m *mountFace) Unmount(ctx context.Context) error {
	m.asked.Store(true)
	if m.gone() {
		return nil
	}
	return withCode(exitBusy, m.server.Unmount(ctx))
}

// fusermount unmounts from outside, for mounts whose server does not answer. Lazy lets go of a mount that is still in use.
func fusermount(ctx context.Context, dir string, lazy bool) error {
	if os.Geteuid() == 0 {
		flags := 0
		if lazy {
			flags = unix.MNT_DETACH
		}
		return unmountError(dir, unix.Unmount(dir, flags))
	}
	args := []string{"-u", "--", dir}
	if lazy {
		args = []string{"-u", "-z", "--", dir}
	}
	out, err := exec.CommandContext(ctx, "fusermount3", args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("fusermount3 is missing: install the package fuse3")
	}
	if err != nil && strings.Contains(string(out), "busy") {
		return unmountError(dir, syscall.EBUSY)
	}
	if err != nil {
		return fmt.Errorf("unmount %s: %s", dir, oneLine(string(out)))
	}
	return nil
}

func unmountError(dir string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EBUSY):
		return failf(exitBusy, "unmount %s: still in use; fuser -vm %s shows by whom", dir, dir)
	}
	return fmt.Errorf("unmount %s: %w", dir, err)
}
