// Package s3test gives tests an S3 server: a versitygw with its posix backend in a child process, on a free
// loopback port, keeping its objects in a temporary directory, or any other server that the environment names.
//
//	TOTE_VERSITYGW       the binary; else versitygw in .tools/bin of the module, else in the PATH
//	TOTE_TEST_S3         endpoint of another server to use instead, as http://127.0.0.1:7480
//	TOTE_TEST_S3_BUCKET  bucket there, "tote-test" by default, made when it is missing; credentials and region
//	                     come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION
//
// On another server every Gateway works below a prefix of its own, which is emptied when its test ends. The child
// process ends with its test, and with the test binary if that dies first.
package s3test
