package fs

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Pieces are parts of a file that a client sends one by one, in any order and over any time, before it says what the file is. Nobody sees them:
// they are no files, and what they were for is known to the face alone. They survive a restart and power loss, and go when they were used, or when their
// time is over.
//
// A group is a directory below staging/pieces, a piece one file in it; its time of modification says until when it is kept. What is not whole yet
// is an ordinary staging file. So there is nothing in the database to keep in step.
const (
	piecesDir    = "pieces" // below staging
	maxPieceName = 180      // bytes: as base64 it has to fit a file name
	maxGroups    = 1024
)

// pieces is what the core knows of all groups.
type pieces struct {
	dir string

	mu     sync.Mutex
	groups map[string]*pieceGroup // by directory name; guarded by mu
}

// pieceGroup serialises what happens to one group: adding a piece is an instant, using them all may take long.
type pieceGroup struct {
	users int // guarded by pieces.mu

	mu    sync.Mutex       // before pieces.mu
	sizes map[string]int64 // by name, nil before the first look; guarded by mu
}

// PieceInfo describes one piece.
type PieceInfo struct {
	Name string
	Size int64
}

// groupName makes a directory name of whatever names a group.
func groupName(tenant, group string) string {
	sum := sha256.Sum256([]byte(tenant + "\x00" + group))
	return hex.EncodeToString(sum[:])
}

