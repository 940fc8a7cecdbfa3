// Package davop times requests to a WebDAV server. Large bodies go through curl, which is fast and not written in the language of the
// servers under test; many small requests go through one keep-alive client of net/http, so that no program starts are timed.
//
// A Client may be used from several goroutines. Nothing is retried: an answer that is not the expected one is an error.
package davop
