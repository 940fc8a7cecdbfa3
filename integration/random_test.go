package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestCrossRandom (G1, G2, G3) writes through one random door and reads through another, 10,000 times and from many goroutines. After an
// acknowledged write every later read, on any door, has to see that write or a newer one, and every read has to see one write, whole.
func TestCrossRandom(t *testing.T) {
	pairs := int64(10_000)
	if brief() {
		pairs = 2_000
	}
	s := startServer(t)
	r := &randomRun{s: s, pairs: pairs, faces: s.faces()}
	check(t, s.mount().Mkdir("/own"))
	check(t, s.mount().Mkdir("/shared"))
	for i := range sharedFiles {
		f := &sharedFile{path: fmt.Sprintf("/shared/%d", i), number: uint64(i), writes: map[stamp]*interval{}}
		r.shared = append(r.shared, f)
		check(t, r.writeShared(f, s.dav(), 0, rand.New(rand.NewPCG(1, uint64(i)))))
	}
	start := time.Now()
	r.run(t)
	t.Logf("%d pairs in %v: %d writes and %d reads of files with one writer, %d and %d of contended ones, %d refused, %d tried again", r.done.Load(),
		time.Since(start).Round(time.Millisecond), r.ownWrites.Load(), r.ownReads.Load(), r.sharedWrites.Load(), r.sharedReads.Load(), r.refused.Load(), r.retries.Load())
	if got := r.done.Load(); got < pairs {
		t.Errorf("%d pairs, want %d", got, pairs)
	}
	if r.sharedWrites.Load() < pairs/20 || r.sharedReads.Load() < pairs/20 {
		t.Error("too few writes or reads of contended files got through: the test proves little")
	}
	s.checkMemory()
}

const (
	randomWorkers = 8
	ownFiles      = 24 // of each worker
	sharedFiles   = 6
	crossLimit    = 60 * time.Second
)

// randomRun is the state that all workers share.
type randomRun struct {
	s      *server
	pairs  int64
	faces  []Face
	shared []*sharedFile
	clock  atomic.Int64 // orders the beginnings and ends of writes and reads

	done, ownWrites, ownReads, sharedWrites, sharedReads, refused, retries atomic.Int64
}

func (r *randomRun) run(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*crossLimit)
	defer cancel()
	var wg sync.WaitGroup
	for w := range randomWorkers {
		wg.Go(func() {
			if err := r.worker(ctx, uint64(w)); err != nil {
				t.Errorf("worker %d: %v", w, err)
				cancel()
			}
		})
	}
	wg.Wait()
}

