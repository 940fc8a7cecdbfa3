package objstore

import (
	"context"
	"io"
	"iter"
	"time"
)

// MaxParts is the highest part number of an upload; the lowest is 1.
const MaxParts = 10000

// Info describes a published object.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time // by the store's clock, to the second at least; what Put answers may be off by a few
	ETag     string    // the store's opaque content tag, may be ""
}

// Store keeps immutable objects under keys.
type Store interface {
	// Put publishes exactly size bytes read from r under key, all or nothing. A reader that ends early or
	// has more bytes is ErrSize, a reader's own error is returned as it is; nothing is published then. On
	// nil the object and its name survive power loss. An existing object is replaced atomically.
	Put(ctx context.Context, key string, r io.Reader, size int64) (Info, error)

	// Get returns exactly the bytes [off, off+n); n < 0 means to the end. A range not fully inside the
	// object is ErrRange; off at the end with n <= 0 is an empty reader. A body that would end short ends
	// with io.ErrUnexpectedEOF, never with a clean EOF. The caller closes the body.
	Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)

	// Stat describes an object, or returns ErrNotFound.
	Stat(ctx context.Context, key string) (Info, error)

	// Delete removes an object. A missing one is success.
	Delete(ctx context.Context, key string) error

	// List yields the objects whose key has the prefix, ascending by key bytes, starting behind after (""
	// is the start). Temporary files and parts never show. Objects that come or go meanwhile may or may
	// not show; all others show exactly once. An error is yielded once and ends the list.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// NewUpload begins a multipart upload of key. Nothing shows under key before Complete.
	NewUpload(ctx context.Context, key string) (Upload, error)
}

// Upload is one chunked multipart upload. Once it was completed or aborted, Part and CopyPart are ErrNotFound.
type Upload interface {
	// ID names the upload for good: with the key it finds the upload again after a restart (see Resumer).
	ID() string

	// Key is the key that Complete will publish.
	Key() string

	// Part stores part number (1 to MaxParts), exactly size bytes of r. Parts come in any order and in
	// parallel; a repeated number replaces. ErrSize as in Put, ErrPart for a number out of range.
	Part(ctx context.Context, number int, r io.Reader, size int64) (Part, error)

	// CopyPart stores the bytes [off, off+n) of another object as a part without sending them through the
	// caller. The range obeys the rules of Get.
	CopyPart(ctx context.Context, number int, srcKey string, off, n int64) (Part, error)

	// Complete publishes the listed parts, in ascending order of number with gaps allowed, as one object,
	// atomically. An unknown part, a wrong ETag or size, an empty or unsorted list, or a part that is smaller
	// than Limits.MinPart before the last, is ErrPart and leaves the upload open. Repeated after success it returns the same Info; after Abort it is ErrNotFound.
	Complete(ctx context.Context, parts []Part) (Info, error)

	// Abort gives the upload up and frees its parts. It may be repeated. After a successful Complete it
	// does nothing, and never deletes what was published.
	Abort(ctx context.Context) error
}

// Part is one stored part as Complete wants it back.
type Part struct {
	Number int
	Size   int64
	ETag   string
}

// UploadInfo describes an upload that is neither completed nor aborted.
type UploadInfo struct {
	Key     string
	ID      string
	Started time.Time
}
