package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"tote/meta"
	"tote/objstore"
	"tote/objstore/filestore"
	"tote/objstore/s3store"
)

// storeSetting is the setting that remembers which store a data directory works on.
const storeSetting = "store-url"

// sampleSize is how many objects are looked for in a store that is not the remembered one.
const sampleSize = 8

// choice is the store that a data directory is going to work on.
type choice struct {
	storeRef
	known string // as remembered; "" before the first start, and in databases that are older than the setting
	fresh bool   // the database never kept anything
	full  bool   // objects in the store are expected, although it is fresh
}

// chooseStore decides which store a data directory works on: the one it was used with before. Metadata without its objects is useless, and
// objects without their metadata would look like garbage, so that another store has to be asked for.
func chooseStore(ctx context.Context, cfg *Config, db *meta.DB) (choice, error) {
	c := choice{full: cfg.recovers}
	known, err := db.Setting(ctx, storeSetting)
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return c, err
	}
	c.known = string(known)
	if c.known == "" {
		_, err := db.TenantByName(ctx, defaultTenant)
		if err != nil && !errors.Is(err, syscall.ENOENT) {
			return c, err
		}
		c.fresh = err != nil
	}
	asked := cfg.Store
	if asked == "" {
		asked = c.known
	}
	if c.storeRef, err = parseStore(asked, cfg.Data); err != nil {
		return c, err
	}
	if c.known == "" || c.known == c.text || cfg.AdoptStore || c.sameBucket(cfg) {
		return c, nil
	}
	return c, usagef("--store %s is not where %s keeps its objects, which is %s: leave --store out, or add --adopt-store "+
		"to tote serve once all objects are there", redactURL(c.text), cfg.Data, redactURL(c.known))
}

// sameBucket tells whether only the way to the remembered place changed: a server may get another address. confirm looks whether the
// objects are there.
func (c choice) sameBucket(cfg *Config) bool {
	known, err := parseStore(c.known, cfg.Data)
	return err == nil && known.remote() && c.remote() && known.place() == c.place()
}

// openStore opens the store that ref names.
func openStore(ctx context.Context, cfg *Config, ref storeRef, log *slog.Logger, s *closers) (objstore.Store, error) {
	if !ref.remote() {
		store, err := filestore.New(ref.dir, filestore.Options{})
		if err != nil {
			return nil, err
		}
		s.push("object store", ignoreContext(store.Close))
		return store, nil
	}
	o := ref.s3
	o.Logger, o.Patience, o.Owner = log, cfg.Remote.StoreTimeout, storeOwner(cfg.Data)
	store, err := s3store.Open(ctx, o)
	if err != nil {
		return nil, withCode(openCode(ctx, err), fmt.Errorf("--store: %w", err))
	}
	s.push("object store", ignoreContext(store.Close))
	return store, nil
}

// storeOwner names a data directory, which one process has at a time. It is the same before there is a database.
func storeOwner(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:8])
}

// openCode is the exit code of a store that can't be opened. A service that is down for a while may be tried again by whoever started us;
// wrong keys and a missing bucket stay wrong.
func openCode(ctx context.Context, err error) int {
	if ctx.Err() != nil || errors.Is(err, objstore.ErrTemporary) {
		return exitFailed
	}
	return exitUsage
}

// confirm makes sure that the store is the right one, when it is not the remembered one, and remembers it.
func (c choice) confirm(ctx context.Context, db *meta.DB, store objstore.Store) error {
	if c.text == c.known {
		return nil
	}
	var err error
	switch {
	case !c.fresh:
		err = c.checkSample(ctx, db, store)
	case !c.full:
		err = c.checkEmpty(ctx, store)
	}
	if err != nil {
		return err
	}
	return db.PutSetting(ctx, storeSetting, []byte(c.text), meta.Durable)
}

// checkEmpty keeps a new tree from a store with objects of an old one, which its garbage collection would delete.
func (c choice) checkEmpty(ctx context.Context, store objstore.Store) error {
	for info, err := range store.List(ctx, defaultTenant+"/", "") {
		if err != nil {
			return storeError(c.storeRef, err)
		}
		return usagef("--store %s already has objects of another data directory, such as %s: start with that one, "+
			"rebuild it with tote recover, or give an empty place", redactURL(c.text), oneLine(info.Key))
	}
	return nil
}

// checkSample looks whether objects of the database are in the store.
func (c choice) checkSample(ctx context.Context, db *meta.DB, store objstore.Store) error {
	versions, err := db.EachVersion(ctx, 0, 10*sampleSize)
	if err != nil {
		return err
	}
	left := sampleSize
	for _, v := range versions {
		if v.State != meta.StateStored || v.Key == "" || left == 0 {
			continue
		}
		left--
		_, err := store.Stat(ctx, v.Key)
		if errors.Is(err, objstore.ErrNotFound) {
			return usagef("--store %s does not have the objects of this data directory: %s is missing", redactURL(c.text), oneLine(v.Key))
		}
		if err != nil {
			return storeError(c.storeRef, err)
		}
	}
	return nil
}

// storeError says about which store an error is.
func storeError(ref storeRef, err error) error {
	return fmt.Errorf("--store %s: %w", redactURL(ref.text), err)
}
