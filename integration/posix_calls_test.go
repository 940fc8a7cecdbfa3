package integration

import (
	"maps"
	"os"
	"path/filepath"
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
			posix.Run(t, nativeDir(t), tested, skips())
		})
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

// nativeDir is a directory to compare with. The errnos in the scripts are those of ext4; other file systems have opinions of their own.
func nativeDir(t testing.TB) string {
	t.Helper()
	dir := tempDir(t)
	var st unix.Statfs_t
	check(t, unix.Statfs(dir, &st))
	if st.Type != unix.EXT4_SUPER_MAGIC {
		t.Logf("%s is not on ext4 but on %x", dir, st.Type)
	}
	return dir
}

// TestPosixTables crosses calls, kinds of files, directories and users.
func TestPosixTables(t *testing.T) {
	needRoot(t)
	s := startServer(t, withArgs("--allow-other"))
	tested, native := filepath.Join(s.mnt, "posix"), nativeDir(t)
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
