package restapi

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"

	"tote/fs"
)

// BSO is the row of a binary stream object that has no file of its own. Its fields are those of the metadata store's row, so that the
// composer converts one into the other.
type BSO struct {
	Tenant    string
	ID        string
	Type      string
	ObjectKey string
	Ino       fs.Ino // 0 while no bytes were uploaded; the row goes when that file goes
	Doc       []byte // JSON of document
	Created   int64  // ns
	Modified  int64
}

// Documents keeps the rows. A row that is missing is reported as ENOENT (fs.Errno). Changes are durable when a method returns.
type Documents interface {
	// PutBSO writes a row. check sees the present one (nil: none) in the same transaction and may refuse.
	PutBSO(ctx context.Context, b BSO, check func(old *BSO) error) error
	// GetBSO finds a row by its id.
	GetBSO(ctx context.Context, tenant, id string) (BSO, error)
	// BSOsByKey finds the rows about an object key, none is no error.
	BSOsByKey(ctx context.Context, tenant, key string) ([]BSO, error)
	// ListBSO pages through a tenant's rows in any order that stays the same; types nil means all.
	ListBSO(ctx context.Context, tenant string, types []string, offset, limit int) ([]BSO, error)
	// DeleteBSO removes a row; ENOENT when there is none.
	DeleteBSO(ctx context.Context, tenant, id string) error
}

// stripes serialises changes of the same object: a change reads, decides and writes, and two of them must not interleave. The core's
// transactions protect files; these locks protect the bond between an id, a key and a file.
type stripes struct {
	mu [256]sync.Mutex
}

var stripeSeed = maphash.MakeSeed()

// lock takes the stripes of all names, in ascending order so that two callers never wait for each other, and returns how to let go.
func (s *stripes) lock(tenant string, names ...string) (unlock func()) {
	var at []int
	for _, n := range names {
		if n == "" {
			continue
		}
		at = append(at, int(maphash.String(stripeSeed, tenant+"\x00"+n)%uint64(len(s.mu))))
	}
	slices.Sort(at)
	at = slices.Compact(at)
	for _, i := range at {
		s.mu[i].Lock()
	}
	return func() {
		for _, i := range at {
			s.mu[i].Unlock()
		}
	}
}
