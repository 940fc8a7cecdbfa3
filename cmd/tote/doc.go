// Command tote serves one object store with its metadata database as a mounted drive, a WebDAV share and REST APIs.
//
// The command composes and owns what the packages below must not know about each other: flags, the data directory and its lock,
// listeners and TLS, login, logs, the admin socket and the order of shutdown. No rule about files is decided here.
//
// One process works on one data directory. "tote serve" holds the lock on DATA/lock for its life and listens on DATA/admin.sock,
// which only its own user can open. The commands user, status, gc, fsck and umount ask the running server through that socket; when
// no server runs they take the lock themselves and do the same work in their own process, through the same handler.
//
// Each command is a file of its own. open.go is the composition, program.go the life of a server, exit.go the exit codes.
package main
