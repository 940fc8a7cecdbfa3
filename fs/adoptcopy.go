package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"tote/meta"
	"tote/objstore"
)

// AdoptCopy makes a copy of an object that is in the store under key the content of a file. It is for objects that whoever put them there can still
// change: the copy is the core's own. The store makes it; no bytes pass this process, unless the store can't copy. The object itself stays. There is no
// object with an ENOENT, and it became another one meanwhile with an ESTALE.
func (f *FS) AdoptCopy(ctx context.Context, a *Actor, t Target, key string, o CommitOptions) (Info, bool, error) {
	info, created, err := f.adoptCopy(detach(ctx), a, t, key, o)
	return info, created, fail("adopt", key, err)
}

func (f *FS) adoptCopy(ctx context.Context, a *Actor, t Target, key string, o CommitOptions) (Info, bool, error) {
	w := &Writer{f: f, a: *a, target: t}
	if err := w.locate(ctx); err != nil {
		return Info{}, false, err
	}
	if err := w.recheck(ctx, o); err != nil {
		return Info{}, false, err
	}
	src, err := f.statObject(ctx, key)
	if err != nil {
		return Info{}, false, err
	}
	if o.ExpectSize >= 0 && o.ExpectSize != src.Size {
		return Info{}, false, ErrShortBody
	}
	to, err := w.naming().name(ctx)
	if err != nil {
		return Info{}, false, err
	}
	defer f.keys.release(to.key)
	object, err := f.copyUnchanged(ctx, src, to, w.ino)
	if err != nil {
		return Info{}, false, err
	}
	info, created, err := w.adopt(ctx, object, o, meta.Durable)
	if err != nil && !errors.Is(err, meta.ErrNotFlushed) {
		w.unpublish(ctx, to.key)
	}
	return info, created, err
}

// copyUnchanged copies an object, and makes sure that it was the same one all the time: a large one is copied in parts.
func (f *FS) copyUnchanged(ctx context.Context, src objstore.Info, to objectName, ino Ino) (objstore.Info, error) {
	made, err := f.copyObject(ctx, src, to, ino)
	if err != nil {
		return made, err
	}
	now, err := f.statObject(ctx, src.Key)
	if err == nil && (now.ETag != src.ETag || now.Size != src.Size || made.Size != src.Size) {
		err = fmt.Errorf("%w: %w", syscall.ESTALE, objstore.ErrChanged)
	}
	if err != nil {
		(&Writer{f: f}).unpublish(ctx, to.key)
	}
	return made, err
}

// copyObject has the store copy an object.
func (f *FS) copyObject(ctx context.Context, src objstore.Info, to objectName, ino Ino) (objstore.Info, error) {
	if src.Size == 0 {
		return f.putObject(ctx, to, bytes.NewReader(nil), 0)
	}
	multi, err := f.beginUpload(ctx, to, ino)
	if err != nil {
		return objstore.Info{}, err
	}
	parts, err := f.copyParts(ctx, multi, src)
	if err == nil {
		call, cancel := f.bound(ctx, src.Size)
		defer cancel()
		var info objstore.Info
		if info, err = multi.Complete(call, parts); err == nil {
			return info, f.db.FinishUpload(ctx, multi.ID(), meta.Relaxed)
		}
	}
	return objstore.Info{}, errors.Join(err, f.endUpload(ctx, multi))
}

// copyPart is how many bytes the store copies in one call: few enough for it to answer before the connection is given up.
const copyPart = 64 << 20

// copyParts copies an object in equal parts, a few at a time.
func (f *FS) copyParts(ctx context.Context, multi objstore.Upload, src objstore.Info) ([]objstore.Part, error) {
	limits := objstore.LimitsOf(f.store)
	step := min(max(copyPart, limits.MinPart, roundUp(src.Size/objstore.MaxParts+1)), limits.MaxCopy)
	count := int((src.Size + step - 1) / step)
	parts, errs := make([]objstore.Part, count), make([]error, count)
	slots := make(chan struct{}, defaultPerFile)
	var group sync.WaitGroup
	for i := range count {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			off := int64(i) * step
			call, cancel := f.bound(ctx, step)
			defer cancel()
			errs[i] = f.guard("copy", func() (err error) {
				parts[i], err = multi.CopyPart(call, i+1, src.Key, off, min(step, src.Size-off))
				return err
			})
		})
	}
	group.Wait()
	return parts, errors.Join(errs...)
}
