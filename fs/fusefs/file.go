package fusefs

import (
	"context"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// openFile is one open(2) of a file.
type openFile struct {
	h        *fs.Handle
	ino      fs.Ino
	node     uint64 // under which the kernel opened it
	actor    *fs.Actor
	writable bool
	writer   bool        // counted by ioTable.addWriter
	dirty    atomic.Bool // something went through this process that is not committed yet
}

// coreFlags are the flags of open(2) that mean something to the core. A file opened for reading with O_TRUNC is changed all the same; the core
// shall commit that at close.
func coreFlags(flags uint32) (core int, writable bool) {
	core = int(flags) & (syscall.O_ACCMODE | syscall.O_TRUNC | syscall.O_APPEND | syscall.O_EXCL)
	if core&syscall.O_TRUNC != 0 && core&syscall.O_ACCMODE == syscall.O_RDONLY {
		core |= syscall.O_RDWR
	}
	return core, core&syscall.O_ACCMODE != syscall.O_RDONLY
}

// Open opens a regular file.
func (m *mount) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	ino, actor := m.nodes.ino(in.NodeId), m.actor(&in.InHeader)
	if m.nodes.current(ino) != in.NodeId {
		return staleNode
	}
	ctx, cancel := m.transfer()
	defer cancel()
	flags, writable := coreFlags(in.Flags)
	of := &openFile{ino: ino, actor: actor, writable: writable}
	priv := false
	if writable {
		a, err := m.fs.GetAttr(ctx, actor, ino)
		if err != nil {
			return m.nodeStatus("open", &in.InHeader, err)
		}
		priv = privileged(a.Mode)
	}
	v, err := m.place(ctx, of, in.NodeId, placement{flags: flags, priv: priv}, out)
	switch {
	case err != nil:
		return m.nodeStatus("open", &in.InHeader, err)
	case v == outdated:
		m.moveNode(in.NodeId)
		return staleNode
	}
	if priv && in.Mode&fuse.OPEN_KILL_SUIDGID != 0 {
		m.killPrivileges(ctx, &in.InHeader, of.node)
	}
	m.opened(of, flags, false, out)
	return fuse.OK
}

// moveNode gives a file a new node, for whoever opens it from now on.
func (m *mount) moveNode(node uint64) {
	m.nodes.move(node)
	m.inval.attributes(node)
}

// placement is how a file is opened.
type placement struct {
	flags int
	priv  bool // a writer has set-user-id bits to clear
	start uint64
}

// place finds a handle and a way to serve it that agree with what the kernel has open on the node. of.h may hold a handle that was opened at
// p.start; any handle that does not fit is released. On outdated, of has none.
func (m *mount) place(ctx context.Context, of *openFile, node uint64, p placement, out *fuse.OpenOut) (verdict, error) {
	for {
		if of.h == nil {
			p.start = m.io.now()
			h, err := m.fs.OpenIno(ctx, of.actor, of.ino, p.flags, m.io.mayPass() && !p.priv)
			if err != nil {
				return granted, err
			}
			of.h = h
		}
		v := m.io.admit(node, of.h, p.start, p.priv, out)
		if v == granted {
			of.node = node
			if p.priv {
				m.io.setPrivileged(node, true)
			}
			return granted, nil
		}
		of.h.Release()
		of.h = nil
		if v == outdated {
			return outdated, nil
		}
	}
}

// opened ends a successful open.
//
// Between the commit of another face and its event, an open gets the new content while the kernel still has the old size, at which it would cut
// off what is read. So the kernel must have the attributes of the version that was opened, or none. While other faces are at work it
// is not enough that it was told, because the answer that told it may not have arrived. Nor may it keep what it has of a file that it will write
// on its own, unless the file is fresh: then it has nothing.
func (m *mount) opened(of *openFile, flags int, fresh bool, out *fuse.OpenOut) {
	v := of.h.Version()
	if of.writable && of.h.Backing() != nil {
		of.writer = true
		m.io.addWriter(of.node)
	}
	if m.inval.busy() || of.writer && !fresh || v != 0 && !m.told.is(of.node, v) {
		m.inval.attributes(of.node)
	}
	if flags&syscall.O_TRUNC != 0 {
		of.dirty.Store(true)
	}
	if !of.writable {
		out.OpenFlags |= fuse.FOPEN_NOFLUSH
	}
	if flags&syscall.O_ACCMODE == syscall.O_WRONLY && m.fs.Remote() { // nobody reads or maps what goes through this handle: no need for pages
		out.OpenFlags |= fuse.FOPEN_DIRECT_IO
	}
	out.Fh = m.files.put(of)
}

