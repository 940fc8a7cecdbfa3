package fs

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"tote/meta"
)

// writeBack brings most bytes of the work file to the disk before the locks of a commit are taken, which then finds little left to do. Its
// error comes again there.
func (v *view) writeBack() {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if w := v.work; w != nil && (w.kernel || w.written.bytes() > redoInline) {
		_ = dataSync(w.file)
	}
}

// quickSync is how long the disk may take for a file that is flushed under the locks next time: a flush before them costs small ones as much again.
const quickSync = 2 * time.Millisecond

// dataSync makes the bytes and the size of a file durable. Its times are in the database.
func dataSync(file *os.File) error {
	for {
		if err := syscall.Fdatasync(int(file.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// syncOrphan is fsync of a file without a name, which is never committed: it may get one later (O_TMPFILE and linkat).
func (v *view) syncOrphan(o commitOptions) error {
	if !o.durable || v.work == nil {
		return nil
	}
	return v.syncWork()
}

// syncWork makes the bytes of the work file and its name in staging durable.
func (v *view) syncWork() error {
	w, start := v.work, time.Now()
	before, err := stampOf(w.file)
	if err == nil {
		err = dataSync(w.file)
	}
	v.quick.Store(time.Since(start) < quickSync)
	if err == nil && !w.named {
		err = v.f.staging.syncDir()
		w.named = err == nil
	}
	if err == nil {
		w.firm = before.size
	}
	return err
}

// grown tells whether the commit of a durable content goes on top of one in the same file that is on the disk. Then bytes and row may be flushed at
// the same time: when the power fails between the two, what was there before is found all the same (Version.Firm).
func (v *view) grown() bool { return v.base.Synced && v.work.kernel && v.work.isOf(v.base) }

// syncBase makes an unchanged file durable: what was committed without a flush is flushed now.
func (v *view) syncBase(ctx context.Context) error {
	if v.base.ID == 0 || v.base.Synced {
		return v.f.db.Flush(ctx)
	}
	if v.work != nil && v.work.full && v.work.isOf(v.base) {
		row := v.f.db.BeginFlush()
		if err := errors.Join(v.syncWork(), row(ctx)); err != nil {
			return err
		}
	} else if err := v.f.syncVersion(ctx, v.base, v.src); err != nil {
		return err
	} else if err := v.f.db.Flush(ctx); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.base.Synced = true
	return nil
}

// syncVersion makes the object of a version durable that was published lazily.
func (f *FS) syncVersion(ctx context.Context, base Version, s *source) error {
	if err := s.sync(); err != nil {
		return err
	}
	if base.State == meta.StateStored {
		return nil
	}
	return errors.Join(f.staging.syncDir(), f.settler.settle(ctx))
}