func pieceFile(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

// hold finds a group for one user, who lets it go with release.
func (p *pieces) hold(name string) *pieceGroup {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.groups[name]
	if g == nil {
		p.shrink()
		g = &pieceGroup{}
		p.groups[name] = g
	}
	g.users++
	return g
}

func (p *pieces) release(g *pieceGroup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g.users--
}

// shrink forgets groups that nobody uses when there are many. What they knew is on the disk. The caller holds mu.
func (p *pieces) shrink() {
	if len(p.groups) < maxGroups {
		return
	}
	for name, g := range p.groups {
		if g.users == 0 {
			delete(p.groups, name)
		}
	}
}

// load reads the directory once. The caller holds mu.
func (g *pieceGroup) load(dir string) error {
	if g.sizes != nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	sizes := make(map[string]int64, len(entries))
	for _, e := range entries {
		name, err := base64.RawURLEncoding.DecodeString(e.Name())
		if err != nil {
			continue // not ours
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		sizes[string(name)] = fi.Size()
	}
	g.sizes = sizes
	return nil
}

// openPieces counts what earlier runs left. The directory is there only while there are pieces.
func (f *FS) openPieces() error {
	p := &pieces{dir: f.staging.path(piecesDir), groups: map[string]*pieceGroup{}}
	f.pieces = p
	return filepath.WalkDir(p.dir, func(_ string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		fi, err := e.Info()
		if err == nil {
			f.staging.bytes.Add(fi.Size())
		}
		return err
	})
}

// NewPiece begins a piece of a group. The actor needs the right to make files.
func (f *FS) NewPiece(ctx context.Context, a *Actor, group, name string) (*PieceWriter, error) {
	t, err := f.tenant(ctx, a)
	if err == nil {
		err = f.allow(a, accessCreate)
	}
	if err == nil && (name == "" || len(name) > maxPieceName) {
		err = syscall.ENAMETOOLONG
	}
	if err != nil {
		return nil, fail("piece", "", err)
	}
	file, stage, err := f.staging.create()
	if err != nil {
		return nil, fail("piece", "", err)
	}
	return &PieceWriter{f: f, group: groupName(t.Name, group), name: name, file: file, stage: stage}, nil
}

// PieceWriter takes the bytes of one piece. Without Commit there is no trace of them. It belongs to one goroutine.
type PieceWriter struct {
	f     *FS
	group string
	name  string
	file  *os.File
	stage string
	size  int64
	held  int64
	ended bool
}

// Write takes the next bytes.
func (w *PieceWriter) Write(p []byte) (int, error) {
	if w.size+int64(len(p)) > w.held {
		step := max(reserveStep, int64(len(p)))
		if err := w.f.staging.reserve(step); err != nil {
			return 0, fail("piece", "", err)
		}
		w.held += step
	}
	n, err := w.file.Write(p)
	w.size += int64(n)
	return n, fail("piece", "", err)
}

// Commit makes the piece part of its group, in place of one of the same name; it survives power loss then and is kept until the given time. A
// group of most pieces takes no further one: E2BIG.
func (w *PieceWriter) Commit(until time.Time, most int) error {
	if w.ended {
		return &Error{Op: "piece", Errno: syscall.EBADF}
	}
	err := w.commit(until, most)
	if err != nil {
		w.Abort()
	}
	return fail("piece", "", err)
}

func (w *PieceWriter) commit(until time.Time, most int) error {
	if err := os.Chtimes(w.file.Name(), time.Time{}, until); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	g := w.f.pieces.hold(w.group)
	defer w.f.pieces.release(g)
	g.mu.Lock()
	defer g.mu.Unlock()
	dir := filepath.Join(w.f.pieces.dir, w.group)
	if err := g.load(dir); err != nil {
		return err
	}
	old, there := g.sizes[w.name]
	if !there && len(g.sizes) >= most {
		return syscall.E2BIG
	}
	if len(g.sizes) == 0 {
		if err := w.f.pieces.makeGroup(dir); err != nil {
			return err
		}
	}
	if err := os.Rename(w.file.Name(), filepath.Join(dir, pieceFile(w.name))); err != nil {
		return err
	}
	g.sizes[w.name] = w.size
	w.ended = true
	w.file.Close()
	w.f.staging.release(w.held - w.size + old)
	return syncDir(dir)
}

// Abort drops the bytes. After Commit it does nothing.
func (w *PieceWriter) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	w.file.Close()
	w.f.staging.release(w.held)
	w.f.discard(w.stage)
}

// Pieces are all pieces of a group while nobody adds another one.
type Pieces struct {
	dir   string
	group *pieceGroup
}

// All lists them in no particular order.
func (p *Pieces) All() []PieceInfo {
	var list []PieceInfo
	for name, size := range p.group.sizes {
		list = append(list, PieceInfo{name, size})
	}
	return list
}

// Size is the length of a piece; false when there is none of that name.
func (p *Pieces) Size(name string) (int64, bool) {
	n, ok := p.group.sizes[name]
	return n, ok
}

// Open opens a piece for reading.
func (p *Pieces) Open(name string) (*os.File, error) {
	file, err := os.Open(filepath.Join(p.dir, pieceFile(name)))
	return file, fail("piece", "", err)
}

// UsePieces gives all pieces of a group to use, which nobody adds to meanwhile. They are gone when it returns done.
func (f *FS) UsePieces(ctx context.Context, a *Actor, group string, use func(*Pieces) (done bool, err error)) error {
	t, err := f.tenant(ctx, a)
	if err != nil {
		return fail("pieces", "", err)
	}
	name := groupName(t.Name, group)
	g := f.pieces.hold(name)
	defer f.pieces.release(g)
	g.mu.Lock()
	defer g.mu.Unlock()
	dir := filepath.Join(f.pieces.dir, name)
	if err := g.load(dir); err != nil {
		return fail("pieces", "", err)
	}
	done, err := use(&Pieces{dir, g})
	if done {
		if derr := f.dropPieces(g, dir); derr != nil {
			f.log.Warn("pieces that were used stay until their time is over", "err", derr)
		}
	}
	return err
}

// dropPieces removes a group. The caller holds its mu.
func (f *FS) dropPieces(g *pieceGroup, dir string) error {
	if err := g.load(dir); err != nil {
		return err
	}
	sizes := g.sizes
	g.sizes = nil // whatever happens, the disk is asked again
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, n := range sizes {
		f.staging.release(n)
	}
	f.pieces.mu.Lock()
	defer f.pieces.mu.Unlock()
	os.Remove(f.pieces.dir) // refused while there are others
	return nil
}

// makeGroup makes the directory of a group, so that power loss does not take it.
func (p *pieces) makeGroup(dir string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := makeDir(p.dir); err != nil {
		return err
	}
	return makeDir(dir)
}

// expirePieces removes groups whose newest piece is over its time.
func (f *FS) expirePieces(ctx context.Context) error {
	entries, err := os.ReadDir(f.pieces.dir)
	if err != nil {
		return ignore(err, syscall.ENOENT)
	}
	var errs []error
	for _, e := range entries {
		if ctx.Err() != nil {
			break
		}
		errs = append(errs, f.expireGroup(e.Name()))
	}
	return errors.Join(errs...)
}

func (f *FS) expireGroup(name string) error {
	g := f.pieces.hold(name)
	defer f.pieces.release(g)
	if !g.mu.TryLock() {
		return nil // it is in use
	}
	defer g.mu.Unlock()
	dir := filepath.Join(f.pieces.dir, name)
	newest, err := newestIn(dir)
	if err != nil || newest.After(f.Now()) {
		return err
	}
	return f.dropPieces(g, dir)
}

// newestIn is the latest time of modification in a directory.
func newestIn(dir string) (newest time.Time, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return newest, nil
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			return newest, err
		}
		if fi.ModTime().After(newest) {
			newest = fi.ModTime()
		}
	}
	return newest, err
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
