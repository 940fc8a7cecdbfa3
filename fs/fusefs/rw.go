package fusefs

import (
	"errors"
	"io"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Read copies bytes of a file that the kernel does not read itself. The core could name a local file to splice from (fs.Handle.ReadFile),
// but a commit through another handle may close that file before go-fuse gets to it, and splicing was not measured to be faster.
func (m *mount) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	of := m.files.get(in.Fh)
	if of == nil {
		return nil, fuse.EBADF
	}
	ctx, cancel := m.transfer()
	defer cancel()
	n, err := of.h.ReadAt(ctx, buf[:min(len(buf), int(in.Size))], int64(in.Offset))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, m.status("read", of.ino, err)
	}
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// Write stores bytes of a file that the kernel does not write itself.
func (m *mount) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	of := m.files.get(in.Fh)
	if of == nil {
		return 0, fuse.EBADF
	}
	ctx, cancel := m.transfer()
	defer cancel()
	of.dirty.Store(true)
	n, err := of.h.WriteAt(ctx, data, int64(in.Offset))
	if err != nil && n == 0 {
		return 0, m.status("write", of.ino, err)
	}
	if in.WriteFlags&fuse.WRITE_KILL_SUIDGID != 0 && m.io.privileged(of.node) {
		m.killPrivileges(ctx, &in.InHeader, of.node)
	}
	return uint32(n), fuse.OK
}

// Fallocate reserves, zeroes or frees a range.
func (m *mount) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	of := m.files.get(in.Fh)
	if of == nil {
		return fuse.EBADF
	}
	if !of.writable {
		return fuse.EBADF
	}
	ctx, cancel := m.transfer()
	defer cancel()
	of.dirty.Store(true)
	err := of.h.Allocate(ctx, in.Mode, int64(in.Offset), int64(in.Length))
	return m.status("fallocate", of.ino, err)
}

// Lseek finds data and holes; the kernel does the other kinds of seeking.
func (m *mount) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	of := m.files.get(in.Fh)
	if of == nil {
		return fuse.EBADF
	}
	ctx, cancel := m.transfer()
	defer cancel()
	off, err := of.h.Seek(ctx, int64(in.Offset), int(in.Whence))
	if err != nil {
		return m.status("lseek", of.ino, err)
	}
	out.Offset = uint64(off)
	return fuse.OK
}
