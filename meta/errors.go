package meta

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

// ErrNotFlushed is wrapped by the error of a durable call whose transaction was committed but could not be flushed. What
// it did is what everyone sees from now on, and its results are filled in; a power failure may undo it.
var ErrNotFlushed = errors.New("meta: done, but not known to be on disk")

// errClosed is returned by every method after Close.
var errClosed = errors.New("meta: the database is closed")

// wrap gives an error of SQLite the errno that the faces need. Everything else passes as it is: errnos that are
// expected outcomes, and errors of the caller's own functions.
func wrap(err error) error {
	var e sqlite3.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	if errno := errnoOf(e); errno != 0 {
		return fmt.Errorf("meta: %w: %w", errno, err)
	}
	return fmt.Errorf("meta: %w", err)
}

// errnoOf returns 0 for errors that can only be a mistake of this package.
func errnoOf(e sqlite3.Error) syscall.Errno {
	switch e.Code {
	case sqlite3.ErrFull:
		return syscall.ENOSPC
	case sqlite3.ErrIoErr:
		// A write beyond a quota or the end of the disk arrives as a failed write.
		if e.SystemErrno == syscall.ENOSPC || e.SystemErrno == syscall.EDQUOT {
			return e.SystemErrno
		}
		return syscall.EIO
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrCantOpen:
		return syscall.EIO
	case sqlite3.ErrReadonly:
		return syscall.EROFS
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return syscall.EBUSY
	}
	return 0
}

// isBusy says that the transaction may succeed when it is begun again.
func isBusy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrBusy
}

// isTaken says that a primary key or unique column has the value already.
func isTaken(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey ||
		e.ExtendedCode == sqlite3.ErrConstraintUnique)
}

// isFull says that the disk has no room.
func isFull(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (errnoOf(e) == syscall.ENOSPC || errnoOf(e) == syscall.EDQUOT)
}

// isBroken says that the disk failed, as opposed to being full or busy.
func isBroken(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && errnoOf(e) == syscall.EIO
}
