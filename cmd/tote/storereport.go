package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"tote/fs"
	"tote/objstore"
	"tote/objstore/blockcache"
	"tote/objstore/s3store"
)

// storeReport is what "tote status" says about the object store.
type storeReport struct {
	URL string   `json:"url"`           // without secrets
	Can []string `json:"can,omitempty"` // what a remote store was found to be able to do
}

// storeReport describes the store that is in use, or was when a server ran.
func (c *control) storeReport(ctx context.Context) (storeReport, error) {
	if c.core != nil {
		return storeReport{URL: redactURL(c.core.ref.text), Can: abilities(c.core.store)}, nil
	}
	known, err := c.db.Setting(ctx, storeSetting)
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return storeReport{}, err
	}
	if len(known) == 0 {
		known = []byte(ownStore)
	}
	return storeReport{URL: redactURL(string(known))}, nil
}

// abilities lists what a store found out about its server: names, and what has a number as name=number.
func abilities(s objstore.Store) []string {
	knows, ok := s.(interface{ Capabilities() s3store.Capabilities })
	if !ok {
		return nil
	}
	var list []string
	for _, a := range knows.Capabilities().LogValue().Group() {
		switch {
		case a.Value.Kind() != slog.KindBool:
			list = append(list, fmt.Sprintf("%s=%v", a.Key, a.Value))
		case a.Value.Bool():
			list = append(list, a.Key)
		}
	}
	return list
}

// cacheReport is what "tote status" says about the cache of a running server. Bytes are of the local disk, counters since the start.
type cacheReport struct {
	Bytes   int64 `json:"bytes"`
	Limit   int64 `json:"limit"`
	Memory  int64 `json:"hitsInMemory"`
	Disk    int64 `json:"hitsOnDisk"`
	Misses  int64 `json:"misses"`
	Fetched int64 `json:"bytesFetched"`
	Retries int64 `json:"retries"`
	Corrupt int64 `json:"corrupt"` // blocks with wrong bytes, from the store or the disk, which nobody got
}

// newCacheReport is nil without a cache.
func newCacheReport(c *blockcache.Cache) *cacheReport {
	if c == nil {
		return nil
	}
	s := c.Stats()
	return &cacheReport{
		Bytes: s.Bytes, Limit: s.Limit, Memory: s.Hits, Disk: s.DiskHits, Misses: s.Misses, Fetched: s.Fetched, Retries: s.Retries,
		Corrupt: s.Corrupt + s.DiskCorrupt,
	}
}

// String is the report as a line.
func (r *cacheReport) String() string {
	text := fmt.Sprintf("%s of %s, %d blocks found in it, %d not, %s fetched", size(r.Bytes), size(r.Limit), r.Memory+r.Disk, r.Misses, size(r.Fetched))
	if r.Corrupt > 0 {
		text += fmt.Sprintf(", %d were damaged and fetched again", r.Corrupt)
	}
	return text
}

// waiting lists the files on their way to a remote store. Without a server they are those that the next start goes on with.
func (c *control) waiting(ctx context.Context) ([]fs.Transfer, error) {
	if c.core != nil {
		list, err := c.core.fs.Pending(ctx)
		return append([]fs.Transfer{}, list...), err
	}
	list := []fs.Transfer{}
	known, err := c.db.Setting(ctx, storeSetting)
	if ref, perr := parseStore(string(known), c.data.path); err != nil || perr != nil || !ref.remote() {
		return list, nil
	}
	staged, redos, err := c.db.Pending(ctx)
	for _, r := range redos {
		staged = append(staged, r.Version)
	}
	for _, v := range staged {
		t := fs.Transfer{Ino: v.Ino, Size: v.Size, Staged: true}
		t.Path, _ = c.db.Path(ctx, v.Ino) // one that has lost its name goes with the next start
		list = append(list, t)
	}
	return list, err
}

// maxListed bounds what "tote status" prints for people; JSON has all.
const maxListed = 20

// transferLine describes a file on its way.
func transferLine(t fs.Transfer) string {
	name := t.Path
	if name == "" {
		name = fmt.Sprintf("(file %d)", t.Ino)
	}
	text := fmt.Sprintf("%s, %s", oneLine(name), size(t.Size))
	if t.Sent > 0 {
		text += fmt.Sprintf(", %s sent", size(t.Sent))
	}
	if t.Error != "" {
		text += fmt.Sprintf(", tried %s: %s", count(t.Tries, "time"), oneLine(t.Error))
	}
	return text
}
