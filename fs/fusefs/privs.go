package fusefs

import (
	"context"
	"syscall"

	"tote/fs"
)

// With HANDLE_KILLPRIV_V2 the kernel leaves it to us to clear the set-user-id and set-group-id bits when somebody without CAP_FSETID writes
// to or truncates a file, and when anybody changes its owner. Of writes that it passes to a backing file it sends no word at all, so
// whoever opens a file with these bits for writing writes through this process.

// withoutPrivileges is mode after such a change. Set-group-id without group execution means something else (mandatory locking) and stays,
// as on every Linux file system.
func withoutPrivileges(mode uint32) uint32 {
	mode &^= syscall.S_ISUID
	if mode&syscall.S_IXGRP != 0 {
		mode &^= syscall.S_ISGID
	}
	return mode
}

// privileged tells whether mode is that of a file with a bit to clear.
func privileged(mode uint32) bool { return isRegular(mode) && withoutPrivileges(mode) != mode }

// dropPrivileges adds to a change of attributes that the bits go.
func (m *mount) dropPrivileges(ctx context.Context, a *fs.Actor, ino fs.Ino, s *fs.SetAttr) error {
	attr, err := m.fs.GetAttr(ctx, a, ino)
	if err != nil || !isRegular(attr.Mode) {
		return err
	}
	mode := attr.Mode & permBits
	if s.Mode != nil {
		mode = *s.Mode
	}
	if clean := withoutPrivileges(mode); s.Mode != nil || clean != mode {
		s.Mode = &clean
	}
	return nil
}

// killPrivileges clears the bits after a write and makes the kernel ask for the mode again.
func (m *mount) killPrivileges(ctx context.Context, a *fs.Actor, node uint64) {
	ino := m.nodes.ino(node)
	var s fs.SetAttr
	err := m.dropPrivileges(ctx, a, ino, &s)
	if err == nil && s.Mode != nil {
		_, err = m.fs.SetAttr(ctx, a, ino, s, nil)
	}
	if err != nil {
		m.log.Error("set-user-id bits of a written file could not be cleared", "ino", ino, "err", err)
		return
	}
	m.io.setPrivileged(node, false)
	m.inval.attributes(node)
}
