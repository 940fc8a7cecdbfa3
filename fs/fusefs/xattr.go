package fusefs

import (
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// xattrStored tells which names are kept. The kernel and ls ask every file for security.* and for ACLs, again and again; there are none
// here, and saying so needs no database. ls asks only once when the answer is that they are not supported.
func xattrStored(name string) bool {
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "trusted.")
}

// fitXattr answers with data as the xattr calls want it: the length alone when the buffer is empty, ERANGE when it is too small.
func fitXattr(data, dest []byte) (uint32, fuse.Status) {
	if len(dest) < len(data) {
		return uint32(len(data)), fuse.ERANGE
	}
	return uint32(copy(dest, data)), fuse.OK
}

// GetXAttr is getxattr(2).
func (m *mount) GetXAttr(_ <-chan struct{}, in *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	if !xattrStored(name) {
		return 0, fuse.ENOTSUP
	}
	v, err := m.fs.GetXattr(m.base, m.actor(in), m.nodes.ino(in.NodeId), name)
	if err != nil {
		return 0, m.nodeStatus("getxattr", in, err)
	}
	return fitXattr(v, dest)
}

// ListXAttr is listxattr(2).
func (m *mount) ListXAttr(_ <-chan struct{}, in *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	names, err := m.fs.ListXattr(m.base, m.actor(in), m.nodes.ino(in.NodeId))
	if err != nil {
		return 0, m.nodeStatus("listxattr", in, err)
	}
	var list []byte
	for _, n := range names {
		list = append(append(list, n...), 0)
	}
	return fitXattr(list, dest)
}

// SetXAttr is setxattr(2).
func (m *mount) SetXAttr(_ <-chan struct{}, in *fuse.SetXAttrIn, name string, data []byte) fuse.Status {
	if !xattrStored(name) {
		return fuse.ENOTSUP
	}
	ctx, cancel := m.change()
	defer cancel()
	err := m.fs.SetXattr(ctx, m.actor(&in.InHeader), m.nodes.ino(in.NodeId), name, data, int(in.Flags))
	return m.nodeStatus("setxattr", &in.InHeader, err)
}

// RemoveXAttr is removexattr(2).
func (m *mount) RemoveXAttr(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	if !xattrStored(name) {
		return fuse.Status(syscall.ENOTSUP)
	}
	ctx, cancel := m.change()
	defer cancel()
	err := m.fs.RemoveXattr(ctx, m.actor(in), m.nodes.ino(in.NodeId), name)
	return m.nodeStatus("removexattr", in, err)
}
