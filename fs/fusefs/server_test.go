package fusefs

import (
	"os"
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
	c.kill()
	if _, err := os.Stat(dir); err != unix.ENOTCONN && !strings.Contains(err.Error(), "not connected") {
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
