// Package blockcache reads remote objects through verified blocks: in memory, on a local disk, and from the store.
//
// # Bytes
//
// An object is divided into blocks of Options.Block bytes, the last one shorter. Nothing but whole, verified blocks is
// ever read from: a block from the store has to have its length and, where Object.Sums is known, its CRC-32C; a block
// from the disk has to have the CRC-32C with which it was written, every time it is read again. Which object, version
// and block a file on the disk holds is part of its name and is bound to its sum, so that no block is taken for
// another. With an ETag, and a store that has objstore.MatchGetter, the store checks it on every range. Without an
// ETag the caller vouches that the key's bytes never change.
//
// # Failures
//
// A read that the store answers short, with an error or with wrong bytes is repeated, with pauses from 50 ms to 3 s,
// until the reader's context ends or no block came for Options.Patience: then it is objstore.ErrTemporary. Wrong bytes
// five times in a row are ErrCorrupt. ErrNotFound, ErrChanged, ErrDenied, ErrRange and ErrKey of the store end a read
// at once. An error of the cache's own disk never reaches a reader: reading goes on without the disk, and it is tried
// again every minute.
//
// # Fetches
//
// However many readers ask for a block, it is fetched once, and they share the outcome. A reader whose context ends
// leaves; the fetch goes on as long as another reader or somebody's read-ahead wants it. At most Options.Fetches calls
// of the store run at once, in all. Read-ahead makes way for readers that wait.
//
// # Read-ahead
//
// Each File follows up to four sequential streams. A stream is read ahead four times as far as it has been read, up to
// Options.Ahead, in ranges of up to 8 MiB. All streams together are never read ahead farther than the memory can
// keep, so that each gets less as there are more of them. Read-ahead that fails is dropped and not repeated. A stream
// that four others have replaced is read ahead no more, and its fetches end. A read that continues no stream fetches
// its own blocks and nothing else.
//
// # The disk
//
// The directory belongs to one cache at a time. It holds one file for each block, written once under its final name,
// and nothing else. At any instant the sizes of its files, each rounded up to 4 KiB, and of the directory itself are
// at most the limit; a file system's own bookkeeping stays below one block more. The blocks that were not read for the
// longest time go first. Nothing is flushed: after power loss a block is whole, or its sum is wrong and it is fetched
// again. New takes over what an earlier run left. Files of other names are left alone and count towards the limit.
//
// Blocks are written behind the readers, by one goroutine, which takes little of the processors' time as long as
// anything is fetched. So a store that is faster than the disk is read at its own speed, and a block that has to leave
// the memory before its turn to be written is not kept.
//
// # Memory and concurrency
//
// Blocks in memory are outside Go's heap and at most Options.Memory bytes, whatever the number of readers. On top come
// about 200 bytes for each block on the disk, of which there are at most 131,072 or limit/Block, whichever is more;
// 4 MiB of small blocks that wait to be written; and 256 KiB for each running SendTo. All methods may be called from
// any number of goroutines at once. Object.Sums is read as long as the File is open and must not be changed.
package blockcache
