package integration

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestG7Crash (G4, G5, G7, G8) kills the server twenty times at random under mixed load through all doors. After each restart, which is the same
// command again, everything acknowledged is there byte for byte; of what was on its way there is one of the states that its caller could have
// seen; fsck is clean. At the end gc leaves no object that nothing refers to, and staging is empty.
//
// Acknowledged means: a 2xx, an fsync that returned 0, and on the mount also a close or rename that returned 0, because only the server dies
// here. A file that was never closed may be absent, empty or as it was before.
func TestG7Crash(t *testing.T) {
	rounds := 20
	if brief() {
		rounds = 6
	}
	c := newCrash(t, startServer(t), 1)
	for round := range rounds {
		c.round(round)
	}
	c.finish()
}

// TestG7CrashCached is the same where the kernel keeps what was written in its own cache instead of passing it through.
func TestG7CrashCached(t *testing.T) {
	c := newCrash(t, startServer(t, withArgs("--no-passthrough")), 3)
	for round := range 6 {
		c.round(round)
	}
	c.finish()
}

// crash is one such test.
type crash struct {
	t       *testing.T
	s       *server
	seed    uint64
	rnd     *rand.Rand
	workers []*crasher
	killed  atomic.Bool
	bitten  int // rounds in which something was on its way
	dead    int // rounds after which the mount was dead
}

func newCrash(t *testing.T, s *server, seed uint64) *crash {
	c := &crash{t: t, s: s, seed: seed, rnd: rand.New(rand.NewPCG(seed, 99))}
	for _, k := range crasherKinds(t) {
		c.add(k)
	}
	return c
}

// add adds a worker with a directory of its own.
func (c *crash) add(k crasherKind) {
	c.t.Helper()
	w := &crasher{kind: k.name, s: c.s, root: "/" + k.name, step: k.step, rnd: rand.New(rand.NewPCG(c.seed, uint64(len(c.workers)))), state: state{}}
	if k.root != "" {
		w.root = k.root
	}
	check(c.t, c.s.mount().Mkdir(w.root))
	if k.setup != nil {
		check(c.t, k.setup(w))
	}
	c.workers = append(c.workers, w)
}

// work loads the server for a while, without killing it: no operation may fail.
func (c *crash) work(length time.Duration) {
	c.t.Helper()
	deadline := time.Now().Add(length)
	var wg sync.WaitGroup
	for _, w := range c.workers {
		wg.Go(func() {
			for time.Now().Before(deadline) && !c.t.Failed() {
				if err := w.step(w); err != nil {
					c.t.Errorf("%s: %v", w.kind, err)
				}
			}
		})
	}
	wg.Wait()
}

// verify wants each worker's directory to be as the worker has left it.
func (c *crash) verify(when string) {
	c.t.Helper()
	var wg sync.WaitGroup
	for _, w := range c.workers {
		wg.Go(func() {
			if err := w.verify(); err != nil {
				c.t.Errorf("%s: %s: %v", when, w.kind, err)
			}
		})
	}
	wg.Wait()
}

// round loads the server, kills it, starts it again and looks.
func (c *crash) round(round int) {
	c.t.Helper()
	c.killed.Store(false)
	var wg sync.WaitGroup
	for _, w := range c.workers {
		wg.Go(func() { c.load(w) })
	}
	c.awaitLoad()
	time.Sleep(50*time.Millisecond + c.upTo(1950*time.Millisecond)) // the fault itself, not a wait
	c.killed.Store(true)
	c.s.kill()
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		c.t.Fatal("an operation hangs after its server was killed")
	}
	c.countBites()
	if round%5 == 2 {
		c.killWhileStarting()
	}
	c.s.start()
	c.verify(fmt.Sprintf("round %d", round))
	c.s.fsck()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// awaitLoad waits, on a machine that is busy with other things, until each worker has come to do something.
func (c *crash) awaitLoad() {
	c.t.Helper()
	eventually(c.t, time.Minute, func() error {
		for _, w := range c.workers {
			if w.acked.Load() == 0 && !c.t.Failed() {
				return fmt.Errorf("%s has done nothing", w.kind)
			}
		}
		return nil
	})
}

func (c *crash) upTo(d time.Duration) time.Duration { return time.Duration(c.rnd.Int64N(int64(d))) }

// load runs a worker until its operation fails, which only the kill may cause.
func (c *crash) load(w *crasher) {
	for !c.killed.Load() {
		if err := w.step(w); err != nil {
			if !c.killed.Load() {
				c.t.Errorf("%s: without a fault: %v", w.kind, err)
			}
			return
		}
	}
}

func (c *crash) countBites() {
	cut := 0
	for _, w := range c.workers {
		if w.open != nil {
			cut++
		}
	}
	if cut > 0 {
		c.bitten++
	}
	var st unix.Statfs_t // stat(2) may be answered by the kernel's cache
	if err := unix.Statfs(c.s.mnt, &st); errors.Is(err, syscall.ENOTCONN) {
		c.dead++
	}
}

// killWhileStarting interrupts the recovery.
func (c *crash) killWhileStarting() {
	c.s.launch()
	time.Sleep(c.upTo(80 * time.Millisecond))
	c.s.kill()
}

