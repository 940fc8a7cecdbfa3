package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tote/integration/bench/fsop"
	"tote/integration/bench/metafill"
)

// Keys of the measures of growth.
const (
	keyGrowCreate  = "create"
	keyGrowLookup  = "lookup"
	keyGrowStat    = "stat"
	keyGrowRename  = "rename"
	keyGrowUnlink  = "unlink"
	keyGrowList    = "list"
	keyGrowDAVList = "dav-list"
	keyGrowDisk    = "lookup-disk"
	keyGrowWide    = "wide"
	keyGrowWideCPU = "wide-cpu"
)

// growthBar is how much more time or memory something may take in the largest tree than in the smallest.
const growthBar = 1.5

func growthMeasures(c config, smallest string) []measure {
	n := c.sizes()
	bounded := atMost(growthBar, smallest)
	return []measure{
		{keyGrowCreate, "mount: create an empty file", "µs", bounded},
		{keyGrowLookup, "mount: look a name up", "µs", bounded},
		{keyGrowStat, "mount: stat", "µs", bounded},
		{keyGrowRename, "mount: rename", "µs", bounded},
		{keyGrowUnlink, "mount: unlink", "µs", bounded},
		{keyGrowList, fmt.Sprintf("mount: list %d names", metafill.DirFiles), "µs", bounded},
		{keyGrowDAVList, fmt.Sprintf("dav: PROPFIND of %d", metafill.DirFiles), "µs", bounded},
		{keyGrowDisk, "mount: look a name up, database not in memory", "µs", bar{}},
		{keyGrowWide, fmt.Sprintf("mount: list %d names of one directory", n.wide), "s", atMost(5, "")},
		{keyGrowWideCPU, "server: processor time of that", "s", bar{}},
		{keyPeak, "server: peak resident memory", "MiB", bounded},
	}
}

func growthSteps(targets []string) []step {
	return []step{
		{name: "grown", on: targets[len(targets)-1:], run: grown}, // goes to all of them itself
		{name: "wide", on: targets[len(targets)-1:], run: listWide},
		{name: "disk", on: targets, run: fromDisk},
	}
}

// Where operations go: random files in so many random directories, so that hardly any two share a page of the database in a large tree.
const (
	spreadDirs = 200
	listDirs   = 10
	diskFiles  = 50
)

// spreadOver are the places of one run.
type spreadOver struct {
	paths  []string // of directories
	places []fsop.Place
}

// choose takes n different files of a tree. No two rounds with one seed take the same: those that are removed and made again lose their content,
// and would be less work the next time.
func choose(files, n, round int, seed uint64) spreadOver {
	r := rand.New(rand.NewPCG(seed, uint64(round)))
	names := rand.New(rand.NewPCG(seed, 0)).Perm(metafill.DirFiles)
	dirs := files / metafill.DirFiles
	var s spreadOver
	for _, d := range r.Perm(dirs)[:min(dirs, spreadDirs)] {
		s.paths = append(s.paths, metafill.Dir(d))
	}
	each := (n + len(s.paths) - 1) / len(s.paths)
	for i := range n {
		name := names[(round*each+i/len(s.paths))%len(names)]
		s.places = append(s.places, fsop.Place{Dir: i % len(s.paths), Name: metafill.Name(name)})
	}
	return s
}

// elsewhere are as many names that nobody has, each in the directory after that of its file.
func (s spreadOver) elsewhere() []fsop.Place {
	moved := make([]fsop.Place, len(s.places))
	for i, p := range s.places {
		moved[i] = fsop.Place{Dir: (p.Dir + 1) % len(s.paths), Name: fmt.Sprintf("moved-%06d", i)}
	}
	return moved
}

// tree is an open part of a target's tree.
type tree struct {
	*target
	spreadOver
	moved []fsop.Place
	dirs  *fsop.Dirs
}

// grown does everything to files of all trees, and leaves as many as there were. The trees take turns after a few operations, because how fast the
// machine is changes from one second to the next.
func grown(ctx context.Context, b *bench, _ *target, _ string) (err error) {
	trees, err := b.openTrees(ctx)
	defer func() {
		for _, t := range trees {
			err = errors.Join(err, t.dirs.Close())
		}
	}()
	if err != nil {
		return err
	}
	return errors.Join(b.operations(ctx, trees), b.listings(ctx, trees))
}

// openTrees opens the directories of this run and has the kernel forget everything else.
func (b *bench) openTrees(ctx context.Context) (trees []tree, err error) {
	for _, files := range b.sizes.trees {
		t := tree{target: b.targets[countName(files)], spreadOver: choose(files, b.sizes.spread, b.round, b.seed)}
		if err := b.warm(ctx, t.target); err != nil {
			return trees, err
		}
		if t.dirs, err = fsop.OpenDirs(t.at()); err != nil {
			return trees, err
		}
		t.moved = t.elsewhere()
		trees = append(trees, t)
	}
	return trees, b.forget(ctx)
}

// at are the directories on the mount.
func (t tree) at() []string {
	paths := make([]string, len(t.paths))
	for i, p := range t.paths {
		paths[i] = filepath.Join(t.dir, p)
	}
	return paths
}

// turn is how many operations a tree gets before the next one's turn.
const turn = 20

