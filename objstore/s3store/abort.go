package s3store

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"tote/objstore"
)

const (
	abortTries = 5
	maxEnded   = 4096 // endings that are remembered
)

// Abort gives the upload up. Parts under way are ended first: one that arrived late might stay behind, so that the
// server is also asked whether anything is left.
func (u *upload) Abort(ctx context.Context) error {
	if err := u.takeTurn(ctx); err != nil {
		return wrap("abort upload of", u.key, err)
	}
	defer u.endTurn()
	return wrap("abort upload of", u.key, u.abort(ctx))
}

func (u *upload) abort(ctx context.Context) error {
	if _, over := u.s.ended.find(u.id); over {
		return nil
	}
	u.stopParts()
	o := u.s.begin(ctx, 0)
	defer o.end()
	for try := 1; ; try++ {
		err := u.s.abandon(o, u.full, u.id)
		if err == nil {
			_, err = u.s.listSomeParts(o, u.full, u.id, "")
		}
		if outcome(err) == errNoUpload || err == nil && try == abortTries {
			break
		}
		if err != nil {
			return o.err(err)
		}
		if err := o.pause(objstore.ErrTemporary); err != nil {
			return o.err(err)
		}
	}
	u.s.ended.add(u.id, ending{})
	return nil
}

func (s *Store) abandon(o *op, full, id string) error {
	in := &s3.AbortMultipartUploadInput{Bucket: &s.opts.Bucket, Key: &full, UploadId: &id}
	_, err := s.client.AbortMultipartUpload(o.ctx, in)
	return uploadErr(err)
}

// stopParts ends the parts under way and keeps others from beginning.
func (u *upload) stopParts() {
	u.mu.Lock()
	u.aborted = true
	for cancel := range u.running {
		(*cancel)(errNoUpload)
	}
	u.mu.Unlock()
	u.idle.Wait()
}

func (u *upload) wasAborted() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.aborted
}

// ending is how an upload ended.
type ending struct {
	completed bool
	info      objstore.Info
}

func (e ending) err() error {
	if !e.completed {
		return errNoUpload
	}
	return nil
}

// endings are the last uploads that ended in this process: the server forgets them, and a repeat must get the same
// answer although the object may have been replaced since.
type endings struct {
	mu    sync.Mutex
	byID  map[string]ending // guarded by mu
	order []string          // guarded by mu; the oldest first
}

func newEndings() *endings { return &endings{byID: map[string]ending{}} }

func (e *endings) find(id string) (ending, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	end, ok := e.byID[id]
	return end, ok
}

func (e *endings) add(id string, end ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.byID[id]; !ok {
		e.order = append(e.order, id)
	}
	e.byID[id] = end
	if len(e.order) > maxEnded {
		delete(e.byID, e.order[0])
		e.order = e.order[1:]
	}
}

// isMissing says that an object is not there, and that it is the object that is missing and not the bucket.
func isMissing(err error) bool { return errors.Is(err, objstore.ErrNotFound) }

// isTreeKey says that a server that keeps objects as files can't have one there.
func isTreeKey(err error) bool { return errors.Is(err, objstore.ErrKey) }
