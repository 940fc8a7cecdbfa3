// Package restapi serves the files of the core over two families of REST APIs: the inventory with binaries, managed objects and events (/inventory,
// /event, and what their clients need at login: /tenant, /user, /platform), and the Binary Stream Object Service (/api, /{tenant}/api, /data) with the
// signed URLs (/blobs) that its clients upload to and download from.
//
// Package apidoc describes every operation. The tests of this package compare the description with the routes in both directions, ask for each described
// status, and hold every answer that any of them gets against it.
//
// # What is a file here
//
// Every regular file of the tree is a binary and a binary stream object, whichever face made it. Its inventory id is its inode number in
// decimal. Its object id is its property objectId when an API client gave it one, else the same decimal number; both stay when the file is
// renamed, moved or rewritten. Its objectKey is the property of that name, else the name stem@_@GUID.ext of its newest version, else (it never
// had content) the decimal number. Keys of older versions keep resolving.
//
// # Where objects are kept
//
// A binary stream object with bytes is a file, and everything about it is in the file's properties: id, type and registration are therefore
// written in the same transaction as the bytes. The Documents interface holds only what has no file of its own: objects created before their
// bytes arrive (Ino 0), and further objects about a key whose file belongs to another object already (Ino set). A document that waits for bytes
// is turned into properties by the upload; if the process dies between the commit and the removal of the document, the file wins.
//
// # Signed URLs
//
// The server keeps no upload sessions. Everything a session would remember (tenant, user, roles, object id, type, properties) travels in the
// parameter si, which the signature covers; nothing about identity is taken from the request's headers. A URL dies with its expiry or with
// the signing key. That of one blob names it; that of a container grants its blobs and no others, although keys are one name space per tenant.
//
// Blocks wait in the core as pieces, grouped by container and key, until a list makes a blob of them, a whole blob takes their place, or a week has
// passed. A list is made a blob while no block of the same blob can come, so of two lists that want the same blocks one finds none left.
//
// # Events
//
// An event is a row; its attachment is a file below /events that says itself to which event it belongs. Pieces of an attachment wait as a draft, in
// order, until the last one makes a file of them; the event counts a piece when its bytes are on the disk. A draft that has not grown for a day is dropped.
//
// # Who may
//
// Roles of the login decide first. Where the tenant's options say so, the properties user, role and ownershipData of an object decide, too: they are
// compared with who logged in, or with whom the x-rdp headers name when a program or an administrator asks. A URL remembers both, and is asked again
// when it is used.
//
// # Failing
//
// A body that ends early, is too long, is not what its framing or checksum says, or that the core refuses leaves no file, no version and no
// directory behind. Once the first byte of a download went out an error can only be told by cutting the connection, which is what happens.
//
// # Concurrency and memory
//
// The handler may be called from any number of goroutines. Bodies of files are streamed; JSON is limited to Options.MaxJSON.
package restapi
