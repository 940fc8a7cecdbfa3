package fs

import (
	"context"
	"errors"
	"time"

	"tote/meta"
	"tote/objstore"
)

// keepTombstones is how long the ids of completed uploads are kept: as long as the store might still show one as open, it must not be ended, because
// that could delete what it published.
const keepTombstones = 7 * 24 * time.Hour

// collectUploads ends multipart uploads that nobody will complete: those on record whose writer is gone, and those that only the store knows, because a
// crash came before the record, once they are older than young.
func (f *FS) collectUploads(ctx context.Context, young time.Time, r *GCReport) error {
	if f.remote == nil {
		return nil
	}
	open, err := f.db.Uploads(ctx, false)
	if err != nil {
		return err
	}
	var errs []error
	for _, row := range open {
		if f.keys.taken(row.Key) {
			continue
		}
		if err := f.endLeft(ctx, row); err != nil {
			errs = append(errs, err)
			continue
		}
		r.Uploads++
	}
	old := f.Now().Add(-keepTombstones).UnixNano()
	return errors.Join(append(errs, f.collectUnknown(ctx, young, r), f.db.ForgetTombstones(ctx, old, meta.Relaxed))...)
}

// EndStrays ends the multipart uploads that an earlier run began and was killed before it could put them on record, however young they are. It is for
// the start: nobody else begins uploads in this place.
func (f *FS) EndStrays(ctx context.Context) error {
	var r GCReport
	return fail("end left uploads", "", f.collectUnknown(ctx, f.Now().Add(clocksDiffer), &r))
}

// clocksDiffer is by how much the store's clock may be ahead of ours.
const clocksDiffer = 24 * time.Hour

// collectUnknown ends uploads that are not on record. Those of this run are never among them: their keys are taken until they are.
func (f *FS) collectUnknown(ctx context.Context, young time.Time, r *GCReport) error {
	lister, ok := objstore.As[objstore.UploadLister](f.store)
	if !ok {
		return nil
	}
	for info, err := range lister.Uploads(ctx) {
		if err != nil {
			return err
		}
		if !ownKey(info.Key) || info.Started.After(young) || f.keys.taken(info.Key) {
			continue
		}
		known, err := f.db.HasUpload(ctx, info.ID)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		if err := f.endLeft(ctx, meta.Upload{ID: info.ID, Key: info.Key}); err != nil {
			return err
		}
		r.Uploads++
	}
	return nil
}

// endLeft ends an upload of which nothing but the id is left.
func (f *FS) endLeft(ctx context.Context, row meta.Upload) error {
	resumer, ok := objstore.As[objstore.Resumer](f.store)
	if !ok {
		return f.db.ForgetUpload(ctx, row.ID, meta.Relaxed)
	}
	call, cancel := f.bound(ctx, 0)
	defer cancel()
	multi, err := resumer.ResumeUpload(call, row.Key, row.ID)
	if errors.Is(err, objstore.ErrNotFound) {
		return f.db.ForgetUpload(ctx, row.ID, meta.Relaxed)
	}
	if err != nil {
		return err
	}
	return f.endUpload(ctx, multi)
}

// endLeftUploads ends what the last run of the core had begun. What was in them is not lost: the file of an upload that somebody was told about is in staging,
// and is sent again.
func (f *FS) endLeftUploads(ctx context.Context, rows []meta.Upload) {
	for _, row := range rows {
		if err := f.endLeft(ctx, row); err != nil {
			f.log.Warn("an upload of the last run could not be ended; tote gc tries again", "key", row.Key, "err", err)
		}
	}
}
