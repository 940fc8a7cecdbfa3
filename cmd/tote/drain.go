package main

import (
	"context"
	"fmt"

	"tote/fs"
)

// drain waits until everything that was closed on the mount is in the store, and tells how far it is. When ctx ends first it says what is left.
func drain(ctx context.Context, f *fs.FS, out output) error {
	var g gauge
	err := f.Drain(ctx, func(p fs.Progress) { out.progress(g.progress(p)) })
	if err == nil || ctx.Err() == nil {
		return err
	}
	return failf(exitWaiting, "%s not uploaded yet: safe in the data directory, tote serve goes on with it", g.left())
}

// gauge makes of what is left how much is done: files that come meanwhile move the end, not the beginning.
type gauge struct {
	last  fs.Progress
	total int64
}

func (g *gauge) progress(p fs.Progress) progress {
	left, before := p.Bytes-p.Sent, g.last.Bytes-g.last.Sent
	g.total += max(0, left-before)
	g.last = p
	return progress{What: fmt.Sprintf("uploading %s", count(p.Files, "file")), Done: g.total - left, Total: g.total, Bytes: true}
}

// left is what was not sent.
func (g *gauge) left() string {
	return fmt.Sprintf("%s (%s)", count(g.last.Files, "file"), size(g.last.Bytes-g.last.Sent))
}

// count writes a number of things: "1 file", "2 files".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// drainUploads is a step of the stop: it gives uploads time to end, and says what the next start goes on with.
func (p *Program) drainUploads(ctx context.Context) error {
	told := false
	return drain(ctx, p.core.fs, output{Progress: func(now progress) {
		if !told && now.Done < now.Total {
			told = true
			p.Log.Info("waiting for uploads", "left", size(now.Total-now.Done), "timeout", p.Config.StopTimeout)
		}
	}})
}
