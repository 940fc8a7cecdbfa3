package fs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// record is self-describing content: a sequence number, random filling and a checksum, so that a torn or foreign read shows.
func record(rnd *rand.Rand, seq uint64) []byte {
	b := make([]byte, 16+rnd.IntN(40_000))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	binary.LittleEndian.PutUint64(b, seq)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[8:], 0)
	binary.LittleEndian.PutUint32(b[8:], crc32.ChecksumIEEE(b))
	return b
}

// parse checks a record and gives its sequence number.
func parse(b []byte) (uint64, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(b) < 16 || int(binary.LittleEndian.Uint32(b[12:])) != len(b) {
		return 0, fmt.Errorf("torn: %d bytes", len(b))
	}
	c := bytes.Clone(b)
	sum := binary.LittleEndian.Uint32(c[8:])
	binary.LittleEndian.PutUint32(c[8:], 0)
	if crc32.ChecksumIEEE(c) != sum {
		return 0, errors.New("torn: checksum")
	}
	return binary.LittleEndian.Uint64(b), nil
}

// TestNoTornOrStaleReads has both kinds of writers replace one file while both kinds of readers read it: whoever begins to read after a
// write was acknowledged sees that write or a later one, whole.
func TestNoTornOrStaleReads(t *testing.T) {
	eachStore(t, func(t *testing.T, c *core) {
		const rounds = 60
		c.put("/f", "")
		var seq, acked atomic.Uint64
		var turn sync.Mutex // writers take turns, so that acknowledged means newest
		var wg sync.WaitGroup
		var stop atomic.Bool
		for w := range 2 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(w), 7))
				for range rounds {
					turn.Lock()
					n := seq.Add(1)
					if err := c.replaceSomehow(t.Context(), rnd, record(rnd, n)); err != nil {
						t.Errorf("write %d: %v", n, err)
					}
					acked.Store(n)
					turn.Unlock()
				}
				stop.Store(true)
			})
		}
		for r := range 3 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(r), 9))
				for !stop.Load() {
					least := acked.Load()
					b, err := c.readSomehow(t.Context(), rnd)
					if errors.Is(err, syscall.ESTALE) {
						continue
					}
					n, perr := parse(b)
					if err = errors.Join(err, perr); err != nil {
						t.Error(err)
					} else if n < least {
						t.Errorf("stale: read %d after %d was acknowledged", n, least)
					}
				}
			})
		}
		wg.Wait()
		c.fsckClean()
		c.noOrphans()
	})
}

// replaceSomehow replaces /f by a Writer, by truncating and writing on the mount, or by renaming over it.
func (c *core) replaceSomehow(ctx context.Context, rnd *rand.Rand, b []byte) error {
	switch rnd.IntN(3) {
	case 0:
		w, err := c.NewWriter(ctx, c.dav, Target{Path: "/f"})
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		_, _, err = w.Commit(ctx, CommitOptions{ExpectSize: int64(len(b))})
		return err
	case 1:
		_, h, err := c.Create(ctx, c.mount, RootIno, "temp", 0o644, os.O_WRONLY, rnd.IntN(2) == 0)
		if err != nil {
			return err
		}
		if err := c.fill(ctx, h, b); err != nil {
			return err
		}
		return c.Rename(ctx, c.mount, RootIno, "temp", RootIno, "f", 0)
	}
	attr, err := c.Lookup(ctx, c.mount, RootIno, "f")
	if err != nil {
		return err
	}
	// A new file in place of the old one, as far as other faces can tell: they see the old version until close. Readers
	// on the mount may see it half written, as on any file system, so they are not asked here.
	h, err := c.OpenIno(ctx, c.mount, attr.Ino, os.O_WRONLY|os.O_TRUNC, false)
	if err != nil {
		return err
	}
	return c.fill(ctx, h, b)
}

// fill writes, closes and releases.
func (c *core) fill(ctx context.Context, h *Handle, b []byte) error {
	defer h.Release()
	var err error
	if back := h.Backing(); back != nil {
		_, err = back.File.WriteAt(b, 0)
	} else {
		_, err = h.WriteAt(ctx, b, 0)
	}
	return errors.Join(err, h.Flush(ctx))
}

// readSomehow reads /f by path.
func (c *core) readSomehow(ctx context.Context, rnd *rand.Rand) ([]byte, error) {
	r, err := c.OpenReader(ctx, c.dav, "/f")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if rnd.IntN(2) == 0 {
		var buf bytes.Buffer
		_, err := r.SendTo(&buf, 0, r.Size())
		return buf.Bytes(), err
	}
	return io.ReadAll(r)
}
