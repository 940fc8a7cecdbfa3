package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFileModel does random things to one file through several descriptors and mappings, and compares it with a model in memory after each,
// and on WebDAV after each close. It is what fsx does.
func TestFileModel(t *testing.T) {
	for _, mode := range [][]string{nil, {"--no-passthrough"}} {
		t.Run(strings.Join(append([]string{"default"}, mode...), ""), func(t *testing.T) {
			s := startServer(t, withArgs(mode...))
			for seed := range uint64(3) {
				x := &fsx{t: t, s: s, path: fmt.Sprintf("/file%d", seed), rnd: rand.New(rand.NewPCG(seed, 5))}
				x.run(500)
				if t.Failed() {
					return
				}
			}
		})
	}
}

const fsxMost = 1 << 20

// fsx is one run over one file.
type fsx struct {
	t     *testing.T
	s     *server
	path  string
	rnd   *rand.Rand
	model []byte
	files []*os.File
	log   []string
}

func (x *fsx) run(steps int) {
	defer func() {
		for _, f := range x.files {
			f.Close()
		}
	}()
	check(x.t, x.s.mount().Put(x.path, nil))
	for i := range steps {
		if brief() && i > steps/4 {
			break
		}
		if err := x.step(); err != nil {
			x.t.Errorf("step %d: %v\nlast steps:\n  %s", i, err, strings.Join(x.log[max(0, len(x.log)-15):], "\n  "))
			return
		}
	}
}

func (x *fsx) note(format string, args ...any) { x.log = append(x.log, fmt.Sprintf(format, args...)) }

// file is an open descriptor, a new one now and then.
func (x *fsx) file() (*os.File, error) {
	if len(x.files) > 0 && (len(x.files) > 2 || x.rnd.IntN(4) > 0) {
		return x.files[x.rnd.IntN(len(x.files))], nil
	}
	x.note("open")
	f, err := os.OpenFile(x.s.mount().at(x.path), os.O_RDWR, 0)
	if err == nil {
		x.files = append(x.files, f)
	}
	return f, err
}

// extent is a random piece, aligned now and then.
func (x *fsx) extent() (off, n int) {
	off, n = x.rnd.IntN(fsxMost), 1+x.rnd.IntN(60_000)
	if x.rnd.IntN(2) == 0 && len(x.model) > 0 {
		off = x.rnd.IntN(len(x.model))
	}
	if x.rnd.IntN(3) == 0 {
		off, n = off&^4095, (n+4095)&^4095
	}
	return off, n
}

func (x *fsx) step() error {
	f, err := x.file()
	if err != nil {
		return err
	}
	off, n := x.extent()
	switch x.rnd.IntN(12) {
	case 0, 1, 2:
		return x.write(f, off, n)
	case 3, 4:
		return x.read(f, off, n)
	case 5:
		return x.truncate(f, off)
	case 6:
		return x.punch(f, off, n)
	case 7:
		return x.mmap(f)
	case 8:
		x.note("fsync")
		return f.Sync()
	case 9:
		return x.closeAll()
	case 10:
		return x.append(n)
	default:
		return x.size(f)
	}
}

// grow makes the model at least n bytes long.
func (x *fsx) grow(n int) {
	if n > len(x.model) {
		x.model = append(x.model, make([]byte, n-len(x.model))...)
	}
}

func (x *fsx) write(f *os.File, off, n int) error {
	x.note("write %d+%d", off, n)
	data := randomBytes(n, x.rnd.Uint64())
	x.grow(off + n)
	copy(x.model[off:], data)
	_, err := f.WriteAt(data, int64(off))
	return err
}

func (x *fsx) read(f *os.File, off, n int) error {
	x.note("read %d+%d", off, n)
	got := make([]byte, n)
	m, err := f.ReadAt(got, int64(off))
	if err != nil && err != io.EOF {
		return err
	}
	want := x.model[min(off, len(x.model)):min(off+n, len(x.model))]
	if !bytes.Equal(got[:m], want) {
		return fmt.Errorf("read %d+%d: %s", off, n, difference(got[:m], want))
	}
	return nil
}

func (x *fsx) truncate(f *os.File, size int) error {
	x.note("truncate %d", size)
	x.grow(size)
	x.model = x.model[:size:size]
	if x.rnd.IntN(2) == 0 {
		return f.Truncate(int64(size))
	}
	return os.Truncate(x.s.mount().at(x.path), int64(size))
}

// punch makes a hole, zeroes a range, or only reserves space.
func (x *fsx) punch(f *os.File, off, n int) error {
	mode := []uint32{unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_ZERO_RANGE, 0}[x.rnd.IntN(3)]
	x.note("fallocate %#x %d+%d", mode, off, n)
	err := unix.Fallocate(int(f.Fd()), mode, int64(off), int64(n))
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return nil
	}
	if mode&unix.FALLOC_FL_KEEP_SIZE == 0 {
		x.grow(off + n)
	}
	if mode != 0 {
		clear(x.model[min(off, len(x.model)):min(off+n, len(x.model))])
	}
	return err
}

