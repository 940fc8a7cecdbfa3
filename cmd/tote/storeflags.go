package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"tote/fs"
	"tote/objstore/blockcache"
)

// Limits and defaults of the flags about remote stores.
const (
	minPartSize         = 5 << 20 // S3 takes no smaller part before the last
	maxPartSize         = 5 << 30
	defaultPartSize     = 8 << 20
	maxUploads          = 64
	defaultUploads      = 4
	defaultCacheSize    = 1 << 30
	defaultStoreTimeout = 5 * time.Minute
)

// remoteStore is what a store that is not in the data directory is told. Zero values are defaults, but for CacheSize.
type remoteStore struct {
	PartSize     int64         // bytes of the first parts of an upload
	Uploads      int           // parts of one file that are sent at the same time
	CacheSize    int64         // bytes on the local disk, 0 for none
	Writeback    bool          // close on the mount does not wait for uploads
	DirectURLs   bool          // signed URLs lead to the store
	StoreTimeout time.Duration // how long a call of the store may take
	Uncached     bool          // read without a cache

	given []string // flags that were set: they say nothing to the embedded store
}

// remoteFlags are the flags about remote stores. Sizes have no default here, because only given ones are refused with the embedded store.
func remoteFlags() []cli.Flag {
	text := func(name, def, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Category: catRemote, DefaultText: def, Usage: usage, EnvVars: env(name)}
	}
	return []cli.Flag{
		text("part-size", size(defaultPartSize), "upload in parts of `SIZE`; they grow with the file"),
		text("uploads", strconv.Itoa(defaultUploads), "send `N` parts of one file at the same time"),
		text("cache-size", size(defaultCacheSize), "keep up to `SIZE` of what was read in DATA/cache, 0 for nothing"),
		boolFlag("writeback", catRemote, "let close on the mount return before the upload, once the bytes are on the local disk"),
		boolFlag("direct-urls", catRemote, "sign URLs of the store itself: bytes don't pass this server"),
		text("store-timeout", defaultStoreTimeout.String(), "give up a call of the store after `TIME`"),
	}
}

// remoteConfig reads the flags about remote stores.
func remoteConfig(c *cli.Context) (r remoteStore, err error) {
	r = remoteStore{Writeback: c.Bool("writeback"), DirectURLs: c.Bool("direct-urls"), CacheSize: defaultCacheSize}
	reads := map[string]func(text string) error{
		"part-size":     func(text string) (err error) { r.PartSize, err = parseSize(text); return err },
		"cache-size":    func(text string) (err error) { r.CacheSize, err = parseSize(text); return err },
		"uploads":       func(text string) (err error) { r.Uploads, err = strconv.Atoi(text); return err },
		"store-timeout": func(text string) (err error) { r.StoreTimeout, err = time.ParseDuration(text); return err },
	}
	for _, f := range remoteFlags() {
		name := f.Names()[0]
		read := reads[name]
		switch text := c.String(name); {
		case read == nil && c.Bool(name):
			r.given = append(r.given, name)
		case read != nil && text != "":
			r.given = append(r.given, name)
			if err := read(text); err != nil {
				return r, r.refuse(name, text)
			}
		}
	}
	return r, r.check(c.String)
}

// check refuses values that can't work. A flag that was not given has its zero value, which stands for the default.
func (r remoteStore) check(text func(flag string) string) error {
	ok := map[string]bool{
		"part-size":     r.PartSize >= minPartSize && r.PartSize <= maxPartSize,
		"uploads":       r.Uploads >= 1 && r.Uploads <= maxUploads,
		"store-timeout": r.StoreTimeout >= time.Second,
		"cache-size":    true,
		"writeback":     true,
		"direct-urls":   true,
	}
	for _, name := range r.given {
		if !ok[name] {
			return r.refuse(name, text(name))
		}
	}
	return nil
}

// refuse says what a flag wants.
func (r remoteStore) refuse(name, text string) error {
	return usagef("--%s %q: want %s", name, text, map[string]string{
		"part-size":     fmt.Sprintf("a size from %s to %s, such as %s", size(minPartSize), size(maxPartSize), size(defaultPartSize)),
		"uploads":       fmt.Sprintf("a number from 1 to %d", maxUploads),
		"store-timeout": "a time of at least 1s, such as " + defaultStoreTimeout.String(),
		"cache-size":    "a size, such as 10GiB, or 0",
	}[name])
}

// checkEmbedded refuses flags that say nothing to the embedded store.
func (r remoteStore) checkEmbedded() error {
	if len(r.given) == 0 {
		return nil
	}
	return usagef("--%s is about remote stores, but objects are kept in files of this machine: leave it out, or give --store s3://…", r.given[0])
}

// parseSize reads a number of bytes, with or without a unit: 8MiB is 8388608, 8MB 8000000.
func parseSize(text string) (int64, error) {
	n, err := humanize.ParseBytes(text)
	if err == nil && n > math.MaxInt64 {
		err = strconv.ErrRange
	}
	return int64(n), err
}

// tune gives the core what it needs for a remote store. Zero values are the core's own defaults, which are those of the flags.
func (r remoteStore) tune(o *fs.Options, cache *blockcache.Cache) {
	o.PartSize, o.Uploads, o.StoreTimeout, o.Writeback = r.PartSize, r.Uploads, r.StoreTimeout, r.Writeback
	if cache != nil {
		o.Cache = readCache{cache}
	}
}
