package fusefs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSetgidDirectory(t *testing.T) {
	c := mountChild(t, config{})
	d := c.path("d")
	if err := os.Mkdir(d, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(d, 0, 1234); err != nil {
		t.Fatal(err)
	}
	if err := unix.Chmod(d, 0o2775); err != nil {
		t.Fatal(err)
	}
	write(t, d+"/f", nil)
	if err := os.Mkdir(d+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	if st := lstat(t, d+"/f"); st.Gid != 1234 || st.Mode&unix.S_ISGID != 0 {
		t.Errorf("file: gid %d mode %o", st.Gid, st.Mode)
	}
	if st := lstat(t, d+"/sub"); st.Gid != 1234 || st.Mode&unix.S_ISGID == 0 {
		t.Errorf("directory: gid %d mode %o", st.Gid, st.Mode)
	}
}

// asNobody runs a shell command as an ordinary user.
func asNobody(t *testing.T, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v %s", script, err, out)
	}
}

func TestPrivilegesAreCleared(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		openTemp(t, c.dir)
		for script, change := range map[string]struct {
			mode, want uint32
		}{
			"printf x >> %s":       {0o6777, 0o777},
			"printf x > %s":        {0o6777, 0o777},
			"truncate -s 1 %s":     {0o6777, 0o777},
			"printf xy 1<> %s":     {0o4777, 0o777},
			"cat %s >/dev/null":    {0o6777, 0o6777},
			"printf x >> %s; true": {0o2767, 0o767}, // not a member of its group
		} {
			name := fmt.Sprintf("f%o-%d", change.mode, len(script))
			write(t, c.path(name), []byte("content"))
			if err := unix.Chmod(c.path(name), change.mode); err != nil {
				t.Fatal(err)
			}
			asNobody(t, fmt.Sprintf(script, c.path(name)))
			if got := lstat(t, c.path(name)).Mode & 0o7777; got != change.want {
				t.Errorf("%s: mode %o, want %o", script, got, change.want)
			}
		}
		write(t, c.path("owned"), nil)
		unix.Chmod(c.path("owned"), 0o6755)
		if err := os.Chown(c.path("owned"), 5, 6); err != nil {
			t.Fatal(err)
		}
		if got := lstat(t, c.path("owned")).Mode & 0o7777; got != 0o755 {
			t.Errorf("after chown: %o", got)
		}
	})
}

// openTemp lets other users reach a directory that t.TempDir made.
func openTemp(t *testing.T, dir string) {
	t.Helper()
	for d := dir; d != filepath.Clean(os.TempDir()) && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPrivilegesWhileSomebodyReads(t *testing.T) {
	modes(t, func(t *testing.T, c *child) {
		openTemp(t, c.dir)
		write(t, c.path("f"), []byte("content"))
		if err := unix.Chmod(c.path("f"), 0o4777); err != nil {
			t.Fatal(err)
		}
		open(t, c.path("f"), os.O_RDONLY)
		asNobody(t, "printf X 1<> "+c.path("f"))
		if got := lstat(t, c.path("f")).Mode & 0o7777; got != 0o777 {
			t.Errorf("mode %o", got)
		}
		c.holds("f", []byte("Xontent"))
	})
}

func TestPermissionsAreChecked(t *testing.T) {
	c := mountChild(t, config{AllowOther: true})
	openTemp(t, c.dir)
	write(t, c.path("secret"), []byte("s"))
	if err := os.Chmod(c.path("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	asNobody(t, fmt.Sprintf("! cat %s 2>/dev/null && ! touch %s/new 2>/dev/null", c.path("secret"), c.dir))
}

func TestReadOnly(t *testing.T) {
	data := t.TempDir()
	c := mountChild(t, config{Data: data})
	write(t, c.path("f"), []byte("x"))
	c.stop()
	c = mountChild(t, config{Data: data, ReadOnly: true})
	c.holds("f", []byte("x"))
	if err := os.WriteFile(c.path("g"), nil, 0o644); !errors.Is(err, syscall.EROFS) {
		t.Errorf("create: %v", err)
	}
	if err := os.Remove(c.path("f")); !errors.Is(err, syscall.EROFS) {
		t.Errorf("remove: %v", err)
	}
}