// Create makes a file and opens it, or opens one that another face made a moment ago.
func (m *mount) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return m.create("create", in, out, func(ctx context.Context, a *fs.Actor, flags int, through bool) (fs.Attr, *fs.Handle, error) {
		return m.fs.Create(ctx, a, m.nodes.ino(in.NodeId), name, in.Mode&permBits, flags, through)
	})
}

// Tmpfile makes a file without a name and opens it (O_TMPFILE).
func (m *mount) Tmpfile(_ <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	return m.create("tmpfile", in, out, func(ctx context.Context, a *fs.Actor, flags int, through bool) (fs.Attr, *fs.Handle, error) {
		return m.fs.Tmpfile(ctx, a, m.nodes.ino(in.NodeId), in.Mode&permBits, flags, through)
	})
}

// forThisCall lets the kernel end the open(2) that made a file with the attributes it was just told: it looks at them once more to check permissions. The
// kernel rounds it up to a tick of its clock. What it writes itself in that time it knows.
const forThisCall = time.Nanosecond

type maker func(ctx context.Context, a *fs.Actor, flags int, through bool) (fs.Attr, *fs.Handle, error)

func (m *mount) create(op string, in *fuse.CreateIn, out *fuse.CreateOut, mk maker) fuse.Status {
	since := m.now()
	actor := m.actor(&in.InHeader)
	ctx, cancel := m.transfer()
	defer cancel()
	flags, writable := coreFlags(in.Flags)
	p := placement{flags: flags &^ syscall.O_EXCL, start: m.io.now()}
	a, h, err := mk(ctx, actor, flags, m.io.mayPass())
	if err != nil {
		return m.nodeStatus(op, &in.InHeader, err)
	}
	of := &openFile{h: h, ino: a.Ino, actor: actor, writable: writable}
	// A file that is new has the mode that was asked for; the kernel wants its bits kept.
	p.priv = writable && privileged(a.Mode)
	for {
		node := m.nodes.current(a.Ino)
		v, err := m.place(ctx, of, node, p, &out.OpenOut)
		if err != nil {
			return m.nodeStatus(op, &in.InHeader, err)
		}
		if v == granted {
			break
		}
		m.moveNode(node)
	}
	if p.priv && in.OpenFlags&fuse.OPEN_KILL_SUIDGID != 0 && a.Mode&permBits != in.Mode&permBits {
		m.killPrivileges(ctx, &in.InHeader, of.node)
		a.Mode = withoutPrivileges(a.Mode, member(&in.InHeader, a.GID))
	}
	m.opened(of, flags, of.h.Version() == 0, &out.OpenOut)
	m.entry(actor, &a, since, &out.EntryOut)
	if out.EntryTimeout() > 0 && out.AttrTimeout() == 0 {
		out.SetAttrTimeout(forThisCall)
	}
	return fuse.OK
}

// Flush is close(2) of a file that was open for writing; dup'ed descriptors make several of them.
func (m *mount) Flush(_ <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	of := m.files.get(in.Fh)
	if of == nil {
		return fuse.EBADF
	}
	return m.commit("close", of, of.h.Flush)
}

// Fsync makes the content and the name durable.
func (m *mount) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	of := m.files.get(in.Fh)
	if of == nil {
		return fuse.EBADF
	}
	dataOnly := in.FsyncFlags&1 != 0
	return m.commit("fsync", of, func(ctx context.Context) error { return of.h.Sync(ctx, dataOnly) })
}

// commit runs one of the core's commits. Where it changes attributes without the kernel knowing, the kernel was never allowed to keep them.
func (m *mount) commit(op string, of *openFile, run func(context.Context) error) fuse.Status {
	ctx, cancel := m.saving()
	defer cancel()
	of.dirty.Store(false)
	if err := run(ctx); err != nil {
		of.dirty.Store(true)
		m.io.taint(of.node)
		m.inval.attributes(of.node)
		return m.status(op, of.ino, err)
	}
	return fuse.OK
}

// Release follows the last close of an open file, some time later. Nobody waits for it.
func (m *mount) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	of := m.files.take(in.Fh)
	if of == nil {
		return
	}
	if of.dirty.Load() { // written through a mapping after the last close
		m.io.taint(of.node)
	}
	m.io.leave(of.node, of.h)
	of.h.Release() // commits what a mapping wrote after the last close
	if of.writer {
		m.io.dropWriter(of.node)
	}
	m.nodes.tidy(of.ino, m.io.open)
}
