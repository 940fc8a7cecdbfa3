package fusefs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// statuses is what each errno of the core becomes on the mount. Most keep their number. Those that would mislead a program that works on
// files get another one; any that is not listed is EIO. ENOSYS must never get out by accident: the kernel remembers it and does not ask again.
var statuses = map[syscall.Errno]fuse.Status{
	syscall.E2BIG:        fuse.Status(syscall.E2BIG),
	syscall.EACCES:       fuse.EACCES,
	syscall.EBADF:        fuse.EBADF,
	syscall.EBUSY:        fuse.EBUSY,
	syscall.EDQUOT:       fuse.Status(syscall.EDQUOT),
	syscall.EEXIST:       fuse.Status(syscall.EEXIST),
	syscall.EFBIG:        fuse.Status(syscall.EFBIG),
	syscall.EINVAL:       fuse.EINVAL,
	syscall.EIO:          fuse.EIO,
	syscall.EISDIR:       fuse.EISDIR,
	syscall.ELOOP:        fuse.Status(syscall.ELOOP),
	syscall.EMFILE:       fuse.Status(syscall.EMFILE),
	syscall.EMLINK:       fuse.Status(syscall.EMLINK),
	syscall.ENAMETOOLONG: fuse.Status(syscall.ENAMETOOLONG),
	syscall.ENODATA:      fuse.ENODATA,
	syscall.ENOENT:       fuse.ENOENT,
	syscall.ENOSPC:       fuse.Status(syscall.ENOSPC),
	syscall.ENOTDIR:      fuse.ENOTDIR,
	syscall.ENOTEMPTY:    fuse.Status(syscall.ENOTEMPTY),
	syscall.ENOTSUP:      fuse.ENOTSUP,
	syscall.ENXIO:        fuse.Status(syscall.ENXIO),
	syscall.EOVERFLOW:    fuse.Status(syscall.EOVERFLOW),
	syscall.EPERM:        fuse.EPERM,
	syscall.ERANGE:       fuse.ERANGE,
	syscall.EROFS:        fuse.EROFS,
	syscall.ESTALE:       fuse.Status(syscall.ESTALE),
	syscall.ETIMEDOUT:    fuse.Status(syscall.ETIMEDOUT),
	syscall.EXDEV:        fuse.EXDEV,

	syscall.EAGAIN:    fuse.EIO, // on a file it would mean O_NONBLOCK
	syscall.ECANCELED: fuse.EIO, // no request of the kernel is conditional
	syscall.ENOSYS:    fuse.ENOTSUP,
}

// statusOf translates an error of the core.
func statusOf(err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	if s, ok := statuses[fs.Errno(err)]; ok {
		return s
	}
	return fuse.EIO
}

// status translates an error of the core and logs the cause of those that say nothing to the program that gets them.
func (m *mount) status(op string, ino fs.Ino, err error) fuse.Status {
	s := statusOf(err)
	switch s {
	case fuse.EIO, fuse.Status(syscall.ETIMEDOUT), fuse.Status(syscall.ENOSPC):
		m.log.Error("mount operation failed", "op", op, "ino", ino, "answer", syscall.Errno(s), "err", err)
	}
	return s
}
