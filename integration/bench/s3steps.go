package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"tote/integration/bench/fsop"
	"tote/integration/bench/s3op"
)

// manyWriters is how many programs write small files at the same time.
const manyWriters = 16

func s3Measures(c config) []measure {
	n := c.sizes()
	return []measure{
		{keyWrite, fmt.Sprintf("write %d MiB until it is in the bucket", n.big), "MiB/s", atLeast(0.8, sdk)},
		{keyReadCold, fmt.Sprintf("read %d MiB, nothing cached", n.big), "MiB/s", atLeast(0.8, sdk)},
		{keyReadNowhere, fmt.Sprintf("ranges of %d MiB, kept nowhere", n.big), "MiB/s", bar{}},
		{keyEdit, fmt.Sprintf("4 KiB into %d MiB until it is in the bucket", n.big), "ms", bar{}},
		{keyCreate, fmt.Sprintf("write %d x 4 KiB, %d writers, until they are in the bucket", n.s3small, manyWriters), "op/s", atLeast(0.8, sdk)},
		{keyPeak, "peak resident memory", "MiB", bar{"<=", 256, ""}},
	}
}

func s3Steps() []step {
	all := []string{sdk, rclone, s3fs, tote}
	return []step{
		{name: "large", on: all, run: s3Large},
		{name: "many", on: all, run: s3Many},
	}
}

// s3Large writes one file, reads it when nothing of it is cached, and changes a little in its middle.
func s3Large(ctx context.Context, b *bench, t *target, at string) error {
	if t.name == sdk {
		return sdkLarge(ctx, b, t, at)
	}
	path, key, n := filepath.Join(t.dir, at, "big.bin"), at+"/big.bin", b.sizes.big
	start := time.Now()
	if _, err := fsop.Write(ctx, path, b.pattern, n); err != nil {
		return err
	}
	if err := b.stored(ctx, t, key, int64(n)*fsop.Block, ""); err != nil {
		return err
	}
	b.rate(t, keyWrite, n, time.Since(start))
	if err := b.readLarge(ctx, t, path); err != nil {
		return err
	}
	return b.editLarge(ctx, t, path, key)
}

// readLarge reads the file with nothing of it cached but in the S3 server, and compares it once.
func (b *bench) readLarge(ctx context.Context, t *target, path string) error {
	if err := t.again(ctx); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	d, _, err := fsop.Read(ctx, path)
	if err != nil {
		return err
	}
	b.rate(t, keyReadCold, b.sizes.big, d)
	if b.round > 0 {
		return nil
	}
	return fsop.Check(ctx, path, b.pattern, b.sizes.big)
}

func (b *bench) editLarge(ctx context.Context, t *target, path, key string) error {
	etag, size := "", int64(b.sizes.big)*fsop.Block
	if t.keys != "" {
		var err error
		if _, etag, err = b.bucket.Look(ctx, t.keys+key); err != nil {
			return err
		}
	}
	start := time.Now()
	if _, err := fsop.Edit(path, size/2); err != nil {
		return err
	}
	if err := b.stored(ctx, t, key, size, etag); err != nil {
		return err
	}
	b.millis(t, keyEdit, time.Since(start))
	return nil
}

// stored waits until a target that uploads in its own time has put an object of that size into the bucket, another one than etag.
func (b *bench) stored(ctx context.Context, t *target, key string, size int64, etag string) error {
	if t.keys == "" {
		return nil // it is there when the target says so
	}
	ctx, cancel := context.WithTimeout(ctx, storedPatience)
	defer cancel()
	return s3op.Until(ctx, func() (bool, error) {
		n, e, err := b.bucket.Look(ctx, t.keys+key)
		return n == size && e != etag, err
	})
}

// sdkLarge is what the SDK makes of it: its download ends in a file, as ours do in the cache. An object can't be changed in its middle.
func sdkLarge(ctx context.Context, b *bench, t *target, at string) error {
	key, n := "sdk/"+at, b.sizes.big
	d, err := b.bucket.Upload(ctx, key, b.pattern, n)
	if err != nil {
		return err
	}
	b.rate(t, keyWrite, n, d)
	if err := b.settle(ctx); err != nil {
		return err
	}
	d, size, err := b.bucket.DownloadFile(ctx, key, b.lab.path("sdk-download"))
	if err == nil && size != int64(n)*fsop.Block {
		err = fmt.Errorf("%d bytes came back instead of %d", size, int64(n)*fsop.Block)
	}
	if err != nil {
		return err
	}
	b.rate(t, keyReadCold, n, d)
	if d, _, err = b.bucket.Download(ctx, key); err != nil {
		return err
	}
	b.rate(t, keyReadNowhere, n, d)
	return b.bucket.RemoveAll(ctx, key)
}

// s3Many writes small files from many programs at the same time.
func s3Many(ctx context.Context, b *bench, t *target, at string) error {
	n := b.sizes.s3small
	if t.name == sdk {
		d, err := b.bucket.PutMany(ctx, "sdk/"+at, n, smallSize, manyWriters)
		if err != nil {
			return err
		}
		b.rate(t, keyCreate, n, d)
		return nil // who creates files after somebody's deletes pays for them, so nobody deletes before the end
	}
	start := time.Now()
	if _, err := fsop.CreateParallel(ctx, filepath.Join(t.dir, at, "d"), n, smallSize, manyWriters); err != nil {
		return err
	}
	if t.keys != "" {
		ctx, cancel := context.WithTimeout(ctx, storedPatience)
		defer cancel()
		err := s3op.Until(ctx, func() (bool, error) {
			have, err := b.bucket.Count(ctx, t.keys+at+"/", smallSize)
			return have == n, err
		})
		if err != nil {
			return err
		}
	}
	b.rate(t, keyCreate, n, time.Since(start))
	return nil
}
