// Package s3store is an object store in a bucket of any S3-compatible service.
//
// # Where things are
//
// The object with the key a/b is the S3 object prefix/a/b. Its bytes are exactly the caller's, so that other tools
// can read them; facts (see objstore.Describer) are user metadata named x-amz-meta-tote-*. Keys below
// prefix/.tote-probe- are the store's own: Open tries out there what the server can do, and removes them. The rest of
// the bucket can be read under keys that begin with BucketKeys.
//
// # Durability
//
// Put and Complete return once the server has acknowledged the object, and have compared what it says it has with
// what was sent: a CRC-64/NVME of the body goes along with every body (an MD5 where the server knows no CRC), and
// the tag or checksum of a completed upload is read back.
//
// Parts should be numbered without gaps, although any numbers are taken: Ceph 16 loses an object whose part numbers
// have gaps when its first part was sent twice, as happens when an answer is lost.
//
// # Repeating
//
// Every call is repeated while its failure is a temporary one, with a backoff of 3 s at most, until the caller's
// context ends, or for Options.Patience where that has no deadline. The SDK's adaptive mode slows the whole client
// down when the server asks for it. An attempt fails when no byte moves for Options.Stall. A reply that was lost
// does no harm: Put is repeated, and a Complete that comes too late finds its object published. The body of Get
// goes on behind a broken connection, at the same place of the same object.
//
// # Memory
//
// A body that is an io.ReaderAt and an io.Seeker (os.File, io.SectionReader, bytes.Reader) is read twice, from
// where it stands: once for its checksum and once for the network; it must not change meanwhile. Any other is
// copied first, to memory or, beyond Options.Spool bytes, to an unlinked temporary file. Connections have buffers
// of 128 KiB for each direction.
//
// # Locks
//
// upload.turn (held while an upload is completed or aborted) < upload.mu < endings.mu. No lock but turn is held
// during a call to the server.
package s3store
