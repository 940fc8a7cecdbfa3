package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tote/integration/bench/fsop"
)

// bigFile writes a file and reads it in three ways.
func bigFile(ctx context.Context, b *bench, t *target, at string) error {
	path, n := filepath.Join(t.dir, at, "big.bin"), b.sizes.big
	d, err := fsop.Write(ctx, path, b.pattern, n)
	if err != nil {
		return err
	}
	b.rate(t, keyWrite, n, d)
	if err := b.readBig(ctx, t, path); err != nil {
		return err
	}
	if err := b.cold(ctx); err != nil {
		return err
	}
	d, err = fsop.RandomRead(ctx, path, int64(n)*fsop.Block, b.sizes.reads)
	if err != nil {
		return err
	}
	b.rate(t, keyRandomRead, b.sizes.reads, d)
	d, err = fsop.Edit(path, int64(n)*fsop.Block/2)
	if err != nil {
		return err
	}
	b.millis(t, keyEdit, d)
	return nil
}

// readBig reads the file from disk, compares it, which leaves it in the cache, and reads it from there.
func (b *bench) readBig(ctx context.Context, t *target, path string) error {
	if err := b.cold(ctx); err != nil {
		return err
	}
	d, _, err := fsop.Read(ctx, path)
	if err != nil {
		return err
	}
	b.rate(t, keyReadCold, b.sizes.big, d)
	if err := fsop.Check(ctx, path, b.pattern, b.sizes.big); err != nil {
		return err
	}
	d, _, err = fsop.Read(ctx, path)
	if err != nil {
		return err
	}
	b.rate(t, keyReadWarm, b.sizes.big, d)
	return nil
}

// smallFiles makes files, and looks at them again when the kernel has forgotten them. It makes as many beforehand: earlier steps may have left the
// disk's and the servers' own tables out of the cache, and to read them again is not what creating costs.
func smallFiles(ctx context.Context, b *bench, t *target, at string) error {
	dir, n := filepath.Join(t.dir, at, "d"), b.sizes.small
	if _, err := fsop.CreateMany(ctx, filepath.Join(t.dir, at, "before"), n, smallSize); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	d, err := fsop.CreateMany(ctx, dir, n, smallSize)
	if err != nil {
		return err
	}
	b.rate(t, keyCreate, n, d)
	if err := b.cold(ctx); err != nil {
		return err
	}
	if d, err = fsop.StatMany(ctx, dir, n); err != nil {
		return err
	}
	b.rate(t, keyStat, n, d)
	if d, err = fsop.ReadMany(ctx, dir, n, smallSize); err != nil {
		return err
	}
	b.rate(t, keyReadSmall, n, d)
	return nil
}

// appends adds to a file as a log does.
func appends(ctx context.Context, b *bench, t *target, at string) error {
	d, err := fsop.Append(ctx, filepath.Join(t.dir, at, "log"), b.sizes.appends)
	if err != nil {
		return err
	}
	b.rate(t, keyAppend, b.sizes.appends, d)
	return nil
}

// rsyncTree copies the Go source tree, and copies it again, which must find nothing to do.
func rsyncTree(ctx context.Context, b *bench, t *target, at string) error {
	to := filepath.Join(t.dir, at, "src")
	if err := b.warmSource(ctx); err != nil {
		return err
	}
	d, _, err := command(ctx, "rsync", "-a", b.source+"/", to+"/")
	if err != nil {
		return err
	}
	b.seconds(t, keyRsync, d)
	if err := b.settle(ctx); err != nil {
		return err
	}
	d, changes, err := command(ctx, "rsync", "-ai", b.source+"/", to+"/")
	if err != nil {
		return err
	}
	if changes != "" {
		return fmt.Errorf("the second rsync still changed things: %.300s", changes)
	}
	b.seconds(t, keyRsyncAgain, d)
	return nil
}

// removeTree removes a copy. That of the first run is compared with its source before.
func removeTree(ctx context.Context, b *bench, t *target, at string) error {
	tree := filepath.Join(t.dir, at, "src")
	if b.round == 0 {
		_, changes, err := command(ctx, "rsync", "-aicn", "--delete", b.source+"/", tree+"/")
		if err == nil && changes != "" {
			err = fmt.Errorf("the copy differs from its source: %.300s", changes)
		}
		if err != nil {
			return err
		}
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	d, _, err := command(ctx, "rm", "-rf", tree)
	if err != nil {
		return err
	}
	b.seconds(t, keyRemove, d)
	return nil
}

// warmSource reads the source tree, so that every target gets it from memory.
func (b *bench) warmSource(ctx context.Context) error {
	return filepath.WalkDir(b.source, func(path string, e fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || !e.Type().IsRegular() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(io.Discard, file)
		return err
	})
}

// Directories that are made once.
const (
	listDir = "list"
	treeDir = "tree"
)

// prepareList makes the directory that is listed.
func prepareList(ctx context.Context, b *bench, t *target) error {
	dir := filepath.Join(t.dir, listDir)
	if exists(dir) {
		return nil
	}
	_, err := fsop.CreateMany(ctx, dir, b.sizes.list, listSize)
	return err
}

// list is what people type, with nothing in the kernel's caches.
func list(ctx context.Context, b *bench, t *target, _ string) error {
	dir := filepath.Join(t.dir, listDir)
	for _, way := range []struct {
		key  string
		argv []string
		head int // lines before the entries
	}{
		{keyList, []string{"ls", dir}, 0},
		{keyListLong, []string{"ls", "-l", dir}, 1},
	} {
		if err := b.cold(ctx); err != nil {
			return err
		}
		d, out, err := command(ctx, way.argv...)
		if err != nil {
			return err
		}
		if n := strings.Count(out, "\n") - way.head; n != b.sizes.list {
			return fmt.Errorf("%v showed %d entries instead of %d", way.argv, n, b.sizes.list)
		}
		b.seconds(t, way.key, d)
	}
	return nil
}

// treePart is how many files one directory of the renamed tree has.
const treePart = 1000

// prepareTree makes the tree that is renamed, of empty files.
func prepareTree(ctx context.Context, b *bench, t *target) error {
	root := filepath.Join(t.dir, treeDir)
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for made := 0; made < b.sizes.tree; made += treePart {
		dir := filepath.Join(root, fmt.Sprintf("d%04d", made/treePart))
		if _, err := fsop.CreateMany(ctx, dir, min(treePart, b.sizes.tree-made), 0); err != nil {
			return err
		}
	}
	return nil
}

// renameTree moves the tree into the step's directory and back.
func renameTree(_ context.Context, b *bench, t *target, at string) error {
	from, to := filepath.Join(t.dir, treeDir), filepath.Join(t.dir, at, treeDir)
	d, err := fsop.Rename(from, to)
	if err != nil {
		return err
	}
	b.millis(t, keyRename, d)
	_, err = fsop.Rename(to, from)
	return err
}
