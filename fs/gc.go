package fs

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"tote/meta"
	"tote/objstore"
)

// GCReport counts what a garbage collection removed.
type GCReport struct {
	Objects int   `json:"objects"` // objects of replaced and deleted versions
	Orphans int   `json:"orphans"` // objects that no version ever came to use
	Uploads int   `json:"uploads"` // abandoned multipart uploads and temporary files of the store
	Bytes   int64 `json:"bytes"`
}

// sweeper is a store that can drop what abandoned writes left in it.
type sweeper interface {
	Sweep(ctx context.Context, olderThan time.Time) (int, error)
}

// gcBatch is how many intents are looked at together.
const gcBatch = 256

// GC deletes objects that nothing refers to: those of replaced versions once their grace is over, and orphans, which a crash between
// publication and commit leaves. now ends every grace at once. Objects somebody is reading stay for the next time.
func (f *FS) GC(ctx context.Context, now bool) (GCReport, error) {
	var r GCReport
	f.endAllLingering()
	// What replaced them has to be durable before old objects go.
	if err := errors.Join(f.settler.settle(ctx), f.db.Flush(ctx)); err != nil {
		return r, fail("gc", "", err)
	}
	due, young := f.Now().UnixNano(), f.Now().Add(-f.opts.Grace)
	if now {
		due, young = math.MaxInt64, f.Now()
	}
	err := f.collectIntents(ctx, due, &r)
	if err == nil {
		err = f.collectOrphans(ctx, young, &r)
	}
	if err == nil {
		err = f.collectUploads(ctx, young, &r)
	}
	if s, ok := f.store.(sweeper); ok && err == nil {
		r.Uploads, err = s.Sweep(ctx, f.Now().Add(-max(f.opts.Grace, time.Hour)))
	}
	return r, fail("gc", "", err)
}

// Tidy is the part of GC that is cheap enough to run every few minutes: due intents, expired locks, pieces that nobody used, the tail of the
// change feed.
func (f *FS) Tidy(ctx context.Context) error {
	var r GCReport
	if err := errors.Join(f.settler.settle(ctx), f.db.Flush(ctx)); err != nil {
		return fail("tidy", "", err)
	}
	err := f.collectIntents(ctx, f.Now().UnixNano(), &r)
	_, lockErr := f.db.ExpireLocks(ctx, f.Now(), meta.Relaxed)
	return fail("tidy", "", errors.Join(err, lockErr, f.expirePieces(ctx), f.db.TrimChanges(ctx, keepChanges, meta.Relaxed)))
}

// keepChanges is how many rows of the change feed stay.
const keepChanges = 100_000

// collectIntents deletes the objects of due intents. Those that are in use or can't be deleted stay for the next time.
func (f *FS) collectIntents(ctx context.Context, due int64, r *GCReport) error {
	c := &intentCollector{f: f, r: r, skipped: map[string]bool{}}
	for {
		list, err := f.db.DueIntents(ctx, due, gcBatch+len(c.skipped))
		if err != nil {
			return errors.Join(append(c.errs, err)...)
		}
		if c.batch(ctx, list) == 0 {
			return errors.Join(c.errs...)
		}
	}
}

// intentCollector is one collection.
type intentCollector struct {
	f *FS

	mu      sync.Mutex
	r       *GCReport       // guarded by mu, like all below
	skipped map[string]bool // keys that stay
	errs    []error
	done    int
}

// batch deletes the objects of some intents, several at a time in a remote store, where one after the other would be slower than they come. It tells how many
// are done with.
func (c *intentCollector) batch(ctx context.Context, list []meta.Intent) int {
	c.done = 0
	slots := make(chan struct{}, c.f.parallel())
	var work sync.WaitGroup
	for _, in := range list {
		if c.skips(in.Key) {
			continue
		}
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			var deleted bool
			err := c.f.guard("gc", func() (err error) {
				deleted, err = c.f.deleteIntent(ctx, in.Key, c.deleted)
				return err
			})
			c.ended(in.Key, deleted, err)
		})
	}
	work.Wait()
	return c.done
}

func (c *intentCollector) skips(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.skipped[key]
}

// deleted counts an object.
func (c *intentCollector) deleted(size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.r.Objects++
	c.r.Bytes += size
}

// ended takes down what came of an intent.
func (c *intentCollector) ended(key string, deleted bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && len(c.errs) < maxErrors {
		c.errs = append(c.errs, err)
	}
	if deleted {
		c.done++
	} else {
		c.skipped[key] = true
	}
}

// farChores is how many objects of a remote store are looked at, read or deleted at the same time.
const farChores = 8

// parallel is farChores, or 1 for a local disk, which does best one after the other.
func (f *FS) parallel() int {
	if f.remote == nil {
		return 1
	}
	return farChores
}

// maxErrors bounds what one collection reports.
const maxErrors = 10

// deleteIntent deletes one object after a last look whether anything refers to it, and counts it; false means that it is in use right now.
func (f *FS) deleteIntent(ctx context.Context, key string, count func(size int64)) (bool, error) {
	if f.sources.holds(key) || !f.keys.claim(key) {
		return false, nil
	}
	defer f.keys.release(key)
	del, err := f.db.ClaimIntent(ctx, key, meta.Relaxed)
	if err != nil || !del {
		return err == nil, err
	}
	call, cancel := f.bound(ctx, 0)
	defer cancel()
	if info, err := f.store.Stat(call, key); err == nil {
		count(info.Size)
	}
	f.forgetObject(key)
	if err := f.store.Delete(call, key); err != nil {
		return false, err
	}
	return true, f.db.FinishIntent(ctx, key, meta.Relaxed)
}

// collectOrphans deletes objects older than young that neither a version nor an intent refers to.
func (f *FS) collectOrphans(ctx context.Context, young time.Time, r *GCReport) error {
	for info, err := range f.store.List(ctx, "", "") {
		if err != nil {
			return err
		}
		if info.Modified.After(young) || !ownKey(info.Key) || f.sources.holds(info.Key) {
			continue
		}
		if err := f.deleteOrphan(ctx, info, r); err != nil {
			return err
		}
	}
	return nil
}

// ownKey tells whether a key has the form of those that the core makes. Whatever else there is in a bucket belongs to somebody, unless a version
// refers to it.
func ownKey(key string) bool {
	_, rest, ok := strings.Cut(key, "/")
	return ok && strings.HasPrefix(rest, "binarystreamobject/assets/")
}

func (f *FS) deleteOrphan(ctx context.Context, info objstore.Info, r *GCReport) error {
	if !f.keys.claim(info.Key) {
		return nil
	}
	defer f.keys.release(info.Key)
	live, err := f.db.LiveKey(ctx, info.Key)
	if err != nil || live {
		return err
	}
	waits, err := f.db.HasIntent(ctx, info.Key)
	if err != nil || waits {
		return err
	}
	call, cancel := f.bound(ctx, 0)
	defer cancel()
	f.forgetObject(info.Key)
	if err := f.store.Delete(call, info.Key); err != nil {
		return err
	}
	r.Orphans++
	r.Bytes += info.Size
	return nil
}
