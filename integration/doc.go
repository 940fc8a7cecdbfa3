// Package integration proves that all faces agree. Its tests start the real binary in a process of its own, mount it, and work on it through
// four doors: the core in this process, the mount, a WebDAV client and a REST client.
//
// # Running
//
//	go test ./integration            some five minutes; needs /dev/fuse, and root for passthrough and fifos
//	go test -short ./integration     smaller files, fewer rounds
//	TOTE_MUST_RUN=1 go test …        a test that would skip fails instead; CI sets it
//	TOTE_SOAK=1h go test -run TestSoak -timeout 0 …   mixed load with kill -9 for that long, and a million files; stress-ng, a million steps of the file
//	                                 model, 50,000 files in git and the like at full size. TOTE_SEED and TOTE_STEPS repeat a run of the file model
//	TOTE_TEST_STORE=s3 go test …     with the objects on an S3 server, which each test starts for itself
//	TOTE_TEST_S3=URL TOTE_TEST_STORE=s3 …             on the server there, with keys from the environment
//	TOTE_TEST_STORE=s3 TOTE_SOAK=20m go test -run 'TestS3(KillUpload|Hole|CacheLimit|Faults)' -timeout 0 …   at full size: 5 GiB, a minute, 2 GiB
//
// Tools that are not installed (litmus, rsync, git, sqlite3, curl) skip their test.
//
// # Scripts
//
// testdata/script holds the behaviour in plain lines, one command each, that run through every door that has the verb:
//
//	put /a hello              and: get, ls, stat, mkdir, rm, mv, cp, …
//	get /a want hello         what the command must answer
//	mv -n /a /b want EEXIST   or how it must fail
//	[dav] …                   only through these doors
//
// The package posix beside this one has scripts of another kind: system calls with the answers of ext4, which run on a mount and on a native directory.
//
// In cross mode changes go through one face and questions through another.
//
// # Leaving nothing behind
//
// Everything lives below one temporary directory. Each server is checked when it stops: exit code, log, "tote fsck --deep", empty staging. At the
// end the test binary fails when a mount, a process, an open file or a file is left.
package integration
