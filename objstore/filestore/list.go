package filestore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"syscall"

	"tote/objstore"
)

const (
	windowSize = 1 << 16 // names of one directory held at a time
	readBatch  = 1024    // names read from the kernel at a time
)

// errStop ends a walk whose consumer has had enough.
var errStop = errors.New("stop")

// List walks the tree in key order, with the 256 shards of each directory merged.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		w := walk{s: s, ctx: ctx, prefix: prefix, after: after, yield: yield, window: windowSize}
		start := prefix[:strings.LastIndexByte(prefix, '/')+1]
		if _, err := locate(start + "x"); err != nil {
			return // no key can begin like this
		}
		if err := w.dir(start); err != nil && err != errStop {
			yield(objstore.Info{}, fail("list", prefix, err))
		}
	}
}

// walk is one List on its way.
type walk struct {
	s             *Store
	ctx           context.Context
	prefix, after string
	yield         func(objstore.Info, error) bool
	window        int
}

// dir yields everything below a key directory, "" or ending in a slash. The names in it are items: an object's
// is its last segment, a directory's ends in a slash, which is just how their keys sort among each other.
func (w *walk) dir(keyDir string) error {
	for cursor := ""; ; {
		items, more, err := w.items(keyDir, cursor)
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := w.item(keyDir, item); err != nil {
				return err
			}
			cursor = item
		}
		if !more {
			return nil
		}
	}
}

func (w *walk) item(keyDir, item string) error {
	if strings.HasSuffix(item, "/") {
		return w.dir(keyDir + item)
	}
	info, err := w.s.Stat(w.ctx, keyDir+item)
	if errors.Is(err, objstore.ErrNotFound) {
		return nil // deleted since its name was read
	}
	if err != nil {
		return err
	}
	if !w.yield(info, nil) {
		return errStop
	}
	return nil
}

// wanted tells whether an item is, or may hold, an answer.
func (w *walk) wanted(key string) bool {
	if strings.HasSuffix(key, "/") {
		return (strings.HasPrefix(key, w.prefix) || strings.HasPrefix(w.prefix, key)) &&
			(key > w.after || strings.HasPrefix(w.after, key))
	}
	return strings.HasPrefix(key, w.prefix) && key > w.after
}

// items reads the first items of a directory behind cursor. Names come from the disk in no order, so that a
// directory larger than the window is read once per window: slower, but memory stays bounded.
func (w *walk) items(keyDir, cursor string) (items []string, more bool, err error) {
	bound := ""
	add := func(item string) {
		if item <= cursor || bound != "" && item > bound || !w.wanted(keyDir+item) {
			return
		}
		if objstore.ValidKey(keyDir+strings.TrimSuffix(item, "/")) != nil {
			return // not put here by us
		}
		items = append(items, item)
		if len(items) >= 2*w.window {
			slices.Sort(items)
			items, more = items[:w.window], true
			bound = items[w.window-1]
		}
	}
	if err := w.scan(keyDir, add); err != nil {
		return nil, false, err
	}
	slices.Sort(items)
	items = slices.Compact(items) // a name renamed during the reading may come twice
	if len(items) > w.window {
		items, more = items[:w.window], true
	}
	return items, more, nil
}

// scan reads the names of a key directory: its shards' files and its directories.
func (w *walk) scan(keyDir string, add func(string)) error {
	err := w.s.in(diskDir(keyDir), false, func(d *dir) error {
		return w.read(d, func(e fs.DirEntry) error {
			switch name := e.Name(); {
			case !e.IsDir() || keyDir == "" && (name == tmpDir || name == uploadsDir):
				return nil
			case !isShard(name):
				add(segment(name) + "/")
				return nil
			default:
				return w.scanShard(d, name, add)
			}
		})
	})
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	return err
}

// scanShard reads one shard. It bypasses the cache, which a walk over everything would only sweep clean.
func (w *walk) scanShard(d *dir, name string, add func(string)) error {
	sub, err := d.child(name, false)
	if err != nil {
		return err
	}
	defer sub.close()
	return w.read(sub, func(e fs.DirEntry) error {
		if e.Type().IsRegular() {
			add(e.Name())
		}
		return nil
	})
}

// read calls fn for each entry of d.
func (w *walk) read(d *dir, fn func(fs.DirEntry) error) error {
	f, err := d.reader(w.s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	return readEntries(w.ctx, f, fn)
}

func readEntries(ctx context.Context, f *os.File, fn func(fs.DirEntry) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := f.ReadDir(readBatch)
		for _, e := range entries {
			if err := fn(e); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// diskDir is the path of a key directory below the root.
func diskDir(keyDir string) string {
	var segs []string
	for seg := range strings.SplitSeq(strings.TrimSuffix(keyDir, "/"), "/") {
		segs = append(segs, dirName(seg))
	}
	return strings.Join(segs, "/")
}
