package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tote/integration/bench/child"
	"tote/integration/bench/metafill"
)

// growthSuite measures the same operations in trees of different sizes. The largest comes last: it is compared with the smallest.
func growthSuite(c config) suite {
	n := c.sizes()
	s := suite{dirs: []string{"bin"}, tools: []string{"go"}}
	for i, files := range n.trees {
		wide := 0
		if i == len(n.trees)-1 {
			wide = n.wide
		}
		s.targets = append(s.targets, countName(files))
		s.start = append(s.start, func(l *lab, ctx context.Context) error { return l.startGrown(ctx, files, wide) })
	}
	s.measures, s.steps = growthMeasures(c, s.targets[0]), growthSteps(s.targets)
	return s
}

// countName writes a number of files for people, and is the name of the target with so many.
func countName(n int) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%dM", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%dk", n/1e3)
	}
	return fmt.Sprint(n)
}

// startGrown fills a data directory, unless an earlier run has left it, and starts a server on it.
func (l *lab) startGrown(ctx context.Context, files, wide int) error {
	name := countName(files)
	data := l.path("data-" + name)
	if l.cfg.data != "" {
		data = filepath.Join(l.cfg.data, name)
	}
	marker := filepath.Join(data, "filled")
	filled, password, err := l.filled(marker)
	if err != nil {
		return err
	}
	t, argv, env, ready, err := l.toteServer(name, data, password)
	if err != nil {
		return err
	}
	if err := os.Mkdir(t.dir, 0o755); err != nil {
		return err
	}
	up := func() (*child.Process, error) { return l.serve(ctx, name, env, argv, ready) }
	if !filled {
		if err := l.fill(ctx, up, data, files, wide); err != nil {
			return fmt.Errorf("fill %s: %w", data, err)
		}
		if err := os.WriteFile(marker, []byte(password), 0o600); err != nil {
			return err
		}
	}
	p, err := up()
	if err == nil {
		t.peak, t.cpu, t.data = p.Peak, p.CPU, data
	}
	return err
}

// filled tells whether a data directory has been filled, and its admin's password, which the marker holds.
func (l *lab) filled(marker string) (filled bool, password string, err error) {
	b, err := os.ReadFile(marker)
	if errors.Is(err, os.ErrNotExist) {
		return false, rand.Text(), nil
	}
	return true, string(b), err
}

// fill has the server make the data directory, and fills it while nobody serves it.
func (l *lab) fill(ctx context.Context, up func() (*child.Process, error), data string, files, wide int) error {
	fmt.Fprintf(os.Stderr, "fill %s\n", data)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	p, err := up()
	if err != nil {
		return err
	}
	l.servers = l.servers[:len(l.servers)-1]
	if err := p.Stop(stopPatience); err != nil {
		return err
	}
	db := filepath.Join(data, "tote.db")
	if err := metafill.Fill(ctx, db, files); err != nil || wide == 0 {
		return err
	}
	return metafill.FillWide(ctx, db, wide)
}