// trim removes what the workers made, so that a long test does not come to look at files for most of its time.
func (c *crash) trim() {
	c.t.Helper()
	for _, w := range c.workers {
		if w.kind == "edit" {
			continue
		}
		names, err := c.s.mount().List(w.root)
		check(c.t, err)
		for _, n := range names {
			check(c.t, c.s.mount().Remove(w.root+"/"+n))
		}
		w.state = state{}
	}
}

// finish looks at what is left when all is quiet, and whether the faults were any.
func (c *crash) finish() {
	t := c.t
	for _, w := range c.workers {
		t.Logf("%-8s %5d acknowledged, %2d cut off, %4d files", w.kind, w.acked.Load(), w.cut, len(w.state))
		if w.acked.Load() == 0 {
			t.Errorf("%s: nothing was acknowledged, the load is no load", w.kind)
		}
	}
	if c.bitten == 0 || c.dead == 0 {
		t.Errorf("the faults did not bite: something was on its way in %d rounds, %d times the mount was dead", c.bitten, c.dead)
	}
	t.Logf("gc: %+v", c.s.gc())
	c.noOrphans()
	c.verify("after gc")
	c.s.checkStaging()
}

// noOrphans compares the objects on disk with what fsck found referred to.
func (c *crash) noOrphans() {
	c.t.Helper()
	if again := c.s.gc(); again != (gcReport{}) {
		c.t.Errorf("a second gc still finds %+v", again)
	}
	c.s.noUploads()
	found := c.s.fsck()
	objects := c.s.objects()
	if int64(len(objects)) != found.Objects {
		c.t.Errorf("%d objects on disk for %d of the versions: %.10q", len(objects), found.Objects, objects)
	}
}

// state is what a worker's directory holds: a mark of the content for each path, "dir" for a directory.
type state map[string]string

var markTable = crc32.MakeTable(crc32.Castagnoli)

func mark(b []byte) string { return fmt.Sprintf("%d:%08x", len(b), crc32.Checksum(b, markTable)) }

// with is the state after path got content; without, after it went.
func (s state) with(path string, content []byte) state {
	s = maps.Clone(s)
	s[path] = mark(content)
	return s
}

func (s state) without(path string) state {
	s = maps.Clone(s)
	delete(s, path)
	return s
}

func (s state) moved(old, new string) state {
	s = maps.Clone(s)
	s[new] = s[old]
	delete(s, old)
	return s
}

// crasher is a worker with a directory of its own, and its idea of what is in there.
type crasher struct {
	kind  string
	s     *server
	root  string
	rnd   *rand.Rand
	step  func(*crasher) error
	state state
	open  []state // states an operation that was cut off may have left
	count int
	acked atomic.Int64
	cut   int

	content []byte // of the edited file
}

// op runs an operation that leads through the given states to the last of them.
func (w *crasher) op(run func() error, states ...state) error {
	if err := run(); err != nil {
		w.open = append([]state{w.state}, states...)
		w.cut++
		return fmt.Errorf("operation %d: %w", w.acked.Load()+int64(w.cut), err)
	}
	w.state = states[len(states)-1]
	w.acked.Add(1)
	return nil
}

// verify compares the directory with what it may be, and goes on from what it is.
func (w *crasher) verify() error {
	got, err := w.scan()
	if err != nil {
		return err
	}
	allowed := w.open
	if allowed == nil {
		allowed = []state{w.state}
	}
	w.open = nil
	for _, s := range allowed {
		if maps.Equal(s, got) {
			w.state = got
			return w.sample()
		}
	}
	return w.explain(got, allowed)
}

func (w *crasher) scan() (state, error) {
	got := state{}
	top := w.s.mount().at(w.root)
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == top {
			return err
		}
		path := w.root + strings.TrimPrefix(p, top)
		if d.IsDir() {
			got[path] = "dir"
			return nil
		}
		b, err := os.ReadFile(p)
		got[path] = mark(b)
		return err
	})
	return got, err
}

// sample reads a few files through the HTTP faces.
func (w *crasher) sample() error {
	left := 4
	for path, want := range w.state {
		if left--; left < 0 {
			return nil
		}
		if want == "dir" {
			continue
		}
		for _, f := range []Face{w.s.dav(), w.s.rest()} {
			if b, err := f.Get(path); err != nil || mark(b) != want {
				return fmt.Errorf("%s through %s: %s, %w, want %s", path, f.Name(), mark(b), err, want)
			}
		}
	}
	return nil
}

// explain names what differs from each allowed state.
func (w *crasher) explain(got state, allowed []state) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is in none of %d allowed states", w.root, len(allowed))
	for i, s := range allowed {
		fmt.Fprintf(&b, "\n  %d:", i)
		for path, want := range s {
			if got[path] != want {
				fmt.Fprintf(&b, " %s is %q not %q;", path, got[path], want)
			}
		}
		for path := range got {
			if _, ok := s[path]; !ok {
				fmt.Fprintf(&b, " %s is there (%s);", path, got[path])
			}
		}
	}
	return errors.New(tail(b.String(), 3000))
}

// fresh is a path that was never used, some one of the files that are there.
func (w *crasher) fresh() string {
	w.count++
	return fmt.Sprintf("%s/%d", w.root, w.count)
}

func (w *crasher) some() string {
	n := w.rnd.IntN(max(len(w.state), 1))
	for path := range w.state {
		if n--; n < 0 && w.state[path] != "dir" {
			return path
		}
	}
	return ""
}

func (w *crasher) data(most int) []byte {
	return randomBytes(w.rnd.IntN(most), w.rnd.Uint64())
}