// mmap reads everything through a mapping, changes a piece through it, and writes it back. A fault, which is how the kernel says EIO here, is an
// error like others.
func (x *fsx) mmap(f *os.File) (err error) {
	if len(x.model) == 0 {
		return nil
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("mapping: %v", fault)
		}
	}()
	p, err := unix.Mmap(int(f.Fd()), 0, len(x.model), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	defer unix.Munmap(p)
	off := x.rnd.IntN(len(x.model))
	n := min(1+x.rnd.IntN(10_000), len(x.model)-off)
	x.note("mmap %d+%d", off, n)
	if !bytes.Equal(p, x.model) {
		return fmt.Errorf("mapping: %s", difference(p, x.model))
	}
	data := randomBytes(n, x.rnd.Uint64())
	copy(p[off:], data)
	copy(x.model[off:], data)
	return unix.Msync(p, unix.MS_SYNC)
}

func (x *fsx) append(n int) error {
	if len(x.model) > fsxMost {
		return nil
	}
	x.note("append %d", n)
	data := randomBytes(n, x.rnd.Uint64())
	x.model = append(x.model, data...)
	return x.s.mount().Append(x.path, data)
}

func (x *fsx) size(f *os.File) error {
	fi, err := f.Stat()
	if err == nil && fi.Size() != int64(len(x.model)) {
		err = fmt.Errorf("fstat says %d bytes, want %d", fi.Size(), len(x.model))
	}
	if err != nil {
		return err
	}
	fi, err = os.Stat(x.s.mount().at(x.path))
	if err == nil && fi.Size() != int64(len(x.model)) {
		err = fmt.Errorf("stat says %d bytes, want %d", fi.Size(), len(x.model))
	}
	return err
}

// closeAll closes every descriptor; then the other doors have to see the same, and sometimes one of them writes the next version.
func (x *fsx) closeAll() error {
	x.note("close %d", len(x.files))
	for _, f := range x.files {
		if err := f.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	x.files = nil
	for _, face := range []Face{x.s.dav(), x.s.rest()} {
		got, err := face.Get(x.path)
		if err == nil && !bytes.Equal(got, x.model) {
			err = errors.New(difference(got, x.model))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", face.Name(), err)
		}
	}
	if x.rnd.IntN(3) > 0 {
		return nil
	}
	x.note("put over WebDAV")
	x.model = randomBytes(x.rnd.IntN(300_000), x.rnd.Uint64())
	return x.s.dav().Put(x.path, x.model)
}

// TestAppenders lets several appenders write lines to one file at the same time: O_APPEND loses none and mixes none.
func TestAppenders(t *testing.T) {
	s := startServer(t)
	check(t, s.mount().Put("/log", nil))
	const appenders, lines = 6, 200
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for l := range lines {
				if err := s.mount().Append("/log", fmt.Appendf(nil, "%d-%d %s\n", a, l, strings.Repeat("x", l))); err != nil {
					t.Errorf("appender %d: %v", a, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, f := range s.faces() {
		b, err := f.Get("/log")
		check(t, err)
		seen := map[string]int{}
		for line := range strings.Lines(string(b)) {
			seen[line]++
		}
		for a := range appenders {
			for l := range lines {
				if n := seen[fmt.Sprintf("%d-%d %s\n", a, l, strings.Repeat("x", l))]; n != 1 {
					t.Fatalf("%s: line %d of appender %d is there %d times", f.Name(), l, a, n)
				}
			}
		}
	}
}

// TestG3StaleWriter replaces a file over HTTP while a program on the mount is writing it. The program is told, at the latest by close; nothing of
// what it wrote gets into the new version.
func TestG3StaleWriter(t *testing.T) {
	for _, mode := range [][]string{nil, {"--no-passthrough"}} {
		t.Run(strings.Join(append([]string{"default"}, mode...), ""), func(t *testing.T) {
			s := startServer(t, withArgs(mode...))
			for _, w := range []Face{s.dav(), s.rest()} {
				path, fresh := "/"+w.Name(), strings.Repeat("new", 10_000)
				check(t, s.mount().Put(path, []byte(strings.Repeat("old", 10_000))))
				f, err := os.OpenFile(s.mount().at(path), os.O_RDWR, 0)
				check(t, err)
				defer f.Close()
				_, err = f.WriteAt([]byte("mine"), 0)
				check(t, err)
				check(t, w.Put(path, []byte(fresh)))
				_, werr := f.WriteAt([]byte("late"), 100)
				serr := f.Sync()
				cerr := f.Close()
				if !errors.Is(errors.Join(werr, serr, cerr), syscall.ESTALE) {
					t.Errorf("after a PUT through %s: write %v, fsync %v, close %v: nobody says ESTALE", w.Name(), werr, serr, cerr)
				}
				for _, r := range s.faces() {
					wantGet(t, r, path, fresh)
				}
			}
		})
	}
}
