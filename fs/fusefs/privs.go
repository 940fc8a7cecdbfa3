package fusefs

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// With HANDLE_KILLPRIV_V2 the kernel leaves it to us to clear the set-user-id and set-group-id bits when somebody without CAP_FSETID writes
// to or truncates a file, and when anybody changes its owner. Of writes that it passes to a backing file it sends no word at all, so
// whoever opens a file with these bits for writing writes through this process.
//
// A request for a change that names nothing to change is how the kernel says that the bits have to go: before fallocate(2), and for a chown(2) that
// keeps both ids.

const bitsToClear = syscall.S_ISUID | syscall.S_ISGID

// withoutPrivileges is mode after such a change. Set-group-id without group execution stays when a member of the file's group made it, as in
// setattr_should_drop_sgid of the kernel.
func withoutPrivileges(mode uint32, member bool) uint32 {
	mode &^= syscall.S_ISUID
	if mode&syscall.S_IXGRP != 0 || !member {
		mode &^= syscall.S_ISGID
	}
	return mode
}

// privileged tells whether mode is that of a file with a bit to clear.
func privileged(mode uint32) bool { return isRegular(mode) && mode&bitsToClear != 0 }

// member tells whether the caller belongs to a group, or is root, who may set the bit for any. The request names the caller's first group only; the
// kernel knows the others as those of a thread.
func member(h *fuse.InHeader, gid uint32) bool {
	return h.Uid == 0 || h.Gid == gid || slices.Contains(groupsOf(h.Pid), gid)
}

// groupsOf are the further groups of a thread, none when it can't be seen from here.
func groupsOf(tid uint32) (groups []uint32) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		list, ok := strings.CutPrefix(lines.Text(), "Groups:")
		if !ok {
			continue
		}
		for _, g := range strings.Fields(list) {
			if n, err := strconv.ParseUint(g, 10, 32); err == nil {
				groups = append(groups, uint32(n))
			}
		}
		return groups
	}
	return nil
}

// dropPrivileges adds to a change of attributes that the bits go.
func (m *mount) dropPrivileges(ctx context.Context, h *fuse.InHeader, ino fs.Ino, s *fs.SetAttr) error {
	attr, err := m.fs.GetAttr(ctx, m.actor(h), ino)
	if err != nil || attr.Mode&syscall.S_IFMT == syscall.S_IFDIR { // there the bits mean something else
		return err
	}
	mode := attr.Mode & permBits
	if s.Mode != nil {
		mode = *s.Mode
	}
	clean := mode
	if mode&bitsToClear != 0 {
		clean = withoutPrivileges(mode, mode&syscall.S_ISGID == 0 || member(h, attr.GID))
	}
	if s.Mode != nil || clean != mode {
		s.Mode = &clean
	}
	return nil
}

// killPrivileges clears the bits after a write and makes the kernel ask for the mode again.
func (m *mount) killPrivileges(ctx context.Context, h *fuse.InHeader, node uint64) {
	ino := m.nodes.ino(node)
	var s fs.SetAttr
	err := m.dropPrivileges(ctx, h, ino, &s)
	if err == nil && s.Mode == nil {
		return
	}
	if err == nil {
		_, err = m.fs.SetAttr(ctx, m.actor(h), ino, s, nil)
	}
	if err != nil {
		m.log.Error("set-user-id bits of a written file could not be cleared", "ino", ino, "err", err)
		return
	}
	m.io.setPrivileged(node, privileged(syscall.S_IFREG|*s.Mode))
	m.inval.attributes(node)
}
