package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tote/integration/bench/child"
	"tote/integration/bench/fsop"
)

// bench goes through the steps and collects what they measure.
type bench struct {
	*lab
	suite   suite
	sizes   sizes
	pattern *fsop.Pattern
	results *results
	round   int    // from 0
	seed    uint64 // of what is chosen at random
}

func newBench(l *lab, c config) *bench {
	s := c.suite()
	return &bench{lab: l, suite: s, sizes: c.sizes(), pattern: fsop.NewPattern(1), results: newResults(s.targets, s.measures), seed: rand.Uint64()}
}

// run does every step once per round. A step that fails on a target counts as failed there and the others go on, unless a server died.
func (b *bench) run(ctx context.Context) error {
	todo := slices.DeleteFunc(b.suite.steps, func(s step) bool {
		return b.cfg.only != nil && !slices.Contains(b.cfg.only, s.name)
	})
	if err := b.prepare(ctx, todo); err != nil {
		return err
	}
	for b.round = range b.cfg.runs {
		for i, s := range todo {
			if err := b.step(ctx, s, b.round+i, b.one); err != nil {
				return err
			}
		}
	}
	for b.round = range b.cfg.runs {
		for _, s := range todo {
			if s.finish == nil {
				continue
			}
			if err := b.step(ctx, s, b.round, b.end); err != nil {
				return err
			}
		}
	}
	return b.recordPeak()
}

func (b *bench) prepare(ctx context.Context, todo []step) error {
	for _, s := range todo {
		for _, name := range s.on {
			if s.prepare == nil {
				continue
			}
			b.say("prepare %s on %s", s.name, name)
			if err := s.prepare(ctx, b, b.targets[name]); err != nil {
				return fmt.Errorf("prepare %s on %s: %w", s.name, name, err)
			}
		}
	}
	return nil
}

// step does a step to its targets. Which of them comes first changes with turn.
func (b *bench) step(ctx context.Context, s step, turn int, do func(context.Context, step, *target) error) error {
	for i := range s.on {
		t := b.targets[s.on[(i+turn)%len(s.on)]]
		err := do(ctx, s, t)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		}
		if dead := b.alive(); dead != nil {
			return errors.Join(fmt.Errorf("%s on %s: %w", s.name, t.name, err), dead)
		}
		if err != nil {
			b.say("  %s on %s failed: %v", s.name, t.name, err)
			b.results.fail(t.name, fmt.Sprintf("%s: %v", s.name, err))
		}
	}
	return nil
}

// place is the name of the directory of a step in the present run.
func (b *bench) place(s step) string { return fmt.Sprintf("%s-%d", s.name, b.round) }

// one does a step to one target.
func (b *bench) one(ctx context.Context, s step, t *target) error {
	b.say("run %d/%d  %s on %s", b.round+1, b.cfg.runs, s.name, t.name)
	at := b.place(s)
	if t.dir == "" {
		if err := b.settle(ctx); err != nil {
			return err
		}
		return s.run(ctx, b, t, at)
	}
	dir := filepath.Join(t.dir, at)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	err := s.run(ctx, b, t, at)
	if !s.keep {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// end finishes a step on one target.
func (b *bench) end(ctx context.Context, s step, t *target) error {
	b.say("end of run %d/%d  %s on %s", b.round+1, b.cfg.runs, s.name, t.name)
	if err := b.settle(ctx); err != nil {
		return err
	}
	return s.finish(ctx, b, t, b.place(s))
}

// recordPeak notes the most memory that the servers ever had.
func (b *bench) recordPeak() error {
	for _, name := range b.suite.targets {
		t := b.targets[name]
		if t.peak == nil {
			continue
		}
		peak, err := t.peak()
		if err != nil {
			return err
		}
		b.results.add(keyPeak, name, float64(peak)/(1<<20))
	}
	return nil
}

func (b *bench) record(t *target, key string, value float64) {
	b.say("  %-12s %.4g %s", key, value, b.results.measure(key).unit)
	b.results.add(key, t.name, value)
}

// rate and duration record in the unit that the measure has.
func (b *bench) rate(t *target, key string, n int, d time.Duration) {
	b.record(t, key, float64(n)/d.Seconds())
}

func (b *bench) seconds(t *target, key string, d time.Duration) { b.record(t, key, d.Seconds()) }
func (b *bench) millis(t *target, key string, d time.Duration)  { b.record(t, key, 1000*d.Seconds()) }

func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// quietPatience bounds the wait for a server that has background work.
const quietPatience = 10 * time.Second

// settle has everything written back and waits until no server works any more, so that nobody pays for what came before.
func (b *bench) settle(ctx context.Context) error {
	if err := b.quiet(ctx); err != nil {
		return err
	}
	unix.Sync()
	return nil
}

// quiet waits until no server works any more.
func (b *bench) quiet(ctx context.Context) error {
	return child.Quiet(ctx, quietPatience, b.servers...)
}

// cold settles and drops the kernel's caches: pages, names and attributes.
func (b *bench) cold(ctx context.Context) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return err
	}
	return b.quiet(ctx) // servers are told what was forgotten
}

// command times a program and returns what it printed.
func command(ctx context.Context, argv ...string) (time.Duration, string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	var problems strings.Builder
	cmd.Stderr = &problems
	start := time.Now()
	out, err := cmd.Output()
	took := time.Since(start)
	if err != nil {
		err = fmt.Errorf("%s: %w: %.500s", strings.Join(argv, " "), err, problems.String())
	}
	return took, string(out), err
}
