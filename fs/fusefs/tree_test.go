package fusefs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func lstat(t *testing.T, path string) *unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatalf("lstat %s: %v", path, err)
	}
	return &st
}

func TestDeleteWhileReading(t *testing.T) {
	c := mountChild(t, config{})
	const n = 3000
	want := map[string]bool{}
	for i := range n {
		name := fmt.Sprintf("file-%04d", i)
		write(t, c.path(name), nil)
		want[name] = true
	}
	d := open(t, c.dir, os.O_RDONLY)
	seen := map[string]int{}
	for {
		names, err := d.Readdirnames(100)
		for _, name := range names {
			seen[name]++
			if err := os.Remove(c.path(name)); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	for name := range want {
		if seen[name] != 1 {
			t.Errorf("%s was listed %d times", name, seen[name])
		}
	}
	if left, err := os.ReadDir(c.dir); err != nil || len(left) != 0 {
		t.Errorf("%d entries left, %v", len(left), err)
	}
}

func TestListingKnowsWhatWasWritten(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		f := open(t, c.path("open"), os.O_WRONLY|os.O_CREATE)
		f.Write(random(12345))
		for i := range 50 {
			write(t, c.path(fmt.Sprint("n", i)), random(i))
		}
		entries, err := os.ReadDir(c.dir)
		if err != nil || len(entries) != 51 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			want := int64(12345)
			fmt.Sscanf(e.Name(), "n%d", &want)
			if info.Size() != want {
				t.Errorf("%s has %d bytes", e.Name(), info.Size())
			}
		}
	})
}

func TestLargeDirectory(t *testing.T) {
	c := mountChild(t, config{})
	const n = 5000
	for i := range n {
		if err := unix.Mknod(c.path(strings.Repeat("x", i%200)+fmt.Sprint(i)), unix.S_IFREG|0o644, 0); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("ls", "-l", c.dir).Output()
	if lines := strings.Count(string(out), "\n"); err != nil || lines != n+1 {
		t.Errorf("ls -l: %d lines, %v", lines, err)
	}
	names, err := os.ReadDir(c.dir)
	if err != nil || len(names) != n {
		t.Errorf("%d names, %v", len(names), err)
	}
}

func TestDotEntries(t *testing.T) {
	c := mountChild(t, config{})
	if err := os.MkdirAll(c.path("a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := open(t, c.path("a/b"), os.O_RDONLY)
	buf := make([]byte, 4096)
	n, err := unix.ReadDirent(int(d.Fd()), buf)
	if err != nil {
		t.Fatal(err)
	}
	inos := map[string]uint64{}
	for b := buf[:n]; len(b) > 0; {
		length := int(b[16]) | int(b[17])<<8
		ino := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24
		inos[strings.TrimRight(string(b[19:length]), "\x00")] = ino
		b = b[length:]
	}
	if inos["."] != lstat(t, c.path("a/b")).Ino || inos[".."] != lstat(t, c.path("a")).Ino || len(inos) != 2 {
		t.Errorf("%v", inos)
	}
}

func TestTimesToTheNanosecond(t *testing.T) {
	c := mountChild(t, config{})
	write(t, c.path("f"), []byte("x"))
	if err := os.Symlink("f", c.path("l")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f", "l"} {
		at, mt := unix.Timespec{Sec: 1_000_000_001, Nsec: 123456789}, unix.Timespec{Sec: -5, Nsec: 987654321}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, c.path(name), []unix.Timespec{at, mt}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
		if st := lstat(t, c.path(name)); st.Atim != at || st.Mtim != mt {
			t.Errorf("%s: %v %v", name, st.Atim, st.Mtim)
		}
	}
	before := time.Now().Add(-time.Second)
	now := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_NOW}}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, c.path("f"), now, 0); err != nil {
		t.Fatal(err)
	}
	st := lstat(t, c.path("f"))
	if m := time.Unix(st.Mtim.Unix()); m.Before(before) || st.Atim.Sec != 1_000_000_001 {
		t.Errorf("mtime %v atime %v", m, st.Atim)
	}
}

