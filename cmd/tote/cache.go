package main

import (
	"fmt"
	"log/slog"

	"tote/fs"
	"tote/objstore"
	"tote/objstore/blockcache"
)

// openCache makes the cache that a remote store is read through. It is nil for commands, which read nothing twice and leave the server's
// blocks alone.
func openCache(cfg *Config, d *dataDir, store objstore.Store, log *slog.Logger, s *closers) (*blockcache.Cache, error) {
	if cfg.Remote.Uncached {
		return nil, nil
	}
	o := blockcache.Options{Logger: log, Patience: cfg.Remote.StoreTimeout}
	cache, err := blockcache.New(d.file(cacheDir), cfg.Remote.CacheSize, store, o)
	if err != nil {
		return nil, fmt.Errorf("--cache-size %s: %w", size(cfg.Remote.CacheSize), err)
	}
	s.push("cache", ignoreContext(cache.Close))
	return cache, nil
}

// readCache lends the cache to the core, which does not know its package.
type readCache struct{ *blockcache.Cache }

var _ fs.Cache = readCache{}

// Open returns a file of the cache.
func (c readCache) Open(o fs.CacheObject) fs.CacheFile { return c.Cache.Open(blockcache.Object(o)) }
