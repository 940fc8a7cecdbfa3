package main

import "fmt"

// Keys of the measures.
const (
	keyWrite       = "write"
	keyReadCold    = "read-cold"
	keyReadNowhere = "read-nowhere"
	keyReadWarm    = "read-warm"
	keyRandomRead  = "random-read"
	keyEdit        = "edit"
	keyCreate      = "create"
	keyStat        = "stat"
	keyReadSmall   = "read-small"
	keyAppend      = "append"
	keyRsync       = "rsync"
	keyRsyncAgain  = "rsync-again"
	keyRemove      = "rm"
	keyList        = "ls"
	keyListLong    = "ls-l"
	keyRename      = "rename"
	keyPut         = "put"
	keyGet         = "get"
	keyPropfind    = "propfind"
	keyPutSmall    = "put-small"
	keyPutMany     = "put-many"
	keyPost        = "post"
	keyPostRatio   = "post-ratio"
	keyPostMemory  = "post-memory"
	keyFetch       = "fetch"
	keyFetchRatio  = "fetch-ratio"
	keyPeak        = "peak"
)

// measure is a row of the table.
type measure struct {
	key  string
	name string
	unit string
	bar  bar
}

// bar is what tote, or the largest tree, has to reach: at least or at most limit, which is a multiple of the baseline's figure when there is a baseline.
type bar struct {
	sign     string // ">=", "<=" or "<"; "" is no bar
	limit    float64
	baseline string
}

func (b bar) String() string {
	switch {
	case b.sign == "":
		return ""
	case b.baseline == "":
		return fmt.Sprintf("%s %g", b.sign, b.limit)
	}
	return fmt.Sprintf("%s %g %s", b.sign, b.limit, b.baseline)
}

// holds compares tote's figure with the bar.
func (b bar) holds(value, baseline float64) bool {
	limit := b.limit
	if b.baseline != "" {
		limit *= baseline
	}
	switch b.sign {
	case ">=":
		return value >= limit
	case "<=":
		return value <= limit
	case "<":
		return value < limit
	}
	return true
}

func atLeast(ratio float64, of string) bar { return bar{">=", ratio, of} }
func atMost(ratio float64, of string) bar  { return bar{"<=", ratio, of} }

// measures lists the rows in their order.
func measures(c config) []measure {
	n := c.sizes()
	return []measure{
		{keyWrite, fmt.Sprintf("mount: write %d MiB, fsync", n.big), "MiB/s", atLeast(0.5, native)},
		{keyReadWarm, fmt.Sprintf("mount: read %d MiB, warm", n.big), "MiB/s", atLeast(0.5, native)},
		{keyReadCold, fmt.Sprintf("mount: read %d MiB, cold", n.big), "MiB/s", bar{}},
		{keyRandomRead, "mount: random read 4 KiB, cold", "op/s", bar{}},
		{keyEdit, fmt.Sprintf("mount: 4 KiB into %d MiB, fsync", n.big), "ms", bar{}},
		{keyCreate, fmt.Sprintf("mount: create+write+close %d x 4 KiB", n.small), "op/s", atLeast(0.5, loopback)},
		{keyStat, "mount: stat, cold", "op/s", bar{}},
		{keyReadSmall, "mount: open+read+close 4 KiB, cold", "op/s", bar{}},
		{keyAppend, "mount: append 4 KiB + fsync", "op/s", bar{}},
		{keyRsync, "mount: rsync -a of the Go source", "s", atMost(2, loopback)},
		{keyRsyncAgain, "mount: rsync -a again", "s", bar{}},
		{keyRemove, "mount: rm -rf of it", "s", bar{}},
		{keyList, fmt.Sprintf("mount: ls of %d, cold", n.list), "s", atMost(0.3, "")},
		{keyListLong, fmt.Sprintf("mount: ls -l of %d, cold", n.list), "s", bar{}},
		{keyRename, fmt.Sprintf("mount: rename a directory over %d files", n.tree), "ms", atMost(10, "")},
		{keyGet, fmt.Sprintf("dav: GET %d MiB", n.transfer), "MiB/s", atLeast(0.9, dirDAV)},
		{keyPut, fmt.Sprintf("dav: PUT %d MiB (tote: durable)", n.transfer), "MiB/s", atLeast(0.6, dirDAV)},
		{keyPropfind, fmt.Sprintf("dav: PROPFIND of %d", n.list), "s", bar{}},
		{keyPutSmall, "dav: PUT 4 KiB (tote: durable)", "op/s", bar{}},
		{keyPutMany, fmt.Sprintf("dav: PUT 4 KiB, %d clients", manyPuts), "op/s", bar{}},
		{keyPost, fmt.Sprintf("rest: POST a form of %d MiB", n.rest), "MiB/s", bar{}},
		{keyPostRatio, "rest: its speed beside PUT of WebDAV", "times", bar{">=", 0.7, ""}},
		{keyPostMemory, "rest: memory that it takes", "MiB", bar{"<=", 64, ""}},
		{keyFetch, fmt.Sprintf("rest: GET %d MiB", n.rest), "MiB/s", bar{}},
		{keyFetchRatio, "rest: its speed beside GET of WebDAV", "times", bar{">=", 0.9, ""}},
		{keyPeak, "server: peak resident memory", "MiB", bar{"<", 150, ""}},
	}
}
