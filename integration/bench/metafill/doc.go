// Package metafill fills the database of a data directory with millions of files in minutes, past the server, which must not run meanwhile.
//
// What it makes are rows: files of 4 KiB with a version and a key as the server writes them, but without objects. They can be looked up, listed,
// renamed and removed like any others; their bytes can't be read. A tree consists of groups (see [Dir]) of ten directories with 1,000 files
// each. They are copies of one that is committed file by file beside the tree, and share its keys as copies on the server do.
package metafill