func TestTimesSurviveTheClose(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		f := open(t, c.path("f"), os.O_WRONLY|os.O_CREATE)
		f.Write([]byte("data"))
		want := unix.Timespec{Sec: 1_234_567_890, Nsec: 42}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, c.path("f"), []unix.Timespec{want, want}, 0); err != nil {
			t.Fatal(err)
		}
		closed(t, f)
		if st := lstat(t, c.path("f")); st.Mtim != want {
			t.Errorf("mtime %v", st.Mtim)
		}
		if st := lstat(t, c.path("f")); st.Size != 4 {
			t.Errorf("size %v", st.Size)
		}
	})
}

func TestHardLinks(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		write(t, c.path("a"), []byte("one"))
		if err := os.Link(c.path("a"), c.path("b")); err != nil {
			t.Fatal(err)
		}
		sa, sb := lstat(t, c.path("a")), lstat(t, c.path("b"))
		if sa.Ino != sb.Ino || sa.Nlink != 2 || sb.Nlink != 2 {
			t.Errorf("%+v %+v", sa, sb)
		}
		f := open(t, c.path("b"), os.O_WRONLY|os.O_APPEND)
		f.Write([]byte(" two"))
		closed(t, f)
		c.holds("a", []byte("one two"))
		if err := os.Remove(c.path("a")); err != nil {
			t.Fatal(err)
		}
		if st := lstat(t, c.path("b")); st.Nlink != 1 {
			t.Errorf("%d links", st.Nlink)
		}
		c.holds("b", []byte("one two"))
	})
}

