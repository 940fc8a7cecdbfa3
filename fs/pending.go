package fs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// Transfer is a file whose bytes are on their way to a remote store.
type Transfer struct {
	Ino    Ino    `json:"ino"`
	Path   string `json:"path"`            // "" when it has no name any more, or none yet
	Size   int64  `json:"size"`            // as far as it is known
	Sent   int64  `json:"sent"`            // bytes that have arrived
	Staged bool   `json:"staged"`          // closed and safe here: it is sent after a restart, too
	Tries  int    `json:"tries"`           // how often it could not be sent
	Error  string `json:"error,omitempty"` // why not, the last time
}

// Pending lists what is being sent, and with Options.Writeback what waits for it, the oldest first. The store is not asked.
func (f *FS) Pending(ctx context.Context) ([]Transfer, error) {
	if f.remote == nil {
		return nil, nil
	}
	list := f.queue.pending()
	for _, u := range f.remote.running() {
		if t, ok := u.transferred(); ok {
			list = append(list, t)
		}
	}
	for i := range list {
		path, err := f.db.Path(ctx, list[i].Ino)
		if err == nil {
			list[i].Path = path
		} else if Errno(err) != syscall.ENOENT {
			return nil, fail("pending", "", err)
		}
	}
	return list, nil
}

// pending lists the queue.
func (q *queue) pending() []Transfer {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]Transfer, 0, len(q.items))
	ids := make(map[Ino]int64, len(q.items))
	for _, it := range q.items {
		t := Transfer{Ino: it.version.Ino, Size: it.version.Size, Staged: true, Tries: it.tries}
		if it.up != nil {
			t.Sent = it.up.progress()
		}
		if it.err != nil {
			t.Error = it.err.Error()
		}
		ids[t.Ino] = it.version.ID
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b Transfer) int { return cmp.Compare(ids[a.Ino], ids[b.Ino]) })
	return list
}

// progress is how many bytes have arrived.
func (u *upload) progress() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.arrived()
}

// arrived is progress for a caller with mu: parts count when nothing has changed in them since.
func (u *upload) arrived() (n int64) {
	for _, p := range u.parts {
		if p.clean {
			n += p.end - p.off
		}
	}
	return n
}

// transferred describes an upload of a file that is still open; not ok for those of the queue and for files that have sent nothing yet.
func (u *upload) transferred() (Transfer, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.queued || u.closed || !u.started && u.total == 0 {
		return Transfer{}, false
	}
	return Transfer{Ino: u.ino, Size: max(u.size, u.total), Sent: u.arrived()}, true
}

// Progress is how far Drain has come.
type Progress struct {
	Files int   `json:"files"` // that still wait
	Bytes int64 `json:"bytes"` // of these
	Sent  int64 `json:"sent"`  // of those bytes
}

// drainEvery is how often Drain tells about its progress.
const drainEvery = 100 * time.Millisecond

// Drain waits until nothing waits in staging any more, and tells progress, which may be nil, how far it has come. When ctx ends first the answer says
// what is left, which is safe: it is sent after the next start.
func (f *FS) Drain(ctx context.Context, progress func(Progress)) error {
	if f.remote == nil {
		return nil
	}
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for {
		p := f.queue.progress()
		if progress != nil {
			progress(p)
		}
		if p.Files == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return &Error{Op: "drain", Errno: Errno(ctx.Err()), Err: fmt.Errorf("%d files with %d bytes wait to be sent", p.Files, p.Bytes-p.Sent)}
		case <-tick.C:
		}
	}
}

// progress counts what waits.
func (q *queue) progress() (p Progress) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items {
		p.Files++
		p.Bytes += it.version.Size
		if it.up != nil {
			p.Sent += it.up.progress()
		}
	}
	return p
}
