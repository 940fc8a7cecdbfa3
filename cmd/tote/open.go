package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"tote/fs"
	"tote/meta"
	"tote/objstore"
	"tote/objstore/blockcache"
)

// rootMode is the mode of a new tenant's root directory.
const rootMode = 0o755

// core is what the faces and the commands work on.
type core struct {
	db    *meta.DB
	ref   storeRef
	store objstore.Store
	cache *blockcache.Cache // nil where files are read as they are
	fs    *fs.FS
}

// openCore builds database, store and core over a locked data directory, in this order, and leaves their closers on the stack. store is nil
// unless it was opened before.
func openCore(ctx context.Context, cfg *Config, d *dataDir, store objstore.Store, log *slog.Logger, s *closers) (*core, error) {
	db, err := openDB(ctx, d, cfg.MetaCache, log, s)
	if err != nil {
		return nil, err
	}
	c := &core{db: db}
	if c.ref, c.store, err = attach(ctx, cfg, db, store, log, s); err != nil {
		return nil, err
	}
	if _, err := db.EnsureTenant(ctx, defaultTenant, rootMode, cfg.UID, cfg.GID, meta.Durable); err != nil {
		return nil, fmt.Errorf("tenant %s: %w", defaultTenant, err)
	}
	o := fs.Options{Staging: d.file(stagingDir), Logger: log, UID: cfg.UID, GID: cfg.GID, ReadOnly: cfg.ReadOnly}
	if c.ref.remote() {
		if c.cache, err = openCache(cfg, d, c.store, log, s); err != nil {
			return nil, err
		}
		cfg.Remote.tune(&o, c.cache)
	}
	c.fs, err = fs.Open(ctx, db, c.store, o)
	if err != nil {
		return nil, fmt.Errorf("start on %s: %w", d.path, err)
	}
	s.push("file system", c.fs.Close)
	return c, nil
}

// attach finds the store that belongs to the database.
func attach(ctx context.Context, cfg *Config, db *meta.DB, store objstore.Store, log *slog.Logger, s *closers) (storeRef, objstore.Store, error) {
	allow := refuseHalf
	if cfg.recovers {
		allow = allowRecovery
	}
	if err := allow(ctx, cfg, db); err != nil {
		return storeRef{}, nil, err
	}
	chosen, err := chooseStore(ctx, cfg, db)
	if err != nil {
		return chosen.storeRef, nil, err
	}
	if !chosen.remote() {
		if err := cfg.Remote.checkEmbedded(); err != nil {
			return chosen.storeRef, nil, err
		}
	}
	if store == nil {
		if store, err = openStore(ctx, cfg, chosen.storeRef, log, s); err != nil {
			return chosen.storeRef, nil, err
		}
	}
	return chosen.storeRef, store, chosen.confirm(ctx, db, store)
}

// openDB opens the database, which is all that the user commands need. cache is how many bytes of it are kept in memory, 0 for the default.
func openDB(ctx context.Context, d *dataDir, cache int64, log *slog.Logger, s *closers) (*meta.DB, error) {
	db, err := meta.Open(ctx, d.file(dbFile), meta.Options{Logger: log, Cache: cache})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", d.file(dbFile), err)
	}
	s.push("database", ignoreContext(db.Close))
	return db, nil
}

// signingKey is the key of signed URLs. It is made once and kept in the database, so that URLs outlive a restart.
func signingKey(ctx context.Context, db *meta.DB) ([]byte, error) {
	const name = "url-signing-key"
	key, err := db.Setting(ctx, name)
	if err == nil && len(key) >= 32 {
		return key, nil
	}
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return nil, err
	}
	key = make([]byte, 32)
	rand.Read(key)
	return key, db.PutSetting(ctx, name, key, meta.Durable)
}
