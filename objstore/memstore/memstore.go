package memstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"tote/objstore"
)

// Store keeps objects in memory. Use New.
type Store struct {
	limits objstore.Limits

	mu      sync.Mutex
	objects map[string]object  // guarded by mu
	uploads map[string]*upload // guarded by mu; by id, completed ones too
	seq     int                // guarded by mu; makes tags and ids
}

type object struct {
	info  objstore.Info
	data  []byte            // never changed
	facts map[string]string // never changed
}

var (
	_ objstore.Store        = (*Store)(nil)
	_ objstore.Resumer      = (*Store)(nil)
	_ objstore.UploadLister = (*Store)(nil)
	_ objstore.MatchGetter  = (*Store)(nil)
	_ objstore.Describer    = (*Store)(nil)
	_ objstore.Limiter      = (*Store)(nil)
)

// New returns an empty store without limits worth mentioning.
func New() *Store { return NewLimited(objstore.LimitsOf(nil)) }

// NewLimited returns an empty store that keeps to limits, such as those of a remote store.
func NewLimited(limits objstore.Limits) *Store {
	return &Store{limits: limits, objects: map[string]object{}, uploads: map[string]*upload{}}
}

// Put publishes what r holds.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) (objstore.Info, error) {
	return s.PutDescribed(ctx, key, r, size, nil)
}

// PutDescribed publishes what r holds with facts.
func (s *Store) PutDescribed(ctx context.Context, key string, r io.Reader, size int64, facts map[string]string) (objstore.Info, error) {
	facts, err := fit(facts)
	if err != nil {
		return objstore.Info{}, wrap("put", key, err)
	}
	if size > s.limits.MaxPut {
		return objstore.Info{}, wrap("put", key, fmt.Errorf("%w: %d bytes are more than %d", objstore.ErrSize, size, s.limits.MaxPut))
	}
	data, err := s.body(ctx, key, r, size)
	if err != nil {
		return objstore.Info{}, wrap("put", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := s.publish(key, data, facts)
	if err != nil {
		return objstore.Info{}, wrap("put", key, err)
	}
	return info, nil
}

// body reads a caller's reader to its end.
func (s *Store) body(ctx context.Context, key string, r io.Reader, size int64) ([]byte, error) {
	if err := s.validKey(key); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(objstore.Exactly(ctx, r, size))
	if err != nil {
		return nil, err
	}
	return data, ctx.Err()
}

// publish is called with mu held.
func (s *Store) publish(key string, data []byte, facts map[string]string) (objstore.Info, error) {
	if err := s.roomFor(key); err != nil {
		return objstore.Info{}, err
	}
	info := objstore.Info{Key: key, Size: int64(len(data)), Modified: time.Now().Round(0), ETag: s.tag()}
	s.objects[key] = object{info: info, data: data, facts: facts}
	return info, nil
}

// tag is called with mu held.
func (s *Store) tag() string {
	s.seq++
	return fmt.Sprintf("%08x", s.seq)
}

// Get returns a range of an object.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return s.GetMatch(ctx, key, "", off, n)
}

// GetMatch returns a range of an object that has the tag.
func (s *Store) GetMatch(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error) {
	data, err := s.slice(ctx, key, etag, off, n)
	if err != nil {
		return nil, wrap("get", key, err)
	}
	return io.NopCloser(&reader{ctx: ctx, r: bytes.NewReader(data)}), nil
}

func (s *Store) slice(ctx context.Context, key, etag string, off, n int64) ([]byte, error) {
	o, err := s.find(ctx, key)
	if err != nil {
		return nil, err
	}
	if etag != "" && etag != o.info.ETag {
		return nil, objstore.ErrChanged
	}
	n, err = objstore.CheckRange(o.info.Size, off, n)
	if err != nil {
		return nil, err
	}
	return o.data[off : off+n], nil
}

// reader ends with its context, as a body from the network does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (s *Store) find(ctx context.Context, key string) (object, error) {
	if err := s.validKey(key); err != nil {
		return object{}, err
	}
	if err := ctx.Err(); err != nil {
		return object{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return object{}, objstore.ErrNotFound
	}
	return o, nil
}

// Stat describes an object.
func (s *Store) Stat(ctx context.Context, key string) (objstore.Info, error) {
	o, err := s.find(ctx, key)
	if err != nil {
		return objstore.Info{}, wrap("stat", key, err)
	}
	return o.info, nil
}

// StatDescribed describes an object with its facts.
func (s *Store) StatDescribed(ctx context.Context, key string) (objstore.Info, map[string]string, error) {
	o, err := s.find(ctx, key)
	if err != nil {
		return objstore.Info{}, nil, wrap("stat", key, err)
	}
	facts := map[string]string{}
	maps.Copy(facts, o.facts)
	return o.info, facts, nil
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.validKey(key); err != nil {
		return wrap("delete", key, err)
	}
	if err := ctx.Err(); err != nil {
		return wrap("delete", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	return nil
}

// List yields objects in the order of their keys. The keys are those of the moment it begins.
func (s *Store) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	return func(yield func(objstore.Info, error) bool) {
		for _, key := range s.keys(prefix, after) {
			if err := ctx.Err(); err != nil {
				yield(objstore.Info{}, wrap("list", prefix, err))
				return
			}
			s.mu.Lock()
			o, ok := s.objects[key]
			s.mu.Unlock()
			if ok && !yield(o.info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(objstore.Info{}, wrap("list", prefix, err))
		}
	}
}

func (s *Store) keys(prefix, after string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for key := range s.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func wrap(op, key string, err error) error {
	return fmt.Errorf("%s %s: %w", op, key, err)
}
