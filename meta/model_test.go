package meta

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// modelNode is a file or a directory of the model: what the database should hold, without any of its means.
type modelNode struct {
	ino      Ino
	children map[string]*modelNode // nil for a file
	links    int
	size     int64
}

func (n *modelNode) dir() bool { return n.children != nil }

// model is a tree that follows the operations of the database.
type model struct {
	t    *testing.T
	db   *DB
	rand *rand.Rand
	root *modelNode
	next int
}

// dirs returns all directories, the root first.
func (m *model) dirs() []*modelNode {
	all := []*modelNode{m.root}
	for i := 0; i < len(all); i++ {
		for _, name := range slices.Sorted(maps.Keys(all[i].children)) {
			if c := all[i].children[name]; c.dir() {
				all = append(all, c)
			}
		}
	}
	return all
}

func (m *model) pickDir() *modelNode {
	all := m.dirs()
	return all[m.rand.IntN(len(all))]
}

// pickName returns one of few names, so that they meet often.
func (m *model) pickName() string { return "n" + strconv.Itoa(m.rand.IntN(6)) }

func (n *modelNode) holds(other *modelNode) bool {
	if n == other {
		return true
	}
	for _, c := range n.children {
		if c.dir() && c.holds(other) {
			return true
		}
	}
	return false
}

// drop takes one name of a node away, with all below a directory.
func drop(n *modelNode) {
	n.links--
	for _, c := range n.children {
		drop(c)
	}
}

func (m *model) create() (string, error, error) {
	dir, name := m.pickDir(), m.pickName()
	isDir := m.rand.IntN(3) == 0
	var want error
	if dir.children[name] != nil {
		want = syscall.EEXIST
	}
	mode := uint32(syscall.S_IFREG)
	if isDir {
		mode = syscall.S_IFDIR
	}
	got, err := m.db.Create(m.t.Context(), CreateArgs{Parent: dir.ino, Name: name, Mode: mode | 0o755}, Relaxed)
	if err == nil {
		n := &modelNode{ino: got.Ino, links: 1}
		if isDir {
			n.children = map[string]*modelNode{}
		}
		dir.children[name] = n
	}
	return fmt.Sprintf("create %d/%s", dir.ino, name), err, want
}

func (m *model) commit() (string, error, error) {
	dir, name := m.pickDir(), m.pickName()
	old := dir.children[name]
	var want error
	if old != nil && old.dir() {
		want = syscall.EISDIR
	}
	m.next++
	key := "key" + strconv.Itoa(m.next)
	size := m.rand.Int64N(1000)
	got, err := m.db.Commit(m.t.Context(), CommitArgs{
		Parent: dir.ino, Name: name, GUID: key, Key: key, Size: size, State: StateStored,
		Props: []Property{{"", "user", strconv.Itoa(m.rand.IntN(3))}},
	}, Relaxed)
	if err == nil && old == nil {
		dir.children[name] = &modelNode{ino: got.Attr.Ino, links: 1, size: size}
	} else if err == nil {
		old.size = size
	}
	return fmt.Sprintf("commit %d/%s", dir.ino, name), err, want
}

func (m *model) link() (string, error, error) {
	from, to, name, newName := m.pickDir(), m.pickDir(), m.pickName(), m.pickName()
	n := from.children[name]
	if n == nil {
		return "", nil, nil
	}
	var want error
	if n.dir() {
		want = syscall.EPERM
	} else if to.children[newName] != nil {
		want = syscall.EEXIST
	}
	_, err := m.db.Link(m.t.Context(), LinkArgs{Ino: n.ino, Parent: to.ino, Name: newName}, Relaxed)
	if err == nil {
		n.links++
		to.children[newName] = n
	}
	return fmt.Sprintf("link %d to %d/%s", n.ino, to.ino, newName), err, want
}

func (m *model) remove() (string, error, error) {
	dir, name, how := m.pickDir(), m.pickName(), m.rand.IntN(5)
	n := dir.children[name]
	var want, err error
	switch {
	case n == nil:
		want = syscall.ENOENT
	case how < 2 && n.dir():
		want = syscall.EISDIR
	case how < 4 && how >= 2 && !n.dir():
		want = syscall.ENOTDIR
	case how < 4 && n.dir() && len(n.children) > 0:
		want = syscall.ENOTEMPTY
	}
	args := UnlinkArgs{Parent: dir.ino, Name: name}
	switch how {
	case 0, 1:
		_, err = m.db.Unlink(m.t.Context(), args, Relaxed)
	case 2, 3:
		_, err = m.db.Rmdir(m.t.Context(), args, Relaxed)
	default:
		_, err = m.db.RemoveTree(m.t.Context(), RemoveTreeArgs{Parent: dir.ino, Name: name}, Relaxed)
	}
	if err == nil {
		drop(n)
		delete(dir.children, name)
	}
	return fmt.Sprintf("remove (%d) %d/%s", how, dir.ino, name), err, want
}

func (m *model) rename() (string, error, error) {
	from, to, old, name := m.pickDir(), m.pickDir(), m.pickName(), m.pickName()
	flags := []RenameFlags{0, 0, RenameNoReplace, RenameExchange, RenameTree}[m.rand.IntN(5)]
	src, dst := from.children[old], to.children[name]
	want := wantRename(from, to, src, dst, flags)
	_, err := m.db.Rename(m.t.Context(), RenameArgs{
		OldParent: from.ino, OldName: old, NewParent: to.ino, NewName: name, Flags: flags,
	}, Relaxed)
	what := fmt.Sprintf("rename (%d) %d/%s to %d/%s", flags, from.ino, old, to.ino, name)
	switch {
	case err != nil || from == to && old == name:
	case src == dst && flags != RenameTree:
	case flags == RenameExchange:
		from.children[old], to.children[name] = dst, src
	default:
		if dst != nil {
			drop(dst)
		}
		delete(from.children, old)
		to.children[name] = src
	}
	return what, err, want
}

