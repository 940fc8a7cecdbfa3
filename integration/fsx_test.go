package integration

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFileModel does random things to a few files through several descriptors and mappings, and compares each with a model in memory after each step,
// and on the HTTP faces after each close. It is what fsx does, with more files and more calls.
func TestFileModel(t *testing.T) {
	steps := 500
	if brief() {
		steps = 125
	}
	for _, mode := range [][]string{nil, {"--no-passthrough"}} {
		t.Run(strings.Join(append([]string{"default"}, mode...), ""), func(t *testing.T) {
			fsxRun{s: startServer(t, withArgs(mode...)), workers: 3, steps: steps, looks: 1, most: 1 << 20}.run(t)
		})
	}
}

// TestSoakFileModel is TestFileModel with a million steps, TOTE_STEPS says otherwise; TOTE_SEED repeats a run.
func TestSoakFileModel(t *testing.T) {
	needSoak(t)
	seed := number(t, "TOTE_SEED", uint64(time.Now().UnixNano()))
	steps := int(number(t, "TOTE_STEPS", 1_000_000))
	for _, mode := range [][]string{nil, {"--no-passthrough"}} {
		t.Run(strings.Join(append([]string{"default"}, mode...), ""), func(t *testing.T) {
			s := startServer(t, withArgs(mode...))
			start := time.Now()
			fsxRun{s: s, seed: seed, workers: fsxWorkers, steps: steps / fsxWorkers, looks: 50, most: 256 << 10}.run(t)
			t.Logf("%d steps in %v, TOTE_SEED=%d", steps, time.Since(start).Round(time.Second), seed)
			s.checkMemory()
		})
		if onS3() {
			return // there is no passthrough that could be switched off
		}
	}
}

const fsxWorkers = 4

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(cmp.Or(os.Getenv(name), fmt.Sprint(otherwise)), 10, 64)
	check(t, err)
	return n
}

// fsxRun says how much is done. Each worker has files of its own, so that a seed repeats what it does.
type fsxRun struct {
	s              *server
	seed           uint64
	workers, steps int
	looks          int // of so many closes one has the other faces looked at
	most           int // files are hardly longer
}

// fsxFiles is how many files a worker has.
const fsxFiles = 3

func (r fsxRun) run(t *testing.T) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range r.workers {
		wg.Go(func() {
			x := &fsx{fsxRun: r, rnd: rand.New(rand.NewPCG(r.seed+uint64(w), 5))}
			if err := x.run(w); err != nil {
				t.Errorf("worker %d of seed %d: %v\nlast steps:\n  %s", w, r.seed, err, strings.Join(x.log, "\n  "))
			}
		})
	}
	wg.Wait()
}

// fsx is one worker.
type fsx struct {
	fsxRun
	rnd   *rand.Rand
	files []*fsxFile
	log   []string // the last steps
}

// fsxFile is a file, what it has to hold, and how it is open.
type fsxFile struct {
	path  string
	model []byte
	open  []*os.File
}

func (x *fsx) run(worker int) (err error) {
	for i := range fsxFiles {
		f := &fsxFile{path: fmt.Sprintf("/file%d-%d", worker, i)}
		x.files = append(x.files, f)
		defer f.closeAll()
		if err := x.s.mount().Put(f.path, nil); err != nil {
			return err
		}
	}
	for i := range x.steps {
		if err := x.step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	for _, f := range x.files {
		if err := errors.Join(f.closeAll(), x.look(f)); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return nil
}

const fsxLog = 30

func (x *fsx) note(f *fsxFile, format string, args ...any) {
	x.log = append(x.log, f.path+" "+fmt.Sprintf(format, args...))
	x.log = x.log[max(0, len(x.log)-fsxLog):]
}

// handle is an open descriptor, a new one now and then.
func (x *fsx) handle(f *fsxFile) (*os.File, error) {
	if len(f.open) > 0 && (len(f.open) > 2 || x.rnd.IntN(4) > 0) {
		return f.open[x.rnd.IntN(len(f.open))], nil
	}
	x.note(f, "open")
	h, err := os.OpenFile(x.s.mount().at(f.path), os.O_RDWR, 0)
	if err == nil {
		f.open = append(f.open, h)
	}
	return h, err
}

// extent is a random piece, aligned now and then.
func (x *fsx) extent(f *fsxFile) (off, n int) {
	off, n = x.rnd.IntN(x.most), 1+x.rnd.IntN(60_000)
	if x.rnd.IntN(2) == 0 && len(f.model) > 0 {
		off = x.rnd.IntN(len(f.model))
	}
	if x.rnd.IntN(3) == 0 {
		off, n = off&^4095, (n+4095)&^4095
	}
	return off, n
}

func (x *fsx) step() error {
	f := x.files[x.rnd.IntN(len(x.files))]
	h, err := x.handle(f)
	if err != nil {
		return err
	}
	off, n := x.extent(f)
	switch x.rnd.IntN(20) {
	case 0, 1, 2, 3:
		return x.write(f, h, off, n)
	case 4, 5, 6:
		return x.read(f, h, off, n)
	case 7:
		return x.truncate(f, h, off)
	case 8, 9:
		return x.allocate(f, h, off, n)
	case 10:
		return x.mapShared(f, h)
	case 11:
		return x.mapPrivate(f, h)
	case 12:
		return x.sync(f, h)
	case 13:
		return x.closeSome(f)
	case 14:
		return x.append(f, n)
	case 15:
		return x.direct(f, off, n)
	case 16:
		return x.seek(f, h)
	case 17:
		return x.copyRange(f, h, off, n)
	case 18:
		return x.exchange(f)
	default:
		return x.size(f, h)
	}
}

// grow makes the model at least n bytes long.
func (f *fsxFile) grow(n int) {
	if n > len(f.model) {
		f.model = append(f.model, make([]byte, n-len(f.model))...)
	}
}

// part is what the model has of a range, less where it ends.
func (f *fsxFile) part(off, n int) []byte {
	return f.model[min(off, len(f.model)):min(off+n, len(f.model))]
}

func (f *fsxFile) closeAll() error {
	var errs []error
	for _, h := range f.open {
		errs = append(errs, h.Close())
	}
	f.open = nil
	return errors.Join(errs...)
}

// closeSome closes one descriptor or all of them; then the other doors have to see the same, and sometimes one of them writes the next version.
func (x *fsx) closeSome(f *fsxFile) error {
	if x.rnd.IntN(2) == 0 {
		i := x.rnd.IntN(len(f.open))
		x.note(f, "close one of %d", len(f.open))
		err := f.open[i].Close()
		f.open = append(f.open[:i], f.open[i+1:]...)
		return err
	}
	x.note(f, "close %d", len(f.open))
	if err := f.closeAll(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if x.rnd.IntN(x.looks) > 0 {
		return nil
	}
	if err := x.look(f); err != nil || x.rnd.IntN(3) > 0 {
		return err
	}
	x.note(f, "put over WebDAV")
	f.model = randomBytes(x.rnd.IntN(x.most/3), x.rnd.Uint64())
	return x.s.dav().Put(f.path, f.model)
}

// look compares what the HTTP faces have.
func (x *fsx) look(f *fsxFile) error {
	for _, face := range []Face{x.s.dav(), x.s.rest()} {
		got, err := face.Get(f.path)
		if err == nil && !bytes.Equal(got, f.model) {
			err = errors.New(difference(got, f.model))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", face.Name(), err)
		}
	}
	return nil
}
