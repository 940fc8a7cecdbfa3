package integration

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attrOf reads an extended attribute of the mount.
func attrOf(path, name string) (string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(path, name, buf)
	return string(buf[:max(n, 0)]), err
}

func attrNames(t *testing.T, path string) []string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	check(t, err)
	return strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 })
}

// TestPropertiesAsXattrs shows what tote knows about a file as user.tote.*: what the APIs let clients write can be written and is listed, so that copying
// attributes copies it; the rest can only be read.
func TestPropertiesAsXattrs(t *testing.T) {
	s := startServer(t)
	check(t, s.mount().Put("/f.txt", []byte("hello")))
	f := s.mount().at("/f.txt")
	ino, err := s.mount().Ino("/f.txt")
	check(t, err)
	settable := []string{"originalFileName", "user", "role", "ownershipData", "mediaAssetId"}
	t.Run("writable", func(t *testing.T) {
		for _, name := range settable {
			writableXattr(t, f, "user.tote."+name)
		}
		object := s.streamObject(t, "/f.txt", fmt.Sprint(ino))
		for _, name := range settable {
			if !slices.Contains(attrNames(t, f), "user.tote."+name) {
				t.Errorf("%s is not listed", name)
			}
			if got := asText(object[name]); got != "of "+name {
				t.Errorf("REST says that %s is %q", name, got)
			}
		}
	})
	t.Run("read only", func(t *testing.T) {
		want := map[string]func(string) bool{
			"id":        func(v string) bool { return v == fmt.Sprint(ino) },
			"version":   func(v string) bool { return v != "" && v != "0" },
			"objectKey": func(v string) bool { return strings.HasPrefix(v, "f@_@") && strings.HasSuffix(v, ".txt") },
			"checksum":  func(v string) bool { return v != "" },
		}
		for name, ok := range want {
			readOnlyXattr(t, f, "user.tote."+name, ok)
		}
	})
	t.Run("change", func(t *testing.T) {
		before, err := attrOf(f, "user.tote.version")
		check(t, err)
		check(t, s.dav().Put("/f.txt", []byte("other")))
		after, err := attrOf(f, "user.tote.version")
		if err != nil || after == before {
			t.Errorf("another content has version %s, %v, as before", after, err)
		}
		if role, err := attrOf(f, "user.tote.role"); role != "of role" {
			t.Errorf("another content has role %q, %v", role, err)
		}
	})
	t.Run("no content", func(t *testing.T) {
		check(t, s.mount().Mkdir("/d"))
		for _, name := range []string{"version", "checksum", "objectKey", "role"} {
			if v, err := attrOf(s.mount().at("/d"), "user.tote."+name); err != unix.ENODATA {
				t.Errorf("a directory has %s %q, %v", name, v, err)
			}
		}
	})
}

func writableXattr(t *testing.T, f, name string) {
	t.Helper()
	value := []byte("of " + strings.TrimPrefix(name, "user.tote."))
	if _, err := attrOf(f, name); err != unix.ENODATA {
		t.Errorf("%s is there: %v", name, err)
	}
	if err := unix.Setxattr(f, name, value, unix.XATTR_REPLACE); err != unix.ENODATA {
		t.Errorf("replacing %s, which is not there: %v", name, err)
	}
	check(t, unix.Setxattr(f, name, []byte("first"), unix.XATTR_CREATE))
	if err := unix.Setxattr(f, name, value, unix.XATTR_CREATE); err != unix.EEXIST {
		t.Errorf("making %s again: %v", name, err)
	}
	check(t, unix.Removexattr(f, name))
	if err := unix.Removexattr(f, name); err != unix.ENODATA {
		t.Errorf("removing %s again: %v", name, err)
	}
	check(t, unix.Setxattr(f, name, value, 0))
	if got, err := attrOf(f, name); err != nil || !bytes.Equal([]byte(got), value) {
		t.Errorf("%s is %q, %v", name, got, err)
	}
	if err := unix.Setxattr(f, name, []byte("\xff"), 0); err != unix.EINVAL {
		t.Errorf("%s with bytes that are no text: %v", name, err)
	}
}

// readOnlyXattr waits for the value: checksums are computed behind the writer's back.
func readOnlyXattr(t *testing.T, f, name string, ok func(string) bool) {
	t.Helper()
	eventually(t, 30*time.Second, func() error {
		v, err := attrOf(f, name)
		if err == nil && !ok(v) {
			err = fmt.Errorf("%s is %q", name, v)
		}
		return err
	})
	if err := unix.Setxattr(f, name, []byte("x"), 0); err != unix.EPERM {
		t.Errorf("setting %s: %v", name, err)
	}
	if err := unix.Removexattr(f, name); err != unix.EPERM {
		t.Errorf("removing %s: %v", name, err)
	}
	if slices.Contains(attrNames(t, f), name) {
		t.Errorf("%s is listed", name)
	}
}
