package fusefs

import (
	"math"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"tote/fs"
)

const (
	blockSize = 512  // unit of st_blocks
	ioSize    = 4096 // st_blksize
)

// fillAttr writes the attributes of a node as the kernel wants them.
func fillAttr(a *fs.Attr, out *fuse.Attr) {
	out.Ino = uint64(a.Ino)
	out.Size = uint64(a.Size)
	out.Blocks = blocks(a)
	out.Atime, out.Atimensec = splitTime(a.Atime)
	out.Mtime, out.Mtimensec = splitTime(a.Mtime)
	out.Ctime, out.Ctimensec = splitTime(a.Ctime)
	out.Mode = a.Mode
	out.Nlink = a.Nlink
	out.Uid, out.Gid = a.UID, a.GID
	out.Rdev = a.Rdev
	out.Blksize = ioSize
}

// blocks is st_blocks: as if there were no holes.
func blocks(a *fs.Attr) uint64 { return uint64(a.Size+blockSize-1) / blockSize }

// splitTime gives seconds since 1970, negative before that, and the nanoseconds after them.
func splitTime(ns int64) (sec uint64, nsec uint32) {
	s, n := ns/1e9, ns%1e9
	if n < 0 {
		s, n = s-1, n+1e9
	}
	return uint64(s), uint32(n)
}

// joinTime is the reverse of splitTime. The years before 1678 and after 2262 do not fit and become the first or the last moment that does.
func joinTime(sec uint64, nsec uint32) int64 {
	s := int64(sec)
	switch {
	case s > math.MaxInt64/int64(1e9)-1:
		return math.MaxInt64
	case s < math.MinInt64/int64(1e9)+1:
		return math.MinInt64
	}
	return s*1e9 + int64(nsec)
}

// moment is taken before the core is asked for what the kernel may keep.
type moment struct {
	events uint64 // of other faces
	writes uint64 // clock of ioTable
}

func (m *mount) now() moment { return moment{m.inval.mark(), m.io.clock.Load()} }

// entry fills the answer to a request that names a node. If another face changed something since, the kernel uses the answer once and does not
// keep it. Attributes of a file that the kernel writes on its own are never kept: a mapping changes them without a word, and so does the
// commit at close.
func (m *mount) entry(actor *fs.Actor, a *fs.Attr, since moment, out *fuse.EntryOut) {
	if node := m.nodes.current(a.Ino); m.mixes(actor, node, a) {
		m.moveNode(node)
	}
	out.NodeId = m.nodes.tell(a.Ino)
	out.Generation = 1
	fillAttr(a, &out.Attr)
	if !m.inval.quietSince(since.events) {
		return
	}
	out.SetEntryTimeout(m.opts.EntryTimeout)
	if !m.io.written(out.NodeId, since.writes) {
		out.SetAttrTimeout(m.opts.AttrTimeout)
	}
	m.told.set(out.NodeId, a.Version)
}

// attrOut answers a request for the attributes of a node. Those of a node that is not the file's current one are never cached: see nodes.go.
func (m *mount) attrOut(actor *fs.Actor, node uint64, a *fs.Attr, since moment, out *fuse.AttrOut) fuse.Status {
	if m.mixes(actor, node, a) {
		m.moveNode(node)
		return staleNode
	}
	fillAttr(a, &out.Attr)
	if !m.inval.quietSince(since.events) || m.nodes.current(a.Ino) != node {
		return fuse.OK
	}
	if !m.io.written(node, since.writes) {
		out.SetTimeout(m.opts.AttrTimeout)
	}
	m.told.set(node, a.Version)
	return fuse.OK
}

// mixes tells whether the attributes are those of content that another face has put in the place of what is in the node's page cache. The kernel
// would serve the old bytes with the new length. Such a node is left to its old handles, whose reads fail with ESTALE, and the file gets
// another one. If it was only that the attributes were read a moment too early, a is read again.
func (m *mount) mixes(actor *fs.Actor, node uint64, a *fs.Attr) bool {
	version, ok := m.io.cachedVersion(node)
	for ok && version != a.Version {
		b, err := m.fs.GetAttr(m.base, actor, a.Ino)
		if err != nil {
			return false
		}
		*a = b
		var after int64
		if after, ok = m.io.cachedVersion(node); ok && after == version {
			return version != a.Version
		}
		version = after
	}
	return false
}

// GetAttr is stat(2) and fstat(2).
func (m *mount) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	since := m.now()
	actor := m.actor(&in.InHeader)
	a, err := m.fs.GetAttr(m.base, actor, m.nodes.ino(in.NodeId))
	if err != nil {
		return m.nodeStatus("getattr", &in.InHeader, err)
	}
	return m.attrOut(actor, in.NodeId, &a, since, out)
}

