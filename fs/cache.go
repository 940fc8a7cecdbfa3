package fs

import (
	"context"
	"io"

	"tote/meta"
	"tote/objstore"
)

// Cache reads the objects of a remote store: what it hands out is verified, and what was read once may come from the local disk.
type Cache interface {
	// Open asks neither the store nor the disk. The File shares what it fetches with others of the same object, and follows the reads of one user.
	Open(o CacheObject) CacheFile

	// Forget drops what is kept of an object that is going to be deleted.
	Forget(key string)
}

// CacheFile reads one object of a Cache. Its methods may be called from any goroutine; Close is the last.
type CacheFile interface {
	// ReadAt reads like an io.ReaderAt: verified bytes or an error.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)

	// SendTo writes the bytes [off, off+n) to w, all of them or with an error.
	SendTo(ctx context.Context, w io.Writer, off, n int64) (int64, error)
	Close()
}

// CacheObject names the bytes that a Cache shall read.
type CacheObject struct {
	Key, ETag string
	Size      int64
	Sums      []byte // CRC-32C of every MiB, 4 bytes each, big endian; nil: not known
}

// cached opens a version's object in the cache; nil without one.
func (f *FS) cached(v Version, o meta.Object) CacheFile {
	if f.opts.Cache == nil || v.Size == 0 {
		return nil
	}
	return f.opts.Cache.Open(CacheObject{Key: v.Key, ETag: o.ETag, Size: v.Size, Sums: o.Blocks})
}

// getRange asks the store for bytes of a version's object, and for no other object under its key where the store can tell.
func (f *FS) getRange(ctx context.Context, v Version, o meta.Object, off, n int64) (io.ReadCloser, error) {
	if m, ok := objstore.As[objstore.MatchGetter](f.store); ok && o.ETag != "" {
		return m.GetMatch(ctx, v.Key, o.ETag, off, n)
	}
	return f.store.Get(ctx, v.Key, off, n)
}

// forgetObject drops what a cache keeps of an object that goes.
func (f *FS) forgetObject(key string) {
	if f.opts.Cache != nil {
		f.opts.Cache.Forget(key)
	}
}
