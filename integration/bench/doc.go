// Bench measures how fast tote is beside what it stands on, and says whether it is fast enough.
//
//	go run ./integration/bench [-s3 | -growth] [-runs 3] [-quick] [-only STEPS] [-json FILE] [-dir DIR] [-tote FILE]
//
// By default four things are measured in the same run, because only ratios within one run mean anything on a machine that does other work too:
//
//	native    a plain directory
//	loopback  a FUSE mount of a plain directory by go-fuse's own loopback file system, with kernel passthrough
//	dir       golang.org/x/net/webdav over a plain directory, which flushes nothing to disk
//	tote      the real binary, "tote serve", with its embedded store: the mount and the WebDAV share of one server
//
// The REST API is compared with the WebDAV share of the same server: a form of 1 GiB with a PUT, the two downloads, and how much memory the form takes.
//
// With -s3 an S3 server (versitygw) is started, and measured are, on one bucket and with the same size and number of parts:
//
//	sdk       the AWS SDK without any file system: its uploader, its download in parallel ranges, single PutObject calls at the same time
//	rclone    rclone mount --vfs-cache-mode full
//	s3fs      s3fs with a cache on the disk
//	tote      the real binary with --store s3://…
//
// There a write counts as done when the bucket has the bytes, however early close(2) returned, and before a file is read its server is started
// again with an empty cache.
//
// With -growth three servers are started over trees of 10 thousand, 1 million and 10 million files, and single operations are compared among them.
// The trees are made of rows in the database, past the server and without objects (metafill): that takes ten minutes, so -data DIR keeps
// them. Operations go to random files in random directories while the kernel has forgotten all names and attributes; the database files stay
// in its memory, as they do on a machine that serves them, but for one row that says what the disk costs. -plot FILE draws the figures.
//
// All of them keep their bytes on the same disk, in a directory that is removed in the end together with mounts and processes, also after a
// failure or a signal. Each step is done to one target after the other, the order changes from run to run, and the medians are compared.
// Before a step everything is written back to disk and the servers have come to rest; where a measure is called cold, the kernel's caches are
// dropped as well, for all targets alike. What was written is read back and compared, large things in the first run only.
//
// A Markdown table goes to the standard output, progress to the standard error. The exit code is 1 when a bar is missed or a step failed. With
// -quick everything is smaller and done once: that shows that the program works, and no bar decides.
//
// It needs root, FUSE, and rsync and curl, or rclone, s3fs and versitygw, or nothing else for -growth, and some 20 GiB of free disk.
package main
