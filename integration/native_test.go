package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLikeNative does the same random things to the mount and to a native directory. Each call has to end the same way on both, and from time to
// time both trees have to look the same, also after the server was restarted.
func TestLikeNative(t *testing.T) {
	s := startServer(t)
	steps := 6000
	if brief() {
		steps = 1500
	}
	n := &native{t: t, rnd: rand.New(rand.NewPCG(21, 4)), dirs: [2]string{filepath.Join(s.mnt, "t"), filepath.Join(tempDir(t), "t")}}
	for _, d := range n.dirs {
		check(t, os.Mkdir(d, 0o755))
	}
	for i := range steps {
		n.step(i)
		if i%500 == 499 {
			n.compare(fmt.Sprintf("after %d steps", i+1))
		}
		if i == steps/2 {
			s.stop()
			s.start()
			n.compare("after a restart")
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("outcomes: %v", n.outcomes)
}

// native holds the two directories.
type native struct {
	t        *testing.T
	rnd      *rand.Rand
	dirs     [2]string
	known    []string // paths that were named in calls that worked
	outcomes [2]int   // calls that worked, and that failed the same way
}

// path is a random path of few names, so that they meet; often one that was seen before.
func (n *native) path() string {
	if len(n.known) > 0 && n.rnd.IntN(2) == 0 {
		return n.known[len(n.known)-1-n.rnd.IntN(min(len(n.known), 30))]
	}
	parts := make([]string, 1+n.rnd.IntN(2)*n.rnd.IntN(3))
	for i := range parts {
		parts[i] = string(rune('a' + n.rnd.IntN(6)))
	}
	return strings.Join(parts, "/")
}

// step does one thing to both.
func (n *native) step(i int) {
	n.t.Helper()
	name, call := n.choose()
	var got [2]error
	for k, dir := range n.dirs {
		got[k] = call(func(p string) string { return filepath.Join(dir, p) })
	}
	a, b := errnoOf(got[0]), errnoOf(got[1])
	if a != b {
		n.t.Errorf("step %d, %s: the mount says %v, the native file system %v", i, name, got[0], got[1])
	}
	if b == 0 {
		n.outcomes[0]++
		n.known = append(n.known, strings.Fields(name)[1])
	} else {
		n.outcomes[1]++
	}
}

func errnoOf(err error) syscall.Errno {
	var e syscall.Errno
	if err == nil {
		return 0
	}
	if errors.As(err, &e) {
		return e
	}
	return syscall.EIO
}

// at makes a path of one of the two directories.
type at func(string) string

// choose picks something to do.
func (n *native) choose() (string, func(at) error) {
	p, q, mode, size := n.path(), n.path(), os.FileMode(n.rnd.IntN(0o1000)), n.rnd.IntN(20_000)
	data, seed := n.rnd.IntN(3) > 0, n.rnd.Uint64()
	when := unix.NsecToTimespec(n.rnd.Int64N(2e18))
	flags := []uint{0, unix.RENAME_NOREPLACE, unix.RENAME_EXCHANGE}[n.rnd.IntN(3)]
	switch n.rnd.IntN(15) {
	case 0, 1:
		return "mkdir " + p, func(a at) error { return unix.Mkdir(a(p), uint32(mode)) }
	case 2, 3:
		return fmt.Sprintf("write %s %d", p, size), func(a at) error { return writeFile(a(p), randomBytes(size, seed)) }
	case 4, 5, 6:
		return fmt.Sprintf("rename %s %s %d", p, q, flags), func(a at) error {
			return unix.Renameat2(unix.AT_FDCWD, a(p), unix.AT_FDCWD, a(q), flags)
		}
	case 7:
		return "unlink " + p, func(a at) error { return unix.Unlink(a(p)) }
	case 8:
		return "rmdir " + p, func(a at) error { return unix.Rmdir(a(p)) }
	case 9:
		return "link " + p + " " + q, func(a at) error { return unix.Link(a(p), a(q)) }
	case 10:
		return "symlink " + q + " " + p, func(a at) error { return unix.Symlink(q, a(p)) }
	case 11:
		return "chmod " + p, func(a at) error { return unix.Chmod(a(p), uint32(mode)) }
	case 12:
		return fmt.Sprintf("truncate %s %d", p, size), func(a at) error { return unix.Truncate(a(p), int64(size)) }
	case 13:
		return "utimes " + p, func(a at) error {
			return unix.UtimesNanoAt(unix.AT_FDCWD, a(p), []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW)
		}
	default:
		return fmt.Sprintf("open %s append %v", p, data), func(a at) error { return appendTo(a(p), data, seed) }
	}
}

// appendTo appends to a file, sometimes nothing, sometimes after its name has gone.
func appendTo(name string, data bool, seed uint64) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if seed%8 == 0 {
		err = os.Remove(name)
	}
	if data && err == nil {
		_, err = f.Write(randomBytes(int(seed%3000), seed))
	}
	return errors.Join(err, f.Close())
}

// compare wants both trees to be the same. Times only count where they were set; sizes of directories never do.
func (n *native) compare(when string) {
	n.t.Helper()
	sameTree(n.t, when, described(n.t, n.dirs[0]), described(n.t, n.dirs[1]))
}

func described(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := tree(t, dir)
	check(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &st)
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		found[rel] += fmt.Sprintf(" mode %o links %d", st.Mode, st.Nlink)
		if st.Mode&unix.S_IFMT == unix.S_IFREG {
			found[rel] += fmt.Sprintf(" size %d", st.Size)
		}
		return err
	}))
	return found
}
