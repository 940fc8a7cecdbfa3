package objstore

import (
	"context"
	"io"
	"iter"
	"os"
	"time"
)

// Adopter takes over a local file as an object.
type Adopter interface {
	// Adopt moves the file at path under key by rename, and by copy where path is on another file system. On
	// nil the source path is gone and the object is durable, provided the caller had synced the file's bytes.
	Adopt(ctx context.Context, key, path string) (Info, error)
}

// LazyAdopter is an Adopter for callers that make many objects durable at once later, with Syncer.
type LazyAdopter interface {
	// AdoptLazy is Adopt without any flush: the object shows at once, and survives power loss after Sync.
	AdoptLazy(ctx context.Context, key, path string) (Info, error)
}

// Syncer makes everything durable that was done without a flush: AdoptLazy, Delete.
type Syncer interface {
	Sync(ctx context.Context) error
}

// FileOpener opens an object as a file.
type FileOpener interface {
	// OpenFile returns a read-only handle on the object's bytes. It stays valid when the object is replaced
	// or deleted. The caller closes it.
	OpenFile(ctx context.Context, key string) (*os.File, error)
}

// Renamer moves an object to another key.
type Renamer interface {
	// Rename is atomic and durable, and replaces an object at newKey. It may be repeated: old missing and
	// new present is success; both missing is ErrNotFound. Two equal keys only make the name durable.
	Rename(ctx context.Context, oldKey, newKey string) error

	// RenameLazy is Rename that is durable only after Syncer.Sync, or a Rename to the same newKey.
	RenameLazy(ctx context.Context, oldKey, newKey string) error
}

// PathFinder tells where an object is on the local disk.
type PathFinder interface {
	// Path returns the absolute path an object has or would have, whether or not it exists.
	Path(key string) (string, error)
}

// Resumer finds an upload again.
type Resumer interface {
	// ResumeUpload returns the upload with its parts as they are stored. A completed upload is found as long
	// as the store remembers it, so that Complete can be repeated. ErrNotFound when unknown.
	ResumeUpload(ctx context.Context, key, id string) (Upload, error)
}

// UploadLister lists the open uploads, in no particular order.
type UploadLister interface {
	Uploads(ctx context.Context) iter.Seq2[UploadInfo, error]
}

// Presigner makes URLs with which anyone can read an object for a while.
type Presigner interface {
	PresignGet(ctx context.Context, key string, ttl time.Duration) (string, error)
}

// PutPresigner makes URLs with which anyone can store one object for a while.
type PutPresigner interface {
	// PresignPut makes a request that publishes exactly size bytes of the content type under key. A negative size lets
	// any number of bytes through, "" any type.
	PresignPut(ctx context.Context, key string, ttl time.Duration, size int64, contentType string) (Presigned, error)
}

// Presigned is an HTTP request that whoever has it can make. The header must be sent as it is.
type Presigned struct {
	URL    string
	Method string
	Header map[string]string
}

// MatchGetter reads an object only as long as it is the expected one.
type MatchGetter interface {
	// GetMatch is Get, except that it is ErrChanged when the object's ETag is another one than etag. The
	// empty etag matches every object.
	GetMatch(ctx context.Context, key, etag string, off, n int64) (io.ReadCloser, error)
}

// Describer keeps a few small facts about an object beside its bytes, so that a lost catalogue can be made again
// from the store alone. Put and NewUpload store none.
//
// The names of facts are 1 to 32 of a-z, 0-9 and '-'; the values any UTF-8. A store has room for about 2 KiB of
// them: where they need more, whole facts are left out, the longest first. None is ever cut.
type Describer interface {
	// PutDescribed is Put of an object with facts.
	PutDescribed(ctx context.Context, key string, r io.Reader, size int64, facts map[string]string) (Info, error)

	// NewUploadDescribed is NewUpload of an object with facts. They show once the upload is completed.
	NewUploadDescribed(ctx context.Context, key string, facts map[string]string) (Upload, error)

	// StatDescribed is Stat with the object's facts; an object without any has an empty map.
	StatDescribed(ctx context.Context, key string) (Info, map[string]string, error)
}

// Limiter is a store that has other limits than the defaults of LimitsOf.
type Limiter interface {
	Limits() Limits
}

// Unwrapper is a decorator that shows the abilities of the store beneath it.
type Unwrapper interface {
	Unwrap() Store
}

// Abler is a decorator that decides itself what shows: it sets *target, a pointer to one of the ability
// interfaces above, and returns true, or returns false. Its answer is final, As does not look beneath it.
type Abler interface {
	Ability(target any) bool
}

// As finds an ability T, one of the interfaces above, of a store or of the stores beneath its decorators.
func As[T any](s Store) (T, bool) {
	var none T
	for s != nil {
		if t, ok := s.(T); ok {
			return t, true
		}
		if a, ok := s.(Abler); ok {
			var t T
			ok := a.Ability(&t)
			return t, ok
		}
		u, ok := s.(Unwrapper)
		if !ok {
			return none, false
		}
		s = u.Unwrap()
	}
	return none, false
}
