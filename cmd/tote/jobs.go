package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"tote/fs"
	"tote/meta"
	"tote/restapi"
)

const (
	flushEvery = 5 * time.Second // of changes that nobody waits for: mkdir or rename on the mount
	tidyEvery  = 2 * time.Minute // due deletions, expired locks, old rows of the change feed
	gcEvery    = 12 * time.Hour  // all of that and a look at every object
)

// jobs are the chores of a running server, each in its own goroutine.
type jobs struct {
	cancel context.CancelFunc
	work   sync.WaitGroup
	log    *slog.Logger
}

func newJobs(c *core, rest *restapi.Handler, log *slog.Logger) *jobs {
	ctx, cancel := context.WithCancel(context.Background())
	j := &jobs{cancel: cancel, log: log}
	if c.ref.remote() {
		j.once(ctx, "end left uploads", c.fs.EndStrays)
	}
	j.every(ctx, "flush", flushEvery, c.db.Flush)
	j.every(ctx, "tidy", tidyEvery, c.fs.Tidy)
	j.every(ctx, "gc", gcEvery, func(ctx context.Context) error {
		r, err := c.gc(ctx, false)
		log.Info("gc", "objects", r.Objects, "orphans", r.Orphans, "uploads", r.Uploads, "bytes", r.Bytes)
		return err
	})
	if rest != nil {
		j.every(ctx, "sweep", sweepEvery, func(ctx context.Context) error { return j.sweep(ctx, rest, c.db) })
	}
	return j
}

// sweepEvery is how often what REST clients left unfinished is looked for.
const sweepEvery = 30 * time.Minute

// sweep drops uploads in pieces that nobody goes on with, tokens that have expired and relations of objects that went.
func (j *jobs) sweep(ctx context.Context, rest *restapi.Handler, db *meta.DB) error {
	return errors.Join(rest.Tidy(ctx, false), db.ExpireTokens(ctx, time.Now(), meta.Relaxed), db.SweepRelations(ctx, meta.Relaxed))
}

// once runs f a single time. What it does not come to is done by gc.
func (j *jobs) once(ctx context.Context, name string, f func(context.Context) error) {
	j.work.Go(func() {
		if err := fs.Guard(j.log, name, func() error { return f(ctx) }); err != nil && ctx.Err() == nil {
			j.log.Warn("job of the start failed, gc makes up for it", "job", name, "error", err)
		}
	})
}

// every runs f again and again. A failure is logged and tried again the next time.
func (j *jobs) every(ctx context.Context, name string, period time.Duration, f func(context.Context) error) {
	j.work.Go(func() {
		tick := time.NewTicker(period)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := fs.Guard(j.log, name, func() error { return f(ctx) }); err != nil && ctx.Err() == nil {
				j.log.Error("background job failed", "job", name, "error", err)
			}
		}
	})
}

// Stop ends the jobs and waits for them, as long as ctx allows.
func (j *jobs) Stop(ctx context.Context) error {
	j.cancel()
	done := make(chan struct{})
	go func() { j.work.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