// Statx is statx(2) for more than GETATTR tells: when the node was made.
func (m *mount) Statx(_ <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	var basic fuse.AttrOut
	since := m.now()
	actor := m.actor(&in.InHeader)
	a, err := m.fs.GetAttr(m.base, actor, m.nodes.ino(in.NodeId))
	if err != nil {
		return m.nodeStatus("statx", &in.InHeader, err)
	}
	if status := m.attrOut(actor, in.NodeId, &a, since, &basic); status != fuse.OK {
		return status
	}
	out.AttrValid, out.AttrValidNsec = basic.AttrValid, basic.AttrValidNsec
	fillStatx(&a, &out.Statx)
	return fuse.OK
}

// fillStatx is fillAttr for statx.
func fillStatx(a *fs.Attr, out *fuse.Statx) {
	out.Mask = unix.STATX_BASIC_STATS | unix.STATX_BTIME
	out.Ino = uint64(a.Ino)
	out.Size = uint64(a.Size)
	out.Blocks = blocks(a)
	out.Blksize = ioSize
	out.Mode = uint16(a.Mode)
	out.Nlink = a.Nlink
	out.Uid, out.Gid = a.UID, a.GID
	out.RdevMajor, out.RdevMinor = unix.Major(uint64(a.Rdev)), unix.Minor(uint64(a.Rdev))
	out.Atime, out.Btime, out.Ctime, out.Mtime = statxTime(a.Atime), statxTime(a.Btime), statxTime(a.Ctime), statxTime(a.Mtime)
}

func statxTime(ns int64) fuse.SxTime {
	sec, nsec := splitTime(ns)
	return fuse.SxTime{Sec: sec, Nsec: nsec}
}

// SetAttr is chmod, chown, utimensat, truncate and ftruncate.
func (m *mount) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	since := m.now()
	ino, actor := m.nodes.ino(in.NodeId), m.actor(&in.InHeader)
	ctx, cancel := m.saving()
	defer cancel()
	s := attrChange(in, m.fs.Now())
	if in.Valid&fuse.FATTR_KILL_SUIDGID != 0 || s == (fs.SetAttr{}) {
		if err := m.dropPrivileges(ctx, &in.InHeader, ino, &s); err != nil {
			return m.nodeStatus("setattr", &in.InHeader, err)
		}
	}
	h, of := m.handleOf(in)
	a, err := m.fs.SetAttr(ctx, actor, ino, s, h)
	if err != nil {
		return m.nodeStatus("setattr", &in.InHeader, err)
	}
	if of != nil && s.Size != nil {
		of.dirty.Store(true)
	}
	if s.Mode != nil {
		m.io.setPrivileged(in.NodeId, privileged(a.Mode))
	}
	return m.attrOut(actor, in.NodeId, &a, since, out)
}

// handleOf is the open file that came with a request for a change, if any.
func (m *mount) handleOf(in *fuse.SetAttrIn) (*fs.Handle, *openFile) {
	fh, ok := in.GetFh()
	if !ok {
		return nil, nil
	}
	of := m.files.get(fh)
	if of == nil {
		return nil, nil
	}
	return of.h, of
}

// attrChange reads what a request wants changed. The change time that writeback caches send is not ours to set.
func attrChange(in *fuse.SetAttrIn, now time.Time) fs.SetAttr {
	var s fs.SetAttr
	if mode, ok := in.GetMode(); ok {
		s.Mode = &mode
	}
	if uid, ok := in.GetUID(); ok {
		s.UID = &uid
	}
	if gid, ok := in.GetGID(); ok {
		s.GID = &gid
	}
	if size, ok := in.GetSize(); ok {
		n := int64(min(size, math.MaxInt64))
		s.Size = &n
	}
	s.Atime = timeChange(in.Valid, fuse.FATTR_ATIME, fuse.FATTR_ATIME_NOW, in.Atime, in.Atimensec, now)
	s.Mtime = timeChange(in.Valid, fuse.FATTR_MTIME, fuse.FATTR_MTIME_NOW, in.Mtime, in.Mtimensec, now)
	return s
}

// timeChange is one time of a request: unchanged, now, or as given.
func timeChange(valid, set, setNow uint32, sec uint64, nsec uint32, now time.Time) *int64 {
	if valid&set == 0 {
		return nil
	}
	ns := now.UnixNano()
	if valid&setNow == 0 {
		ns = joinTime(sec, nsec)
	}
	return &ns
}

// StatFs is statfs(2).
func (m *mount) StatFs(_ <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	s, err := m.fs.StatFS(m.base, m.actor(in))
	if err != nil {
		return m.status("statfs", m.nodes.ino(in.NodeId), err)
	}
	out.Blocks, out.Bfree, out.Bavail = s.Blocks, s.Bfree, s.Bavail
	out.Files, out.Ffree = s.Files, s.Ffree
	out.Bsize, out.Frsize = s.Bsize, s.Bsize
	out.NameLen = s.NameLen
	return fuse.OK
}

const permBits = 0o7777

// isRegular tells the type from a mode.
func isRegular(mode uint32) bool { return mode&syscall.S_IFMT == syscall.S_IFREG }
