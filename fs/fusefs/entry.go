package fusefs

import (
	"errors"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// Lookup finds a name. The absence of one is an answer as well, which the kernel may keep.
func (m *mount) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if len(name) > fs.MaxName { // can't be there, and programs are told so in other words
		return fuse.Status(syscall.ENAMETOOLONG)
	}
	if name == "." || name == ".." {
		return m.lookupHandle(in, name, out)
	}
	since := m.now()
	actor := m.actor(in)
	a, err := m.fs.Lookup(m.base, actor, m.nodes.ino(in.NodeId), name)
	if errors.Is(err, syscall.ENOENT) {
		return m.missing(in, name, since, out)
	}
	if err != nil {
		return m.status("lookup", m.nodes.ino(in.NodeId), err)
	}
	m.entry(actor, &a, since, out)
	if volatile(name) {
		out.SetEntryTimeout(0)
	}
	return fuse.OK
}

// lookupHandle finds the node of a file handle (open_by_handle_at(2), which root alone may call) that the kernel does not remember, or its parent. A handle is
// as good as the number in it, so it must not lead into the tree of another tenant.
func (m *mount) lookupHandle(in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	since := m.now()
	actor := m.actor(in)
	a, err := m.fs.GetAttr(m.base, actor, m.nodes.ino(in.NodeId))
	if err == nil && name == ".." {
		a, err = m.fs.GetAttr(m.base, actor, a.Parent)
	}
	if err == nil && (a.Tenant != m.tenant || a.Nlink == 0) {
		return staleNode
	}
	if err != nil {
		return m.status("lookup", m.nodes.ino(in.NodeId), err)
	}
	m.entry(actor, &a, since, out)
	return fuse.OK
}

// volatile names may be aliases (stem@_@GUID.ext), which come and go with versions and without an event of their own.
func volatile(name string) bool { return strings.Contains(name, "@_@") }

// made ends an operation that made an entry. Nothing but a node can have been missing.
func (m *mount) made(op string, in *fuse.InHeader, a *fs.Attr, err error, since moment, out *fuse.EntryOut) fuse.Status {
	if err != nil {
		return m.nodeStatus(op, in, err)
	}
	m.entry(m.actor(in), a, since, out)
	return fuse.OK
}

// Mknod makes a FIFO, a socket, a device or an empty regular file.
func (m *mount) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	since := m.now()
	ctx, cancel := m.change()
	defer cancel()
	a, err := m.fs.Mknod(ctx, m.actor(&in.InHeader), m.nodes.ino(in.NodeId), name, in.Mode, in.Rdev)
	return m.made("mknod", &in.InHeader, &a, err, since, out)
}

// Mkdir makes a directory.
func (m *mount) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	since := m.now()
	ctx, cancel := m.change()
	defer cancel()
	a, err := m.fs.Mkdir(ctx, m.actor(&in.InHeader), m.nodes.ino(in.NodeId), name, in.Mode&permBits)
	return m.made("mkdir", &in.InHeader, &a, err, since, out)
}

// Symlink makes a symbolic link called name to target.
func (m *mount) Symlink(_ <-chan struct{}, in *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	since := m.now()
	ctx, cancel := m.change()
	defer cancel()
	a, err := m.fs.Symlink(ctx, m.actor(in), m.nodes.ino(in.NodeId), name, target)
	return m.made("symlink", in, &a, err, since, out)
}

// Link gives a file another name.
func (m *mount) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	since := m.now()
	ctx, cancel := m.change()
	defer cancel()
	a, err := m.fs.Link(ctx, m.actor(&in.InHeader), m.nodes.ino(in.Oldnodeid), m.nodes.ino(in.NodeId), name)
	if errors.Is(err, syscall.ENOENT) && !m.isGone(&in.InHeader, in.NodeId) {
		return m.gone.status(in.Pid, in.Oldnodeid)
	}
	return m.made("link", &in.InHeader, &a, err, since, out)
}

// Unlink removes a name that is not a directory's.
func (m *mount) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	ctx, cancel := m.change()
	defer cancel()
	err := m.fs.Unlink(ctx, m.actor(in), m.nodes.ino(in.NodeId), name)
	return m.nameStatus("unlink", in, err)
}

// Rmdir removes an empty directory.
func (m *mount) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	ctx, cancel := m.change()
	defer cancel()
	err := m.fs.Rmdir(ctx, m.actor(in), m.nodes.ino(in.NodeId), name)
	return m.nameStatus("rmdir", in, err)
}

// knownRename are the flags of renameat2(2) that the core understands; RENAME_WHITEOUT is for overlays' upper layers.
const knownRename = uint32(fs.RenameNoReplace | fs.RenameExchange)

// Rename moves a name, replacing the target unless flags say otherwise.
func (m *mount) Rename(_ <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	if in.Flags&^knownRename != 0 || in.Flags == knownRename {
		return fuse.EINVAL
	}
	ctx, cancel := m.change()
	defer cancel()
	err := m.fs.Rename(ctx, m.actor(&in.InHeader), m.nodes.ino(in.NodeId), oldName, m.nodes.ino(in.Newdir), newName, fs.RenameFlags(in.Flags))
	if errors.Is(err, syscall.ENOENT) && in.Newdir != in.NodeId && m.isGone(&in.InHeader, in.Newdir) {
		return m.gone.status(in.Pid, in.Newdir)
	}
	return m.nameStatus("rename", &in.InHeader, err)
}

// Readlink gives the target of a symbolic link.
func (m *mount) Readlink(_ <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	target, err := m.fs.Readlink(m.base, m.actor(in), m.nodes.ino(in.NodeId))
	if err != nil {
		return nil, m.nodeStatus("readlink", in, err)
	}
	return []byte(target), fuse.OK
}
