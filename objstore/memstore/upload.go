package memstore

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"tote/objstore"
)

// upload is one multipart upload; Store.mu guards what changes.
type upload struct {
	s       *Store
	key     string
	id      string
	started time.Time
	facts   map[string]string

	parts map[int]part   // guarded by s.mu; nil once the upload has ended
	done  *objstore.Info // guarded by s.mu; set by Complete
}

type part struct {
	etag string
	data []byte
}

// NewUpload begins an upload.
func (s *Store) NewUpload(ctx context.Context, key string) (objstore.Upload, error) {
	return s.NewUploadDescribed(ctx, key, nil)
}

// NewUploadDescribed begins an upload of an object with facts.
func (s *Store) NewUploadDescribed(ctx context.Context, key string, facts map[string]string) (objstore.Upload, error) {
	if err := s.validKey(key); err != nil {
		return nil, wrap("begin upload of", key, err)
	}
	facts, err := fit(facts)
	if err != nil {
		return nil, wrap("begin upload of", key, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, wrap("begin upload of", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &upload{s: s, key: key, id: s.tag(), started: time.Now().Round(0), facts: facts, parts: map[int]part{}}
	s.uploads[u.id] = u
	return u, nil
}

// ResumeUpload finds an upload that was not aborted.
func (s *Store) ResumeUpload(ctx context.Context, key, id string) (objstore.Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrap("resume upload of", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.uploads[id]
	if !ok || u.key != key {
		return nil, wrap("resume upload of", key, objstore.ErrNotFound)
	}
	return u, nil
}

// Uploads yields the open uploads.
func (s *Store) Uploads(ctx context.Context) iter.Seq2[objstore.UploadInfo, error] {
	return func(yield func(objstore.UploadInfo, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(objstore.UploadInfo{}, fmt.Errorf("list uploads: %w", err))
			return
		}
		for _, info := range s.open() {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (s *Store) open() (infos []objstore.UploadInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.uploads {
		if u.done == nil {
			infos = append(infos, objstore.UploadInfo{Key: u.key, ID: u.id, Started: u.started})
		}
	}
	return infos
}

func (u *upload) ID() string  { return u.id }
func (u *upload) Key() string { return u.key }

func (u *upload) Part(ctx context.Context, number int, r io.Reader, size int64) (objstore.Part, error) {
	if err := objstore.CheckNumber(number); err != nil {
		return objstore.Part{}, u.wrap("write part of", err)
	}
	if err := atMost(size, u.s.limits.MaxPart); err != nil {
		return objstore.Part{}, u.wrap("write part of", err)
	}
	data, err := u.s.body(ctx, u.key, r, size)
	if err != nil {
		return objstore.Part{}, u.wrap("write part of", err)
	}
	return u.store(number, data)
}

func (u *upload) CopyPart(ctx context.Context, number int, srcKey string, off, n int64) (objstore.Part, error) {
	if err := objstore.CheckNumber(number); err != nil {
		return objstore.Part{}, u.wrap("copy part of", err)
	}
	data, err := u.s.slice(ctx, srcKey, "", off, n)
	if err != nil {
		return objstore.Part{}, wrap("copy part from", srcKey, err)
	}
	if err := atMost(int64(len(data)), u.s.limits.MaxCopy); err != nil {
		return objstore.Part{}, u.wrap("copy part of", err)
	}
	return u.store(number, data)
}

func (u *upload) store(number int, data []byte) (objstore.Part, error) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	if u.parts == nil {
		return objstore.Part{}, u.wrap("write part of", objstore.ErrNotFound)
	}
	p := part{etag: u.s.tag(), data: data}
	u.parts[number] = p
	return objstore.Part{Number: number, Size: int64(len(data)), ETag: p.etag}, nil
}

func (u *upload) Complete(ctx context.Context, parts []objstore.Part) (objstore.Info, error) {
	if err := ctx.Err(); err != nil {
		return objstore.Info{}, u.wrap("complete upload of", err)
	}
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	if u.done != nil {
		return *u.done, nil
	}
	data, err := u.join(parts)
	if err != nil {
		return objstore.Info{}, u.wrap("complete upload of", err)
	}
	info, err := u.s.publish(u.key, data, u.facts)
	if err != nil {
		return objstore.Info{}, u.wrap("complete upload of", err)
	}
	u.done, u.parts = &info, nil
	return info, nil
}

// join is called with s.mu held.
func (u *upload) join(parts []objstore.Part) ([]byte, error) {
	if u.parts == nil {
		return nil, objstore.ErrNotFound
	}
	if err := objstore.CheckParts(parts); err != nil {
		return nil, err
	}
	if err := u.s.checkSizes(parts); err != nil {
		return nil, err
	}
	if u.s.limits.AllParts && len(parts) < len(u.parts) {
		return nil, fmt.Errorf("%w: %d of %d are listed", objstore.ErrPart, len(parts), len(u.parts))
	}
	var all [][]byte
	for _, want := range parts {
		p, ok := u.parts[want.Number]
		if !ok || p.etag != want.ETag || int64(len(p.data)) != want.Size {
			return nil, fmt.Errorf("%w: number %d", objstore.ErrPart, want.Number)
		}
		all = append(all, p.data)
	}
	return slices.Concat(all...), nil
}

func (u *upload) Abort(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return u.wrap("abort upload of", err)
	}
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	if u.done == nil {
		u.parts = nil
		delete(u.s.uploads, u.id)
	}
	return nil
}

func (u *upload) wrap(op string, err error) error { return wrap(op, u.key, err) }