// worker makes pairs until there are enough of them.
func (r *randomRun) worker(ctx context.Context, w uint64) error {
	rnd := rand.New(rand.NewPCG(7, w))
	for ctx.Err() == nil && r.done.Add(1) <= r.pairs {
		var err error
		if rnd.IntN(10) < 7 {
			err = r.ownPair(w, rnd)
		} else {
			err = r.sharedPair(w, rnd)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// randomSize is mostly 0 to 64 KiB, now and then some MiB.
func randomSize(rnd *rand.Rand) int {
	switch n := rnd.IntN(1000); {
	case n < 4:
		return 1<<20 + rnd.IntN(3<<20)
	case n < 300:
		return rnd.IntN(512)
	default:
		return rnd.IntN(64 << 10)
	}
}

func (r *randomRun) face(rnd *rand.Rand) Face { return r.faces[rnd.IntN(len(r.faces))] }

// ownPair writes a file that has only this writer, and reads exactly that back through other doors. A part of the files is read once more, a
// part removed, so that names come and go.
func (r *randomRun) ownPair(w uint64, rnd *rand.Rand) error {
	path := fmt.Sprintf("/own/%d-%d", w, rnd.IntN(ownFiles))
	var data []byte
	if rnd.IntN(50) > 0 { // else an empty file
		data = stamped(stamp{w, w, uint64(r.ownWrites.Load())}, randomSize(rnd))
	}
	wf := r.face(rnd)
	if err := r.putOwn(wf, path, data, rnd); err != nil {
		return fmt.Errorf("write %s through %s: %w", path, wf.Name(), err)
	}
	r.ownWrites.Add(1)
	for range 1 + rnd.IntN(2) {
		rf := r.face(rnd)
		got, err := rf.Get(path)
		if err != nil {
			return fmt.Errorf("read %s through %s after a write through %s: %w", path, rf.Name(), wf.Name(), err)
		}
		if !bytes.Equal(got, data) {
			return fmt.Errorf("%s read through %s is not what %s wrote: %s", path, rf.Name(), wf.Name(), difference(got, data))
		}
		r.ownReads.Add(1)
	}
	if rnd.IntN(40) > 0 {
		return nil
	}
	rf := r.face(rnd)
	if err := r.face(rnd).Remove(path); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	if _, err := rf.Get(path); !isErrno(err, syscall.ENOENT) {
		return fmt.Errorf("%s is removed, and reading it through %s gives %w", path, rf.Name(), err)
	}
	return nil
}

// putOwn writes in place, or on the mount sometimes by rename.
func (r *randomRun) putOwn(f Face, path string, data []byte, rnd *rand.Rand) error {
	if m, ok := f.(*mountFace); ok && rnd.IntN(3) == 0 {
		return m.Replace(path, data)
	}
	return f.Put(path, data)
}

func difference(got, want []byte) string {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	gs, gerr := readStamp(got)
	ws, _ := readStamp(want)
	return fmt.Sprintf("got %d bytes (%+v, %v), want %d (%+v), they differ at %d", len(got), gs, gerr, len(want), ws, at)
}

// sharedFile is written and read by everybody.
type sharedFile struct {
	path   string
	number uint64
	inUse  sync.Mutex // held by a mount writer that writes in place: POSIX lets others see half of it

	mu     sync.Mutex
	seq    uint64
	writes map[stamp]*interval
	latest int64 // the latest beginning of an acknowledged write: what ended before it is stale
}

// interval is when a write was on its way; end is 0 until it was acknowledged.
type interval struct{ begin, end int64 }

// sharedPair writes a contended file and reads a contended one.
func (r *randomRun) sharedPair(w uint64, rnd *rand.Rand) error {
	f := r.shared[rnd.IntN(len(r.shared))]
	wf := r.face(rnd)
	err := r.writeShared(f, wf, w, rnd)
	if refusal(err) {
		r.refused.Add(1)
	} else if err != nil {
		return fmt.Errorf("write %s through %s: %w", f.path, wf.Name(), err)
	}
	rf := r.face(rnd)
	if err := r.readShared(f, rf); err != nil {
		return fmt.Errorf("read %s through %s: %w", f.path, rf.Name(), err)
	}
	return nil
}

// refusal tells whether an error only says that another writer was there at the same time: the file was replaced under an open handle, or
// under the number that REST had been told.
func refusal(err error) bool {
	return errors.Is(err, syscall.ESTALE) || isErrno(err, syscall.ENOENT)
}

// writeShared writes the next content. Even files are replaced by rename on the mount, which gives them a new number; odd ones are not.
func (r *randomRun) writeShared(f *sharedFile, face Face, w uint64, rnd *rand.Rand) error {
	f.mu.Lock()
	f.seq++
	s := stamp{f.number, w, f.seq}
	at := &interval{begin: r.clock.Add(1)}
	f.writes[s] = at
	f.mu.Unlock()
	if err := r.putShared(f, face, stamped(s, randomSize(rnd))); err != nil {
		return err // whether it was written is open; both are right
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at.end = r.clock.Add(1)
	f.latest = max(f.latest, at.begin)
	r.sharedWrites.Add(1)
	return nil
}

func (r *randomRun) putShared(f *sharedFile, face Face, data []byte) error {
	m, ok := face.(*mountFace)
	switch {
	case !ok:
		return face.Put(f.path, data)
	case f.number%2 == 0:
		return m.Replace(f.path, data)
	}
	f.inUse.Lock()
	defer f.inUse.Unlock()
	return m.Put(f.path, data)
}

// readShared reads and judges. A reader on the mount may be told that its file was replaced, and that it is gone; it tries again.
func (r *randomRun) readShared(f *sharedFile, face Face) error {
	if _, ok := face.(*mountFace); ok && f.number%2 == 1 {
		f.inUse.Lock()
		defer f.inUse.Unlock()
	}
	f.mu.Lock()
	floor := f.latest
	f.mu.Unlock()
	var got []byte
	var err error
	for start := time.Now(); ; r.retries.Add(1) {
		if got, err = face.Get(f.path); !refusal(err) {
			break
		}
		if time.Since(start) > 10*time.Second {
			return fmt.Errorf("for %v: %w", time.Since(start), err)
		}
	}
	if err != nil {
		return err
	}
	s, err := readStamp(got)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.writes[s]
	if at == nil {
		return fmt.Errorf("nobody wrote %+v", s)
	}
	if at.end != 0 && at.end < floor {
		return fmt.Errorf("stale: %+v had been replaced before the read began (written until %d, replaced at %d)", s, at.end, floor)
	}
	r.sharedReads.Add(1)
	return nil
}

// TestG2ReadYourWrites reads on the mount what was written through a handle, before and after close, while WebDAV still has the old version.
func TestG2ReadYourWrites(t *testing.T) {
	s := startServer(t)
	m, d := s.mount(), s.dav()
	check(t, d.Put("/f", []byte("old")))
	f, err := os.OpenFile(m.at("/f"), os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("new and longer"), 0)
	check(t, err)
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0)
	wantBytes(t, "the handle", buf[:n], "new and longer")
	wantGet(t, m, "/f", "new and longer")
	wantGet(t, d, "/f", "old")
	check(t, f.Close())
	for _, face := range s.faces() {
		wantGet(t, face, "/f", "new and longer")
	}
}

// TestG3OpenReaders lets every door replace a file that others have open: an open reader keeps its version, or is told.
func TestG3OpenReaders(t *testing.T) {
	s := startServer(t)
	for _, w := range s.faces() {
		t.Run(w.Name(), func(t *testing.T) {
			path := "/" + w.Name()
			first, second := stamped(stamp{1, 1, 1}, 3<<20), stamped(stamp{1, 1, 2}, 2<<20)
			check(t, s.dav().Put(path, first))
			f, err := os.Open(s.mount().at(path))
			check(t, err)
			defer f.Close()
			resp, err := s.request("GET", davURL(path), nil)
			check(t, err)
			defer resp.Body.Close()
			half := make([]byte, 1<<20)
			readHalf(t, f, half, first)
			readHalf(t, resp.Body, half, first)
			if m, ok := w.(*mountFace); ok {
				check(t, m.Replace(path, second)) // in place would change what the mount's own reader sees
			} else {
				check(t, w.Put(path, second))
			}
			keepsVersion(t, "WebDAV", resp.Body, first)
			keepsVersion(t, "mount", f, first)
			for _, r := range s.faces() {
				got, err := r.Get(path)
				check(t, err)
				if !bytes.Equal(got, second) {
					t.Errorf("%s: %s", r.Name(), difference(got, second))
				}
			}
		})
	}
}
