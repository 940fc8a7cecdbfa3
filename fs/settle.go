package fs

import (
	"context"
	"sync"
	"time"

	"tote/meta"
	"tote/objstore"
)

// settler publishes what the mount closed without fsync, a little later and many files at a time. A closed file stays in staging and its
// version "staged" in the database, which means: in staging or in the store already. Every Options.Settle the settler renames what waits into the
// store, flushes that once for all of them and marks them as stored. A crash before that leaves rows that recover completes.
type settler struct {
	f     *FS
	adopt objstore.LazyAdopter // nil: the store can't adopt, the mount publishes before it commits
	sync  objstore.Syncer
	kick  chan struct{}

	run1 sync.Mutex // one settle at a time

	mu      sync.Mutex
	waiting map[int64]settling // by version id; guarded by mu
	trash   []string           // staging files that go after the next flush; guarded by mu
}

// settling is a version that waits to be marked as stored.
type settling struct {
	version Version
	adopted bool   // its bytes are in the store
	record  string // redo record's file, removed when the version is stored
}

// settleSoon is how many versions may wait before the settler does not wait for its time.
const settleSoon = 5_000

func newSettler(f *FS) *settler {
	s := &settler{f: f, kick: make(chan struct{}, 1), waiting: map[int64]settling{}}
	adopt, ok1 := objstore.As[objstore.LazyAdopter](f.store)
	syncer, ok2 := objstore.As[objstore.Syncer](f.store)
	if ok1 && ok2 {
		s.adopt, s.sync = adopt, syncer
	}
	return s
}

// lazy tells whether the store adopts local files.
func (s *settler) lazy() bool { return s.adopt != nil }

// publish moves the file of a staged version into the store. On failure it stays in staging, where readers find it too, and the next
// open tries again.
func (s *settler) publish(ctx context.Context, v *Version) error {
	if s.adopt == nil {
		return nil
	}
	if err := s.move(ctx, *v); err != nil {
		return err
	}
	s.note(settling{version: *v, adopted: true})
	return nil
}

// move renames a staged file into the store; one that is there already is fine.
func (s *settler) move(ctx context.Context, v Version) error {
	_, err := s.adopt.AdoptLazy(ctx, v.Key, s.f.staging.path(v.Staging))
	if err == nil {
		return nil
	}
	if info, there := s.f.store.Stat(ctx, v.Key); there != nil || info.Size < v.Size {
		return err
	}
	return nil
}

// later has a staged version published at the next settle.
func (s *settler) later(v Version) {
	if s.adopt != nil {
		s.note(settling{version: v})
	}
}

// discardLater removes staging files that the database no longer refers to, once that is on the disk: after a power loss the older rows
// count, and need their bytes.
func (s *settler) discardLater(names ...string) {
	s.f.queue.drop(names...)
	s.trashLater(names...)
}

// trashLater is discardLater for files that were sent.
func (s *settler) trashLater(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range names {
		if n != "" {
			s.trash = append(s.trash, n)
		}
	}
}

// note has a version marked as stored at the next settle.
func (s *settler) note(w settling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[w.version.ID] = w
	if len(s.waiting) == settleSoon {
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
}

// run settles from time to time until ctx ends.
func (s *settler) run(ctx context.Context) {
	tick := time.NewTicker(s.f.opts.Settle)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.kick:
		}
		if err := s.settle(context.WithoutCancel(ctx)); err != nil {
			s.f.log.Error("closed files could not be flushed to disk yet; trying again", "err", err)
		}
	}
}

// settle flushes the store, marks what waited as stored, flushes the database and removes what it no longer refers to.
func (s *settler) settle(ctx context.Context) error {
	s.run1.Lock()
	defer s.run1.Unlock()
	s.mu.Lock()
	batch, trash := s.waiting, s.trash
	s.waiting, s.trash = map[int64]settling{}, nil
	s.mu.Unlock()
	err := s.f.guard("settle", func() error { return s.mark(ctx, batch) })
	if err == nil {
		err = s.f.db.Flush(ctx)
	}
	if err == nil {
		for _, w := range batch {
			trash = append(trash, w.record)
		}
		s.f.discard(trash...)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trash = append(s.trash, trash...)
	for id, w := range batch {
		s.waiting[id] = w
	}
	return err
}

// markBatch bounds one transaction of the settler, so that others do not wait for it long.
const markBatch = 500

// mark flushes the store and marks the batch.
func (s *settler) mark(ctx context.Context, batch map[int64]settling) error {
	if len(batch) == 0 {
		return nil
	}
	rows := make([]meta.Stored, 0, len(batch))
	for _, w := range batch {
		if row, ok := s.row(ctx, w); ok {
			rows = append(rows, row)
		}
	}
	if err := s.sync.Sync(ctx); err != nil {
		return err
	}
	for len(rows) > 0 {
		n := min(len(rows), markBatch)
		if err := s.f.db.MarkStored(ctx, rows[:n], meta.Relaxed); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// sumAtOnce is the size up to which a version gets its checksum when it is marked as stored, from the page cache and in the same
// transaction. Larger ones get it later, in the background.
const sumAtOnce = 1 << 20

// row publishes one version and says how it is marked. A version whose file is gone was replaced or deleted meanwhile.
func (s *settler) row(ctx context.Context, w settling) (meta.Stored, bool) {
	v := w.version
	if !w.adopted && w.record == "" {
		if err := s.move(ctx, v); err != nil {
			if now, verr := s.f.db.VersionByID(ctx, v.ID); verr == nil && now.State == meta.StateStaged {
				s.f.log.Error("a closed file could not be moved into the object store yet; it stays in staging", "key", v.Key, "err", err)
				s.note(w)
			}
			return meta.Stored{}, false
		}
	}
	row := meta.Stored{ID: v.ID, Key: v.Key, Synced: true}
	if v.Size <= sumAtOnce && v.Sum == "" {
		if sum, err := s.f.sumVersion(ctx, v); err == nil {
			row.Sum = sum
		}
	}
	return row, true
}
