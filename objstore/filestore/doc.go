// Package filestore is the embedded object store: one plain file per object on a local file system.
//
// # Layout
//
// The object a/b/stem@_@GUID.ext is the file a/b/<xx>/stem@_@GUID.ext below the root, where xx is a hash of the
// last segment, so that a directory with a million objects is 256 directories of four thousand. Directory
// segments that would look like xx or like one of the two below get a '%' in front. Beside the objects:
//
//	.tmp/            files being written, each renamed into place when it is whole
//	.uploads/<id>/   manifest, parts, and "done" once the upload is completed
//
// # Safety
//
// The root is opened as an os.Root, and objects are reached from it one directory descriptor at a time without
// following symbolic links: not even links that stay inside, which os.Root alone would follow. A key can't name
// anything outside, and a planted link is refused.
//
// # Durability
//
// Put, Adopt, Rename and Complete return after the bytes, the name and every new directory above it are on disk.
// Publishers into one directory at the same time share one fsync. AdoptLazy and Delete flush nothing: Sync
// makes them last. One process at a time may use a root.
//
// # Locks
//
// upload id (idLocks) < dir.mu < dirCache.mu. The group commit of a directory waits with none of them held
// except dir.mu, under which nobody publishes.
package filestore