// operations times what is done to single files. Removed ones are made again, without content.
func (b *bench) operations(ctx context.Context, trees []tree) error {
	for _, op := range []struct {
		key string
		do  func(t tree, from, to int) ([]time.Duration, error)
	}{
		{keyGrowLookup, func(t tree, i, j int) ([]time.Duration, error) { return t.dirs.Lookup(ctx, t.places[i:j]) }},
		{keyGrowStat, func(t tree, i, j int) ([]time.Duration, error) { return t.dirs.Stat(ctx, t.places[i:j]) }},
		{keyGrowRename, func(t tree, i, j int) ([]time.Duration, error) {
			return t.dirs.Rename(ctx, t.places[i:j], t.moved[i:j])
		}},
		{keyGrowRename, func(t tree, i, j int) ([]time.Duration, error) {
			return t.dirs.Rename(ctx, t.moved[i:j], t.places[i:j])
		}},
		{keyGrowUnlink, func(t tree, i, j int) ([]time.Duration, error) { return t.dirs.Unlink(ctx, t.places[i:j]) }},
		{keyGrowCreate, func(t tree, i, j int) ([]time.Duration, error) { return t.dirs.Create(ctx, t.places[i:j]) }},
	} {
		if err := b.settle(ctx); err != nil {
			return err
		}
		if err := b.takeTurns(trees, b.sizes.spread, op.key, op.do); err != nil {
			return err
		}
	}
	return nil
}

// takeTurns does n operations to every tree and records the median of each.
func (b *bench) takeTurns(trees []tree, n int, key string, do func(t tree, from, to int) ([]time.Duration, error)) error {
	took := make([][]float64, len(trees))
	for i := 0; i < n; i += turn {
		for j := range trees {
			k := (i/turn + j) % len(trees)
			all, err := do(trees[k], i, min(i+turn, n))
			if err != nil {
				return fmt.Errorf("%s on %s: %w", key, trees[k].name, err)
			}
			for _, d := range all {
				took[k] = append(took[k], 1e6*d.Seconds())
			}
		}
	}
	for k, t := range trees {
		b.record(t.target, key, median(took[k]))
	}
	return nil
}

// listings lists some of the directories on the mount and over WebDAV.
func (b *bench) listings(ctx context.Context, trees []tree) error {
	if err := b.forget(ctx); err != nil {
		return err
	}
	mount := func(t tree, i, _ int) ([]time.Duration, error) {
		n, d, err := fsop.List(ctx, filepath.Join(t.dir, t.paths[i/turn]))
		return []time.Duration{d}, wantNames(n, metafill.DirFiles, err)
	}
	dav := func(t tree, i, _ int) ([]time.Duration, error) {
		d, n, err := t.dav.List(ctx, t.paths[i/turn])
		return []time.Duration{d}, wantNames(n-1, metafill.DirFiles, err)
	}
	return errors.Join(b.takeTurns(trees, listDirs*turn, keyGrowList, mount), b.takeTurns(trees, listDirs*turn, keyGrowDAVList, dav))
}

func wantNames(n, want int, err error) error {
	if err == nil && n != want {
		err = fmt.Errorf("%d names instead of %d", n, want)
	}
	return err
}

// fromDisk looks names of one directory up when not even the database file is in memory.
func fromDisk(ctx context.Context, b *bench, t *target, _ string) error {
	if err := b.cold(ctx); err != nil {
		return err
	}
	s := choose(b.files(t), diskFiles, b.round, b.seed)
	dirs, err := fsop.OpenDirs([]string{filepath.Join(t.dir, s.paths[0])})
	if err != nil {
		return err
	}
	for i := range s.places {
		s.places[i] = fsop.Place{Name: metafill.Name(i * metafill.DirFiles / diskFiles)}
	}
	took, err := dirs.Lookup(ctx, s.places)
	for _, d := range took {
		b.results.add(keyGrowDisk, t.name, 1e6*d.Seconds())
	}
	return errors.Join(err, dirs.Close())
}

// files is how many files a target was filled with.
func (b *bench) files(t *target) int {
	i := slices.IndexFunc(b.sizes.trees, func(n int) bool { return countName(n) == t.name })
	return b.sizes.trees[i]
}

// listWide lists a very large directory.
func listWide(ctx context.Context, b *bench, t *target, _ string) error {
	if err := b.warm(ctx, t); err != nil {
		return err
	}
	if err := b.forget(ctx); err != nil {
		return err
	}
	before, err := t.cpu()
	if err != nil {
		return err
	}
	n, d, err := fsop.List(ctx, filepath.Join(t.dir, metafill.Wide))
	if err := wantNames(n, b.sizes.wide, err); err != nil {
		return err
	}
	b.seconds(t, keyGrowWide, d)
	after, err := t.cpu()
	b.seconds(t, keyGrowWideCPU, after-before)
	return err
}

// warm has the kernel read the database, which an earlier step may have dropped from memory.
func (b *bench) warm(ctx context.Context, t *target) error {
	for _, name := range []string{"tote.db", "tote.db-wal"} {
		if _, _, err := fsop.Read(ctx, filepath.Join(t.data, name)); err != nil {
			return err
		}
	}
	return nil
}

// forget settles and has the kernel forget names and attributes, but not the pages of files that servers have open: those of the databases.
func (b *bench) forget(ctx context.Context) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0); err != nil {
		return err
	}
	return b.quiet(ctx)
}
