package posix

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls that golang.org/x/sys/unix does not have, or has with checks of its own.

func setGroups(groups []uint32) syscall.Errno {
	var p unsafe.Pointer
	if len(groups) > 0 {
		p = unsafe.Pointer(&groups[0])
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(p), 0)
	return e
}

// asError makes an error of an errno, nil of none.
func asError(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// chmodAt is fchmodat2(2).
func chmodAt(fd int, path string, mode uint32, flags int) error {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	_, _, e := syscall.Syscall6(unix.SYS_FCHMODAT2, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(mode), uintptr(flags), 0, 0)
	return asError(e)
}

// accessAt is faccessat2(2).
func accessAt(fd int, path string, mode uint32, flags int) error {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	_, _, e := syscall.Syscall6(unix.SYS_FACCESSAT2, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(mode), uintptr(flags), 0, 0)
	return asError(e)
}

// utimesAt is utimensat(2), also with a nil pointer for both times.
func utimesAt(fd int, path string, times *[2]unix.Timespec, flags int) error {
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	name := unsafe.Pointer(p)
	if path == "" && flags == 0 { // futimens
		name = nil
	}
	_, _, e := syscall.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), uintptr(name), uintptr(unsafe.Pointer(times)), uintptr(flags), 0, 0)
	return asError(e)
}

// readLinkAt is readlinkat(2) into a buffer of n bytes.
func readLinkAt(fd int, path string, n int) (string, error) {
	buf := make([]byte, max(n, 1))
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return "", err
	}
	got, _, e := syscall.Syscall6(unix.SYS_READLINKAT, uintptr(fd), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&buf[0])), uintptr(n), 0, 0)
	if e != 0 {
		return "", e
	}
	return string(buf[:got]), nil
}
