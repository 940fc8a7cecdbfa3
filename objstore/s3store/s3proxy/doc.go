// Package s3proxy is an HTTP proxy that stands between an S3 client and an S3 server in tests, counts what passes, and makes calls fail
// in the ways in which networks and servers fail.
//
// A call's operation is told from its method, query and headers; URLs are expected in path style. The Host header, the path and the query reach
// the server as the client sent them, because the client has signed them. Bodies stream: none is ever held in memory as a whole.
//
// A Proxy may be used from any number of goroutines. Close ends every connection, whatever state it is in.
package s3proxy
