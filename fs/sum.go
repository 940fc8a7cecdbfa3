package fs

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"time"

	"github.com/minio/crc64nvme"
	"golang.org/x/sys/unix"

	"tote/meta"
)

// sumName names the checksum that every version gets. S3 knows it as CRC64NVME; sums of parts can be joined, and it costs next to
// nothing beside the disk.
const sumName = "crc64nvme:"

// newSum starts a checksum.
func newSum() hash.Hash64 { return crc64nvme.New() }

// formatSum is the form in which a checksum is kept.
func formatSum(h hash.Hash64) string { return fmt.Sprintf("%s%016x", sumName, h.Sum64()) }

// sumEvery is how often versions are looked for that came without a checksum because the kernel wrote them.
const sumEvery = 15 * time.Second

// sumBatch bounds one look.
const sumBatch = 200

// sumLoop computes the checksums of versions that the kernel wrote, in the background, until ctx ends.
func (f *FS) sumLoop(ctx context.Context) {
	tick := time.NewTicker(sumEvery)
	defer tick.Stop()
	f.sumAt(ctx, tick.C)
}

// sumAt is sumLoop with another clock.
func (f *FS) sumAt(ctx context.Context, tick <-chan time.Time) {
	skip := map[int64]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		for more := true; more && ctx.Err() == nil; {
			n := 0
			err := f.guard("checksums", func() (err error) {
				n, err = f.sumSome(ctx, skip)
				return err
			})
			if err != nil {
				f.log.Warn("checksums could not be recorded; trying again", "err", err)
			}
			more = n >= sumBatch && err == nil
		}
	}
}

// sumSome computes checksums for some versions that lack one. One that can't be read is left for fsck to report.
func (f *FS) sumSome(ctx context.Context, skip map[int64]bool) (int, error) {
	list, err := f.db.VersionsToSum(ctx, sumBatch+len(skip))
	if err != nil {
		return 0, err
	}
	done := 0
	for _, v := range list {
		if skip[v.ID] || ctx.Err() != nil {
			continue
		}
		var sum string
		var err error
		if bug := f.quietly("checksum", func() { sum, err = f.sumVersion(ctx, v) }); bug != nil {
			return done, bug
		}
		if err != nil {
			skip[v.ID] = true
			f.log.Warn("an object can't be read; run tote fsck", "key", v.Key, "err", err)
			continue
		}
		if err := f.db.SetSums(ctx, v.ID, sum, "", meta.Relaxed); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// leastUrgent is the nice value of a thread that runs when no other wants to.
const leastUrgent = 19

// quietly runs fn on a thread that yields to all others, for work that may be long and for which nobody waits. The error is that of a panic.
func (f *FS) quietly(what string, fn func()) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()                                  // for good: the thread ends with the goroutine, and its priority with it
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, leastUrgent) // without it fn does the same
		err = f.guard(what, func() error { fn(); return nil })
	}()
	<-done
	return err
}

// sumVersion reads all bytes of a version, through its source: a writer on the mount may be about to take over the object's file.
func (f *FS) sumVersion(ctx context.Context, v Version) (string, error) {
	h := newSum()
	if v.Size == 0 {
		return formatSum(h), nil
	}
	if f.remote != nil && v.State == meta.StateStored {
		return f.sumObject(ctx, v)
	}
	s, err := f.openSource(ctx, v)
	if err != nil {
		return "", err
	}
	defer f.closeSource(s)
	buf := make([]byte, min(v.Size, sumChunk))
	for off := int64(0); off < v.Size; {
		n, err := s.readAt(ctx, f, buf[:min(v.Size-off, int64(len(buf)))], off)
		if err != nil {
			return "", err
		}
		h.Write(buf[:n])
		off += int64(n)
	}
	return formatSum(h), nil
}

// sumChunk is how much is read at a time for a checksum.
const sumChunk = 1 << 20

// sumObject reads all bytes of an object of a remote store, past the cache.
func (f *FS) sumObject(ctx context.Context, v Version) (string, error) {
	o, err := f.db.Object(ctx, v.ID)
	if err != nil {
		return "", err
	}
	ctx, cancel := f.bound(ctx, v.Size)
	defer cancel()
	body, err := f.getRange(ctx, v, o, 0, v.Size)
	if err != nil {
		return "", err
	}
	defer body.Close()
	h := newSum()
	if n, err := io.CopyBuffer(plainWriter{h}, body, make([]byte, sumChunk)); err != nil || n != v.Size {
		return "", errors.Join(errShort, err)
	}
	return formatSum(h), nil
}
