package fusefs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fsType is how our mounts are listed by the kernel.
const fsType = "fuse.tote"

// lookPatience is how long a mount point may take to answer. A dead network mount never does.
const lookPatience = 5 * time.Second

// prepare checks that dir can be mounted on and gives its absolute path. A mount of ours whose process has died is taken away first.
func prepare(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	path, err := within(abs, func() (string, error) { return resolve(abs) })
	if err != nil {
		return "", pointError(dir, err)
	}
	if err := clearStale(dir, path); err != nil {
		return "", err
	}
	_, err = within(path, func() (string, error) { return "", checkEmpty(path) })
	return path, pointError(dir, err)
}

// pointError says what is wrong with a mount point and what to do.
func pointError(dir string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("mount point %s does not exist; create it with: mkdir -p %s", dir, dir)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("mount point %s is not a directory", dir)
	case errors.Is(err, syscall.ENOTEMPTY):
		return fmt.Errorf("mount point %s is not empty; choose an empty directory", dir)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("mount point %s can't be read: permission denied", dir)
	}
	return fmt.Errorf("mount point %s: %w", dir, err)
}

// within gives up on an answer that a hung mount never gives.
func within(path string, f func() (string, error)) (string, error) {
	type result struct {
		s   string
		err error
	}
	ch := make(chan result, 1)
	go func() {
		s, err := f()
		ch <- result{s, err}
	}()
	select {
	case r := <-ch:
		return r.s, r.err
	case <-time.After(lookPatience):
		return "", fmt.Errorf("%s does not answer; is a dead mount on it or above it?", path)
	}
}

// resolve follows the symlinks of a path. The last component may be a dead mount, which can't be looked at.
func resolve(abs string) (string, error) {
	path, err := filepath.EvalSymlinks(abs)
	if !errors.Is(err, syscall.ENOTCONN) {
		return path, err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	return filepath.Join(parent, filepath.Base(abs)), err
}

// checkEmpty refuses what can't be mounted on.
func checkEmpty(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return syscall.ENOTDIR
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	switch _, err := d.Readdirnames(1); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return syscall.ENOTEMPTY
}

// clearStale refuses a directory that something is mounted on, unless it is a mount of ours whose process has died.
func clearStale(dir, path string) error {
	at, err := mountedAt(path)
	if err != nil || at == nil {
		return err
	}
	dead := Dead(path)
	switch {
	case dead && at.fsType == fsType:
		if err := lazyUnmount(path); err != nil {
			return fmt.Errorf("the mount of a tote that has died is still on %s and can't be removed: %w", dir, err)
		}
		return clearStale(dir, path)
	case dead:
		return fmt.Errorf("a dead mount (%s) is on %s; remove it with: umount -l %s", at.fsType, dir, dir)
	}
	return fmt.Errorf("something is mounted on %s already (%s); unmount it or choose another directory", dir, at.fsType)
}

// Dead tells whether the FUSE server of the mount on dir is gone. One that does not answer in time is not. It asks for the file system's
// figures because the kernel keeps none of them: the attributes of a dead mount's root may be in its cache for a long time.
func Dead(dir string) bool {
	_, err := within(dir, func() (string, error) {
		var s unix.Statfs_t
		return "", unix.Statfs(dir, &s)
	})
	return errors.Is(err, syscall.ENOTCONN)
}

// mountInfo is a line of /proc/self/mountinfo.
type mountInfo struct {
	minor  int // of the device, which is the number of a FUSE connection
	point  string
	fsType string
}

// mountedAt finds the topmost mount on a directory, nil if there is none. It looks at no file system but /proc.
func mountedAt(path string) (*mountInfo, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return findMount(f, path)
}

// findMount looks for path in mountinfo; of several mounts on one directory the last counts.
func findMount(r io.Reader, path string) (*mountInfo, error) {
	var found *mountInfo
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if mi, ok := parseMount(lines.Text()); ok && mi.point == path {
			found = &mi
		}
	}
	return found, lines.Err()
}

// parseMount reads "36 35 98:0 /root /point opts [fields] - type source opts".
func parseMount(line string) (mountInfo, bool) {
	left, right, ok := strings.Cut(line, " - ")
	f, g := strings.Fields(left), strings.Fields(right)
	if !ok || len(f) < 5 || len(g) < 1 {
		return mountInfo{}, false
	}
	_, minor, _ := strings.Cut(f[2], ":")
	n, err := strconv.Atoi(minor)
	return mountInfo{minor: n, point: unescape(f[4]), fsType: g[0]}, err == nil
}

// unescape undoes the octal escapes that mountinfo has for blanks and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unmount takes a mount away that nobody uses; EBUSY when somebody does.
func unmount(path string) error {
	if os.Geteuid() == 0 {
		return unix.Unmount(path, 0)
	}
	return fusermount("-u", path)
}

// lazyUnmount takes a mount out of the tree at once; the kernel drops it when its last user is gone.
func lazyUnmount(path string) error {
	if os.Geteuid() == 0 {
		return unix.Unmount(path, unix.MNT_DETACH)
	}
	return fusermount("-u", "-z", path)
}

// forceUnmount is lazyUnmount that also fails every call on the mount from now on. An ordinary user can't ask for the latter this way.
func forceUnmount(path string) error {
	if os.Geteuid() == 0 {
		return unix.Unmount(path, unix.MNT_FORCE|unix.MNT_DETACH)
	}
	return lazyUnmount(path)
}

// fusermount lets the set-user-id helper do what only root may.
func fusermount(args ...string) error {
	bin, err := exec.LookPath("fusermount3")
	if err != nil {
		return errors.New("fusermount3 is not installed; install the package fuse3")
	}
	out, err := exec.Command(bin, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(string(out))
	switch {
	case strings.Contains(text, "busy"):
		return syscall.EBUSY
	case strings.Contains(text, "not found") || strings.Contains(text, "Invalid argument"):
		return syscall.EINVAL // not mounted (any more)
	}
	return fmt.Errorf("%s: %w", text, err)
}
