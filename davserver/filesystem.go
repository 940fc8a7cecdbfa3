package davserver

import (
	"context"
	"encoding/xml"
	"io"
	iofs "io/fs"
	"os"
	"syscall"

	"golang.org/x/net/webdav"

	"tote/fs"
)

// fileSystem is webdav.FileSystem for one request. OpenFile touches the store only when something reads, because the library opens
// whatever it wants to know the properties of.
type fileSystem struct {
	q *request
	c *corrector
}

var (
	_ webdav.FileSystem      = (*fileSystem)(nil)
	_ webdav.File            = (*file)(nil)
	_ webdav.DeadPropsHolder = (*file)(nil)
	_ io.ReaderFrom          = (*file)(nil)
	_ webdav.ETager          = fileInfo{}
	_ webdav.ContentTyper    = fileInfo{}
)

// Mkdir makes a collection below an existing one.
func (s *fileSystem) Mkdir(ctx context.Context, name string, _ os.FileMode) error {
	_, err := s.q.h.fsys.MkdirPath(ctx, s.q.actor, name, s.q.conds.cond())
	return s.c.keep(err)
}

// RemoveAll removes a tree.
func (s *fileSystem) RemoveAll(ctx context.Context, name string) error {
	return s.c.keep(s.q.h.fsys.RemoveAll(ctx, s.q.actor, name, nil))
}

// Rename moves without replacing, as the library has removed the target already.
func (s *fileSystem) Rename(ctx context.Context, oldName, newName string) error {
	_, err := s.q.h.fsys.Move(ctx, s.q.actor, oldName, newName, false, nil)
	return s.c.keep(err)
}

// Stat follows symlinks.
func (s *fileSystem) Stat(ctx context.Context, name string) (os.FileInfo, error) {
	info, err := s.q.stat(name)
	if err != nil {
		return nil, s.c.keep(err)
	}
	return fileInfo{FileInfo: info, info: info}, nil
}

// OpenFile opens for reading, or with O_TRUNC for replacing the whole content.
func (s *fileSystem) OpenFile(ctx context.Context, name string, flag int, _ os.FileMode) (webdav.File, error) {
	f := &file{s: s, ctx: ctx, path: name}
	if flag&os.O_TRUNC != 0 {
		w, err := s.q.h.fsys.NewWriter(ctx, s.q.actor, fs.Target{Path: name})
		f.w = w
		return f, s.c.keep(err)
	}
	info, err := s.q.stat(name)
	if err != nil {
		return nil, s.c.keep(err)
	}
	f.info = info
	return f, nil
}

// file is webdav.File. A writing one is committed by Stat or Close, whichever is first, unless a read of the body failed before: the
// library calls both even then.
type file struct {
	s    *fileSystem
	ctx  context.Context
	path string
	info fs.Info
	w    *fs.Writer // nil for reading
	rd   *fs.Reader // opened by the first read
	off  int64
	next uint64 // cursor of Readdir
	done bool   // committed, or failed
	err  error  // of the write
}

// Stat describes the file; for a writing one what it has become.
func (f *file) Stat() (os.FileInfo, error) {
	if err := f.commit(); err != nil {
		return nil, err
	}
	return fileInfo{FileInfo: f.info, info: f.info}, nil
}

// commit publishes what was written, once.
func (f *file) commit() error {
	if f.w == nil || f.done {
		return f.err
	}
	f.done = true
	info, _, err := f.w.Commit(f.ctx, fs.CommitOptions{ExpectSize: -1})
	f.info, f.err = info, f.s.c.keep(err)
	return f.err
}

// Close commits, or aborts after a failure.
func (f *file) Close() error {
	if f.rd != nil {
		return f.s.c.keep(f.rd.Close())
	}
	if f.w == nil {
		return nil
	}
	err := f.commit()
	f.w.Abort()
	return err
}

// ReadFrom takes the body. A body that fails spoils the file: nothing of it will be committed.
func (f *file) ReadFrom(r io.Reader) (int64, error) {
	if f.w == nil {
		return 0, syscall.EBADF
	}
	n, err := f.w.ReadFrom(r)
	if err != nil {
		f.done, f.err = true, err
	}
	return n, err
}

// Write appends.
func (f *file) Write(p []byte) (int, error) {
	if f.w == nil {
		return 0, syscall.EBADF
	}
	n, err := f.w.Write(p)
	if err != nil {
		f.done, f.err = true, f.s.c.keep(err)
	}
	return n, err
}

// Read opens the content at the first call.
func (f *file) Read(p []byte) (int, error) {
	if f.rd == nil {
		rd, err := f.s.q.h.fsys.OpenReader(f.ctx, f.s.q.actor, f.path)
		if err != nil {
			return 0, f.s.c.keep(err)
		}
		f.rd = rd
	}
	n, err := f.rd.ReadAt(p, f.off)
	f.off += int64(n)
	return n, err
}

// Seek moves the offset of the next Read.
func (f *file) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += f.off
	case io.SeekEnd:
		off += f.info.Size()
	}
	if off < 0 {
		return 0, syscall.EINVAL
	}
	f.off = off
	return off, nil
}

// Readdir lists count entries, or with count <= 0 all of them.
func (f *file) Readdir(count int) ([]iofs.FileInfo, error) {
	var all []iofs.FileInfo
	for {
		limit := listSize
		if count > 0 {
			limit = min(limit, count-len(all))
		}
		infos, next, err := f.s.q.h.fsys.List(f.ctx, f.s.q.actor, f.path, f.next, limit)
		if err != nil {
			return all, f.s.c.keep(err)
		}
		for _, i := range infos {
			all = append(all, fileInfo{FileInfo: i, info: i})
		}
		f.next = next
		if next == 0 || count > 0 && len(all) == count {
			break
		}
	}
	if count > 0 && len(all) == 0 {
		return nil, io.EOF
	}
	return all, nil
}

// DeadProps reads the properties that clients have set.
func (f *file) DeadProps() (map[xml.Name]webdav.Property, error) {
	props, err := f.s.q.h.fsys.Props(f.ctx, f.s.q.actor, f.info.Ino())
	if err != nil {
		return nil, f.s.c.keep(err)
	}
	dead := make(map[xml.Name]webdav.Property, len(props))
	for _, p := range props {
		if n, inner, ok := fromProperty(p); ok && !ownSpace(n.Space) {
			dead[n] = webdav.Property{XMLName: n, InnerXML: []byte(inner)}
		}
	}
	return dead, nil
}

// Patch changes them, all or none. The library copies properties to a file that it is still writing, which must exist for that.
func (f *file) Patch(patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	if err := f.commit(); err != nil {
		return nil, err
	}
	stats, err := f.s.q.patch(&f.info, patches)
	return stats, f.s.c.keep(err)
}

// fileInfo adds what keeps the library from reading content to find out.
type fileInfo struct {
	iofs.FileInfo
	info fs.Info
}

// ETag implements webdav.ETager.
func (i fileInfo) ETag(context.Context) (string, error) { return i.info.ETag(), nil }

// ContentType implements webdav.ContentTyper.
func (i fileInfo) ContentType(context.Context) (string, error) { return i.info.ContentType(), nil }
