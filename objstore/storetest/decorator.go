package storetest

import (
	"context"
	"fmt"
	"io"
	"iter"

	"tote/objstore"
)

// Call is one call of a store, an upload or an ability, as decorators see it.
type Call struct {
	Op   string // put, get, stat, delete, list, upload, part, copypart, complete, abort, adopt, open, …
	Key  string
	Args string // the other arguments, for people and golden files
}

// String is the call as one line: op key args.
func (c Call) String() string {
	s := c.Op
	for _, part := range []string{c.Key, c.Args} {
		if part != "" {
			s += " " + part
		}
	}
	return s
}

// verdict is what a decorator does with a call.
type verdict struct {
	before error // instead of the call
	after  error // instead of the result of a call that was made
	cut    int64 // bytes or list entries after which the body ends early; < 0 is never
}

// pass lets a call through untouched.
func pass() verdict { return verdict{cut: -1} }

// decorator stands in front of a store and asks judge about each call.
type decorator struct {
	inner objstore.Store
	judge func(context.Context, Call) verdict
}

// Unwrap returns the store beneath. As does not use it, because Ability has the last word.
func (d *decorator) Unwrap() objstore.Store { return d.inner }

// do makes one call that has a result.
func do[T any](ctx context.Context, d *decorator, c Call, call func(v verdict) (T, error)) (T, error) {
	var none T
	v := d.judge(ctx, c)
	if v.before != nil {
		return none, fmt.Errorf("%s: %w", c, v.before)
	}
	t, err := call(v)
	if err == nil && v.after != nil {
		return none, fmt.Errorf("%s: %w", c, v.after)
	}
	return t, err
}

// do0 makes one call that has none.
func do0(ctx context.Context, d *decorator, c Call, call func() error) error {
	_, err := do(ctx, d, c, func(verdict) (struct{}, error) { return struct{}{}, call() })
	return err
}

func (d *decorator) Put(ctx context.Context, key string, r io.Reader, size int64) (objstore.Info, error) {
	c := Call{"put", key, fmt.Sprintf("size=%d", size)}
	return do(ctx, d, c, func(v verdict) (objstore.Info, error) {
		return d.inner.Put(ctx, key, cutReader(r, v.cut), size)
	})
}

func (d *decorator) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return d.get(ctx, key, off, n, func() (io.ReadCloser, error) { return d.inner.Get(ctx, key, off, n) })
}

func (d *decorator) get(ctx context.Context, key string, off, n int64, get func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	c := Call{"get", key, fmt.Sprintf("off=%d n=%d", off, n)}
	return do(ctx, d, c, func(v verdict) (io.ReadCloser, error) {
		body, err := get()
		if err != nil || v.after != nil {
			return nil, closeAll(body, err)
		}
		return struct {
			io.Reader
			io.Closer
		}{cutReader(body, v.cut), body}, nil
	})
}

// closeAll closes a body nobody will get.
func closeAll(body io.Closer, err error) error {
	if err == nil {
		err = body.Close()
	}
	return err
}

func (d *decorator) Stat(ctx context.Context, key string) (objstore.Info, error) {
	return do(ctx, d, Call{Op: "stat", Key: key}, func(verdict) (objstore.Info, error) {
		return d.inner.Stat(ctx, key)
	})
}

func (d *decorator) Delete(ctx context.Context, key string) error {
	return do0(ctx, d, Call{Op: "delete", Key: key}, func() error { return d.inner.Delete(ctx, key) })
}

func (d *decorator) List(ctx context.Context, prefix, after string) iter.Seq2[objstore.Info, error] {
	c := Call{Op: "list", Key: prefix}
	if after != "" {
		c.Args = "after=" + after
	}
	return func(yield func(objstore.Info, error) bool) {
		cutSeq(c, d.judge(ctx, c), d.inner.List(ctx, prefix, after))(yield)
	}
}

// cutSeq applies a verdict to a list.
func cutSeq[T any](c Call, v verdict, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if v.before != nil {
			yield(none, fmt.Errorf("%s: %w", c, v.before))
			return
		}
		left := v.cut
		for t, err := range seq {
			if left == 0 {
				yield(none, fmt.Errorf("%s: %w", c, io.ErrUnexpectedEOF))
				return
			}
			left--
			if !yield(t, err) {
				return
			}
		}
		if v.after != nil {
			yield(none, fmt.Errorf("%s: %w", c, v.after))
		}
	}
}

func (d *decorator) NewUpload(ctx context.Context, key string) (objstore.Upload, error) {
	return do(ctx, d, Call{Op: "upload", Key: key}, func(verdict) (objstore.Upload, error) {
		return d.wrap(d.inner.NewUpload(ctx, key))
	})
}

func (d *decorator) wrap(u objstore.Upload, err error) (objstore.Upload, error) {
	if err != nil {
		return nil, err
	}
	return &decoratedUpload{d: d, inner: u}, nil
}

type decoratedUpload struct {
	d     *decorator
	inner objstore.Upload
}

func (u *decoratedUpload) ID() string  { return u.inner.ID() }
func (u *decoratedUpload) Key() string { return u.inner.Key() }

func (u *decoratedUpload) Part(ctx context.Context, number int, r io.Reader, size int64) (objstore.Part, error) {
	c := Call{"part", u.Key(), fmt.Sprintf("number=%d size=%d", number, size)}
	return do(ctx, u.d, c, func(v verdict) (objstore.Part, error) {
		return u.inner.Part(ctx, number, cutReader(r, v.cut), size)
	})
}

func (u *decoratedUpload) CopyPart(ctx context.Context, number int, srcKey string, off, n int64) (objstore.Part, error) {
	c := Call{"copypart", u.Key(), fmt.Sprintf("number=%d from=%s off=%d n=%d", number, srcKey, off, n)}
	return do(ctx, u.d, c, func(verdict) (objstore.Part, error) {
		return u.inner.CopyPart(ctx, number, srcKey, off, n)
	})
}

func (u *decoratedUpload) Complete(ctx context.Context, parts []objstore.Part) (objstore.Info, error) {
	c := Call{"complete", u.Key(), fmt.Sprintf("parts=%d", len(parts))}
	return do(ctx, u.d, c, func(verdict) (objstore.Info, error) { return u.inner.Complete(ctx, parts) })
}

func (u *decoratedUpload) Abort(ctx context.Context) error {
	return do0(ctx, u.d, Call{Op: "abort", Key: u.Key()}, func() error { return u.inner.Abort(ctx) })
}

// cutReader ends r after n bytes with io.ErrUnexpectedEOF, as a broken connection does.
func cutReader(r io.Reader, n int64) io.Reader {
	if n < 0 {
		return r
	}
	return &cut{r: r, left: n}
}

type cut struct {
	r    io.Reader
	left int64
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
