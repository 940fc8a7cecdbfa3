// Package restop times transfers of one large file over two APIs of one server: WebDAV, and forms to inventory binaries. Both go through the same
// client of net/http and have the same bytes, so that what differs is the server.
//
// A Client may be used from several goroutines. Nothing is retried: an answer that is not the expected one is an error.
package restop
