package fusefs

import (
	"context"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"

	"tote/fs"
)

// openDir is one opendir(3). It keeps no entries: what READDIRPLUS answers goes into the kernel's cache for a long time, so it has to be
// read while the kernel holds the directory locked for this request.
type openDir struct {
	ino     fs.Ino
	first   atomic.Pointer[fs.Attr] // from the open, for the start of the first listing
	release func()
}

// Positions in a directory, which programs see as telldir(3): 0 is the start, 1 is behind ".", 2 behind "..", and above that it is the
// core's cursor of the entry behind which it is. Cursors are 63-bit hashes.
const (
	behindDot    = 1
	behindDotDot = 2
)

// position is where the stream goes on behind an entry with the given cursor.
func position(cursor uint64) uint64 { return max(cursor, behindDotDot+1) }

// cursorAt is the reverse of position.
func cursorAt(pos uint64) uint64 {
	if pos <= behindDotDot {
		return 0
	}
	return pos
}

// OpenDir opens a directory.
func (m *mount) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	ino := m.nodes.ino(in.NodeId)
	d := &openDir{ino: ino, release: m.fs.HoldDir(ino)}
	a, err := m.fs.GetAttr(m.base, m.actor(&in.InHeader), ino)
	if err != nil {
		d.release()
		return m.nodeStatus("opendir", &in.InHeader, err)
	}
	d.first.Store(&a)
	out.Fh = m.dirs.put(d)
	return fuse.OK
}

// ReleaseDir is closedir(3).
func (m *mount) ReleaseDir(in *fuse.ReleaseIn) {
	if d := m.dirs.take(in.Fh); d != nil {
		d.release()
	}
}

// FsyncDir makes the names in a directory durable.
func (m *mount) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	ctx, cancel := m.transfer()
	defer cancel()
	err := m.fs.SyncDir(ctx, m.actor(&in.InHeader), m.nodes.ino(in.NodeId))
	return m.nodeStatus("fsyncdir", &in.InHeader, err)
}

// ReadDir lists names.
func (m *mount) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return m.list(in, m.fs.ReadNames, direntBytes, func(e fuse.DirEntry, _ *fs.Attr) bool { return out.AddDirEntry(e) })
}

// ReadDirPlus lists names with attributes.
func (m *mount) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	since := m.now()
	actor := m.actor(&in.InHeader)
	return m.list(in, m.fs.ReadDir, direntPlusBytes, func(e fuse.DirEntry, a *fs.Attr) bool {
		eo := out.AddDirLookupEntry(e)
		if eo == nil {
			return false
		}
		if a != nil { // "." and ".." are not looked up: NodeId 0
			m.entry(actor, a, since, eo)
		}
		return true
	})
}

// What an entry with a name of usual length takes in a reply.
const (
	direntBytes     = 24 + 16
	direntPlusBytes = direntBytes + 128
	listMax         = 4096 // entries asked of the core at once
)

// reader lists entries behind a cursor, with what the reply needs of them.
type reader func(ctx context.Context, a *fs.Actor, dir fs.Ino, after uint64, limit int) ([]fs.Dirent, error)

// adder puts an entry into the reply and tells whether it fitted.
type adder func(e fuse.DirEntry, a *fs.Attr) bool

// list fills a reply with the entries behind the position asked for. It asks the core for about as many as fit.
func (m *mount) list(in *fuse.ReadIn, read reader, entryBytes int, add adder) fuse.Status {
	d := m.dirs.get(in.Fh)
	if d == nil {
		return fuse.EBADF
	}
	actor := m.actor(&in.InHeader)
	ok, err := m.listDots(actor, d, in.Offset, add)
	if err != nil {
		return m.status("readdir", d.ino, err)
	}
	after := cursorAt(in.Offset)
	limit := min(int(in.Size)/entryBytes+1, listMax)
	for ok {
		page, err := read(m.base, actor, d.ino, after, limit)
		if err != nil {
			return m.status("readdir", d.ino, err)
		}
		for i := range page {
			e := &page[i]
			if !add(fuse.DirEntry{Name: e.Name, Ino: uint64(e.Attr.Ino), Mode: e.Attr.Mode, Off: position(e.Cursor)}, &e.Attr) {
				return fuse.OK
			}
			after = e.Cursor
		}
		ok = len(page) == limit // else the next request will say whether there is more
	}
	return fuse.OK
}

// listDots adds "." and ".." where the position asks for them; ok tells whether there is room for more.
func (m *mount) listDots(a *fs.Actor, d *openDir, pos uint64, add adder) (ok bool, err error) {
	if pos >= behindDotDot {
		return true, nil
	}
	attr := d.first.Swap(nil)
	if attr == nil {
		again, err := m.fs.GetAttr(m.base, a, d.ino)
		if err != nil {
			return false, err
		}
		attr = &again
	}
	if pos < behindDot && !add(fuse.DirEntry{Name: ".", Ino: uint64(d.ino), Mode: attr.Mode, Off: behindDot}, nil) {
		return false, nil
	}
	parent := attr.Parent
	if parent == 0 { // the root, or a directory that was removed while open
		parent = d.ino
	}
	return add(fuse.DirEntry{Name: "..", Ino: uint64(parent), Mode: attr.Mode, Off: behindDotDot}, nil), nil
}
