// Package child runs the servers that the benchmark measures. A child is stopped by Stop and by nothing else: it has a process group of its own, so
// that Ctrl-C reaches the benchmark alone, which then ends its children in order; should the benchmark die without a word, the
// kernel asks them to stop.
//
// A Process may be used from several goroutines.
package child
