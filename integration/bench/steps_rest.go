package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"tote/integration/bench/fsop"
	"tote/integration/bench/restop"
)

// restRounds is how often one run sends and fetches the file.
const restRounds = 2

// restTransfers sends a large file as a form and over WebDAV, and fetches both. The two take turns, because what is compared is a ratio.
func restTransfers(ctx context.Context, b *bench, t *target, at string) error {
	if err := t.dav.Mkcol(ctx, at+"/login"); err != nil { // the first request pays for the login
		return err
	}
	for i := range restRounds {
		if err := b.restRound(ctx, t, "/dav/"+at+"/put.bin", i%2 == 0); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) restRound(ctx context.Context, t *target, put string, restFirst bool) error {
	var post string
	var sent, fetched [2]time.Duration // REST, WebDAV
	steps := []func() error{
		func() (err error) {
			post, sent[0], err = b.measurePost(ctx, t)
			return err
		},
		func() (err error) {
			sent[1], err = t.rest.Put(ctx, put, b.streamed())
			return err
		},
		func() (err error) {
			fetched[0], err = b.fetch(ctx, t, post)
			return err
		},
		func() (err error) {
			fetched[1], err = b.fetch(ctx, t, put)
			return err
		},
	}
	if !restFirst {
		steps[0], steps[1], steps[2], steps[3] = steps[1], steps[0], steps[3], steps[2]
	}
	for _, do := range steps {
		if err := b.settle(ctx); err != nil {
			return err
		}
		if err := do(); err != nil {
			return err
		}
	}
	b.rate(t, keyPost, b.sizes.rest, sent[0])
	b.record(t, keyPostRatio, sent[1].Seconds()/sent[0].Seconds())
	b.rate(t, keyFetch, b.sizes.rest, fetched[0])
	b.record(t, keyFetchRatio, fetched[1].Seconds()/fetched[0].Seconds())
	return t.rest.Delete(ctx, post)
}

// measurePost sends the form and records how much more memory the server had meanwhile.
func (b *bench) measurePost(ctx context.Context, t *target) (path string, took time.Duration, err error) {
	before, err := t.mark()
	if err != nil {
		return "", 0, err
	}
	if path, took, err = t.rest.Post(ctx, "post.bin", b.streamed()); err != nil {
		return "", 0, err
	}
	peak, err := t.sinceMark()
	b.record(t, keyPostMemory, float64(peak-before)/(1<<20))
	return path, took, err
}

func (b *bench) fetch(ctx context.Context, t *target, path string) (time.Duration, error) {
	took, n, err := t.rest.Get(ctx, path)
	if want := int64(b.sizes.rest) * fsop.Block; err == nil && n != want {
		err = fmt.Errorf("GET %s: %d bytes instead of %d", path, n, want)
	}
	return took, err
}

// streamed is the file that is sent: made as it goes, so that reading a disk is not measured.
func (b *bench) streamed() restop.File {
	return restop.File{Size: int64(b.sizes.rest) * fsop.Block, Open: func() io.Reader {
		return b.pattern.Reader(b.sizes.rest)
	}}
}
