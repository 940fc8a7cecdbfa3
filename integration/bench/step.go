package main

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// step is something that is done to one target after the other, once per run. One step may yield several measures, because the second needs
// what the first one made. It works in a directory of its own, called at.
type step struct {
	name    string
	on      []string // names of targets
	prepare func(ctx context.Context, b *bench, t *target) error
	run     func(ctx context.Context, b *bench, t *target, at string) error
	finish  func(ctx context.Context, b *bench, t *target, at string) error // after all runs

	// keep leaves the files until the end. ext4 takes an inode that was just freed only after a long search, so that whoever creates files
	// after somebody else's rm -rf would pay for it.
	keep bool
}

// mounted and shared are the targets of the two kinds of steps.
func mounted() []string { return []string{native, loopback, tote} }
func shared() []string  { return []string{dirDAV, tote} }

// steps lists all steps in their order.
func steps() []step {
	return []step{
		{name: "small", on: mounted(), run: smallFiles, keep: true},
		{name: "append", on: mounted(), run: appends, keep: true},
		{name: "rsync", on: mounted(), run: rsyncTree, finish: removeTree, keep: true},
		{name: "big", on: mounted(), run: bigFile},
		{name: "list", on: mounted(), prepare: prepareList, run: list},
		{name: "rename", on: []string{native, tote}, prepare: prepareTree, run: renameTree},
		{name: "dav", on: shared(), run: transfers},
		{name: "davlist", on: shared(), prepare: prepareList, run: davList},
		{name: "davsmall", on: shared(), run: smallPuts, keep: true},
		{name: "rest", on: []string{tote}, run: restTransfers},
	}
}

func stepNames(steps []step) []string {
	var names []string
	for _, s := range steps {
		names = append(names, s.name)
	}
	return names
}

func (c config) checkSteps() error {
	known := stepNames(c.suite().steps)
	for _, name := range c.only {
		if !slices.Contains(known, name) {
			return fmt.Errorf("-only %s: there is no such step, only %v", name, known)
		}
	}
	return nil
}

// sizes say how much of everything.
type sizes struct {
	big      int // blocks of 1 MiB of the file on the mount
	transfer int // and of the one over WebDAV
	rest     int // and of the one in a form
	small    int // files
	reads    int // random ones
	appends  int
	list     int // entries of the directory that is listed
	tree     int // files below the directory that is renamed
	puts     int
	s3small  int   // files that many write at the same time
	trees    []int // files of each tree, the smallest first
	spread   int   // files all over a tree to which something is done
	wide     int   // entries of a very large directory
}

func (c config) sizes() sizes {
	if c.quick {
		return sizes{big: 64, transfer: 32, rest: 32, small: 200, reads: 500, appends: 20, list: 1000, tree: 2000, puts: 50, s3small: 100,
			trees: []int{10_000, 20_000, 40_000}, spread: 200, wide: 20_000}
	}
	return sizes{big: 1024, transfer: 512, rest: 1024, small: 2000, reads: 5000, appends: 200, list: 10_000, tree: 100_000, puts: 1000, s3small: 1000,
		trees: []int{10_000, 1_000_000, 10_000_000}, spread: 1000, wide: 1_000_000}
}

// Sizes of small files, and how many clients put them.
const (
	smallSize = 4 << 10
	listSize  = 64
	manyPuts  = 8
)

// exists tells whether an earlier step has prepared something already.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
