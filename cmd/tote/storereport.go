package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

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
