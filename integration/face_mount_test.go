package integration

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// mountFace works on the mounted directory with plain system calls.
type mountFace struct{ dir string }

// Name implements Face.
func (m *mountFace) Name() string { return "mount" }

func (m *mountFace) at(path string) string { return m.dir + path }

// Put writes in place, as a shell's redirection does.
func (m *mountFace) Put(path string, data []byte) error { return writeFile(m.at(path), data) }

// writeFile is os.WriteFile with an error from close(2), where the mount commits.
func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

var temporary atomic.Int64

// Replace writes a file beside path and renames it over path, as careful programs do.
func (m *mountFace) Replace(path string, data []byte) error {
	tmp := filepath.Join(m.at(filepath.Dir(path)), ".tmp"+itoa(temporary.Add(1)))
	if err := writeFile(tmp, data); err != nil {
		return err
	}
	return os.Rename(tmp, m.at(path))
}

// Get implements Face.
func (m *mountFace) Get(path string) ([]byte, error) {
	f, err := os.Open(m.at(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Remove implements Face. os.RemoveAll alone is content with nothing there.
func (m *mountFace) Remove(path string) error {
	if _, err := os.Lstat(m.at(path)); err != nil {
		return err
	}
	return os.RemoveAll(m.at(path))
}

// Stat implements Face.
func (m *mountFace) Stat(path string) (Info, error) {
	fi, err := os.Stat(m.at(path))
	if err != nil {
		return Info{}, err
	}
	if fi.IsDir() {
		return Info{Dir: true}, nil
	}
	return Info{Size: fi.Size()}, nil
}

// Ino is the number of a file, which is its id in the REST API.
func (m *mountFace) Ino(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Lstat(m.at(path), &st); err != nil {
		return 0, err
	}
	return st.Ino, nil
}

// Mkdir implements Treer.
func (m *mountFace) Mkdir(path string) error { return os.Mkdir(m.at(path), 0o755) }

// List implements Treer.
func (m *mountFace) List(path string) ([]string, error) {
	entries, err := os.ReadDir(m.at(path))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Move implements Treer.
func (m *mountFace) Move(old, new string, overwrite bool) error {
	if overwrite {
		return os.Rename(m.at(old), m.at(new))
	}
	return unix.Renameat2(unix.AT_FDCWD, m.at(old), unix.AT_FDCWD, m.at(new), unix.RENAME_NOREPLACE)
}

// Rmdir implements Inoder.
func (m *mountFace) Rmdir(path string) error { return syscall.Rmdir(m.at(path)) }

// Symlink implements Inoder.
func (m *mountFace) Symlink(target, path string) error { return os.Symlink(target, m.at(path)) }

// Readlink implements Inoder.
func (m *mountFace) Readlink(path string) (string, error) { return os.Readlink(m.at(path)) }

// Link implements Inoder.
func (m *mountFace) Link(old, new string) error { return os.Link(m.at(old), m.at(new)) }

// Append implements Inoder.
func (m *mountFace) Append(path string, data []byte) error {
	f, err := os.OpenFile(m.at(path), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// Truncate implements Inoder.
func (m *mountFace) Truncate(path string, size int64) error { return os.Truncate(m.at(path), size) }
