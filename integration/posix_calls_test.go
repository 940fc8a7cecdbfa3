package integration

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"tote/integration/posix"
)

// posixSkips are the lines of the scripts that are not run, each with the reason.
var posixSkips = map[string]string{}

// posixSkipsS3 are further lines that are not run on S3.
var posixSkipsS3 = map[string]string{
	"data:truncate t 1T":                  "closing the file sends a terabyte of zeros",
	"data:stat t size want 1099511627776": "the same",
}

// TestPosixCalls makes every call that names or opens a file, as root and as others, on the mount and on a native directory.
func TestPosixCalls(t *testing.T) {
	needRoot(t)
	for _, mode := range []struct {
		name string
		args []string
	}{
		{"passthrough", nil},
		{"cached", []string{"--no-passthrough"}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			s := startServer(t, withArgs(append(mode.args, "--allow-other")...))
			tested := filepath.Join(s.mnt, "posix")
			check(t, os.Mkdir(tested, 0o755))
			posix.Run(t, tempDir(t), tested, skips())
		})
		if onS3() {
			return // there is no passthrough that could be switched off
		}
	}
}

// skips are the lines that are not run on this store.
func skips() map[string]string {
	all := maps.Clone(posixSkips)
	if onS3() {
		maps.Copy(all, posixSkipsS3)
	}
	return all
}

// TestPosixTables crosses calls, kinds of files, directories and users.
func TestPosixTables(t *testing.T) {
	needRoot(t)
	s := startServer(t, withArgs("--allow-other"))
	tested, native := filepath.Join(s.mnt, "posix"), tempDir(t)
	check(t, os.Mkdir(tested, 0o755))
	each := 9
	switch {
	case soak(t) > 0:
		each = 1
	case brief():
		each = 29
	}
	t.Run("one name", func(t *testing.T) { posix.Matrix(t, native, tested, each, true) })
	t.Run("two names", func(t *testing.T) { posix.Pairs(t, native, tested, each) })
}

// TestPosixStream lists directories under change.
func TestPosixStream(t *testing.T) {
	s := startServer(t)
	tested := filepath.Join(s.mnt, "stream")
	check(t, os.Mkdir(tested, 0o755))
	posix.Stream(t, tested)
	if soak(t) == 0 {
		return
	}
	t.Run("links", func(t *testing.T) {
		dir := filepath.Join(s.mnt, "links")
		check(t, os.Mkdir(dir, 0o755))
		posix.Links(t, dir, 65000)
	})
}

// TestFileHandles opens files by handle (open_by_handle_at) that was given out before the server was restarted.
func TestFileHandles(t *testing.T) {
	needRoot(t)
	s := startServer(t)
	m := s.mount()
	check(t, m.Mkdir("/d"))
	check(t, m.Put("/d/f", []byte("by handle")))
	check(t, m.Put("/d/gone", []byte("gone")))
	handle := func(path string) unix.FileHandle {
		h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, m.at(path), 0)
		check(t, err)
		return h
	}
	f, d, gone := handle("/d/f"), handle("/d"), handle("/d/gone")
	check(t, m.Remove("/d/gone"))
	s.stop()
	s.start()
	root, err := os.Open(s.mnt)
	check(t, err)
	defer root.Close()
	open := func(h unix.FileHandle) (*os.File, error) {
		fd, err := unix.OpenByHandleAt(int(root.Fd()), h, unix.O_RDONLY|unix.O_CLOEXEC)
		if err != nil {
			return nil, err
		}
		file := os.NewFile(uintptr(fd), "handle")
		t.Cleanup(func() { file.Close() })
		return file, nil
	}
	file, err := open(f)
	check(t, err)
	b, err := io.ReadAll(file)
	check(t, err)
	wantBytes(t, "the handle", b, "by handle")
	dir, err := open(d)
	check(t, err)
	if names, err := dir.Readdirnames(-1); err != nil || !slices.Equal(names, []string{"f"}) {
		t.Errorf("the directory's handle lists %q, %v", names, err)
	}
	if _, err := open(gone); err != unix.ESTALE {
		t.Errorf("the handle of a removed file: %v", err)
	}
}
