package main

import (
	"context"
	"fmt"
	"path/filepath"

	"tote/integration/bench/fsop"
)

// transfers puts a large file and gets it back.
func transfers(ctx context.Context, b *bench, t *target, at string) error {
	local, err := b.localFile(ctx)
	if err != nil {
		return err
	}
	remote, want := at+"/big.bin", int64(b.sizes.transfer)*fsop.Block
	// The first request pays for the login, and reading the local file brings it into the cache.
	if err := t.dav.Mkcol(ctx, at+"/login"); err != nil {
		return err
	}
	d, sent, err := t.dav.Put(ctx, remote, local)
	if err == nil && sent != want {
		err = fmt.Errorf("curl sent %d bytes instead of %d", sent, want)
	}
	if err != nil {
		return err
	}
	b.rate(t, keyPut, b.sizes.transfer, d)
	if err := b.settle(ctx); err != nil {
		return err
	}
	d, got, err := t.dav.Get(ctx, remote)
	if err == nil && got != want {
		err = fmt.Errorf("curl got %d bytes instead of %d", got, want)
	}
	if err != nil {
		return err
	}
	b.rate(t, keyGet, b.sizes.transfer, d)
	return b.checkTransfer(ctx, t, remote)
}

// checkTransfer compares the bytes, in the first run.
func (b *bench) checkTransfer(ctx context.Context, t *target, remote string) error {
	if b.round > 0 {
		return nil
	}
	return t.dav.Check(ctx, remote, fsop.Block, func(i int, got []byte) error {
		if !b.pattern.Is(i, got) {
			return fmt.Errorf("block %d has other bytes than were put", i)
		}
		return nil
	})
}

// localFile is what is put: made once, and read once before each use.
func (b *bench) localFile(ctx context.Context) (string, error) {
	path := filepath.Join(b.work, "local.bin")
	if !exists(path) {
		if _, err := fsop.Write(ctx, path, b.pattern, b.sizes.transfer); err != nil {
			return "", err
		}
	}
	_, _, err := fsop.Read(ctx, path)
	return path, err
}

// davList lists a collection with many members.
func davList(ctx context.Context, b *bench, t *target, at string) error {
	if err := t.dav.Mkcol(ctx, at+"/login"); err != nil {
		return err
	}
	d, n, err := t.dav.List(ctx, listDir)
	if err == nil && n != b.sizes.list+1 {
		err = fmt.Errorf("the answer names %d resources instead of %d", n, b.sizes.list+1)
	}
	if err != nil {
		return err
	}
	b.seconds(t, keyPropfind, d)
	return nil
}

// smallPuts puts small files, one after the other and several at a time.
func smallPuts(ctx context.Context, b *bench, t *target, at string) error {
	for _, way := range []struct {
		key     string
		clients int
	}{{keyPutSmall, 1}, {keyPutMany, manyPuts}} {
		dir := at + "/" + way.key
		if err := t.dav.Mkcol(ctx, dir); err != nil {
			return err
		}
		d, err := t.dav.PutMany(ctx, dir, b.sizes.puts, smallSize, way.clients)
		if err != nil {
			return err
		}
		b.rate(t, way.key, b.sizes.puts, d)
	}
	return nil
}
