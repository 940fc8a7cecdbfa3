package fusefs

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

func TestEveryErrnoHasAStatus(t *testing.T) {
	for _, n := range fs.Errnos {
		s, ok := statuses[n]
		if !ok {
			t.Errorf("%v is not in the table", n)
		}
		if s == fuse.ENOSYS || s == fuse.OK {
			t.Errorf("%v becomes %v", n, s)
		}
	}
	if len(statuses) != len(fs.Errnos) {
		t.Errorf("the table has %d errnos, the core %d", len(statuses), len(fs.Errnos))
	}
}

func TestStatusOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want fuse.Status
	}{
		{nil, fuse.OK},
		{syscall.ENOENT, fuse.ENOENT},
		{fmt.Errorf("deep: %w", &fs.Error{Op: "x", Errno: syscall.ENOTEMPTY}), fuse.Status(syscall.ENOTEMPTY)},
		{syscall.ENOSYS, fuse.ENOTSUP},
		{syscall.EAGAIN, fuse.EIO},
		{syscall.EINTR, fuse.EIO},
		{fs.ErrLocked, fuse.EBUSY},
		{errors.New("what"), fuse.EIO},
	} {
		if got := statusOf(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, ns := range []int64{0, 1, -1, 1e9, -1e9, -1e9 - 1, 1_700_000_000_123_456_789, -62e15} {
		sec, nsec := splitTime(ns)
		if nsec >= 1e9 {
			t.Errorf("%d: %d nanoseconds", ns, nsec)
		}
		if got := joinTime(sec, nsec); got != ns {
			t.Errorf("%d comes back as %d", ns, got)
		}
	}
	far := uint64(1 << 40)
	if got := joinTime(far, 0); got != math.MaxInt64 {
		t.Errorf("the far future is %d", got)
	}
	if got := joinTime(-far, 0); got != math.MinInt64 {
		t.Errorf("the far past is %d", got)
	}
}

func TestAttrChange(t *testing.T) {
	now := time.Unix(5, 6)
	in := &fuse.SetAttrIn{}
	in.Valid = fuse.FATTR_ATIME | fuse.FATTR_ATIME_NOW | fuse.FATTR_MTIME | fuse.FATTR_MODE
	in.Atime, in.Mtime, in.Mtimensec, in.Mode = 99, 7, 8, syscall.S_IFREG|0o640
	s := attrChange(in, now)
	switch {
	case *s.Atime != now.UnixNano():
		t.Errorf("atime %d", *s.Atime)
	case *s.Mtime != 7e9+8:
		t.Errorf("mtime %d", *s.Mtime)
	case *s.Mode != 0o640:
		t.Errorf("mode %o", *s.Mode)
	case s.Size != nil || s.UID != nil || s.GID != nil:
		t.Errorf("more changed than asked: %+v", s)
	}
}

func TestDirectoryPositions(t *testing.T) {
	for _, c := range []uint64{3, 4, 1 << 40, 1<<63 - 1} {
		if got := cursorAt(position(c)); got != c {
			t.Errorf("cursor %d comes back as %d", c, got)
		}
		if int64(position(c)) < 0 {
			t.Errorf("cursor %d makes a negative position", c)
		}
	}
	for _, pos := range []uint64{0, behindDot, behindDotDot} {
		if got := cursorAt(pos); got != 0 {
			t.Errorf("position %d is cursor %d", pos, got)
		}
	}
	if position(1) <= behindDotDot {
		t.Error("a small cursor looks like a dot entry")
	}
}

func TestXattrPolicy(t *testing.T) {
	for name, want := range map[string]bool{
		"user.a": true, "user.tote.id": true, "trusted.x": true,
		"security.capability": false, "security.selinux": false,
		"system.posix_acl_access": false, "system.posix_acl_default": false, "other": false,
	} {
		if got := xattrStored(name); got != want {
			t.Errorf("%s: stored %v", name, got)
		}
	}
	// Nothing below reaches the core, which is nil.
	m := &mount{}
	h := &fuse.InHeader{NodeId: 5}
	if _, s := m.GetXAttr(nil, h, "security.selinux", nil); s != fuse.ENOTSUP {
		t.Errorf("get: %v", s)
	}
	if s := m.SetXAttr(nil, &fuse.SetXAttrIn{}, "system.posix_acl_access", nil); s != fuse.ENOTSUP {
		t.Errorf("set: %v", s)
	}
	if s := m.RemoveXAttr(nil, h, "security.capability"); s != fuse.ENOTSUP {
		t.Errorf("remove: %v", s)
	}
}

func TestFitXattr(t *testing.T) {
	for _, c := range []struct {
		room int
		want fuse.Status
	}{{0, fuse.ERANGE}, {2, fuse.ERANGE}, {3, fuse.OK}, {9, fuse.OK}} {
		n, s := fitXattr([]byte("abc"), make([]byte, c.room))
		if n != 3 || s != c.want {
			t.Errorf("room %d: %d %v", c.room, n, s)
		}
	}
	if n, s := fitXattr(nil, nil); n != 0 || s != fuse.OK {
		t.Errorf("empty: %d %v", n, s)
	}
}

func TestWithoutPrivileges(t *testing.T) {
	for mode, want := range map[uint32]uint32{
		0o4755: 0o755, 0o2755: 0o755, 0o6777: 0o777, 0o2644: 0o2644, 0o4644: 0o644, 0o1777: 0o1777, 0o644: 0o644,
	} {
		if got := withoutPrivileges(mode, true); got != want {
			t.Errorf("%o becomes %o, want %o", mode, got, want)
		}
	}
	if got := withoutPrivileges(0o2644, false); got != 0o644 {
		t.Errorf("somebody who is not in the group leaves %o", got)
	}
	if privileged(syscall.S_IFDIR | 0o2755) {
		t.Error("a setgid directory has nothing to clear")
	}
	if !privileged(syscall.S_IFREG | 0o4755) {
		t.Error("a setuid file has")
	}
}

func TestCoreFlags(t *testing.T) {
	for _, c := range []struct {
		flags    int
		want     int
		writable bool
	}{
		{syscall.O_RDONLY | syscall.O_NOATIME | 0x20, syscall.O_RDONLY, false},
		{syscall.O_RDONLY | syscall.O_TRUNC, syscall.O_RDWR | syscall.O_TRUNC, true},
		{syscall.O_WRONLY | syscall.O_APPEND | syscall.O_NONBLOCK, syscall.O_WRONLY | syscall.O_APPEND, true},
		{syscall.O_RDWR | syscall.O_CREAT | syscall.O_EXCL, syscall.O_RDWR | syscall.O_EXCL, true},
	} {
		got, writable := coreFlags(uint32(c.flags))
		if got != c.want || writable != c.writable {
			t.Errorf("%#x: %#x %v, want %#x %v", c.flags, got, writable, c.want, c.writable)
		}
	}
}

func TestSlots(t *testing.T) {
	var s slots[string]
	a, b := "a", "b"
	ha, hb := s.put(&a), s.put(&b)
	if ha == 0 || ha == hb {
		t.Fatalf("numbers %d and %d", ha, hb)
	}
	if *s.get(ha) != "a" || *s.take(ha) != "a" || s.get(ha) != nil || s.take(ha) != nil {
		t.Error("taking does not take")
	}
	if s.put(&b) != ha {
		t.Error("the free number is not used again")
	}
	if s.get(0) != nil || s.get(99) != nil {
		t.Error("numbers never given have something")
	}
	if len(s.drain()) != 2 || len(s.list()) != 0 {
		t.Error("drain leaves something")
	}
}

func TestNodes(t *testing.T) {
	nt := &nodeTable{root: 1}
	if nt.current(7) != 7 || nt.tell(7) != 7 {
		t.Fatal("a file is not its number")
	}
	nt.move(7)
	n1 := nt.current(7)
	if n1 == 7 || nt.ino(n1) != 7 {
		t.Fatalf("moved to %x", n1)
	}
	nt.move(7) // by somebody who was late
	if nt.current(7) != n1 {
		t.Error("a late mover moves it again")
	}
	for range 2 {
		if nt.tell(7) != n1 {
			t.Error("the kernel is told another node")
		}
	}
	if got := nt.all(7); len(got) != 2 || got[0] != 7 || got[1] != n1 {
		t.Errorf("all: %x", got)
	}
	old, none := func(n uint64) bool { return n == 7 }, func(uint64) bool { return false }
	nt.forget(7, 5)
	nt.forget(n1, 1)
	if nt.tidy(7, none); nt.current(7) != n1 {
		t.Error("moved back while the kernel knows it")
	}
	nt.forget(n1, 1)
	if nt.tidy(7, old); nt.current(7) != n1 {
		t.Error("moved back while the old node is open")
	}
	if nt.tidy(7, none); nt.current(7) != 7 || nt.size.Load() != 0 {
		t.Error("not moved back")
	}
}

func TestNodesWrap(t *testing.T) {
	nt := &nodeTable{root: 1}
	for range 2*genMax + 5 {
		nt.move(nt.current(7))
		if n := nt.current(7); n>>63 != 0 || n == 7 || nt.ino(n) != 7 {
			t.Fatalf("node %x", n)
		}
	}
}

func TestNodesOfAnotherTenant(t *testing.T) {
	nt := &nodeTable{root: 42}
	if nt.ino(1) != 42 || nt.current(42) != 1 || nt.tell(42) != 1 || nt.ino(43) != 43 {
		t.Error("the root of the mount is not the tenant's")
	}
}

func TestFindMount(t *testing.T) {
	const info = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:35 / /mnt/my\040drive rw,nosuid,nodev shared:9 - fuse.tote tote rw,user_id=0
41 22 0:36 / /mnt/x rw - tmpfs tmpfs rw
42 41 0:37 / /mnt/x rw - fuse.tote tote rw
broken line
`
	at, err := findMount(strings.NewReader(info), "/mnt/my drive")
	if err != nil || at == nil || at.fsType != fsType || at.minor != 35 {
		t.Errorf("%+v %v", at, err)
	}
	if at, _ = findMount(strings.NewReader(info), "/mnt/x"); at == nil || at.minor != 37 {
		t.Errorf("not the topmost: %+v", at)
	}
	if at, _ = findMount(strings.NewReader(info), "/mnt"); at != nil {
		t.Errorf("found %+v", at)
	}
}

func TestOptionsDefaults(t *testing.T) {
	o := Options{AttrTimeout: -1}.withDefaults()
	if o.AttrTimeout != 0 || o.EntryTimeout != time.Hour || o.NegativeTimeout != defaultNegative || o.MaxWrite != 1<<20 {
		t.Errorf("%+v", o)
	}
	a := o.Actor(3, 4)
	if a.Tenant != "rdp" || a.UID != 3 || a.GID != 4 || !a.Mount || a.Origin != origin {
		t.Errorf("actor %+v", a)
	}
	if mo := (Options{NoPassthrough: true}.withDefaults()).fuseOptions(nil); mo.DisabledCapabilities&fuse.CAP_PASSTHROUGH == 0 {
		t.Error("passthrough is still asked for")
	}
}
