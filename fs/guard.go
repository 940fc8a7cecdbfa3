package fs

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"syscall"
)

// Guard runs fn and makes a panic in it an EIO, which is logged with its stack. It is for goroutines of the server's own, whose panic would end the
// process, and for work that others wait for and that has to be put in order when it fails. What is not guarded may end the process: nothing that
// was acknowledged is lost by that.
func Guard(log *slog.Logger, what string, fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("panic", "in", what, "value", v, "stack", string(debug.Stack()))
			err = &Error{Op: what, Errno: syscall.EIO, Err: fmt.Errorf("panic: %v", v)}
		}
	}()
	return fn()
}

// guard is Guard with the core's log.
func (f *FS) guard(what string, fn func() error) error { return Guard(f.log, what, fn) }
