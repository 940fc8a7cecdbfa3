// Package meta keeps everything about files except their bytes: names, attributes, versions, properties, locks,
// users, and the rows that let the core recover after a crash. It is the only package that knows SQL.
//
// # Transactions
//
// Every method is one operation: all of it is done, or nothing. There is one writing connection and a small pool of reading ones. Relaxed
// operations share a SQLite transaction, which is committed when it has many of them, when 50 ms have passed, before a durable operation returns, and
// before another connection reads. Until then an operation log beside the database (opLog, NAME-ops) holds their statements: the death of the
// process loses nothing that was acknowledged, and a transaction that the disk refused is done again. On a full disk operations no longer share one,
// and what was acknowledged before is read from the writer's connection until it can be committed. A reader waits for the writer only while such
// operations wait for their commit. A mutation looks at its context before it begins and then runs to its end.
// Functions given to a method (Check, Keep) run inside the transaction, under the writer's lock: they may run twice,
// must be quick and must not call the DB, not even to read: that would wait for the very transaction.
//
// # Durability
//
// Every mutation takes a [Durability]. Relaxed commits survive the death of the process. Durable ones return after
// the write-ahead log was flushed, and callers that wait at the same time share a flush. When a flush has failed once,
// every later durable call fails: the kernel reports such an error only once and drops the pages it could not write.
// The mutation of a call that failed in this way is done all the same, and may or may not survive: its error wraps
// [ErrNotFlushed] and EIO, and its results are filled in, so that the caller can go on from what is current now.
//
// # Errors
//
// Expected outcomes are bare [syscall.Errno] values (ENOENT, EEXIST, ESTALE, …). A full disk wraps ENOSPC, damage and
// failed reads or writes wrap EIO; use [errors.Is]. An error of a Check function comes back as it is.
//
// # Ownership
//
// Arguments are not kept and results belong to the caller. Every method may be called from any goroutine until Close
// was called. Names are bytes: any except '/' and NUL, at most [MaxName] of them.
package meta
