// Package fusefs mounts the core as a drive. It translates FUSE requests to calls of package fs and errors to errnos; it decides nothing
// about files.
//
// # Nodes
//
// A FUSE node id is the number of the file in the database, with the root at 1, so there is no tree of inodes in memory and a Forget has
// next to nothing to do. There is one exception. The kernel keeps one page cache or one passthrough file per node, and when another face
// replaces a file while the mount has it open, the open handles stay on the old content. Whoever opens the file now must not share their
// caches: the file gets a second node id (nodes.go), open(2) of the first answers ESTALE once, the kernel looks the name up again by itself
// and finds the second. st_ino stays the same.
//
// # Reading and writing
//
// Where the core offers a local file for a handle (fs.Handle.Backing) and the kernel allows it, reads, writes and mappings go to that file
// without this process (FUSE passthrough, needs root). Otherwise the kernel's page cache is used, and kept over a close as long as the
// content is the same. iomode.go holds the rules the kernel enforces with EIO.
//
// # Caches
//
// The kernel may remember names and attributes for a long time (Options.EntryTimeout, Options.AttrTimeout), because changes by other
// faces are pushed: the core reports them after the commit and before the other face answers its client, and the kernel is told
// within that call (invalidate.go).
//
// # Permissions
//
// The mount always has default_permissions: the kernel checks owner, group and mode. It hands the duty to clear set-user-id and
// set-group-id bits to us (HANDLE_KILLPRIV_V2, privs.go); in return it does not ask for security.capability on every write. The process
// should call umask(0) before it creates files on behalf of others; the mode bits that arrive here are already masked by the caller's umask.
//
// Locks (flock, fcntl) stay in the kernel: on one mount that is exact and needs no request.
//
// # Concurrency and memory
//
// All methods run concurrently, one goroutine a request. Buffers of a request belong to go-fuse and are not kept after the reply. Requests
// in flight are limited (maxInflight), and so is every table here except that of open files, which the kernel limits.
//
// # Cancelling
//
// A signal to the calling process sends INTERRUPT, and Go programs signal themselves all the time. Nothing here waits for another
// process, so an INTERRUPT is ignored: an operation that began ends, and its result is reported.
//
// # Durability
//
// close(2) commits what was written so that it survives the death of this process; fsync(2), also of a directory, makes it survive a power
// loss. Both report errors; the release that follows a close has nobody to report to.
package fusefs