func TestXattrs(t *testing.T) {
	c := mountChild(t, config{})
	write(t, c.path("f"), nil)
	f := c.path("f")
	if err := unix.Setxattr(f, "user.color", []byte("blue"), unix.XATTR_REPLACE); err != unix.ENODATA {
		t.Errorf("replace what is not there: %v", err)
	}
	if err := unix.Setxattr(f, "user.color", []byte("blue"), unix.XATTR_CREATE); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(f, "user.color", []byte("red"), unix.XATTR_CREATE); err != unix.EEXIST {
		t.Errorf("create what is there: %v", err)
	}
	if err := unix.Setxattr(f, "user.color", []byte("green"), 0); err != nil {
		t.Error(err)
	}
	if n, err := unix.Getxattr(f, "user.color", nil); n != 5 || err != nil {
		t.Errorf("size %d %v", n, err)
	}
	buf := make([]byte, 100)
	if _, err := unix.Getxattr(f, "user.color", buf[:2]); err != unix.ERANGE {
		t.Errorf("a small buffer: %v", err)
	}
	if n, err := unix.Getxattr(f, "user.color", buf); err != nil || string(buf[:n]) != "green" {
		t.Errorf("%q %v", buf[:max(n, 0)], err)
	}
	if n, err := unix.Listxattr(f, buf); err != nil || !slices.Contains(strings.Split(string(buf[:n]), "\x00"), "user.color") {
		t.Errorf("%q %v", buf[:max(n, 0)], err)
	}
	if err := unix.Removexattr(f, "user.color"); err != nil {
		t.Error(err)
	}
	if _, err := unix.Getxattr(f, "user.color", buf); err != unix.ENODATA {
		t.Errorf("after removal: %v", err)
	}
	for _, name := range []string{"security.selinux", "system.posix_acl_access"} {
		if _, err := unix.Getxattr(f, name, buf); err != unix.EOPNOTSUPP {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNoXattrs(t *testing.T) {
	c := mountChild(t, config{NoXattrs: true})
	write(t, c.path("f"), nil)
	if err := unix.Setxattr(c.path("f"), "user.a", nil, 0); err != unix.EOPNOTSUPP {
		t.Error(err)
	}
}

func TestStatfs(t *testing.T) {
	c := mountChild(t, config{})
	var s unix.Statfs_t
	if err := unix.Statfs(c.dir, &s); err != nil {
		t.Fatal(err)
	}
	if s.Blocks == 0 || s.Bavail > s.Bfree || s.Bfree > s.Blocks || s.Namelen != 255 || s.Bsize == 0 || s.Frsize == 0 {
		t.Errorf("%+v", s)
	}
	out, err := exec.Command("df", "--output=source,fstype", c.dir).Output()
	if f := strings.Fields(string(out)); err != nil || !slices.Equal(f[len(f)-2:], []string{"tote", fsType}) {
		t.Errorf("%s %v", out, err)
	}
}

func TestLongNames(t *testing.T) {
	c := mountChild(t, config{})
	for _, name := range []string{strings.Repeat("n", 255), strings.Repeat("é", 127), "\xff\xfe bytes", "a\nb", "..."} {
		write(t, c.path(name), []byte(name))
		if b, err := os.ReadFile(c.path(name)); err != nil || string(b) != name {
			t.Errorf("%q: %v", name, err)
		}
	}
	err := os.WriteFile(c.path(strings.Repeat("n", 256)), nil, 0o644)
	if !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Errorf("256 bytes: %v", err)
	}
	long := c.path(strings.Repeat("n", 256))
	_, stat := os.Lstat(long)
	_, read := os.ReadFile(long)
	for op, err := range map[string]error{
		"stat": stat, "open": read, "unlink": unix.Unlink(long), "rmdir": unix.Rmdir(long), "truncate": os.Truncate(long, 0),
		"rename": os.Rename(long, c.path("short")), "below": os.Remove(filepath.Join(long, "n")),
	} {
		if !errors.Is(err, syscall.ENAMETOOLONG) {
			t.Errorf("%s of 256 bytes: %v", op, err)
		}
	}
	names, err := os.ReadDir(c.dir)
	if err != nil || len(names) != 5 {
		t.Errorf("%v %v", names, err)
	}
}

func TestSpecialFiles(t *testing.T) {
	c := mountChild(t, config{})
	for name, mode := range map[string]uint32{"fifo": unix.S_IFIFO, "socket": unix.S_IFSOCK, "device": unix.S_IFCHR, "block": unix.S_IFBLK} {
		dev := 0
		if mode == unix.S_IFCHR || mode == unix.S_IFBLK {
			dev = int(unix.Mkdev(7, 300))
		}
		if err := unix.Mknod(c.path(name), mode|0o640, dev); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if st := lstat(t, c.path(name)); st.Mode != mode|0o640 || st.Rdev != uint64(dev) {
			t.Errorf("%s: mode %o device %x", name, st.Mode, st.Rdev)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := os.WriteFile(c.path("fifo"), []byte("through the pipe"), 0); err != nil {
			t.Error(err)
		}
	})
	if b, err := os.ReadFile(c.path("fifo")); err != nil || string(b) != "through the pipe" {
		t.Errorf("%q %v", b, err)
	}
	wg.Wait()
}

func TestRenameFlags(t *testing.T) {
	c := mountChild(t, config{})
	write(t, c.path("a"), []byte("a"))
	write(t, c.path("b"), []byte("b"))
	rename := func(flags uint) error {
		return unix.Renameat2(unix.AT_FDCWD, c.path("a"), unix.AT_FDCWD, c.path("b"), flags)
	}
	if err := rename(unix.RENAME_NOREPLACE); err != unix.EEXIST {
		t.Errorf("noreplace: %v", err)
	}
	if err := rename(unix.RENAME_EXCHANGE); err != nil {
		t.Errorf("exchange: %v", err)
	}
	c.holds("a", []byte("b"))
	c.holds("b", []byte("a"))
	if err := rename(unix.RENAME_WHITEOUT); err != unix.EINVAL {
		t.Errorf("whiteout: %v", err)
	}
}

func TestAnotherTenant(t *testing.T) {
	data := t.TempDir()
	c := mountChild(t, config{Data: data})
	write(t, c.path("mine"), []byte("rdp"))
	c.stop()
	c = mountChild(t, config{Data: data, Tenant: "second"})
	if names, err := os.ReadDir(c.dir); err != nil || len(names) != 0 {
		t.Errorf("%v %v", names, err)
	}
	if err := os.Mkdir(c.path("d"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, c.path("d/f"), []byte("second"))
	c.holds("d/f", []byte("second"))
	c.must(command{Op: "put", Path: "/top", Data: []byte("face")})
	c.holds("top", []byte("face"))
	if err := os.Rename(c.path("d/f"), c.path("f")); err != nil {
		t.Error(err)
	}
}
