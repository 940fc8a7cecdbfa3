package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Exit codes. Scripts rely on them: docs/operations.md has the same table.
const (
	exitOK      = 0
	exitFailed  = 1 // anything that has no code of its own
	exitUsage   = 2 // a flag, argument or setting is wrong; nothing was created or changed
	exitInUse   = 3 // another process has the data directory
	exitMount   = 4 // the mount point can't be used, or mounting failed
	exitListen  = 5 // the address can't be listened on
	exitDamaged = 6 // fsck found problems
	exitBusy    = 7 // the mount is still in use
	exitWaiting = 8 // uploads are still waiting
)

// exitError is an error that chose its exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// failf is fmt.Errorf with an exit code.
func failf(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

// usagef is an error of whoever wrote the command line.
func usagef(format string, args ...any) error { return failf(exitUsage, format, args...) }

// withCode gives err a code unless it has one; nil stays nil.
func withCode(code int, err error) error {
	var e *exitError
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &exitError{code, err}
}

// exitCode prints err as one line and returns its code. What urfave/cli finds wrong by itself has no code: it is usage.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "tote: %s\n", oneLine(err.Error()))
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitUsage
}

// cause strips the operation and path from an error of package os, for messages that name the path themselves.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var s *os.SyscallError
	if errors.As(err, &s) {
		return s.Err
	}
	return err
}
