package fusefs

import (
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// kernel checks the rules that the real one enforces with EIO.
type kernel struct {
	t     *testing.T
	fail  syscall.Errno
	next  int32
	valid map[int32]bool
	nodes map[uint64]*kernelNode
}

type kernelNode struct{ id, through, cached int32 }

func (k *kernel) RegisterBackingFd(*fuse.BackingMap) (int32, syscall.Errno) {
	if k.fail != 0 {
		return 0, k.fail
	}
	k.next++
	k.valid[k.next] = true
	return k.next, 0
}

func (k *kernel) UnregisterBackingFd(id int32) syscall.Errno {
	if !k.valid[id] {
		k.t.Errorf("backing id %d is not registered", id)
	}
	delete(k.valid, id)
	return 0
}

// open is what the kernel does with an answer.
func (k *kernel) open(node uint64, out *fuse.OpenOut) {
	k.t.Helper()
	n := k.nodes[node]
	if n == nil {
		n = &kernelNode{}
		k.nodes[node] = n
	}
	if out.OpenFlags&fuse.FOPEN_PASSTHROUGH == 0 {
		if n.through > 0 {
			k.t.Error("EIO: a cached open of a node in passthrough")
		}
		n.cached++
		return
	}
	switch {
	case n.cached > 0:
		k.t.Error("EIO: a passthrough open of a cached node")
	case n.through > 0 && n.id != out.BackingID:
		k.t.Error("EIO: another backing file")
	case !k.valid[out.BackingID]:
		k.t.Error("EIO: no such backing file")
	case out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0:
		k.t.Error("EIO: flags that exclude each other")
	}
	n.id = out.BackingID
	n.through++
}

func (k *kernel) close(node uint64) {
	n := k.nodes[node]
	if n.through > 0 {
		n.through--
	} else {
		n.cached--
	}
}

type fakeView struct {
	backing *fs.Backing
	version *int64 // shared by the handles of one view
}

func (v *fakeView) Backing() *fs.Backing { return v.backing }
func (v *fakeView) Version() int64       { return *v.version }

func newKernel(t *testing.T) (*ioTable, *kernel) {
	k := &kernel{t: t, valid: map[int32]bool{}, nodes: map[uint64]*kernelNode{}}
	return &ioTable{reg: k, log: slog.New(slog.DiscardHandler)}, k
}

func backing(t *testing.T) *fs.Backing {
	f, err := os.Create(filepath.Join(t.TempDir(), "b"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &fs.Backing{File: f}
}

func onVersion(v int64) *fakeView { return &fakeView{version: &v} }

// admitted opens a node and has the kernel check the answer.
func admitted(t *testing.T, io *ioTable, k *kernel, node uint64, v view) *fuse.OpenOut {
	t.Helper()
	var out fuse.OpenOut
	if got := io.admit(node, v, io.now(), false, &out); got != granted {
		t.Fatalf("verdict %d", got)
	}
	k.open(node, &out)
	return &out
}

func left(io *ioTable, k *kernel, node uint64, v view) {
	k.close(node)
	io.leave(node, v)
}

func TestThroughIsSharedAndGivenBack(t *testing.T) {
	io, k := newKernel(t)
	b, n := backing(t), int64(1)
	v1, v2 := &fakeView{b, &n}, &fakeView{b, &n}
	o1 := admitted(t, io, k, 5, v1)
	o2 := admitted(t, io, k, 5, v2)
	if o1.BackingID != o2.BackingID || o1.OpenFlags&fuse.FOPEN_PASSTHROUGH == 0 {
		t.Errorf("%+v %+v", o1, o2)
	}
	left(io, k, 5, v1)
	if len(k.valid) != 1 {
		t.Error("given back too early")
	}
	left(io, k, 5, v2)
	if len(k.valid) != 0 || len(io.shard(5).nodes) != 0 {
		t.Error("not given back")
	}
	admitted(t, io, k, 5, onVersion(2)) // cached is fine now
}

func TestOtherContentNeedsAnotherNode(t *testing.T) {
	n1, n2 := int64(1), int64(2)
	for name, c := range map[string]struct{ old, fresh *fakeView }{
		"through and through": {&fakeView{backing(t), &n1}, &fakeView{backing(t), &n2}},
		"through and cached":  {&fakeView{backing(t), &n1}, &fakeView{nil, &n2}},
		"cached and through":  {&fakeView{nil, &n1}, &fakeView{backing(t), &n2}},
		"cached and cached":   {&fakeView{nil, &n1}, &fakeView{nil, &n2}},
	} {
		t.Run(name, func(t *testing.T) {
			io, k := newKernel(t)
			early := io.now() // a handle that was opened before the node's
			admitted(t, io, k, 5, c.old)
			var out fuse.OpenOut
			if got := io.admit(5, c.fresh, early, false, &out); got != again {
				t.Errorf("an older handle: %d", got)
			}
			if got := io.admit(5, c.fresh, io.now(), false, &out); got != outdated {
				t.Errorf("a newer handle: %d", got)
			}
			admitted(t, io, k, 5|1<<genShift, c.fresh)
			left(io, k, 5, c.old)
			left(io, k, 5|1<<genShift, c.fresh)
			if len(k.valid) != 0 {
				t.Error("a backing file stays registered")
			}
		})
	}
}

func TestCommitDoesNotSeparateHandles(t *testing.T) {
	io, k := newKernel(t)
	n := int64(1)
	admitted(t, io, k, 5, &fakeView{nil, &n})
	n = 2
	admitted(t, io, k, 5, &fakeView{nil, &n})
}

func TestKeepCache(t *testing.T) {
	io, k := newKernel(t)
	keeps := func(v view) bool {
		out := admitted(t, io, k, 5, v)
		return out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0
	}
	v := onVersion(3)
	w := &fakeView{nil, v.version}
	if keeps(v) {
		t.Error("the first open keeps a cache nobody knows")
	}
	if !keeps(w) {
		t.Error("a second open throws the cache away")
	}
	left(io, k, 5, v)
	left(io, k, 5, w)
	if !keeps(v) {
		t.Error("the same version is not kept")
	}
	left(io, k, 5, v)
	if keeps(onVersion(4)) {
		t.Error("another version is kept")
	}
}

func TestKeepCacheAfterOwnWrites(t *testing.T) {
	io, k := newKernel(t)
	v := onVersion(3)
	admitted(t, io, k, 5, v)
	*v.version = 4 // committed
	left(io, k, 5, v)
	if out := admitted(t, io, k, 5, onVersion(4)); out.OpenFlags&fuse.FOPEN_KEEP_CACHE == 0 {
		t.Error("what was written through the cache is thrown away")
	}
}

func TestNoCacheIsKeptOf(t *testing.T) {
	for name, spoil := range map[string]func(*ioTable, *fakeView){
		"a failed commit":         func(io *ioTable, v *fakeView) { io.taint(5); io.leave(5, v) },
		"another face's change":   func(io *ioTable, v *fakeView) { io.leave(5, v); io.contents.drop(5) },
		"what has no version":     func(io *ioTable, v *fakeView) { *v.version = 0; io.leave(5, v) },
		"a neighbour in the slot": func(io *ioTable, v *fakeView) { io.leave(5, v); io.contents.set(5+uint64(len(io.contents.slots)), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			io, k := newKernel(t)
			v := onVersion(3)
			admitted(t, io, k, 5, v)
			k.close(5)
			spoil(io, v)
			if out := admitted(t, io, k, 5, onVersion(*v.version)); out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0 {
				t.Error("the cache is kept")
			}
		})
	}
}

func TestPassthroughDropsTheMemoryOfTheCache(t *testing.T) {
	io, k := newKernel(t)
	v := onVersion(3)
	admitted(t, io, k, 5, v)
	left(io, k, 5, v)
	n := int64(3)
	w := &fakeView{backing(t), &n}
	admitted(t, io, k, 5, w)
	left(io, k, 5, w)
	if out := admitted(t, io, k, 5, onVersion(3)); out.OpenFlags&fuse.FOPEN_KEEP_CACHE != 0 {
		t.Error("the kernel wrote past the cache, but it is kept")
	}
}

func TestRefusedRegistration(t *testing.T) {
	for _, c := range []struct {
		errno syscall.Errno
		ever  bool
	}{{syscall.EPERM, true}, {syscall.ELOOP, true}, {syscall.EMFILE, false}} {
		t.Run(c.errno.Error(), func(t *testing.T) {
			io, k := newKernel(t)
			k.fail = c.errno
			n := int64(1)
			v := &fakeView{backing(t), &n}
			if out := admitted(t, io, k, 5, v); out.OpenFlags&fuse.FOPEN_PASSTHROUGH != 0 {
				t.Error("passthrough without a backing file")
			}
			if io.mayPass() == c.ever {
				t.Errorf("may pass: %v", io.mayPass())
			}
			k.fail = 0
			admitted(t, io, k, 5, v) // the node stays cached as long as it is open
			left(io, k, 5, v)
			left(io, k, 5, v)
		})
	}
}

func TestDirectHandles(t *testing.T) {
	io, k := newKernel(t)
	n := int64(1)
	b := backing(t)
	v := &fakeView{b, &n}
	var out fuse.OpenOut
	if io.admit(5, v, io.now(), true, &out); out.OpenFlags&fuse.FOPEN_PASSTHROUGH != 0 {
		t.Error("a first direct handle starts passthrough")
	}
	io.leave(5, v)
	admitted(t, io, k, 5, v)
	out = fuse.OpenOut{}
	io.admit(5, v, io.now(), true, &out)
	if want := uint32(fuse.FOPEN_PASSTHROUGH | fuse.FOPEN_DIRECT_IO); out.OpenFlags != want {
		t.Errorf("flags %#x, want %#x", out.OpenFlags, want)
	}
	k.open(5, &out)
}

func TestPrivilegedWhileOpen(t *testing.T) {
	io, k := newKernel(t)
	io.setPrivileged(5, true)
	if io.privileged(5) {
		t.Error("a closed file is remembered")
	}
	v := onVersion(1)
	admitted(t, io, k, 5, v)
	io.setPrivileged(5, true)
	if !io.privileged(5) {
		t.Error("an open one is not")
	}
	left(io, k, 5, v)
	if io.privileged(5) {
		t.Error("it survives the close")
	}
}
