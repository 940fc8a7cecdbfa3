package main

import "context"

// suite is what one run of the program measures: the embedded store beside what it stands on, an S3 server beside its peers, or trees of
// different sizes.
type suite struct {
	targets  []string // in the order of the table; the last has to reach the bars
	measures []measure
	steps    []step
	dirs     []string // made in the laboratory
	tools    []string // that have to be installed
	programs []string // of ours that have to be built
	start    []func(*lab, context.Context) error
}

func (c config) suite() suite {
	switch {
	case c.s3:
		return s3Suite(c)
	case c.growth:
		return growthSuite(c)
	}
	return localSuite(c)
}

func localSuite(c config) suite {
	return suite{
		targets:  []string{native, loopback, dirDAV, tote},
		measures: measures(c),
		steps:    steps(),
		dirs:     []string{"bin", "native", "below", "loopback", "dav", "data", "mnt-" + tote},
		tools:    []string{"go", "rsync", "curl", "ls", "rm"},
		programs: []string{"tote/integration/bench/loopback", "tote/integration/bench/davdir"},
		start:    []func(*lab, context.Context) error{(*lab).startNative, (*lab).startLoopback, (*lab).startDir, (*lab).startTote},
	}
}

// Names of the targets of the S3 suite, beside tote.
const (
	sdk    = "sdk"
	rclone = "rclone"
	s3fs   = "s3fs"
)

func s3Suite(c config) suite {
	return suite{
		targets:  []string{sdk, rclone, s3fs, tote},
		measures: s3Measures(c),
		steps:    s3Steps(),
		dirs:     []string{"bin", "buckets", "rclone", "rclone-cache", "s3fs", "s3fs-cache", "data", "mnt-" + tote},
		tools:    []string{"go", rclone, s3fs},
		start:    []func(*lab, context.Context) error{(*lab).startS3, (*lab).startRclone, (*lab).startS3FS, (*lab).startToteOnS3},
	}
}