func wantRename(from, to, src, dst *modelNode, flags RenameFlags) error {
	switch {
	case src == nil:
		return syscall.ENOENT
	case dst != nil && flags == RenameNoReplace:
		return syscall.EEXIST
	case dst == nil && flags == RenameExchange:
		return syscall.ENOENT
	case src == dst:
		return nil
	case src.dir() && src.holds(to):
		return syscall.EINVAL
	case dst == nil:
		return nil
	case flags != 0 && dst.dir() && dst.holds(from):
		return syscall.EINVAL
	case flags != 0:
		return nil
	case src.dir() && !dst.dir():
		return syscall.ENOTDIR
	case !src.dir() && dst.dir():
		return syscall.EISDIR
	case dst.dir() && len(dst.children) > 0:
		return syscall.ENOTEMPTY
	}
	return nil
}

// compare reads the whole tree back.
func (m *model) compare() {
	m.t.Helper()
	usage := Usage{Files: -1} // the root has no name
	seen := map[Ino]bool{}
	for _, dir := range m.dirs() {
		usage.Files++
		wantEqual(m.t, fmt.Sprint("names of ", dir.ino), names(m.t, m.db, dir.ino), slices.Sorted(maps.Keys(dir.children)))
		for name, c := range dir.children {
			n := lookup(m.t, m.db, dir.ino, name)
			if n.Ino != c.ino || n.IsDir() != c.dir() {
				m.t.Errorf("%d/%s is %+v, want node %d", dir.ino, name, n, c.ino)
			}
			if c.dir() || seen[c.ino] {
				continue
			}
			seen[c.ino] = true
			usage = Usage{usage.Files + 1, usage.Bytes + c.size}
			if links, err := m.db.Names(m.t.Context(), c.ino); err != nil || len(links) != c.links || int(n.Nlink) != c.links {
				m.t.Errorf("node %d has %d links and the names %v, %v, want %d", c.ino, n.Nlink, links, err, c.links)
			}
		}
	}
	wantUsage(m.t, m.db, usage)
	wantSound(m.t, m.db)
}

// TestModel runs random operations against the database and a model of it.
func TestModel(t *testing.T) {
	steps := 1500
	for seed := range uint64(4) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{InoBlock: 7, NoSync: true})
			m := &model{
				t: t, db: db, rand: rand.New(rand.NewPCG(seed, 1)),
				root: &modelNode{ino: RootIno, children: map[string]*modelNode{}, links: 1},
			}
			ops := []func() (string, error, error){m.create, m.create, m.commit, m.commit, m.link, m.rename, m.rename, m.remove}
			for i := range steps {
				what, err, want := ops[m.rand.IntN(len(ops))]()
				if err != want {
					t.Fatalf("step %d: %s: %v, want %v", i, what, err, want)
				}
				if i%50 == 49 {
					m.compare()
				}
				if t.Failed() {
					t.Fatalf("after step %d: %s", i, what)
				}
			}
		})
	}
}

// TestConcurrent writes and reads from many goroutines.
func TestConcurrent(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "tote.db"), Options{
		ReadConns: 3, wal: walLimits{copy: 1 << 18, restart: 1 << 20}, syncWAL: func(*os.File) error { return nil },
	})
	dir := mkdir(t, db, RootIno, "dir")
	ctx, stop := context.WithCancel(t.Context())
	var writers, readers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 150 {
				churn(t, db, dir, fmt.Sprintf("w%d-%d", w, i), Durability(i%2))
			}
		})
	}
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				observe(t, db, dir)
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
	if got, want := len(names(t, db, dir)), 4*150; got != want {
		t.Errorf("%d names, want %d", got, want)
	}
	wantSound(t, db)
}

// churn makes a file in some steps and leaves one name.
func churn(t *testing.T, db *DB, dir Ino, name string, d Durability) {
	c, err := db.Commit(t.Context(), CommitArgs{Parent: dir, Name: name + "~", Key: name, Size: 1, State: StateStored}, d)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := db.Link(t.Context(), LinkArgs{Ino: c.Attr.Ino, Parent: dir, Name: name + ".link"}, Relaxed); err != nil {
		t.Error(err)
	}
	if _, err := db.Rename(t.Context(), RenameArgs{OldParent: dir, OldName: name + "~", NewParent: dir, NewName: name}, d); err != nil {
		t.Error(err)
	}
	if _, err := db.Unlink(t.Context(), UnlinkArgs{Parent: dir, Name: name + ".link"}, d); err != nil {
		t.Error(err)
	}
}

// observe lists a directory and asks for what it saw, which may be gone by then.
func observe(t *testing.T, db *DB, dir Ino) {
	page, err := db.ReadDir(t.Context(), dir, 0, 50)
	if err != nil {
		t.Error(err)
	}
	for _, e := range page {
		n, err := db.Lookup(t.Context(), dir, e.Name)
		if err != nil && err != syscall.ENOENT {
			t.Error(err)
		}
		if err == nil && (n.Nlink == 0 || n.Nlink > 2 || n.Version == 0) {
			t.Errorf("half a commit was visible: %+v", n)
		}
		if _, err := db.Path(t.Context(), e.Attr.Ino); err != nil && err != syscall.ENOENT {
			t.Error(err)
		}
	}
	if _, err := db.Usage(t.Context(), 1); err != nil {
		t.Error(err)
	}
}
