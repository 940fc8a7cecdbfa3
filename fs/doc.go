// Package fs is tote's file system: every rule about files lives here, once. Faces (fs/fusefs, davserver, restapi) translate verbs, types
// and errors; they decide nothing. Stores remember: package meta holds names, attributes and properties, package objstore the bytes.
//
// # What is promised
//
// Close-to-open on all faces: once Handle.Flush (close on the mount) or Writer.Commit (an HTTP 2xx) has returned nil, every later open on any
// face gets that version or a newer one. Subscribers have been told by then, so that the kernel's caches are forgotten too.
//
// Atomic replacement: a Reader keeps the version it opened; nobody sees half of a Writer's bytes; a Writer that is not committed leaves no
// trace. All handles that the mount has of one file share one view, as POSIX says. When another face replaces the content under it, the
// handles keep the old bytes or get ESTALE, never a mixture, and nothing of theirs can be committed any more. Replacing keeps the number.
//
// Durability: Writer.Commit, Handle.Sync, SyncDir and every change of the tree by an HTTP face survive power loss. Handle.Flush and the
// mount's changes of the tree survive the death of the process, and power loss after at most Options.Settle.
//
// A change runs to its end once begun: cancelling its context has no effect then, because Go programs interrupt themselves all the time.
// Reads may be cancelled.
//
// # How a file is written
//
//	HTTP faces                          mount
//	NewWriter ── staging file           Create/OpenIno ── view ── work file in staging
//	Write, ReadFrom                     the kernel writes it (through), or WriteAt does
//	Commit:                             Flush, Sync:
//	  fsync, adopt into the store         one transaction: version "staged", the work file is the version
//	  one transaction: version "stored" settler, every few seconds after the last Release: rename into the store,
//	                                      flush it, mark as "stored"
//
// A version is immutable once no handle can write its file. A reader of another face that meets one which still can be written waits an
// instant for the kernel to release it, and else gives it bytes of its own (openIno.cool). A writer on the mount that meets readers whose kernel
// file is the object itself gets that file, after a copy has taken the object's place (view.thaw). A small edit of a large file
// that nobody else holds is applied in place under a redo record (redo.go).
//
// Old objects go by intent rows, after a grace and a last look (GC). After a crash recover completes what was closed and drops what was not.
// A closed file whose end was not on the disk when the power failed ends where its bytes do; less than an fsync covered is an error (Version.Firm).
//
// # Remote stores
//
// A store that can't take over local files (FS.Remote) gets bytes in uploads (upload.go). A file that stays below Options.PartSize is one Put. A
// larger one goes in parts, in parallel, while it is still being written: a part is sent as soon as all its bytes were written once, and what changes
// after that is sent again before the end. So the kernel never writes to a file behind the core's back here. Every multipart upload is in the database
// before its first part; what a crash leaves is ended at the next start, and by GC what only the store knows.
//
// A change of an object sends the parts that changed; the store copies the others (editPlan), and only what is missing of a changed part is read. Every
// version has the store's tag of its object, the CRC-64/NVME of its bytes and a CRC-32C of each MiB, with which Options.Cache verifies what it reads. They
// are computed while the bytes pass; for a changed object they are put together from those of the blocks that did not change.
//
// Nothing is asked of the store under a lock that stat, readdir, statfs or an open may want. A commit of the mount is not done until it is done: until then
// every open gets the version before, and writers of that one file wait. Each call of the store has Options.StoreTimeout; when it ends, close and fsync are
// EIO, the bytes stay, and the next close or fsync tries again.
//
// With Options.Writeback close and fsync on the mount promise what they promise on a local disk, and no more: bytes and name are on this machine's disk. The
// version is staged, its upload queued in the database (queue.go), and tried for ever. A change of an object stays a layer over it until then (layer.go).
// Pending lists what waits, Drain waits for it. What HTTP faces acknowledge is in the store all the same.
//
// Objects carry their tenant, path, mode and GUID where the store keeps such facts, so that Recover can make the tree again without the database.
//
// # Concurrency and ownership
//
// All methods of FS may be called from any goroutine; so may those of a Handle, with Release as the last. A Reader or Writer belongs to one
// goroutine, but for Reader.ReadAt. Byte slices are not kept after a call returns. Lock order: view.cmu, openIno.mu, view.wmu, view.mu, source.mu,
// queue.mu, upload.mu, FS.applying; the leaf locks openTable.mu, sourceTable.mu, settler.mu, lingerers.mu, keyGuard.mu, remote.mu, tasks.mu, departed.mu, fileStack.mu and dirPaths.mu are held
// for map accesses only. fsync happens under openIno.mu and view.wmu, which readers and stat do not take; a commit in the database under view.mu too, so
// that the row and the view change together; nothing under a leaf lock. Uploads happen under view.cmu alone, which only the next commit of the same
// file wants. Events are delivered under none.
//
// # Permissions
//
// The kernel checks permissions for the mount (default_permissions). For the other faces the actor's roles decide, and the property "user"
// names the owner, who may read and change the file without a role.
package fs
