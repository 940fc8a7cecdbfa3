package fusefs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMountPointErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		dir  func(t *testing.T) string
		want string
	}{
		{"missing", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }, "does not exist; create it with: mkdir -p"},
		{"a file", func(t *testing.T) string {
			p := filepath.Join(t.TempDir(), "file")
			write(t, p, nil)
			return p
		}, "is not a directory"},
		{"not empty", func(t *testing.T) string {
			d := t.TempDir()
			write(t, filepath.Join(d, "x"), nil)
			return d
		}, "is not empty"},
		{"below a file", func(t *testing.T) string {
			p := filepath.Join(t.TempDir(), "file")
			write(t, p, nil)
			return filepath.Join(p, "x")
		}, "is not a directory"},
		{"mounted", func(t *testing.T) string { return mountChild(t, config{}).dir }, "something is mounted on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, err := startChild(t, config{Dir: c.dir(t)})
			if err == nil {
				ch.stop()
				t.Fatal("mounted")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "goroutine") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestMountThroughSymlink(t *testing.T) {
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	c := mountChild(t, config{Dir: link})
	write(t, filepath.Join(link, "f"), []byte("x"))
	c.holds("f", []byte("x"))
}

func TestDeadMountIsCleared(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	c := mountChild(t, config{Dir: dir, Data: data})
	write(t, c.path("f"), []byte("survives"))
	if Dead(dir) {
		t.Error("a mount that lives is dead")
	}
	lstat(t, dir) // the kernel may answer for the dead server from its cache
	c.kill()
	if _, err := os.ReadDir(dir); !errors.Is(err, unix.ENOTCONN) || !Dead(dir) {
		t.Fatalf("the mount is not dead: %v", err)
	}
	c = mountChild(t, config{Dir: dir, Data: data})
	c.holds("f", []byte("survives"))
}

func TestUnmount(t *testing.T) {
	c := mountChild(t, config{})
	write(t, c.path("f"), []byte("x"))
	c.must(command{Op: "unmount"})
	if names, err := os.ReadDir(c.dir); err != nil || len(names) != 0 {
		t.Errorf("%v %v", names, err)
	}
	c.must(command{Op: "unmount"}) // once more does no harm
}

func TestUnmountByOthers(t *testing.T) {
	c := mountChild(t, config{})
	write(t, c.path("f"), []byte("x"))
	if err := unix.Unmount(c.dir, 0); err != nil {
		t.Fatal(err)
	}
	c.must(command{Op: "unmount"})
}

func TestUnmountOfABusyMount(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		f := open(t, c.path("busy.txt"), os.O_RDWR|os.O_CREATE)
		if _, err := f.Write([]byte("written but not closed")); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err := c.do(command{Op: "unmount"})
		if err == nil || !strings.Contains(err.Error(), "still in use") || !strings.Contains(err.Error(), "/busy.txt") {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if names, err := os.ReadDir(c.dir); err != nil || len(names) != 0 {
			t.Errorf("still there: %v %v", names, err)
		}
		if _, err := f.Stat(); err == nil {
			t.Log("fstat is answered from the kernel's cache")
		}
		f.Close()
		if r := c.must(command{Op: "get", Path: "/busy.txt"}); string(r.Data) != "written but not closed" {
			t.Errorf("%q was kept", r.Data)
		}
	})
}

// oddSource has what could be mistaken by the kernel, by fusermount3 or by readers of the mount table.
const oddSource = "/srv/my data,ro\\x=1#2\té"

// sourceOf is the source of the mount on dir.
func sourceOf(t *testing.T, dir string) string {
	t.Helper()
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(info)) {
		left, right, _ := strings.Cut(line, " - ")
		if f, g := strings.Fields(left), strings.Fields(right); unescape(f[4]) == dir {
			return unescape(g[1])
		}
	}
	t.Fatalf("nothing is mounted on %s", dir)
	return ""
}

func TestSource(t *testing.T) {
	c := mountChild(t, config{Source: oddSource})
	if got := sourceOf(t, c.dir); got != oddSource {
		t.Errorf("the source is %q, want %q", got, oddSource)
	}
	if at, err := mountedAt(c.dir); err != nil || at == nil || at.fsType != fsType {
		t.Errorf("the mount is not recognised: %+v %v", at, err)
	}
	write(t, c.path("f"), []byte("x")) // it is not read-only
}

// needFusermount skips where the machine lets only root mount.
func needFusermount(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("fusermount3"); err != nil {
		t.Skip("fusermount3 is not installed")
	}
	if st, err := os.Stat("/dev/fuse"); err != nil || st.Mode().Perm()&0o006 != 0o006 {
		t.Skip("/dev/fuse is for root only on this machine")
	}
}

// TestOrdinaryUser mounts without any privilege, by fusermount3. Only that user sees the mount.
func TestOrdinaryUser(t *testing.T) {
	needFusermount(t)
	dir, data := t.TempDir(), t.TempDir()
	c := mountChild(t, config{Dir: dir, Data: data, User: 65534, Source: oddSource})
	if got := sourceOf(t, dir); got != oddSource {
		t.Errorf("the source is %q, want %q", got, oddSource)
	}
	asNobody(t, fmt.Sprintf("cd %s && mkdir d && echo hello > d/f && cat d/f && mv d/f g && ln g h && stat -c %%h g | grep -qx 2", dir))
	if r := c.must(command{Op: "get", Path: "/g"}); string(r.Data) != "hello\n" {
		t.Errorf("%q", r.Data)
	}
	c.must(command{Op: "put", Path: "/g", Data: []byte("from a face")})
	asNobody(t, fmt.Sprintf("test \"$(cat %s/h)\" = 'from a face'", dir))
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrPermission) {
		t.Errorf("root looks into the mount of a user: %v", err)
	}
	c.must(command{Op: "unmount"})
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("%v %v", names, err)
	}
}

// TestOthersStayOut wants a mount of root's to let nobody else in unless that was asked for.
func TestOthersStayOut(t *testing.T) {
	for _, others := range []bool{false, true} {
		c := mountChild(t, config{AllowOther: others})
		openTemp(t, c.dir)
		if err := os.Chmod(c.dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if others {
			asNobody(t, "mkdir "+c.path("d"))
		} else {
			asNobody(t, "! mkdir "+c.path("d")+" 2>/dev/null")
		}
		if _, err := os.Stat(c.path("d")); (err == nil) != others {
			t.Errorf("allow_other %v: %v", others, err)
		}
	}
}

func TestOrdinaryUserMayNotLetOthersIn(t *testing.T) {
	needFusermount(t)
	if conf, _ := os.ReadFile("/etc/fuse.conf"); bytes.Contains(conf, []byte("\nuser_allow_other")) {
		t.Skip("allowed on this machine")
	}
	c, err := startChild(t, config{User: 65534, AllowOther: true})
	if err == nil {
		c.stop()
		t.Fatal("mounted")
	}
	if !strings.Contains(err.Error(), "user_allow_other") {
		t.Error(err)
	}
}
