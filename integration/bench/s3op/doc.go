// Package s3op times what the AWS SDK does by itself on an S3 bucket: its uploader, its parallel download in ranges, and single calls from many
// goroutines. It is what a file system over the same bucket is compared with.
//
// A Client may be used from several goroutines.
package s3op
