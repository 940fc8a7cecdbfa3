package blockcache

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	page       = 4096            // what a file occupies is a multiple of it
	leastSlots = 128 << 10       // how many blocks any cache may hold, to bound the index of small ones
	diskPause  = 1 * time.Minute // without writing, after an error
)

// disk keeps blocks as files below a limit. Its errors are its own business: a block is there or not.
type disk struct {
	dir   string
	limit int64
	most  int // blocks
	log   *slog.Logger
	now   func() time.Time

	corrupt, errors, skipped atomic.Int64

	broken atomic.Bool  // the last write failed, and was logged
	resume atomic.Int64 // when to write again, in Unix nanoseconds
	quiet  atomic.Int64 // when to log another bad block

	strangers int // files found at the start that are not the cache's

	space sync.Mutex // held while room is made; comes before mu
	used  int64      // guarded by space; what the files occupy, those being written and other people's included

	mu    sync.Mutex
	slots map[blockID]*slot // guarded by mu
	keys  map[keyID]*slot   // guarded by mu; the head of each key's list
	order slot              // guarded by mu; the root of a ring, order.next was used last
	size  int64             // guarded by mu; of all slots
}

// slot is a block on the disk. Its links are guarded by disk.mu, the rest never changes.
type slot struct {
	id   blockID
	crc  uint32
	size uint32
	cost uint32 // what the file counts for

	prev, next *slot // in the order of use
	elder, kid *slot // among those of one key
}

// charge is what a file of some size counts for, at least.
func charge(size int64) int64 { return (size + page - 1) / page * page }

// touch finds a block and makes it the one used last.
func (d *disk) touch(id blockID) *slot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.slots[id]
	if s != nil {
		s.unlink()
		s.follow(&d.order)
	}
	return s
}

func (d *disk) has(id blockID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slots[id] != nil
}

// read fills buf with a block and returns its sum, if the block is there and unharmed.
func (d *disk) read(id blockID, buf []byte) (uint32, bool) {
	s := d.touch(id)
	if s == nil {
		return 0, false
	}
	err := readFile(filepath.Join(d.dir, fileName(s.id, s.crc)), buf)
	if err == nil && int(s.size) == len(buf) && checksum(buf) == s.crc {
		return s.crc, true
	}
	if busy(err) {
		d.errors.Add(1)
	} else if d.drop(s) { // else it was evicted this moment
		d.complain(s, err)
	}
	return 0, false
}

// busy says that an error is not the file's fault.
func busy(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}

// complain logs a block that could not be read, at most once a minute: after power loss there may be many.
func (d *disk) complain(s *slot, err error) {
	if err == nil || errors.Is(err, errShort) {
		d.corrupt.Add(1)
		err = errHarmed
	} else {
		d.errors.Add(1)
	}
	now, next := d.now(), d.quiet.Load()
	if now.UnixNano() >= next && d.quiet.CompareAndSwap(next, now.Add(diskPause).UnixNano()) {
		d.log.Warn("a block in the cache directory is fetched again", "file", fileName(s.id, s.crc), "err", err)
	}
}

// wants says whether it is worth trying to write a block.
func (d *disk) wants(size int) bool {
	return charge(int64(size)) <= d.limit && d.now().UnixNano() >= d.resume.Load()
}

// write keeps a block if there is room to be had and the disk is well.
func (d *disk) write(id blockID, crc uint32, data []byte) {
	need := charge(int64(len(data)))
	if !d.wants(len(data)) || d.has(id) || !d.reserve(need) {
		return
	}
	path := filepath.Join(d.dir, fileName(id, crc))
	cost, err := d.create(path, data)
	if err == nil && d.add(&slot{id: id, crc: crc, size: uint32(len(data)), cost: uint32(max(cost, need))}) {
		d.giveBack(min(need-cost, 0)) // a file system may have larger units
		if d.broken.Swap(false) {
			d.log.Info("the cache directory can be written again", "dir", d.dir)
		}
		return
	}
	// An existing file is that of another writer of the same block.
	if errors.Is(err, fs.ErrExist) || removed(os.Remove(path)) {
		d.giveBack(need)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		d.trouble(err)
	}
}

// create writes a file and returns what it occupies. A directory that somebody removed is made again.
func (d *disk) create(path string, data []byte) (cost int64, err error) {
	cost, err = writeFile(path, data)
	if errors.Is(err, fs.ErrNotExist) && os.MkdirAll(d.dir, 0o700) == nil {
		return writeFile(path, data)
	}
	return cost, err
}

// trouble stops writing for a while. Only the first of several errors in a row is logged.
func (d *disk) trouble(err error) {
	d.errors.Add(1)
	d.resume.Store(d.now().Add(diskPause).UnixNano())
	if !d.broken.Swap(true) {
		d.log.Warn("the cache directory can't be written; reading goes on without it", "dir", d.dir, "err", err)
	}
}

// removed says whether a file is gone after os.Remove.
func removed(err error) bool {
	return err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// reserve counts need bytes as used, before they are, and makes room for them. Files are deleted with space held,
// so that nobody builds on room that is not there yet.
func (d *disk) reserve(need int64) bool {
	d.space.Lock()
	defer d.space.Unlock()
	overhead := d.overhead()
	if need+overhead > d.limit {
		return false
	}
	for d.used+need+overhead > d.limit || d.count() >= d.most {
		if !d.evict() {
			return false
		}
	}
	d.used += need
	return true
}

// trim deletes blocks until the limit is kept.
func (d *disk) trim() {
	d.space.Lock()
	defer d.space.Unlock()
	for d.used+d.overhead() > d.limit || d.count() > d.most {
		if !d.evict() {
			return
		}
	}
}

// overhead is the size of the directory, which grows with its files and need not shrink again.
func (d *disk) overhead() int64 {
	info, err := os.Stat(d.dir)
	if err != nil {
		return 0
	}
	return occupied(info)
}

// evict deletes the block that was not used for the longest time. Called with space held.
func (d *disk) evict() bool {
	d.mu.Lock()
	s := d.order.prev
	ok := s != &d.order && d.forget(s)
	d.mu.Unlock()
	if !ok {
		return false
	}
	if err := os.Remove(filepath.Join(d.dir, fileName(s.id, s.crc))); !removed(err) {
		d.trouble(err) // it stays counted
		return false
	}
	d.used -= int64(s.cost)
	return true
}

func (d *disk) giveBack(n int64) {
	d.space.Lock()
	defer d.space.Unlock()
	d.used -= n
}

// drop deletes a block, and returns false if somebody else did or it was replaced.
func (d *disk) drop(s *slot) bool {
	d.mu.Lock()
	ok := d.forget(s)
	d.mu.Unlock()
	if ok && removed(os.Remove(filepath.Join(d.dir, fileName(s.id, s.crc)))) {
		d.giveBack(int64(s.cost))
	}
	return ok
}

// dropKey deletes all blocks of a key.
func (d *disk) dropKey(key keyID) {
	for {
		d.mu.Lock()
		s := d.keys[key]
		d.mu.Unlock()
		if s == nil {
			return
		}
		d.drop(s)
	}
}
