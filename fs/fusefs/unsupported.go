package fusefs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// The operations below are not served. After ENOSYS the kernel does not ask again and does the work itself.

// Access is not asked with default_permissions.
func (m *mount) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.ENOSYS }

// GetLk and its sisters: locks stay in the kernel.
func (m *mount) GetLk(<-chan struct{}, *fuse.LkIn, *fuse.LkOut) fuse.Status { return fuse.ENOSYS }

// SetLk see GetLk.
func (m *mount) SetLk(<-chan struct{}, *fuse.LkIn) fuse.Status { return fuse.ENOSYS }

// SetLkw see GetLk.
func (m *mount) SetLkw(<-chan struct{}, *fuse.LkIn) fuse.Status { return fuse.ENOSYS }

// CopyFileRange: the kernel copies from file to file, through the backing files where it has them.
func (m *mount) CopyFileRange(<-chan struct{}, *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

// Writev asks go-fuse for Write; requests from the kernel come in one piece.
func (m *mount) Writev(<-chan struct{}, *fuse.WriteIn, [][]byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

// Ioctl knows no command. ENOTTY is what programs expect that try one.
func (m *mount) Ioctl(<-chan struct{}, *fuse.IoctlIn, []byte, *fuse.IoctlOut, []byte) fuse.Status {
	return fuse.Status(syscall.ENOTTY)
}
