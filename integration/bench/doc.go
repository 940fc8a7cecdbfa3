// Bench measures how fast tote is beside what it stands on, and says whether it is fast enough.
//
//	go run ./integration/bench [-runs 3] [-quick] [-only STEPS] [-json FILE] [-dir DIR] [-tote FILE]
//
// Four things are measured in the same run, because only ratios within one run mean anything on a machine that does other work too:
//
//	native    a plain directory
//	loopback  a FUSE mount of a plain directory by go-fuse's own loopback file system, with kernel passthrough
//	dir       golang.org/x/net/webdav over a plain directory, which flushes nothing to disk
//	tote      the real binary, "tote serve", with its embedded store: the mount and the WebDAV share of one server
//
// All of them keep their bytes on the same disk, in a directory that is removed in the end together with mounts and processes, also after a
// failure or a signal. Each step is done to one target after the other, the order changes from run to run, and the medians are compared.
// Before a step everything is written back to disk and the servers have come to rest; where a measure is called cold, the kernel's caches are
// dropped as well, for all targets alike. What was written is read back and compared, large things in the first run only.
//
// A Markdown table goes to the standard output, progress to the standard error. The exit code is 1 when a bar is missed or a step failed. With
// -quick everything is smaller and done once: that shows that the program works, and no bar decides.
//
// It needs root, FUSE, rsync and curl, and some 20 GiB of free disk.
package main
