package fs

import (
	"context"
	"errors"
	"syscall"

	"tote/objstore"
)

// Error is the one error type of the core: what was tried, on which path, and how the kernel would name the failure. The cause stays
// inside: faces show Errno's fixed sentence to clients and log Err once.
type Error struct {
	Op    string
	Path  string // path or name as the caller gave it; "" when the operation was on a number
	Errno syscall.Errno
	Err   error // cause, may be nil
}

// Error reads "rename /a/b: file exists", with the cause behind it when there is one.
func (e *Error) Error() string {
	s := e.Op
	if e.Path != "" {
		s += " " + e.Path
	}
	s += ": " + e.Errno.Error()
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives both the errno and the cause, so that errors.Is works with either.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Errno}
	}
	return []error{e.Errno, e.Err}
}

// Outcomes the kernel has no number for. Faces test for them with errors.Is before they look at the errno.
var (
	ErrPrecondition = errors.New("a condition of the request does not hold")
	ErrLocked       = errors.New("a WebDAV lock is in the way")
	ErrShortBody    = errors.New("the body ended before its announced length")
)

// Errnos lists every errno the core returns; each face's table is tested against all of them.
var Errnos = []syscall.Errno{
	syscall.ENOENT, syscall.EEXIST, syscall.ENOTDIR, syscall.EISDIR, syscall.ENOTEMPTY, syscall.EACCES, syscall.EPERM,
	syscall.EINVAL, syscall.ENAMETOOLONG, syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EROFS, syscall.ELOOP,
	syscall.EXDEV, syscall.EBUSY, syscall.ESTALE, syscall.ENODATA, syscall.EMLINK, syscall.ENOTSUP, syscall.ERANGE,
	syscall.E2BIG, syscall.EBADF, syscall.ENXIO, syscall.EIO, syscall.ETIMEDOUT, syscall.EAGAIN, syscall.ECANCELED,
	syscall.EOVERFLOW, syscall.EMFILE, syscall.ENOSYS,
}

// sentinels maps outcomes that carry no errno of their own.
var sentinels = []struct {
	err   error
	errno syscall.Errno
}{
	{ErrPrecondition, syscall.ECANCELED},
	{ErrLocked, syscall.EBUSY},
	{ErrShortBody, syscall.EINVAL},
	{objstore.ErrNoSpace, syscall.ENOSPC},
	{objstore.ErrKey, syscall.EINVAL},
	{objstore.ErrTemporary, syscall.EAGAIN},
	{context.DeadlineExceeded, syscall.ETIMEDOUT},
	{context.Canceled, syscall.ECANCELED},
}

// Errno classifies any error: 0 for nil, the errno it carries, EIO when nothing is known about it. It never returns ENOSYS by
// accident, which the kernel would remember.
func Errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Errno
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.errno
		}
	}
	var n syscall.Errno
	if errors.As(err, &n) && n != 0 {
		return n
	}
	return syscall.EIO
}

// fail wraps err for the boundary of the package; nil stays nil, and an Error keeps its innermost description.
func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	n := Errno(err)
	if bare, ok := err.(syscall.Errno); ok {
		return &Error{Op: op, Path: path, Errno: bare}
	}
	return &Error{Op: op, Path: path, Errno: n, Err: err}
}
