// Package fsop times single file system operations. Every operation is a loop of plain system calls in the calling process, so that
// it costs what the file system costs and not what a shell, a buffer or the Go runtime's poller would add.
//
// All functions stop between two calls when their context ends, and return its error. Durations cover the calls alone: names and
// buffers are made before the clock starts. The functions hold no state; two may run at the same time on different paths.
package fsop
