package blockcache

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// suffix marks the files of a cache; a later format has another one in front of it.
const suffix = ".block"

var (
	errShort  = errors.New("file is shorter than its block")
	errHarmed = errors.New("its bytes are damaged")
)

// fileName is the name of a block's file: which block it is, and its sum. The sum is mixed with one of the rest, so
// that it does not fit any more when somebody makes another block of the file by renaming it.
func fileName(id blockID, crc uint32) string {
	var b [28]byte
	copy(b[:12], id.key[:])
	copy(b[12:20], id.version[:])
	binary.BigEndian.PutUint32(b[20:], id.n)
	binary.BigEndian.PutUint32(b[24:], crc^checksum(b[:24]))
	return hex.EncodeToString(b[:]) + suffix
}

// parseName is the inverse of fileName.
func parseName(name string) (id blockID, crc uint32, ok bool) {
	b, err := hex.DecodeString(strings.TrimSuffix(name, suffix))
	if err != nil || len(b) != 28 {
		return id, 0, false
	}
	id = blockID{key: keyID(b[:12]), version: [8]byte(b[12:20]), n: binary.BigEndian.Uint32(b[20:])}
	crc = binary.BigEndian.Uint32(b[24:]) ^ checksum(b[:24])
	return id, crc, fileName(id, crc) == name
}

// found is a block of an earlier run.
type found struct {
	slot *slot
	used time.Time
}

// openDisk takes over what an earlier run left in dir, as far as it is within the limit.
func openDisk(dir string, limit, block int64, log *slog.Logger) (*disk, error) {
	d := &disk{
		dir: dir, limit: limit, most: int(max(leastSlots, limit/block)), log: log, now: time.Now,
		slots: map[blockID]*slot{}, keys: map[keyID]*slot{},
	}
	d.order.prev, d.order.next = &d.order, &d.order
	if limit > 0 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the cache directory: %w", err)
		}
	}
	all, err := d.scan(block)
	if err != nil && (limit > 0 || !errors.Is(err, fs.ErrNotExist)) {
		return nil, fmt.Errorf("read the cache directory: %w", err)
	}
	slices.SortFunc(all, func(a, b found) int { return a.used.Compare(b.used) })
	for _, f := range all {
		d.take(f.slot)
	}
	if d.strangers > 0 {
		log.Warn("the cache directory holds files that are not of the cache; they count towards its limit", "dir", dir, "files", d.strangers)
	}
	d.trim()
	return d, nil
}

// take enters a block of an earlier run. Of two files with one block the later one counts.
func (d *disk) take(s *slot) {
	if old := d.touch(s.id); old != nil {
		d.drop(old)
	}
	d.add(s)
}

// scan finds the blocks of an earlier run, counts all there is and removes what a torn write left.
func (d *disk) scan(block int64) (all []found, err error) {
	f, err := os.Open(d.dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(1024)
		for _, e := range entries {
			if s, ok := d.judge(e, block); ok {
				all = append(all, s)
			}
		}
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// judge decides about one entry of the directory.
func (d *disk) judge(e fs.DirEntry, block int64) (found, bool) {
	path := filepath.Join(d.dir, e.Name())
	if !strings.HasSuffix(e.Name(), suffix) {
		d.strangers++
		d.used += total(path)
		return found{}, false
	}
	info, err := e.Info()
	if err != nil {
		return found{}, false // gone
	}
	id, crc, ok := parseName(e.Name())
	if !ok || !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > block {
		if !removed(os.Remove(path)) {
			d.used += total(path)
		}
		return found{}, false
	}
	cost := occupied(info)
	d.used += cost
	return found{&slot{id: id, crc: crc, size: uint32(info.Size()), cost: uint32(cost)}, lastUse(info)}, true
}

// total is what a file, or everything in a directory, occupies.
func total(path string) (sum int64) {
	_ = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // what can't be seen can't be counted
		}
		if info, err := e.Info(); err == nil {
			sum += occupied(info)
		}
		return nil
	})
	return sum
}

// occupied is the larger one of a file's size and the room it takes on the disk.
func occupied(info fs.FileInfo) int64 {
	size := charge(info.Size())
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		size = max(size, st.Blocks*512)
	}
	return size
}

// lastUse is when a file was written or read last, as far as the file system keeps that.
func lastUse(info fs.FileInfo) time.Time {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	read := time.Unix(st.Atim.Unix())
	if read.After(info.ModTime()) {
		return read
	}
	return info.ModTime()
}

// readFile fills buf with the beginning of a file.
func readFile(path string, buf []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.ReadFull(f, buf); err != nil {
		if errors.Is(early(err), io.ErrUnexpectedEOF) {
			return errShort
		}
		return err
	}
	return nil
}

// writeFile makes a file that must not exist yet, and returns what it occupies.
func writeFile(path string, data []byte) (int64, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	info, err := os.Lstat(path) // some file systems give room back at close
	if err != nil {
		return 0, err
	}
	return occupied(info), nil
}
