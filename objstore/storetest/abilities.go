package storetest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"tote/objstore"
)

// Ability shows the abilities of the store beneath, each behind the decorator. An ability it does not know
// stays hidden: a call must not get around a fault plan or a trace.
func (d *decorator) Ability(target any) bool {
	switch t := target.(type) {
	case *objstore.Adopter:
		return show(d, t, func(in objstore.Adopter) objstore.Adopter { return adopter{d, in} })
	case *objstore.LazyAdopter:
		return show(d, t, func(in objstore.LazyAdopter) objstore.LazyAdopter { return lazyAdopter{d, in} })
	case *objstore.Syncer:
		return show(d, t, func(in objstore.Syncer) objstore.Syncer { return syncer{d, in} })
	case *objstore.FileOpener:
		return show(d, t, func(in objstore.FileOpener) objstore.FileOpener { return fileOpener{d, in} })
	case *objstore.Renamer:
		return show(d, t, func(in objstore.Renamer) objstore.Renamer { return renamer{d, in} })
	case *objstore.PathFinder:
		// Asks nothing of the store, so there is nothing to record or to fail.
		return show(d, t, func(in objstore.PathFinder) objstore.PathFinder { return in })
	case *objstore.Resumer:
		return show(d, t, func(in objstore.Resumer) objstore.Resumer { return resumer{d, in} })
	case *objstore.UploadLister:
		return show(d, t, func(in objstore.UploadLister) objstore.UploadLister { return uploadLister{d, in} })
	case *objstore.Presigner:
		return show(d, t, func(in objstore.Presigner) objstore.Presigner { return presigner{d, in} })
	case *objstore.PutPresigner:
		return show(d, t, func(in objstore.PutPresigner) objstore.PutPresigner { return putPresigner{d, in} })
	case *objstore.MatchGetter:
		return show(d, t, func(in objstore.MatchGetter) objstore.MatchGetter { return matchGetter{d, in} })
	case *objstore.Describer:
		return show(d, t, func(in objstore.Describer) objstore.Describer { return describer{d, in} })
	case *objstore.Limiter:
		// Asks nothing of the store either.
		return show(d, t, func(in objstore.Limiter) objstore.Limiter { return in })
	}
	return false
}

// show sets target to the wrapped ability of the inner store, if that has it.
func show[T any](d *decorator, target *T, wrap func(T) T) bool {
	in, ok := objstore.As[T](d.inner)
	if ok {
		*target = wrap(in)
	}
	return ok
}

type adopter struct {
	d  *decorator
	in objstore.Adopter
}

func (a adopter) Adopt(ctx context.Context, key, path string) (objstore.Info, error) {
	return do(ctx, a.d, Call{Op: "adopt", Key: key}, func(verdict) (objstore.Info, error) {
		return a.in.Adopt(ctx, key, path)
	})
}

type lazyAdopter struct {
	d  *decorator
	in objstore.LazyAdopter
}

func (a lazyAdopter) AdoptLazy(ctx context.Context, key, path string) (objstore.Info, error) {
	return do(ctx, a.d, Call{Op: "adoptlazy", Key: key}, func(verdict) (objstore.Info, error) {
		return a.in.AdoptLazy(ctx, key, path)
	})
}

type syncer struct {
	d  *decorator
	in objstore.Syncer
}

func (s syncer) Sync(ctx context.Context) error {
	return do0(ctx, s.d, Call{Op: "sync"}, func() error { return s.in.Sync(ctx) })
}

type fileOpener struct {
	d  *decorator
	in objstore.FileOpener
}

func (o fileOpener) OpenFile(ctx context.Context, key string) (*os.File, error) {
	return do(ctx, o.d, Call{Op: "open", Key: key}, func(v verdict) (*os.File, error) {
		f, err := o.in.OpenFile(ctx, key)
		if err != nil || v.after != nil {
			return nil, closeAll(f, err)
		}
		return f, nil
	})
}

