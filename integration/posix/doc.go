// Package posix is a suite of tests for a file system: every interface of POSIX and Linux that names or opens a file, with its errors.
//
// Run does the same calls to the directory under test and to a native one. The scripts (scripts/*.txt) say for each call what must come of it;
// the native directory proves that the script is right, and whatever a line does not say in so many words has to be the same on both. The tables
// (Matrix) cross calls, kinds of files, modes and users, and the native answer is the one that is wanted.
//
// Each script runs on a thread of its own, which has its own user, groups, umask and working directory. So names are the same on both sides, and
// limits of paths can be reached exactly. It needs root.
//
// # Scripts
//
//	mkdir d 0755                       a call that has to work
//	open d O_WRONLY want EISDIR        or to fail
//	stat d type mode want dir 0755     or to answer
//	as 65534:65533,65532               from here on uid, gid and further groups; "as root" ends it
//	open @f d/f O_RDWR|O_CREAT 0644    keeps the descriptor, for calls that take @f
//	unlink @d/f                        a name below an open directory
//	create $n255 0644                  a name of 255 bytes; $p4095 is a path of that length, "parents $p4095" makes what is above
//	other @p unlink f                  a call of another process, which "bye @p" ends
//	differs …                          a reason: the next line's answer of the native directory is not looked at
package posix
