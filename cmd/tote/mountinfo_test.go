package main

import (
	"net"
	"strconv"
	"testing"
)

func TestFindMount(t *testing.T) {
	const table = `22 28 0:21 / /proc rw,nosuid - proc proc rw
40 28 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw
50 40 0:51 / /a\040b\134c rw - fuse.tote /srv/d\040x rw,user_id=0
51 40 0:52 / /m rw - tmpfs tmpfs rw
52 40 0:53 / /m rw - fuse.tote tote rw
broken line
53 40
`
	for dir, want := range map[string]mountEntry{
		"/":      {"/", "ext4", "/dev/sda1"},
		`/a b\c`: {`/a b\c`, "fuse.tote", "/srv/d x"},
		"/m":     {"/m", "fuse.tote", "tote"},
	} {
		if got, ok := findMount(table, dir); !ok || got != want {
			t.Errorf("%s: got %+v, %v", dir, got, ok)
		}
	}
	if _, ok := findMount(table, "/a"); ok {
		t.Error("/a is no mount")
	}
	if m, ok := mountAt("/proc"); !ok || m.fstype != "proc" {
		t.Errorf("/proc: %+v, %v", m, ok)
	}
}

func mustDial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func itoa(n int) string { return strconv.Itoa(n) }
