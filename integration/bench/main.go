package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitMissed = 1 // a bar is missed, or a step failed
	exitError  = 2 // nothing could be measured, or the run was interrupted
)

// config is what the flags say.
type config struct {
	runs  int
	quick bool
	only  []string // names of steps; nil: all
	json  string   // file for all figures
	dir   string   // on the disk to measure
	tote  string   // binary to measure; "": build it

	growth bool   // measure trees of different sizes
	data   string // keep the filled data directories in here; "": in the laboratory
	plot   string // file for a drawing of the growth

	s3        bool   // measure on an S3 server
	versitygw string // its binary
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is the whole program as a function: it returns the exit code.
func run(ctx context.Context, args []string) int {
	c, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var r *results
	if err == nil {
		r, err = measureAll(ctx, c)
	}
	if r != nil {
		fmt.Print(r.table())
	}
	if err == nil && c.json != "" {
		err = r.save(c.json)
	}
	if err == nil && c.plot != "" {
		err = os.WriteFile(c.plot, []byte(r.growthPlot().svg()), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return exitError
	}
	if r.missed() && !c.quick {
		return exitMissed
	}
	return 0
}

func parse(args []string) (config, error) {
	var c config
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&c.runs, "runs", 3, "how often everything is done; medians count")
	f.BoolVar(&c.quick, "quick", false, "small sizes and one run, to see that it works")
	f.BoolVar(&c.s3, "s3", false, "measure on an S3 server, beside rclone, s3fs and the SDK")
	f.BoolVar(&c.growth, "growth", false, "measure in trees of different sizes")
	f.StringVar(&c.data, "data", "", "with -growth, keep the filled trees in `DIR` and use them again")
	f.StringVar(&c.plot, "plot", "", "with -growth, draw the figures into `FILE` (SVG)")
	f.StringVar(&c.versitygw, "versitygw", ".tools/bin/versitygw", "the S3 server is this binary `FILE`")
	f.StringVar(&only, "only", "", "comma-separated `STEPS`: "+strings.Join(stepNames(steps()), " ")+"; with -s3 "+strings.Join(stepNames(s3Steps()), " ")+"; with -growth "+strings.Join(stepNames(growthSteps([]string{""})), " "))
	f.StringVar(&c.json, "json", "", "write all figures to `FILE`")
	f.StringVar(&c.dir, "dir", "/var/tmp", "work below `DIR`, which must be on a disk")
	f.StringVar(&c.tote, "tote", "", "measure this binary `FILE` instead of building one")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if c.quick {
		c.runs = 1
	}
	if c.runs < 1 || f.NArg() > 0 || c.s3 && c.growth {
		return c, errors.New("usage: bench [-s3 [-versitygw FILE] | -growth [-data DIR] [-plot FILE]] [-runs N] [-quick] [-only STEPS] [-json FILE] [-dir DIR] [-tote FILE]")
	}
	if only != "" {
		c.only = strings.Split(only, ",")
	}
	return c, c.checkSteps()
}

// measureAll builds the laboratory, works in it and takes it down again, whatever happens.
func measureAll(ctx context.Context, c config) (r *results, err error) {
	l, err := newLab(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.start(ctx); err != nil {
		return nil, err
	}
	b := newBench(l, c)
	err = b.run(ctx)
	return b.results, err
}
