package filestore

import (
	"errors"
	"fmt"
	"syscall"

	"tote/objstore"
)

// errForeign is for what only someone else can have put into the tree.
var errForeign = errors.New("there is a symbolic link or special file in the object store; remove it")

// fail says what failed on which key, and adds the sentinel for an errno that has one.
func fail(op, key string, err error) error {
	switch {
	case isAny(err, syscall.ENOSPC, syscall.EDQUOT) && !errors.Is(err, objstore.ErrNoSpace):
		err = fmt.Errorf("%w: %w", objstore.ErrNoSpace, err)
	case isAny(err, syscall.ENAMETOOLONG):
		err = fmt.Errorf("%w: %w", objstore.ErrKey, err)
	case isAny(err, syscall.EMFILE, syscall.ENFILE):
		err = fmt.Errorf("%w: %w", objstore.ErrTemporary, err)
	case isAny(err, syscall.ELOOP, syscall.ENOTDIR):
		err = fmt.Errorf("%w: %w", errForeign, err)
	}
	return fmt.Errorf("%s %s: %w", op, key, err)
}

// notFound turns the errno of a missing name into ErrNotFound. Only look-ups may: the same errno from a
// caller's reader or source path means something else.
func notFound(err error) error {
	if errors.Is(err, syscall.ENOENT) {
		return objstore.ErrNotFound
	}
	return err
}

func isAny(err error, nos ...syscall.Errno) bool {
	for _, no := range nos {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// again repeats a system call that a signal interrupted: the runtime sends itself many.
func again(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}
