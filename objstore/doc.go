// Package objstore is the contract of an object store: immutable bytes under keys.
//
// # Objects
//
// An object is published whole or not at all, and its bytes never change while it is published. Publishing
// to a key that exists replaces the object atomically: a reader that opened the old one reads it to its end,
// or gets an error, never a mixture. When Put or Complete returns nil, bytes and name survive power loss. A
// Delete may come back after power loss; repeating it is harmless, and a Syncer makes it last.
//
// # Failures
//
// Errors are told apart with errors.Is and the sentinels of this package; the text is for people. A cancelled
// context stops a call before it publishes; a call that has published finishes. After an error from Put or
// Complete the object may nevertheless be there (the answer was lost): repeating the call is always safe.
//
// # Memory and concurrency
//
// A store never keeps a reader, a slice or a context after the call that received it has returned, except that
// the body returned by Get may watch its context until it is closed. All methods of stores and uploads may be
// called from any number of goroutines at once.
//
// # Abilities
//
// What only some stores can do is a one-method interface (Adopter, FileOpener, …), found with As. Decorators
// pass abilities on through Unwrapper, or, when they have to stay in between, through Abler.
package objstore