type renamer struct {
	d  *decorator
	in objstore.Renamer
}

func (r renamer) Rename(ctx context.Context, oldKey, newKey string) error {
	return do0(ctx, r.d, Call{"rename", oldKey, "to=" + newKey}, func() error {
		return r.in.Rename(ctx, oldKey, newKey)
	})
}

func (r renamer) RenameLazy(ctx context.Context, oldKey, newKey string) error {
	return do0(ctx, r.d, Call{"rename", oldKey, "to=" + newKey}, func() error {
		return r.in.RenameLazy(ctx, oldKey, newKey)
	})
}

type resumer struct {
	d  *decorator
	in objstore.Resumer
}

func (r resumer) ResumeUpload(ctx context.Context, key, id string) (objstore.Upload, error) {
	return do(ctx, r.d, Call{Op: "resume", Key: key}, func(verdict) (objstore.Upload, error) {
		return r.d.wrap(r.in.ResumeUpload(ctx, key, id))
	})
}

type uploadLister struct {
	d  *decorator
	in objstore.UploadLister
}

func (l uploadLister) Uploads(ctx context.Context) iter.Seq2[objstore.UploadInfo, error] {
	return func(yield func(objstore.UploadInfo, error) bool) {
		c := Call{Op: "uploads"}
		cutSeq(c, l.d.judge(ctx, c), l.in.Uploads(ctx))(yield)
	}
}

type presigner struct {
	d  *decorator
	in objstore.Presigner
}

func (p presigner) PresignGet(ctx context.Context, key string, ttl time.Duration) (string, error) {
	return do(ctx, p.d, Call{"presign", key, fmt.Sprintf("ttl=%s", ttl)}, func(verdict) (string, error) {
		return p.in.PresignGet(ctx, key, ttl)
	})
}

type putPresigner struct {
	d  *decorator
	in objstore.PutPresigner
}

func (p putPresigner) PresignPut(ctx context.Context, key string, ttl time.Duration, size int64, contentType string) (objstore.Presigned, error) {
	c := Call{"presignput", key, fmt.Sprintf("ttl=%s size=%d", ttl, size)}
	return do(ctx, p.d, c, func(verdict) (objstore.Presigned, error) {
		return p.in.PresignPut(ctx, key, ttl, size, contentType)
	})
}

// matchGetter calls itself get: who injects faults into reads means these, too.
type matchGetter struct {
	d  *decorator
	in objstore.MatchGetter
}

func (g matchGetter) GetMatch(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error) {
	return g.d.get(ctx, key, off, n, func() (io.ReadCloser, error) { return g.in.GetMatch(ctx, key, etag, off, n) })
}

// describer calls itself put, upload and stat for the same reason.
type describer struct {
	d  *decorator
	in objstore.Describer
}

func (e describer) PutDescribed(ctx context.Context, key string, r io.Reader, size int64, facts map[string]string) (objstore.Info, error) {
	return do(ctx, e.d, Call{"put", key, fmt.Sprintf("size=%d", size)}, func(v verdict) (objstore.Info, error) {
		return e.in.PutDescribed(ctx, key, cutReader(r, v.cut), size, facts)
	})
}

func (e describer) NewUploadDescribed(ctx context.Context, key string, facts map[string]string) (objstore.Upload, error) {
	return do(ctx, e.d, Call{Op: "upload", Key: key}, func(verdict) (objstore.Upload, error) {
		return e.d.wrap(e.in.NewUploadDescribed(ctx, key, facts))
	})
}

func (e describer) StatDescribed(ctx context.Context, key string) (info objstore.Info, facts map[string]string, err error) {
	info, err = do(ctx, e.d, Call{Op: "stat", Key: key}, func(verdict) (objstore.Info, error) {
		var err error
		info, facts, err = e.in.StatDescribed(ctx, key)
		return info, err
	})
	if err != nil {
		return objstore.Info{}, nil, err
	}
	return info, facts, nil
}
