package restapi

import (
	"context"
	"path"
	"strings"
	"sync"
	"syscall"

	"tote/fs"
)

// places makes directories for uploads and takes them away again when no upload came to use them.
type places struct {
	mu   sync.Mutex
	open map[place]*placeUse // guarded by mu
}

type place struct{ tenant, dir string }

type placeUse struct {
	uploads int  // under way to this directory or below it
	made    bool // by one of them
}

// ensureDir makes a directory and what is missing above it. The caller calls done when its upload has ended, well or not: directories that
// were made for uploads and hold nothing after the last of them disappear.
func (s *server) ensureDir(ctx context.Context, a *fs.Actor, dir string) (done func(), err error) {
	uses := s.places.enter(a.Tenant, dir)
	done = func() { s.leaveDirs(ctx, a.Tenant, uses) }
	missing := 0
	for _, d := range uses {
		info, err := s.fs.Stat(ctx, readAs(a), d)
		if err == nil && !info.IsDir() {
			err = &fs.Error{Op: "mkdir", Path: d, Errno: syscall.ENOTDIR}
		}
		if err == nil {
			break
		}
		if fs.Errno(err) != syscall.ENOENT {
			done()
			return nil, err
		}
		missing++
	}
	if missing == 0 {
		return done, nil
	}
	s.places.mark(a.Tenant, uses[:missing])
	if _, err := s.fs.MkdirAll(ctx, a, dir); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// enter counts an upload in for dir and every directory above it, and lists them, deepest first.
func (p *places) enter(tenant, dir string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = map[place]*placeUse{}
	}
	var dirs []string
	for d := dir; d != "/"; d = path.Dir(d) {
		dirs = append(dirs, d)
		u := p.open[place{tenant, d}]
		if u == nil {
			u = &placeUse{}
			p.open[place{tenant, d}] = u
		}
		u.uploads++
	}
	return dirs
}

func (p *places) mark(tenant string, dirs []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range dirs {
		p.open[place{tenant, d}].made = true
	}
}

// leaveDirs counts an upload out. The lock is held while directories are removed, so that no other upload finds one that is about to go.
func (s *server) leaveDirs(ctx context.Context, tenant string, dirs []string) {
	ctx = context.WithoutCancel(ctx)
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	for _, d := range dirs {
		at := place{tenant, d}
		u := s.places.open[at]
		if u.uploads--; u.uploads > 0 {
			continue
		}
		delete(s.places.open, at)
		if u.made && d != inventoryDir && d != assetsDir && d != eventsDir {
			s.removeEmpty(ctx, tenant, d)
		}
	}
}

// removeEmpty removes a directory; one that is in use refuses, which is all right.
func (s *server) removeEmpty(ctx context.Context, tenant, dir string) {
	sys := fs.System(tenant, "rest")
	if parent, err := s.fs.Stat(ctx, sys, path.Dir(dir)); err == nil {
		_ = s.fs.Rmdir(ctx, sys, parent.Ino(), path.Base(dir))
	}
}

// splitExt cuts a name before its extension; a leading dot begins no extension.
func splitExt(name string) (stem, ext string) {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[:i], name[i:]
	}
	return name, ""
}
